#!/usr/bin/env bash
# Builds, tests and shows Ata; './build.sh help' lists the verbs. build.ps1 is its twin for Windows.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
exec </dev/null # Nothing here asks questions, and nothing may wait for an answer.

readonly BUILD=out/release
readonly RESULTS="$PWD/out/test-results"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_UI_LANGUAGE=en
export DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 MSBUILDDISABLENODEREUSE=1
jobs="$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)"
readonly jobs

usage() {
  cat <<'TEXT'
./build.sh VERB

  setup            install the system packages that are missing (Debian, Ubuntu)
  build            build the native library and, with the .NET SDK, the managed part
  test             build, then run every test and check the formatting
  demo [OPTION]    build, then make videos, align one, train a model in each temporal mode and
                   compare them (4 minutes); --quick leaves out the training, --full trains every
                   mode and alignment with 5 seeds and sweeps a speed, which takes hours
  bench [OPTION]   build, then run the benchmarks; options go to Google Benchmark, e.g.
                   --benchmark_filter=NAME
  sanitize NAME    build and run the native tests under a sanitizer: asan or tsan
  reference        write the reference of the C, C++ and .NET API to out/reference/html (by Doxygen)
  format           format all sources; with --check only report what is not formatted
  pack             write the NuGet packages and the C++ package to artifacts/, with the libraries that they
                   need inside (on Debian 12; builds those from Debian's sources the first time)
  clean            remove everything that was built
TEXT
}

say() { printf '[%4d s] %s\n' "$SECONDS" "$*"; }
die() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

# --- setup ----------------------------------------------------------------------------------------

# Debian and Ubuntu packages, each with the program that shows it is there; '-' asks dpkg instead.
readonly PACKAGES="
  g++:c++ cmake:cmake ninja-build:ninja pkg-config:pkg-config binutils:nm
  libdnnl-dev:- ocl-icd-opencl-dev:- libhwy-dev:- nlohmann-json3-dev:-
  libavcodec-dev:- libavformat-dev:- libavutil-dev:- libswscale-dev:-
  libgtest-dev:- libbenchmark-dev:- ffmpeg:ffmpeg clang-format-14:clang-format-14"
readonly BROWSER_PACKAGES="chromium:chromium" # The pages that ata writes are tried in it.
readonly PACK_PACKAGES="dpkg-dev:dpkg-source nasm:nasm make:make patch:patch unzip:unzip"
readonly REFERENCE_PACKAGES="doxygen:doxygen"
readonly TSAN_PACKAGES="clang:clang++ libclang-rt-dev:-"

is_installed() { # PACKAGE PROGRAM
  if [[ $2 != - ]]; then
    command -v "$2" >/dev/null
  else
    [[ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" == "install ok installed" ]]
  fi
}

setup() { # [PACKAGE:PROGRAM...]
  if ! command -v dpkg-query >/dev/null; then
    say "this is neither Debian nor Ubuntu: install the equivalents of these packages yourself:" \
      $(sed 's/:[^ ]*//g' <<<"$PACKAGES")
    return
  fi
  local missing=() entry
  for entry in ${*:-$PACKAGES}; do
    is_installed "${entry%%:*}" "${entry##*:}" || missing+=("${entry%%:*}")
  done
  if ((${#missing[@]} == 0)); then return; fi

  local as_root=() line="apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  if ((EUID != 0)); then
    if ! { command -v sudo && sudo -n true; } >/dev/null 2>&1; then
      die "system packages are missing and may not be installed by this user. Run" \
        $'\n\n'"  sudo sh -c '$line'"$'\n\n'"and start again."
    fi
    as_root=(sudo)
  fi
  say "installing ${missing[*]}"
  if ! { "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }; then
    die "apt-get failed (see above; without a network it cannot work). What is needed:" \
      $'\n\n'"  ${as_root[*]:+sudo }sh -c '$line'"
  fi
}

# Ubuntu has Chromium only as a snap, which apt-get cannot install everywhere: there it is taken if it is found.
setup_browser() {
  if grep -qsx 'ID=debian' /etc/os-release; then setup $BROWSER_PACKAGES; fi
}

# Finds the .NET SDK 10 or newer; false without one.
have_dotnet() {
  local directory
  if ! command -v dotnet >/dev/null; then
    for directory in "${DOTNET_ROOT:-}" "$HOME/.dotnet" /usr/share/dotnet /usr/lib/dotnet; do
      [[ -n $directory && -x $directory/dotnet ]] || continue
      export PATH="$directory:$PATH"
      break
    done
  fi
  command -v dotnet >/dev/null || return 1
  # The programs that are built look for the runtime there, and without it only where the system has one.
  directory="$(dirname "$(readlink -f "$(command -v dotnet)")")"
  if [[ -d $directory/shared/Microsoft.NETCore.App ]]; then export DOTNET_ROOT="$directory"; fi
  dotnet --list-sdks 2>/dev/null | grep -qE '^[1-9][0-9]\.'
}

say_without_dotnet() {
  say "the .NET SDK 10 was not found: the managed part is left out" \
    "(https://dotnet.microsoft.com/download)"
}

# --- build ----------------------------------------------------------------------------------------

build_native() { # [PRESET [TARGET]]
  local preset="${1:-release}" launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache); fi
  say "native: configure and build ($preset, $jobs jobs)"
  cmake --preset "$preset" "${launcher[@]}" -Wno-dev >out/configure.log 2>&1 ||
    { cat out/configure.log >&2 && die "CMake could not configure; see above"; }
  sed -n 's/^-- \(.* left out: .*\)/\1/p' out/configure.log
  cmake --build --preset "$preset" -j "$jobs"
}

build_managed() {
  say "managed: restore and build"
  dotnet build Ata.sln -c Release -v quiet ||
    die "the managed part could not be built; see above (NuGet needs a network to restore packages)"
}

build() {
  mkdir -p out
  setup
  build_native
  if have_dotnet; then build_managed; else say_without_dotnet; fi
}

# Puts the `ata` command that was built on the PATH.
use_cli() {
  have_dotnet || die "the ata command needs the .NET SDK 10 (https://dotnet.microsoft.com/download)"
  build
  export PATH="$PWD/managed/Ata.Cli/bin/Release/net10.0:$PATH"
}

# --- test -----------------------------------------------------------------------------------------

passed=0 failed=0 failures=() skipped=()

# Adds the results of a test program that reported its own counts.
count() { # NAME PASSED FAILED
  passed=$((passed + $2)) failed=$((failed + $3))
  if (($3 > 0)); then failures+=("$1: $3 failed"); fi
}

# Runs one check and counts it as one test.
check() { # NAME COMMAND...
  local name="$1" status=0
  shift
  say "$name"
  # A subshell, so that 'die' ends the check and not the run.
  (set -e; "$@") || status=$?
  if ((status == 0)); then
    count "$name" 1 0
  else
    say "FAILED: $name"
    count "$name" 0 1
  fi
}

# The number that an attribute of the first matching XML element holds; 0 if there is none.
xml_number() { # FILE ELEMENT ATTRIBUTE
  local value
  value="$(tr '\n\t' '  ' <"$1" | grep -o "<$2 [^>]*>" | head -n 1 | sed -n "s/.* $3=\"\([0-9]*\)\".*/\1/p")"
  echo "${value:-0}"
}

test_native() {
  say "native: tests"
  local report="$RESULTS/native.xml" status=0
  ctest --preset release -j "$jobs" --progress --output-junit "$report" || status=$?
  if [[ ! -f $report ]]; then count "native tests" 0 1 && return; fi
  local total bad skipped
  total="$(xml_number "$report" testsuite tests)"
  bad="$(xml_number "$report" testsuite failures)"
  skipped="$(($(xml_number "$report" testsuite skipped) + $(xml_number "$report" testsuite disabled)))"
  if ((status != 0 && bad == 0)); then bad=1; fi
  count "native tests" $((total - bad - skipped)) "$bad"
  mapfile -t -O "${#failures[@]}" failures < <(native_failures "$report")
}

# The failed tests of a report of ctest, each with the first lines that say why.
native_failures() { # FILE
  awk '/<testcase / { name = $0; sub(/.*<testcase name="/, "", name); sub(/".*/, "", name)
                      failed = /status="fail"/; lines = 0; follows = 0
                      if (failed) print name }
       !failed { next }
       /<failure message="[^"]/ { why = $0; sub(/.*message="/, "", why); sub(/".*/, "", why); print "  " why }
       /: Failure$|runtime error:|ERROR:/ { follows = 5 }
       follows > 0 && lines < 15 { print "  " $0; --follows; ++lines }' "$1"
}

# The failed tests of a report of dotnet test, each with the first lines of its message.
managed_failures() { # FILE
  awk '/<UnitTestResult / { name = $0; sub(/.* testName="/, "", name); sub(/".*/, "", name)
                            failed = /outcome="Failed"/; message = 0; lines = 0
                            if (failed) print name }
       !failed { next }
       /<Message>/ { message = 1; sub(/.*<Message>/, "") }
       message && lines < 10 { line = $0; sub(/<\/Message>.*/, "", line); print "  " line; ++lines }
       /<\/Message>/ { message = 0 }
       /<StackTrace>/ { sub(/.*<StackTrace>/, ""); print "  " $0 }' "$1"
}

test_managed() {
  say "managed: tests"
  local status=0 report name bad=0 good=0 reasons=()
  dotnet test Ata.sln -c Release --no-build -v quiet --logger trx \
    --results-directory "$RESULTS" || status=$?
  for report in "$RESULTS"/*.trx; do
    [[ -f $report ]] || continue
    good=$((good + $(xml_number "$report" Counters passed)))
    bad=$((bad + $(xml_number "$report" Counters failed) + $(xml_number "$report" Counters error)))
    mapfile -t -O "${#reasons[@]}" reasons < <(managed_failures "$report")
    while read -r name; do skipped+=("$name"); done < <(grep -o '<UnitTestResult [^>]*outcome="NotExecuted"' "$report" |
      sed 's/.* testName="\([^"]*\)".*/\1/')
  done
  if (((status != 0 || good == 0) && bad == 0)); then bad=1; fi
  count "managed tests" "$good" "$bad"
  failures+=("${reasons[@]}")
}

run_tests() {
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"
  trap finish_tests EXIT
  setup
  build_native
  test_native
  if have_dotnet; then
    setup_browser
    build_managed
    test_managed
  fi
  check "format" format --check
  check "documentation: every link" tests/documentation/links.sh
  if command -v doxygen >/dev/null; then
    check "reference: every public declaration is documented" reference
  else
    skipped+=("reference: every public declaration is documented (Doxygen is not installed)")
  fi
  check "C++ package: install, find_package, pkg-config, run" tests/package/cpp/run.sh "$BUILD"
  check "C++ package inside another project" tests/package/cpp/embed.sh .
  if have_dotnet; then
    check "NuGet packages: pack, restore, run" tests/package/dotnet/run.sh
    check "documentation: every example" tests/documentation/examples.sh "$BUILD"
  fi
  if compgen -G "artifacts/*.tar.gz" >/dev/null; then
    check "artifacts of ./build.sh pack: check, install, run" tests/package/packed.sh artifacts
  else
    say "artifacts/ is empty: what ./build.sh pack writes is not tried"
  fi
  complete=1
}

# Closes a test run, however it ended.
finish_tests() {
  local status=$? failure
  if [[ -z ${complete:-} ]]; then count "the run stopped before its end" 0 1; fi
  echo
  have_dotnet || say_without_dotnet
  for failure in "${skipped[@]}"; do say "SKIPPED: $failure"; done
  for failure in "${failures[@]}"; do say "FAILED: $failure"; done
  say "finished"
  echo "$passed passed, $failed failed"
  if ((failed > 0 && status == 0)); then status=1; fi
  exit "$status"
}

sanitize() {
  case "${1:-}" in
    asan) ;;
    tsan) setup $TSAN_PACKAGES ;;
    *) die "sanitize needs a name: asan or tsan" ;;
  esac
  mkdir -p out
  setup
  build_native "$1"
  ctest --preset "$1" -j "$jobs"
}

