#!/usr/bin/env bash
# decoys.sh FOLDER LIBRARY...: puts into FOLDER a library under the name of each LIBRARY and of everything it needs.
# Whoever loads one ends with exit code 66. A program that is run in FOLDER must not.
set -euo pipefail
export LC_ALL=C
folder="$1"
shift
mkdir -p "$folder"
cat >"$folder/decoy.c" <<'C'
#include <unistd.h>
static void __attribute__((constructor)) loaded(void) {
  static const char text[] = "a library in the current directory was loaded\n";
  if (write(2, text, sizeof(text) - 1)) _exit(66);
  _exit(66);
}
C
${CC:-cc} -shared -fPIC -o "$folder/decoy.so" "$folder/decoy.c"
{
  for library in "$@"; do echo "${library##*/}"; done
  for library in "$@"; do readelf -d "$library"; done | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p'
} | sort -u | while read -r name; do cp "$folder/decoy.so" "$folder/$name"; done
