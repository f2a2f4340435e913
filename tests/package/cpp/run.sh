#!/usr/bin/env bash
# run.sh BUILD: installs BUILD into a new folder, builds the consumer against it with find_package and
# once more with pkg-config, and runs both. The installed tree is moved first: a package may not
# remember where it was made.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="$(cd "$1" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"

cmake --install "$build" --prefix "$work/installed" >/dev/null
mv "$work/installed" "$work/prefix"

mapfile -t libraries < <(find "$work/prefix" -name "libata*.so*" -type f)
"$here/../run_path.sh" "${libraries[@]}"
"$here/../decoys.sh" "$work/run" "${libraries[@]}"

run() { # PROGRAM: in a folder of decoys, without hints where libata is
  (cd "$work/run" && env -u LD_LIBRARY_PATH "$1")
}

cmake -S "$here" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release \
  >"$work/configure.log" || { cat "$work/configure.log" >&2 && exit 1; }
cmake --build "$work/build"
run "$work/build/c_consumer"
run "$work/build/consumer"

libdir="$(dirname "$(find "$work/prefix" -name ata.pc)")/.."
export PKG_CONFIG_PATH="$libdir/pkgconfig"
${CXX:-c++} -std=c++20 "$here/main.cc" $(pkg-config --cflags --libs ata) -Wl,-rpath,"$libdir" \
  -o "$work/build/pkg_config_consumer"
run "$work/build/pkg_config_consumer"