# --- format ---------------------------------------------------------------------------------------

native_sources() {
  find native tests -type d \( -name bin -o -name obj \) -prune -o -type f \
    \( -name '*.h' -o -name '*.hpp' -o -name '*.cc' -o -name '*.c' -o -name '*.cu' \
       -o -name '*.cuh' \) -print
}

format() {
  local mode=(-i) verify=() status=0
  case "${1:-}" in
    --check) mode=(--dry-run -Werror) verify=(--verify-no-changes) ;;
    "") ;;
    *) die "format takes only --check" ;;
  esac
  local formatter=clang-format-14
  command -v $formatter >/dev/null || formatter=clang-format
  if ! command -v $formatter >/dev/null || [[ "$($formatter --version)" != *" 14."* ]]; then
    say "clang-format 14 was not found (other versions format differently):" \
      "C++ formatting is left to those who have it"
  else
    native_sources | xargs $formatter "${mode[@]}" || status=1
  fi
  if have_dotnet; then dotnet format Ata.sln --no-restore "${verify[@]}" || status=1; fi
  if ((status != 0)); then say "not formatted; './build.sh format' does it"; fi
  return "$status"
}

# --- reference ------------------------------------------------------------------------------------

# What is public and not documented, or documented wrongly, is an error.
reference() {
  rm -rf out/reference
  mkdir -p out
  ATA_VERSION="$(<VERSION)" doxygen docs/reference/Doxyfile
  # It passes over what it does not understand in silence: every function of C and every type of C# is there.
  local missing
  missing="$({
    tr '\n' ' ' <native/include/ata/ata.h | grep -oE 'ATA_API\([^)]*\) +ata_[a-z0-9_]+' | sed 's/.* //'
    sed -nE 's/^Ata(\.[A-Za-z]+)*\.([A-Za-z]+)(<.*>)?\r?$/\2/p' managed/Ata/PublicAPI.*.txt
  } | sort -u | comm -23 - <(sed -nE 's/.*<name>(.*::)?([A-Za-z0-9_]+)(&lt;.*)?<\/name>.*/\2/p' out/reference/ata.tag | sort -u))"
  if [[ -n $missing ]]; then die "the reference lacks" $missing; fi
  say "the reference is out/reference/html/index.html"
}

