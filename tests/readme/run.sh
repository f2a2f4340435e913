#!/usr/bin/env bash
# run.sh BUILD, or run.sh --packages ARTIFACTS: runs the examples of README.md as they are printed, in their order and in
# one empty folder, as a user whose home is new and whose NuGet cache is empty. BUILD is a native build folder, whose packages are
# made first and whose `ata` is that of the build tree; ARTIFACTS is what `./build.sh pack` wrote, with its `ata` as a tool. Blocks
# are told apart by their language:
#   bash      run, with `ata` on the PATH; the output of the block is shown when it fails
#   sh        run, beside the folder artifacts: what makes the project `example`
#   csharp    Program.cs of that project
#   cmake     CMakeLists.txt, and
#   cpp       main.cc of a C++ project built against the installed package; left out where there is no compiler
# Others (console, text) are for people. A program block runs where it stands, after the blocks before it.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"
mkdir -p "$work/blocks" "$work/examples" "$work/home/.nuget/NuGet"

# The sources of packages stay those that the user has; what is cached here saves the network, but is no cache.
config="$work/home/.nuget/NuGet/NuGet.Config"
if [[ -f $HOME/.nuget/NuGet/NuGet.Config ]]; then cp "$HOME/.nuget/NuGet/NuGet.Config" "$config"; fi
others="$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: //')"
if [[ $1 == --packages ]]; then
  artifacts="$(cd "$2" && pwd)"
else
  build="$(cd "$1" && pwd)"
  "$root/tests/package/dotnet/feed.sh" "$work/feed" "$work/unused"
  artifacts="$work/feed/packages"
  export PATH="$root/managed/Ata.Cli/bin/Release/net10.0:$PATH"
fi
ln -s "$artifacts" "$work/examples/artifacts"
export HOME="$work/home" DOTNET_CLI_HOME="$work/home" NUGET_PACKAGES="$work/home/.nuget/packages"
if [[ -d $others && ! -d $others/ata ]]; then
  dotnet nuget add source "$others" --name cached --configfile "$config" >/dev/null 2>&1 || true
fi
cd "$work/examples"
if [[ $1 == --packages ]]; then
  install="$(grep -o 'dotnet tool install [^`]*' "$root/README.md")"
  bash -euo pipefail -c "$install" >"$work/output" 2>&1 || { cat "$work/output" >&2 && exit 1; }
  export PATH="$HOME/.dotnet/tools:$PATH"
  mkdir "$work/prefix"
  tar -C "$work/prefix" --strip-components=1 -xf "$artifacts"/ata-*.tar.gz
fi
command -v ata >/dev/null || { echo "the ata command was not built; run ./build.sh build" >&2 && exit 1; }

# Each block to blocks/NN.LANGUAGE.
awk -v out="$work/blocks" '
  /^```[a-z]+$/ && !inside { inside = 1; file = sprintf("%s/%02d.%s", out, ++n, substr($0, 4)); next }
  /^```$/ && inside { inside = 0; close(file); next }
  inside { print > file }' "$root/README.md"

# The functions below are called where `set -e` is off: what may fail is joined by &&.

run_csharp() { # FILE
  cp "$1" "$work/examples/example/Program.cs" && dotnet run --project example
}

run_cpp() { # FILE
  cp "$1" "$work/cpp/main.cc" &&
    { [[ -d $work/prefix ]] || cmake --install "$build" --prefix "$work/prefix" >/dev/null; } &&
    cmake -S "$work/cpp" -B "$work/cpp/build" -DCMAKE_PREFIX_PATH="$work/prefix" >/dev/null &&
    cmake --build "$work/cpp/build" &&
    "$(find "$work/cpp/build" -maxdepth 1 -type f -executable)"
}

ran=0
for block in "$work"/blocks/*; do
  case "$block" in
    *.bash | *.sh) example() { bash -euo pipefail "$block"; } ;;
    *.csharp) example() { run_csharp "$block"; } ;;
    *.cmake) mkdir -p "$work/cpp" && cp "$block" "$work/cpp/CMakeLists.txt" && continue ;;
    *.cpp)
      if ! command -v cmake >/dev/null; then continue; fi
      example() { run_cpp "$block"; }
      ;;
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
