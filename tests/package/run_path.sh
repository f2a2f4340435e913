#!/usr/bin/env bash
# run_path.sh FILE...: checks where each library or program looks for the libraries it needs. A library looks beside
# itself ($ORIGIN); a program of the build tree in its own folder's neighbours, or nowhere of its own. Never in the
# current directory (an empty or relative entry), where a stranger's library would run.
set -euo pipefail
export LC_ALL=C
status=0
for file in "$@"; do
  dynamic="$(readelf -d "$file")"
  path="$(sed -n 's/.*(R\(UN\)\?PATH).*\[\(.*\)\]$/\2/p' <<<"$dynamic")"
  case "${file##*/}:$path" in
    libata.so*:'$ORIGIN' | libata_video.so*:'$ORIGIN') ;;
    libata.so*:* | libata_video.so*:*)
      echo "$file looks for libraries in '$path', not in '\$ORIGIN' alone"
      status=1
      ;;
    *)
      if grep -q '(R\(UN\)\?PATH)' <<<"$dynamic" && ! [[ "$path:" =~ ^((\$ORIGIN|/)[^:]*:)+$ ]]; then
        echo "$file looks for libraries in '$path', which has an entry relative to the current directory"
        status=1
      fi
      ;;
  esac
done
exit "$status"
