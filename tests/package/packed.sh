#!/usr/bin/env bash
# packed.sh ARTIFACTS: whether what `./build.sh pack` wrote keeps its promises, and runs.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
artifacts="$(cd "$1" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$here/../../packaging/check.sh" "$artifacts" "$(cd "$here/../.." && pwd)"
tar -C "$work" -xf "$artifacts"/ata-*.tar.gz
"$here/cpp/run.sh" "$work"/ata-*/
if command -v dotnet >/dev/null; then "$here/dotnet/run.sh" "$artifacts"; fi
