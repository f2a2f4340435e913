#!/usr/bin/env bash
# examples.sh BUILD [PAGE...], or examples.sh --packages ARTIFACTS [PAGE...]: does what README.md, the pages of docs/start and
# docs/plug-in.md, or the pages that are named, say, as it is printed: each page in an empty folder, from its first block to its
# last, as a user whose home is new. BUILD is a native build folder, whose packages are made first and whose `ata` is that of the
# build tree; ARTIFACTS is what `./build.sh pack` wrote, with its `ata` as a tool. In a page,
#   a block below a line that ends with `NAME`:   is the file NAME;
#   other blocks in bash or sh                    are run, with `ata` on the PATH, beside the folder `artifacts`, where Ata is
#                                                 installed in ~/.local; what one prints is shown when it fails;
#   other blocks (console, text, ...)             are for people.
# Blocks that begin with a C++ tool (cmake, g++) are left out where there is none.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"
mkdir -p "$work/home/.nuget/NuGet" "$work/home/.local"

# The sources of packages stay those that the user has; what is cached here saves the network, but is no cache.
config="$work/home/.nuget/NuGet/NuGet.Config"
if [[ -f $HOME/.nuget/NuGet/NuGet.Config ]]; then cp "$HOME/.nuget/NuGet/NuGet.Config" "$config"; fi
others="$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: //')"
if [[ $1 == --packages ]]; then
  shift
  packed=1 artifacts="$(cd "$1" && pwd)"
  tar -C "$work/home/.local" --strip-components=1 -xf "$artifacts"/ata-*.tar.gz
else
  build="$(cd "$1" && pwd)"
  "$root/tests/package/dotnet/feed.sh" "$work/feed" "$work/unused"
  artifacts="$work/feed/packages"
  export PATH="$root/managed/Ata.Cli/bin/Release/net10.0:$PATH"
  cmake --install "$build" --prefix "$work/home/.local" >/dev/null
fi
export HOME="$work/home" DOTNET_CLI_HOME="$work/home" NUGET_PACKAGES="$work/home/.nuget/packages"
if [[ -d $others && ! -d $others/ata ]]; then
  dotnet nuget add source "$others" --name cached --configfile "$config" >/dev/null 2>&1 || true
fi
if [[ -n ${packed:-} ]]; then
  ln -s "$artifacts" "$work/artifacts"
  install="$(grep -o 'dotnet tool install [^`]*' "$root/README.md")"
  (cd "$work" && bash -euo pipefail -c "$install") >"$work/output" 2>&1 || { cat "$work/output" >&2 && exit 1; }
  export PATH="$HOME/.dotnet/tools:$PATH"
fi
if [[ -f $config ]]; then cp "$config" "$work/sources"; fi
command -v ata >/dev/null || { echo "the ata command was not built; run ./build.sh build" >&2 && exit 1; }

# Each block of PAGE that counts to FOLDER: NN.run, or NN.file, whose first line is the file's name.
cut_blocks() { # PAGE FOLDER
  awk -v out="$2" '
    /^```/ && !inside {
      inside = 1
      language = substr($0, 4)
      kind = name != "" ? "file" : language == "bash" || language == "sh" ? "run" : ""
      block = sprintf("%s/%02d.%s", out, ++n, kind)
      if (name != "") print name > block
      next
    }
    /^```$/ && inside { inside = 0; close(block); name = ""; next }
    inside { if (kind != "") print > block; next }
    /^ *$/ { next }
    { name = match($0, /`[^` ]+`:$/) ? substr($0, RSTART + 1, RLENGTH - 3) : "" }' "$1"
}

ran=0 left_out=0
run_page() { # PAGE
  local page="$1" folder="$work/${1//\//-}" block tool name
  mkdir -p "$folder/blocks" "$folder/empty"
  cut_blocks "$root/$page" "$folder/blocks"
  cd "$folder/empty"
  rm -f "$config"
  if [[ -f $work/sources ]]; then cp "$work/sources" "$config"; fi
  ln -s "$artifacts" artifacts
  for block in "$folder"/blocks/*; do
    if [[ $block == *.file ]]; then
      name="$(head -n 1 "$block")"
      mkdir -p "$(dirname "$name")"
      tail -n +2 "$block" >"$name"
      continue
    fi
    tool="$(grep -o -m 1 '^[a-z+]*' "$block")"
    if [[ $tool == cmake || $tool == g++ ]] && ! command -v "$tool" >/dev/null; then
      left_out=$((left_out + 1))
      continue
    fi
    if ! bash -euo pipefail "$block" >"$folder/output" 2>&1 </dev/null; then
      printf 'this example of %s fails:\n\n%s\n\nIt printed:\n\n%s\n' "$page" "$(cat "$block")" "$(cat "$folder/output")" >&2
      exit 1
    fi
    ran=$((ran + 1))
  done
}

shift
for page in ${*:-README.md docs/start/train.md docs/start/dotnet.md docs/start/cpp.md docs/plug-in.md}; do
  ran=0 left_out=0
  run_page "$page"
  if ((ran + left_out == 0)); then echo "no example was found in $page" >&2 && exit 1; fi
  echo "$page: $ran examples run$( ((left_out == 0)) || echo ", $left_out left out for want of C++ tools")"
done
