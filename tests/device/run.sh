#!/usr/bin/env bash
# Proves and measures everything on the GPU of this machine; README.md beside it says how.
set -uo pipefail
readonly CALLER="$PWD"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exec </dev/null # Nothing here asks questions.

usage() {
  cat <<'TEXT'
tests/device/run.sh [OPTION...]

  --prepare FILE     on a machine like the one with the GPU, with network: build, or take what --build
                     names, and write FILE (.tar.gz) with all that must be brought there besides this
                     source tree
  --prepared FILE    take the programs from such a file (usual: out/device/prepared.tar.gz, if it is there)
  --build FOLDER     take them from this build folder
                     without either they are built in out/device/build
  --emulated         on the emulated GPU, in small sizes: tries the script, and measures nothing
  --seconds N        end after so many seconds (usual: 560); what is left then is cut short
  --only NAME,...    only these phases: tests, passes, assignment, operations, models, pytorch, sanitizers
  --results FOLDER   where results go (usual: out/device/results); what was there is removed
TEXT
}

die() {
  printf 'run.sh: %s\n' "$*" >&2
  exit 2
}

readonly ROOT="$PWD"
readonly PHASES=(tests passes assignment operations models pytorch sanitizers)
readonly PROGRAMS=(ops_test model_test train_test api_device_test cuda_test cuda_bench)
readonly LIMIT=$((64 << 20)) # Bytes of what is brought: one attachment's worth.
prepare='' prepared='' build='' emulated='' budget=560 only='' results=''
while (($# > 0)); do
  case "$1" in
    --emulated) emulated=1 ;;
    -h | --help) usage && exit ;;
    --prepare | --prepared | --build | --seconds | --only | --results)
      (($# > 1)) || die "$1 needs a value"
      case "$1" in
        --prepare) prepare="$2" ;;
        --prepared) prepared="$2" ;;
        --build) build="$2" ;;
        --seconds) budget="$2" ;;
        --only) only="$2" ;;
        --results) results="$2" ;;
      esac
      shift
      ;;
    *) usage >&2 && die "there is no option '$1'" ;;
  esac
  shift
