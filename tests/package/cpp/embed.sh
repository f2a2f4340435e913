#!/usr/bin/env bash
# embed.sh SOURCE: configures the consumer with Ata's source tree SOURCE inside, as add_subdirectory. Nothing of the project
# around it may change (CMakeLists.txt looks), libata is static or shared as that project says, and neither tests nor
# rules of installation are added unless it asks. What is built is what the other builds build: that is not repeated.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source="$(cd "$1" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

configure() { # NAME LIBRARY OPTION...: LIBRARY is the file of libata that is to be built
  cmake -S "$here" -B "$work/$1" -G Ninja -Wno-dev -DATA_SOURCE="$source" "${@:3}" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && exit 1; }
  if ! grep -q "^build ata/lib/$2: " "$work/$1/build.ninja"; then echo "$1: $2 would not be built" && exit 1; fi
  if grep -qE '_test(\.exe)?: ' "$work/$1/build.ninja"; then echo "$1: Ata's tests would be built" && exit 1; fi
}

configure default libata.a
configure shared 'libata\.so\.[0-9.]*' -DBUILD_SHARED_LIBS=ON
configure installed libata.a -DATA_INSTALL=ON
for name in default shared; do
  if grep -q ata.h "$work/$name/ata/cmake_install.cmake"; then echo "$name: Ata would be installed unasked" && exit 1; fi
done
grep -q valgrind.supp "$work/installed/ata/cmake_install.cmake" || { echo "Ata would not be installed when asked" && exit 1; }
