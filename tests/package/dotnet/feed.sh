#!/usr/bin/env bash
# feed.sh FOLDER: packs the NuGet packages into FOLDER/packages and writes FOLDER/nuget.config, with which a
# project restores Ata from there, whatever version of it the user's own package folder holds.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)"
mkdir -p "$1/packages"
feed="$(cd "$1" && pwd)"

dotnet pack "$root/Ata.sln" -c Release --no-build -v quiet -o "$feed/packages"

# Packages of others are not downloaded again if this machine has them.
others="$(dotnet nuget locals global-packages --list | sed 's/^[^:]*: //')"
fallback=""
if [[ -d $others && ! -d $others/ata ]]; then
  fallback="<fallbackPackageFolders><add key=\"user\" value=\"$others\" /></fallbackPackageFolders>"
fi
cat >"$feed/nuget.config" <<XML
<configuration>
  <config><add key="globalPackagesFolder" value="$feed/installed" /></config>
  $fallback
  <packageSources><add key="ata" value="$feed/packages" /></packageSources>
</configuration>
XML
