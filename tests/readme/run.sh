#!/usr/bin/env bash
# run.sh BUILD: runs the examples of README.md as they are printed, in their order and in one empty folder.
# BUILD is a native build folder. Blocks are told apart by their language:
#   bash      run, with `ata` on the PATH; the output of the block is shown when it fails
#   csharp    Program.cs of a console project that references the packed Ata package
#   cmake     CMakeLists.txt, and
#   cpp       main.cc of a C++ project built against the installed package
# Others (console, text) are for people. A program block runs where it stands, after the blocks before it.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
build="$(cd "$1" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"
mkdir -p "$work/blocks" "$work/examples"

export PATH="$root/managed/Ata.Cli/bin/Release/net10.0:$PATH"
command -v ata >/dev/null || { echo "the ata command was not built; run ./build.sh build" >&2 && exit 1; }

# Each block to blocks/NN.LANGUAGE.
awk -v out="$work/blocks" '
  /^```[a-z]+$/ && !inside { inside = 1; file = sprintf("%s/%02d.%s", out, ++n, substr($0, 4)); next }
  /^```$/ && inside { inside = 0; close(file); next }
  inside { print > file }' "$root/README.md"

# The functions below are called where `set -e` is off: what may fail is joined by &&.

prepare_csharp() {
  "$root/tests/package/dotnet/feed.sh" "$work/feed" "$work/csharp" &&
    cp "$root/tests/package/dotnet/consumer.csproj" "$work/csharp/readme.csproj"
}

run_csharp() { # FILE
  { [[ -d $work/csharp ]] || prepare_csharp; } &&
    cp "$1" "$work/csharp/Program.cs" &&
    (cd "$work/csharp" && dotnet build -c Release -v quiet -o out) &&
    (cd "$work/examples" && "$work/csharp/out/readme")
}

run_cpp() { # FILE
  cp "$1" "$work/cpp/main.cc" &&
    cmake --install "$build" --prefix "$work/prefix" >/dev/null &&
    cmake -S "$work/cpp" -B "$work/cpp/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null &&
    cmake --build "$work/cpp/build" &&
    (cd "$work/examples" && "$(find "$work/cpp/build" -maxdepth 1 -type f -executable)")
}

ran=0
for block in "$work"/blocks/*; do
  case "$block" in
    *.bash) example() { (cd "$work/examples" && bash -euo pipefail "$block"); } ;;
    *.csharp) example() { run_csharp "$block"; } ;;
    *.cpp) example() { run_cpp "$block"; } ;;
    *.cmake) mkdir -p "$work/cpp" && cp "$block" "$work/cpp/CMakeLists.txt" && continue ;;
    *) continue ;;
  esac
  if ! (example) >"$work/output" 2>&1 </dev/null; then
    printf 'this example of README.md fails:\n\n%s\n\nIt printed:\n\n%s\n' \
      "$(cat "$block")" "$(cat "$work/output")" >&2
    exit 1
  fi
  ran=$((ran + 1))
done
if ((ran < 3)); then
  echo "only $ran examples were found in README.md" >&2
  exit 1
fi
echo "$ran examples of README.md run"
