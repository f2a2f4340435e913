#!/usr/bin/env bash
# feed.sh FOLDER PROJECT [ARTIFACTS]: packs the NuGet packages into FOLDER/packages, or takes those in ARTIFACTS, and writes
# nuget.config and ata-version into the folder PROJECT, with which a project there restores Ata from FOLDER, whatever
# is in the user's own package folder.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
mkdir -p "$1/packages" "$2"
feed="$(cd "$1" && pwd)"

if [[ -n ${3:-} ]]; then
  cp "$3"/*.nupkg "$feed/packages/"
else
  dotnet pack "$root/Ata.sln" -c Release --no-build -v quiet -o "$feed/packages"
fi

# Packages of others are not downloaded again if this machine has them.
others="$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: //')"
fallback=""
if [[ -d $others && ! -d $others/ata ]]; then
  fallback="<fallbackPackageFolders><add key=\"user\" value=\"$others\" /></fallbackPackageFolders>"
fi
cp "$root/VERSION" "$2/ata-version"
cat >"$2/nuget.config" <<XML
<configuration>
  <config><add key="globalPackagesFolder" value="$feed/installed" /></config>
  $fallback
  <packageSources><add key="ata" value="$feed/packages" /></packageSources>
</configuration>
XML