done
[[ $budget =~ ^[1-9][0-9]*$ ]] || die "--seconds is '$budget'; it must be a number above 0"
for name in ${only//,/ }; do
  [[ " ${PHASES[*]} " == *" $name "* ]] || die "--only: there is no phase '$name'; there are: ${PHASES[*]}"
done
[[ -z $prepared || -z $build ]] || die "--prepared and --build are two sources of the same programs"
[[ -z $prepared || -z $emulated ]] || die "--prepared is for a real GPU; --emulated builds, or takes --build"
# Paths are the caller's.
for path in prepare prepared build results; do
  if [[ -n ${!path} && ${!path} != /* ]]; then printf -v "$path" '%s' "$CALLER/${!path}"; fi
done
results="${results:-$ROOT/out/device/results}"
jobs="$(nproc)"
readonly emulated budget only results jobs

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }

# --- programs -------------------------------------------------------------------------------------

build_programs() { # FOLDER ARCHITECTURES [TARGET...]
  local folder="$1" architectures="$2" generator=() cuda=ON
  if [[ -n $emulated ]]; then cuda=AUTO; fi
  shift 2
  if command -v ninja >/dev/null; then generator=(-G Ninja); fi
  say "building in $folder ($jobs jobs)"
  mkdir -p "$folder"
  cmake -S . -B "$folder" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DATA_CUDA=$cuda -DATA_BUILD_VIDEO=OFF \
    -DATA_CUDA_ARCHITECTURES="$architectures" -Wno-dev >"$folder/configure.log" 2>&1 ||
    { cat "$folder/configure.log" >&2 && return 1; }
  cmake --build "$folder" -j "$jobs" --target "${PROGRAMS[@]}" "$@"
}

# Writes the archive of programs, the libraries that they need beyond the C++ compiler's, and what
# PyTorch's side needs.
make_archive() { # FILE
  local file="$1" from="${build:-$ROOT/out/device/build}" stage library program
  stage="$(mktemp -d)" || return
  trap "rm -rf '$stage' '$file.$$.part'" EXIT
  if [[ -z $build ]]; then
    build_programs "$from" "${ATA_DEVICE_ARCHITECTURES:-80-real;90-real}" ata_cuda || return
  fi
  mkdir -p "$stage/bin" "$stage/lib" "$stage/wheels" "$(dirname "$file")"
  for program in "${PROGRAMS[@]}"; do cp "$from/bin/$program" "$stage/bin/" || return; done
  cp "$from/lib/libata_cuda.so.0" "$stage/lib/" || return
  strip "$stage"/bin/* "$stage"/lib/* || return
  # The C and C++ libraries are the other machine's: its drivers and tools are used to them.
  ldd "$stage"/bin/* "$stage"/lib/* | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u |
    grep -vE '/(libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so' | while read -r library; do
    cp -L "$library" "$stage/lib/"
  done
  say "asking PyPI for torch-linear-assignment and NVIDIA's compute-sanitizer"
  python3 -m pip download -q --no-deps --no-binary :all: -d "$stage/wheels" \
    torch-linear-assignment==0.1.0 || say "WITHOUT torch-linear-assignment: pip could not download it"
  python3 -m pip download -q --no-deps -d "$stage/wheels" 'nvidia-cuda-sanitizer-api==13.0.*' ||
    say "WITHOUT compute-sanitizer (the other machine's CUDA toolkit may have it): pip could not download it"
  local part="$file.$$.part" bytes
  tar -C "$stage" -c . | gzip -9 >"$part" || return
  bytes="$(stat -c %s "$part")"
  say "$file: $bytes bytes"
  ((bytes <= LIMIT)) || { say "that is more than $LIMIT bytes" && return 1; }
  mv "$part" "$file"
}

if [[ -n $prepare ]]; then
  make_archive "$prepare" || die "nothing was prepared; see above"
  exit
fi

# Sets `bin` and, where libraries were brought, `libraries`.
libraries='' bin=''
find_programs() {
  if [[ -z $build$prepared$emulated && -f out/device/prepared.tar.gz ]]; then
    prepared="$ROOT/out/device/prepared.tar.gz"
  fi
  if [[ -n $prepared ]]; then
    local folder="$results/prepared"
    mkdir -p "$folder"
    if tar -C "$folder" -xzf "$prepared"; then
      bin="$folder/bin" libraries="$folder/lib"
      # Of a machine with an older C library, say.
      if LD_LIBRARY_PATH="$libraries" "$bin/cuda_bench" --help >"$results/start.log" 2>&1; then
        return 0
      fi
      say "what was prepared does not run here ($(tail -n 1 "$results/start.log")); building"
      libraries=''
    else
      say "$prepared cannot be unpacked; building"
    fi
  elif [[ -n $build ]]; then
    bin="$build/bin"
    return 0
  fi
  local target=ata_cuda
  if [[ -n $emulated ]]; then target=ata_cuda_emulated; fi
  build_programs "$ROOT/out/device/build" native "$target" || return 1
  bin="$ROOT/out/device/build/bin"
}

# The folder of cuBLASLt where the loader does not look by itself: the toolkit's, or of PyTorch's wheels.
blas_folder() {
  if ldconfig -p 2>/dev/null | grep -q 'libcublasLt\.so\.13 '; then return; fi
  local folder nvcc
  nvcc="$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)"
  for folder in "${CUDA_HOME:-/usr/local/cuda}"/lib64 "$(dirname "$(dirname "$nvcc")")"/{lib64,lib} \
    $(python3 -c 'import site, glob
for s in site.getsitepackages(): print(*glob.glob(s + "/nvidia/*/lib"))' 2>/dev/null); do
    if [[ -e $folder/libcublasLt.so.13 ]]; then printf '%s' "$folder" && return; fi
  done
}

# --- phases ---------------------------------------------------------------------------------------

# One line for each part: name, outcome (passed, FAILED, CUT, left out), seconds, note.
readonly OUTCOMES="$results/phases.tsv"
note_outcome() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$OUTCOMES" && say "$1: $2${4:+ ($4)}"; }

left() { echo $((budget - SECONDS)); }
wanted() { [[ -z $only || ",$only," == *",$1,"* ]]; }

# Runs a program of ours, at most so many seconds, and notes how it ended. Its output is NAME.log.
run_part() { # NAME SECONDS COMMAND...
  local name="$1" seconds="$2" begin=$SECONDS status=0 log="$results/$1.log"
  shift 2
  if (($(left) < seconds)); then seconds="$(left)"; fi
  if ((seconds < 5)); then note_outcome "$name" CUT 0 "no time was left" && return; fi
  timeout -k 5 "$seconds" "$@" >"$log" 2>&1 || status=$?
  case "$status" in
    0) note_outcome "$name" passed $((SECONDS - begin)) "$(grep -oE '[0-9]+ tests? from .* ran' "$log" | tail -n 1)" ;;
    124 | 137) note_outcome "$name" CUT $((SECONDS - begin)) "after $seconds s; $name.log has what it said" ;;
    *) note_outcome "$name" FAILED $((SECONDS - begin)) "exit status $status; $name.log has what it said" ;;
  esac
}

