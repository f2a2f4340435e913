#!/usr/bin/env bash
# exports_test.sh LIBRARY INCLUDE_DIR: the library exports what ata.h declares and nothing else,
# ata.hpp wraps all of it, and names follow the rule of native/C_API.md.
set -euo pipefail
export LC_ALL=C
library="$1" include="$2"

# "TYPE NAME", one a line.
signatures="$(tr '\n' ' ' <"$include/ata/ata.h" | grep -oE 'ATA_API\([^)]*\) +ata_[a-z0-9_]+\(' |
  sed -E 's/ATA_API\(([^)]*)\) +(ata_[a-z0-9_]+)\(/\1:\2/; s/ /_/g; s/:/ /')"
declared="$(awk '{ print $2 }' <<<"$signatures" | sort)"
# Besides the name of the symbols' version, which is one ("A").
exported="$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort)"
# For bindings of other languages alone.
not_wrapped="ata_abi_layout"
wrapped="$(grep -ohE '\bata_[a-z0-9_]+' "$include"/ata/*.hpp | cat - <(echo "$not_wrapped") | sort -u)"

# Nouns: the types of the header, and what has no type of its own.
nouns="$(grep -oE '\} ata_[a-z0-9_]+;|typedef struct ata_[a-z0-9_]+' "$include/ata/ata.h" |
  sed -E 's/.*ata_([a-z0-9_]+);?/\1/' | sort -u | tr '\n' ' ')"
nouns+="abi clip device file image log mutual_information runtime temporal_information thread"
verbs="accumulate add backward cancel check compute copy create diagnose estimate finish forward from get
  identify import init load open read release replace reset run sample save set solve to update wrap write"
# What the library is for has no noun but the library.
plain="ata_align ata_assign"
# What the library as a whole does.
whole="ata_release_caches"
# Of the library as a whole.
properties="ata_last_error ata_version"

follows_rule() { # TYPE NAME
  local type="$1" name="$2" noun rest
  [[ " $plain $whole $properties " == *" $name "* ]] && return 0
  for noun in $nouns; do
    [[ $name == "ata_${noun}_"* ]] || continue
    rest="${name#"ata_${noun}_"}"
    if [[ $type == ata_status || $type == void ]]; then # It does something.
      for verb in $verbs; do
        [[ $rest == "$verb" || $rest == "${verb}_"* ]] && return 0
      done
    elif [[ ! $rest =~ ^(get|set|is|has)_ ]]; then # It answers what something is.
      return 0
    fi
  done
  return 1
}

misnamed=""
while read -r type name; do
  follows_rule "$type" "$name" || misnamed+="$name"$'\n'
done <<<"$signatures"

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
complain "not named ata_<noun>_<verb> (native/C_API.md)" "$misnamed"
exit "$status"
