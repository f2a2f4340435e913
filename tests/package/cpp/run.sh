#!/usr/bin/env bash
# run.sh BUILD: installs BUILD into a new folder, or takes it as it is if it was installed, builds the
# consumer against it with find_package and once more with pkg-config, and runs both. The installed
# tree is moved first: a package may not remember where it was made.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
build="$(cd "$1" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"

if [[ -f $build/CMakeCache.txt ]]; then
  cmake --install "$build" --prefix "$work/installed" >/dev/null
  mv "$work/installed" "$work/prefix"
else
  cp -a "$build" "$work/prefix"
fi

mapfile -t libraries < <(find "$work/prefix" -name "libata*.so*" -type f)
"$here/../run_path.sh" "${libraries[@]}"
"$here/../decoys.sh" "$work/run" "${libraries[@]}"

run() { # PROGRAM: in a folder of decoys, without hints where libata is
  (cd "$work/run" && env -u LD_LIBRARY_PATH "$1")
}

configure_and_build() { # FOLDER OPTION...
  cmake -S "$here" -B "$work/$1" -Wno-dev "${@:2}" >"$work/$1.log" 2>&1 || { cat "$work/$1.log" >&2 && exit 1; }
  cmake --build "$work/$1" >"$work/$1.log" 2>&1 || { cat "$work/$1.log" >&2 && exit 1; }
}

configure_and_build build -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release
run "$work/build/c_consumer"
run "$work/build/cpp11_consumer"
run "$work/build/consumer"
"$work/build/reload" "$(find "$work/prefix" -name 'libata.so' -o -name libata.dylib)"

pc="$(find "$work/prefix" -name ata.pc)"
libdir="$(cd "$(dirname "$pc")/.." && pwd)"
export PKG_CONFIG_PATH="$libdir/pkgconfig"
${CXX:-c++} -std=c++20 "$here/main.cc" $(pkg-config --cflags --libs ata) -Wl,-rpath,"$libdir" \
  -o "$work/build/pkg_config_consumer"
run "$work/build/pkg_config_consumer"
if [[ "$(realpath "$(pkg-config --variable=prefix ata)")" != "$work/prefix" ]]; then
  echo "pkg-config says that the prefix is $(pkg-config --variable=prefix ata), not $work/prefix" && exit 1
fi

# Below C++20 the C++ API says what it needs.
said="$(${CXX:-c++} -std=c++17 -fsyntax-only "$here/main.cc" $(pkg-config --cflags ata) 2>&1 || true)"
if [[ "$(grep -m 1 error <<<"$said")" != *"ata.hpp needs C++20"* ]]; then
  echo "C++17 is not told what ata.hpp needs: $said" && exit 1
fi

# The SONAME and the versions of symbols are those of the binary interface.
abi="$(sed -n 's/^#define ATA_ABI_VERSION //p' "$(find "$work/prefix" -name ata.h)")"
library="$(find "$work/prefix" -name 'libata.so.*' -type f)"
if [[ -n $library ]]; then
  dynamic="$(readelf -d "$library")"
  if [[ $dynamic != *"[libata.so.$abi]"* || $dynamic != *NODELETE* ]]; then
    echo "$library has another SONAME than libata.so.$abi, or can be unloaded" && exit 1
  fi
  if nm -D --defined-only "$library" | grep ' T ' | grep -v "@@ATA_$abi\$"; then
    echo "these symbols have not the version ATA_$abi" && exit 1
  fi
fi
if command -v valgrind >/dev/null; then
  (cd "$work" && valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,possible \
    --suppressions="$(find "$work/prefix" -name valgrind.supp)" "$work/build/consumer")
fi