# Tests of cuda_test that plan failures, count calls, or need two GPUs: they are for the emulated
# one. That the list is whole is tried there (ATA_TEST_AS_REAL_GPU).
readonly NEED_EMULATED_GPU=(
  'FailuresTest.*' 'GpuApi.*' 'Memory.*'
  'RecordedPass.GivesTheBits*' 'RecordedPass.IsKept*' 'RecordedPass.IsNotBegun*' 'RecordedPass.IsOneLaunch*'
  'Sessions.RefuseWhatIsNoStream*' 'Sessions.RunAtOnce*' 'Sessions.RunOn*' 'Sessions.OfTwoGpus*'
  'TrainingStep.IsOneLaunch*' 'TrainingStep.RecordedGives*' 'TrainingStep.OtherShapes*' 'TrainingStep.TheOrder*')

# GoogleTest's filter without these tests.
without() {
  local IFS=:
  printf -- '-%s' "$*"
}

run_tests() {
  local filter program
  say "cuda_test leaves out what needs an emulated GPU: ${NEED_EMULATED_GPU[*]}"
  note_outcome "cuda_test: ${#NEED_EMULATED_GPU[@]} patterns of tests" "left out" 0 \
    "they need an emulated GPU or two: ${NEED_EMULATED_GPU[*]}"
  if [[ -n $emulated ]]; then
    run_part cuda_test 200 "${OURS[@]}" ATA_TEST_AS_REAL_GPU=1 "$bin/cuda_test" --gtest_brief=1 \
      --gtest_filter="$(without "${NEED_EMULATED_GPU[@]}" '*CudaAssignment*' 'CudaAlign.*')"
    run_part ops_test 100 "${OURS[@]}" "$bin/ops_test" --gtest_brief=1 --gtest_filter='*LayerNorm*:*Dropout*'
    return
  fi
  # Side by side: they compute on the CPU as well, to compare.
  for program in ops_test model_test train_test api_device_test cuda_test; do
    filter='*'
    case "$program" in
      # Of the CPU's instruction sets and threads.
      ops_test) filter="$(without '*InstructionSets*' '*NumberOfThreads*')" ;;
      cuda_test) filter="$(without "${NEED_EMULATED_GPU[@]}")" ;;
    esac
    run_part "$program" 180 "${OURS[@]}" OMP_NUM_THREADS=$(((jobs + 4) / 5)) "$bin/$program" --gtest_brief=1 \
      --gtest_filter="$filter" &
  done
  wait
}

bench_part() { # NAME SECONDS FILTER
  run_part "$1" "$2" "${OURS[@]}" "$bin/cuda_bench" --device "$device" ${emulated:+--small} --benchmark_filter="$3" \
    --benchmark_out="$results/$1.json"
}

# The compiler, PyTorch and a source distribution make torch-linear-assignment.
install_peers() {
  local wheel
  wheel="$(compgen -G "$results/prepared/wheels/torch_linear_assignment*" | head -n 1)"
  if [[ -z $wheel ]]; then return; fi
  run_part torch-linear-assignment 150 python3 -m pip install -q --no-index --no-deps --no-build-isolation \
    --target "$results/site" "$wheel"
}

compare() { # NAME SECONDS WHAT
  local options=(--what "$3") python="${PYTHON:-python3}"
  if [[ -n $emulated ]]; then options+=(--device cpu --small); fi
  if ! "$python" -c 'import torch, numpy, safetensors' >"$results/$1.log" 2>&1; then
    note_outcome "$1" "left out" 0 "$(tail -n 1 "$results/$1.log")"
    return
  fi
  local seconds="$2"
  if (($(left) < seconds)); then seconds="$(left)"; fi
  run_part "$1" "$2" env PYTHONPATH="$results/site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 \
    "$python" tests/device/compare_with_pytorch.py "$results/serve.sh" "$results/$1.json" \
    --seconds "$seconds" "${options[@]}"
}

# NVIDIA's compute-sanitizer: the toolkit's, or that of the wheel that was brought.
find_sanitizer() {
  local wheel found
  found="$(command -v compute-sanitizer || compgen -G '/usr/local/cuda/bin/compute-sanitizer')"
  if [[ -z $found ]]; then
    wheel="$(compgen -G "$results/prepared/wheels/nvidia_cuda_sanitizer_api*" | head -n 1)"
    if [[ -n $wheel ]]; then
      python3 -m zipfile -e "$wheel" "$results/sanitizer" 2>/dev/null
      found="$(find "$results/sanitizer" -name compute-sanitizer -type f | head -n 1)"
      if [[ -n $found ]]; then chmod -R u+x "$(dirname "$found")"; fi
    fi
  fi
  printf '%s' "$found"
}

