#!/usr/bin/env bash
# check.sh ARTIFACTS PATH: whether what was packed keeps its promises: every library needs parts of glibc alone, of a
# version that the packages name; nothing in any file names PATH, where it was built; the symbols are there.
set -euo pipefail
export LC_ALL=C
artifacts="$(cd "$1" && pwd)" path="$2"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
status=0
complain() {
  printf '%s\n' "$*"
  status=1
}

for file in "$artifacts"/*.nupkg "$artifacts"/*.snupkg "$artifacts"/*.tar.gz; do
  [[ -f $file ]] || continue
  folder="$work/${file##*/}"
  mkdir "$folder"
  case "$file" in
    *.tar.gz) tar -C "$folder" -xf "$file" ;;
    *) unzip -q -d "$folder" "$file" ;;
  esac
  found="$(grep -rlaF "$path" "$folder" || true)"
  if [[ -n $found ]]; then complain "$(printf 'the folder %s is named in %s' "$path" "$found")"; fi
done

# The promise in the packages' own words: "It needs glibc 2.35 or newer".
promise="$(sed -n 's/.*needs glibc \([0-9.]*\) or newer.*/\1/p' \
  "$(dirname "${BASH_SOURCE[0]}")/../managed/Ata.Native/README.md")"
count=0
while read -r library; do
  count=$((count + 1))
  strange="$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' |
    grep -vE '^(libc|libm|libdl|libpthread|librt|ld-linux-x86-64)\.so\.' || true)"
  if [[ -n $strange ]]; then complain "${library##*/} needs" $strange; fi
  newest="$(readelf -V "$library" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -n 1)"
  if [[ "$(printf '%s\n' "${newest#GLIBC_}" "$promise" | sort -V | tail -n 1)" != "$promise" ]]; then
    complain "${library##*/} needs $newest, and its package promises $promise"
  fi
  echo "${library#"$work"/}: $(($(stat -c %s "$library") / 1024)) KiB, $newest"
done < <(find "$work" -name 'libata*.so*' -type f)
if ((count == 0)); then complain "no library was found in $artifacts"; fi
exit "$status"
