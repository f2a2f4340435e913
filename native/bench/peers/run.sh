#!/usr/bin/env bash
# Compares Ata with PyTorch, ONNX Runtime, SciPy and lap on this machine's CPU; README.md beside it says how.
set -uo pipefail
readonly CALLER="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
exec </dev/null # Nothing here asks questions.

usage() {
  cat <<'TEXT'
native/bench/peers/run.sh [OPTION...]

  --only PART,...        forward, train, assignment, start (these four: the usual ones, ten minutes on two cores),
                         small, batch, long
  --all                  every part, and every kind of similarities (an hour)
  --rounds N             turns of each contender (usual: 5)
  --threads N            threads of each contender (usual: one for each core)
  --output FOLDER        where table.md and the Python environment go (usual: out/peers)
  --environment FOLDER   a Python environment that has the peers already; nothing is installed
  --upgrade              install the newest versions of the peers into the environment of an earlier run
  --build FOLDER         take libata.so from this build folder (usual: built in out/release)
TEXT
}

die() {
  printf 'run.sh: %s\n' "$*" >&2
  exit 2
}

readonly PARTS=(forward train assignment start small batch long)
readonly PACKAGES=(torch onnx onnxscript onnxruntime scipy lapx numpy safetensors)
readonly MODULES='torch, onnx, onnxscript, onnxruntime, scipy, lap, numpy, safetensors'
output='' environment='' build='' upgrade='' options=()
while (($# > 0)); do
  case "$1" in
    --all) options+=(--all) ;;
    --upgrade) upgrade=1 ;;
    -h | --help) usage && exit ;;
    --only | --rounds | --threads | --output | --environment | --build)
      (($# > 1)) || die "$1 needs a value"
      case "$1" in
        --only)
          [[ -n ${2//,/} ]] || die "--only: nothing is named; there are: ${PARTS[*]}"
          for name in ${2//,/ }; do
            [[ " ${PARTS[*]} " == *" $name "* ]] || die "--only: there is no part '$name'; there are: ${PARTS[*]}"
          done
          options+=(--only "$2")
          ;;
        --rounds | --threads)
          [[ $2 =~ ^[1-9][0-9]{0,3}$ ]] || die "$1 is '$2'; it must be a number from 1 to 9999"
          options+=("$1" "$2")
          ;;
        --output) output="$2" ;;
        --environment) environment="$2" ;;
        --build) build="$2" ;;
      esac
      shift
      ;;
    *) usage >&2 && die "there is no option '$1'" ;;
  esac
  shift
done
[[ -z $environment || -z $upgrade ]] || die "--upgrade is for the environment that this script made; --environment is another"
[[ $(uname -s) == Linux ]] || die "it needs Linux, where the memory of a process can be read"
# Paths are the caller's.
for path in output environment build; do
  if [[ -n ${!path} && ${!path} != /* ]]; then printf -v "$path" '%s' "$CALLER/${!path}"; fi
done
output="${output:-$PWD/out/peers}"
readonly output upgrade

say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }

mkdir -p "$output" 2>/dev/null || die "--output: '$output' cannot be made"

# --- Ata ------------------------------------------------------------------------------------------

if [[ -z $build ]]; then
  build="$PWD/out/release"
  say "libata is built, if it is not ($output/build.log)"
  { [[ -f $build/build.ninja ]] || cmake --preset release; } >"$output/build.log" 2>&1 &&
    cmake --build --preset release --target ata >>"$output/build.log" 2>&1 ||
    die "libata cannot be built ($output/build.log); ./build.sh setup installs what it needs"
fi
library="$build/lib/libata.so"
[[ -f $library ]] || die "'$library' is not there: build it first (./build.sh build)"

# --- the peers ------------------------------------------------------------------------------------

# The environment is made once; the mark says that everything is in it.
if [[ -z $environment ]]; then
  environment="$output/environment"
  if [[ ! -f $environment/complete || -n $upgrade ]]; then
    log="$output/install.log"
    if [[ ! -x $environment/bin/pip ]]; then
      say "a Python environment is made"
      command -v python3 >/dev/null || die "there is no python3"
      rm -rf "$environment"
      python3 -m venv "$environment" >"$log" 2>&1 ||
        die "python3 cannot make an environment; on Debian and Ubuntu install python3-venv ($log has what it said)"
    fi
    say "pip installs the newest ${PACKAGES[*]} (some minutes; gigabytes, unless pip's index has PyTorch for CPUs)"
    rm -f "$environment/complete"
    "$environment/bin/pip" install --disable-pip-version-check --upgrade "${PACKAGES[@]}" >"$log" 2>&1 ||
      die "pip cannot install the peers (is there a network?): $(grep -iE '^error' "$log" | tail -n 1) ($log has the rest)"
    touch "$environment/complete"
  fi
fi
python="$environment/bin/python"
[[ -x $python ]] || die "'$python' is not there"
missing="$("$python" -c "import $MODULES" 2>&1)" || die "the environment is incomplete: ${missing##*$'\n'}"
command -v c++ >/dev/null || die "there is no C++ compiler (c++), which torch.compile needs"

export PYTHONDONTWRITEBYTECODE=1 # Nothing is written beside the sources.
exec "$python" native/bench/peers/compare.py "$library" "$output" "${options[@]}"