# What every kernel family does, in small: each tool makes it 10 to 100 times as slow.
readonly SANITIZED_OPS='*LayerNorm*:*TemporalAttention*:Types/Attention*:*Soft*:*Rows*:*Embed*:*Dropout*:*CrossEntropy*'
readonly SANITIZED_CUDA='CudaVisits.*:CudaAlign.*:*CudaAssignment.IsOptimal*'

run_sanitizers() {
  local sanitizer tool
  sanitizer="$(find_sanitizer)"
  if [[ -z $sanitizer ]]; then
    note_outcome sanitizers "left out" 0 "there is no compute-sanitizer: neither in the CUDA toolkit nor brought along"
    return
  fi
  for tool in memcheck racecheck synccheck initcheck; do
    run_part "$tool-ops" 110 "${OURS[@]}" "$sanitizer" --tool "$tool" --error-exitcode 9 "$bin/ops_test" --gtest_brief=1 \
      --gtest_filter="$SANITIZED_OPS-*Determinism*:*ManyTiles*:*TakesMoreSequences*:*FiniteDifferences*" &
    run_part "$tool-cuda" 110 "${OURS[@]}" "$sanitizer" --tool "$tool" --error-exitcode 9 "$bin/cuda_test" --gtest_brief=1 \
      --gtest_filter="$SANITIZED_CUDA" &
  done
  wait
}

# --- run ------------------------------------------------------------------------------------------

# Only what a run left is removed.
if [[ -n $(ls -A "$results" 2>/dev/null) && ! -f $OUTCOMES ]]; then
  die "--results: '$results' holds something else than an earlier run's results"
fi
rm -rf "$results"
mkdir -p "$results" || die "--results: '$results' cannot be made"
: >"$OUTCOMES"
find_programs || die "the programs cannot be built here; prepare them on a machine with network: run.sh --prepare FILE"
for program in "${PROGRAMS[@]}"; do
  [[ -x $bin/$program ]] || die "$bin has no $program"
done
blas="$(blas_folder)"
device="${ATA_DEVICE:-cuda}"
# Programs that were brought find the libraries that were brought; Python must not. No empty entry:
# that would be the current folder.
search=''
for folder in "$libraries" "$blas" "${LD_LIBRARY_PATH:-}"; do
  if [[ -n $folder ]]; then search+="${search:+:}$folder"; fi
done
readonly OURS=(env LD_LIBRARY_PATH="$search")
plugin="${libraries:-$(dirname "$bin")/lib}/libata_cuda.so.0"
if [[ -n $emulated ]]; then plugin="${plugin%.so.0}_emulated.so"; fi
[[ -f $plugin ]] || die "$plugin is not there"
export ATA_CUDA_PLUGIN="$plugin" ATA_TEST_DEVICES="$device" ATA_TEST_DATA="$ROOT/tests/data"
if ! "${OURS[@]}" "$bin/cuda_bench" --device "$device" --benchmark_filter='^$' >"$results/start.log" 2>&1; then
  die "$(tail -n 1 "$results/start.log")"
fi
# For Python, which must not look for our libraries itself.
cat >"$results/serve.sh" <<SCRIPT
#!/bin/sh
exec $(printf '%q ' "${OURS[@]}" "$bin/cuda_bench" --device "$device") "\$@"
SCRIPT
chmod +x "$results/serve.sh"
{
  date -u +%FT%TZ
  uname -srm
  nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.sm,clocks.mem --format=csv,noheader 2>/dev/null
  nvcc --version 2>/dev/null | tail -n 2
  python3 -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null
  git log -1 --format='source %h %s' 2>/dev/null
} >"$results/machine.txt"

# In the order of their worth: what comes last is cut first.
if wanted pytorch && [[ -z $emulated ]]; then install_peers & fi
if wanted tests; then run_tests; fi
wait
if wanted assignment; then bench_part assignment 60 '^assignment/'; fi
if wanted passes; then
  run_part passes 90 "${OURS[@]}" "$bin/cuda_bench" --device "$device" ${emulated:+--small} --passes
fi
if wanted operations; then
  if [[ -n $emulated ]]; then filter='/f32|layer_norm'; else filter=''; fi
  bench_part operations 60 "^operation/.*($filter)"
fi
if wanted pytorch; then compare pytorch-forward 120 forward,assignment; fi
if wanted models; then
  if [[ -n $emulated ]]; then filter='(forward|step)/ata/bf16/.*batch_1/'; else filter='(forward|step)/'; fi
  bench_part models 90 "^$filter"
fi
if wanted pytorch; then compare pytorch-step 140 step; fi
if wanted sanitizers && [[ -z $emulated ]]; then run_sanitizers; fi

python3 tests/device/report.py "$results" ${emulated:+--emulated} | tee "$results/report.md"
exit "${PIPESTATUS[0]}"
