#!/usr/bin/env bash
# loader.sh BUILT WORK: how a program finds the native library, or is told what is really missing. BUILT is a folder with
# Ata.dll, what it needs, and the native files; WORK an empty folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
built="$(cd "$1" && pwd)"
mkdir -p "$2"
work="$(cd "$2" && pwd)"
export LC_ALL=C
unset LD_LIBRARY_PATH ATA_LIBRARY_PATH
native="$(find "$built" -name libata.so | head -n 1)"

mkdir "$work/source" "$work/plugin" "$work/elsewhere"
cp "$here"/host/* "$work/source/"
(cd "$work/source" && dotnet build -c Release -v quiet -o "$work/host")
cp "$built"/Ata*.dll "$built"/Microsoft.Extensions.*.dll "$work/plugin/"
cp "$native" "$work/elsewhere/"

expect() { # CODE TEXT ARGUMENT...: the host's exit code, and text in what it prints
  local code=0 said
  said="$("$work/host/host" "$work/plugin" "${@:3}" 2>&1)" || code=$?
  if [[ $code != "$1" || $said != *"$2"* ]]; then
    printf 'expected exit code %s and "%s"; it was %s: %s\n' "$1" "$2" "$code" "$said" >&2
    exit 1
  fi
  if (($(wc -l <<<"$said") != 1)); then
    printf 'this is not one line: %s\n' "$said" >&2
    exit 1
  fi
}

expect 1 "AtaLibraryException: The native library of Ata, libata.so, is not there. Add the package Ata.Runtime"
expect 1 "$work/plugin/libata.so (no such file)"
expect 1 "$work/plugin/runtimes/linux-x64/native/libata.so (no such file)"
expect 1 "$work/host/libata.so (no such file)"
expect 1 "the host (AssemblyLoadContext) (it gives none)"
# A host that knows is asked, and checked like every other place.
expect 0 "libata " "$work/elsewhere/libata.so"
${CC:-cc} -shared -fPIC -x c -o "$work/elsewhere/other.so" - <<<'int nothing;'
expect 1 "what it gives is not the native library of Ata" "$work/elsewhere/other.so"

# Beside Ata.dll, and below it as packages lay it out.
cp "$native" "$work/plugin/libata.so"
expect 0 "libata "
mkdir -p "$work/plugin/runtimes/linux-x64/native"
mv "$work/plugin/libata.so" "$work/plugin/runtimes/linux-x64/native/"
expect 0 "libata "
rm -r "$work/plugin/runtimes"

# A file that is there but cannot be used tells more than the absent ones.
${CC:-cc} -shared -fPIC -x c -o "$work/elsewhere/libneeded.so" - <<<'int needed(void) { return 1; }'
${CC:-cc} -shared -fPIC -x c -o "$work/plugin/libata.so" - -L"$work/elsewhere" -lneeded <<<'int needed(void); int f(void) { return needed(); }'
expect 1 "'$work/plugin/libata.so' is there, but not libneeded.so, which it needs"
printf '\xb7' | dd of="$work/plugin/libata.so" bs=1 seek=18 conv=notrunc status=none # as for ARM64
expect 1 "'$work/plugin/libata.so' cannot be used: it is for arm64, and this process is x64"
echo "no library" >"$work/plugin/libata.so"
expect 1 "it is no library of Linux"
rm "$work/plugin/libata.so"

# One that was named stands for itself.
ATA_LIBRARY_PATH=/nowhere/libata.so expect 1 "the environment variable ATA_LIBRARY_PATH names '/nowhere/libata.so', which does not exist"
ATA_LIBRARY_PATH="$work/elsewhere/libata.so" expect 0 "libata "
