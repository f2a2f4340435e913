#!/usr/bin/env bash
# exports_test.sh LIBRARY INCLUDE_DIR: the library exports what ata.h declares and nothing else, and
# ata.hpp wraps all of it.
set -euo pipefail
export LC_ALL=C
library="$1" include="$2"

declared="$(tr '\n' ' ' <"$include/ata/ata.h" |
  grep -oE 'ATA_API\([^)]*\) +ata_[a-z0-9_]+\(' | sed -E 's/.* (ata_[a-z0-9_]+)\(/\1/' | sort)"
exported="$(nm -D --defined-only "$library" | awk '{ print $3 }' | sed 's/@.*//' | sort)"
# For bindings of other languages alone.
not_wrapped="ata_abi_layout"
wrapped="$(grep -ohE '\bata_[a-z0-9_]+' "$include"/ata/*.hpp | cat - <(echo "$not_wrapped") | sort -u)"

status=0
complain() { # WHAT NAMES
  if [[ -n $2 ]]; then
    printf '%s:\n%s\n' "$1" "$2"
    status=1
  fi
}
if (($(wc -w <<<"$declared") < 10)); then complain "too few functions found in ata.h" "$declared"; fi
complain "declared in ata.h, not exported" "$(comm -23 <(echo "$declared") <(echo "$exported"))"
complain "exported, not declared in ata.h" "$(comm -13 <(echo "$declared") <(echo "$exported"))"
complain "declared in ata.h, not wrapped by ata.hpp" \
  "$(comm -23 <(echo "$declared") <(echo "$wrapped"))"
exit "$status"
