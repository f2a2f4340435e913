#!/usr/bin/env bash
# links.sh: whether every link of the documentation to a file of the repository leads to one, and to a heading of it where it names one.
# Links to the world are not followed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# A page without its code, where brackets and number signs mean other things.
prose() { # PAGE
  awk '/^ *```/ { code = !code; next } !code { gsub(/`[^`]*`\]/, "code]"); print }' "$1"
}

# The anchors of a page's headings, as GitHub makes them: lower case, no punctuation, hyphens for blanks, -1 for a second one.
anchors() { # PAGE
  awk '/^ *```/ { code = !code; next } !code && sub(/^#+ +/, "")' "$1" |
    sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' | tr '[:upper:]' '[:lower:]' | sed -E 's/[^[:alnum:] _-]//g; s/ /-/g' |
    awk '{ print seen[$0]++ ? $0 "-" (seen[$0] - 1) : $0 }'
}

status=0
count=0
complain() {
  printf '%s\n' "$*" >&2
  status=1
}

while read -r page; do
  while read -r link; do
    count=$((count + 1))
    file="${link%%#*}" anchor=""
    if [[ $link == *#* ]]; then anchor="${link#*#}"; fi
    target="$page"
    if [[ -n $file ]]; then target="$(dirname "$page")/$file"; fi
    if [[ ! -e $target ]]; then
      complain "$page: $link leads nowhere"
    elif [[ -n $anchor && $target == *.md ]] && ! anchors "$target" | grep -qxF -- "$anchor"; then
      complain "$page: $link: the page has no such heading"
    fi
  done < <(prose "$page" | tr '\n' ' ' | grep -oE '\]\([^() ]+\)' | sed -E 's/^\]\(//; s/\)$//' | grep -vE '^[a-z]+:')
done < <(find . -type d \( -name out -o -name artifacts -o -name bin -o -name obj -o -name '.?*' \) -prune -o -name '*.md' -print)
if ((count < 50)); then complain "only $count links were found"; fi
if ((status == 0)); then echo "$count links lead somewhere"; fi
exit "$status"