# --- bench, pack, demo, clean ---------------------------------------------------------------------

bench() {
  build
  local program
  for program in "$BUILD"/bin/*_bench; do
    [[ -x $program ]] || die "no benchmark was built in $BUILD/bin"
    say "$program"
    "$program" "$@"
  done
  if have_dotnet; then
    say "managed: benchmarks"
    dotnet run --project managed/Ata.Benchmarks -c Release --no-build -- \
      --filter '*' --artifacts out/benchmarks
  fi
}

pack() {
  setup $PACKAGES $PACK_PACKAGES
  have_dotnet || say_without_dotnet
  mkdir -p out
  say "packages: libraries from Debian's sources, then Ata; the first time takes half an hour on two cores"
  packaging/pack.sh artifacts
}

demo() {
  use_cli
  demo/run.sh out/demo
  case "${1:-}" in
    --quick) ;;
    *) demo/train.sh out/demo "$@" ;;
  esac
}

clean() {
  rm -rf out artifacts
  find bindings managed tests -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +
}

main() {
  local verb="${1:-help}"
  if (($# > 0)); then shift; fi
  case "$verb" in
    setup | build | reference | pack | clean) (($# == 0)) || die "$verb takes no arguments" ;;&
    demo) [[ $# == 0 || "$*" == --quick || "$*" == --full ]] ||
      die "demo takes no argument but --quick or --full" ;;&
    setup) setup && say "all system packages are there" ;;
    reference) setup $REFERENCE_PACKAGES && reference ;;
    build | bench | sanitize | format | pack | demo | clean) "$verb" "$@" ;;
    test) run_tests "$@" ;;
    help | -h | --help) usage ;;
    *)
      usage >&2
      die "there is no verb '$verb'"
      ;;
  esac
}

main "$@"
