#!/usr/bin/env bash
# bare_root.sh SUITE FOLDER [ARTIFACTS]: runs the examples of the documentation for .NET and the command line in a Debian of that suite (bookworm,
# trixie) that has only what debootstrap's variant minbase has, the .NET SDK of this machine with the OpenSSL that NuGet needs,
# and what `./build.sh pack` wrote. Needs root and Debian's mirror; the system stays in FOLDER/SUITE for the next time.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
suite="$1"
mkdir -p "$2"
system="$(cd "$2" && pwd)/$suite"
artifacts="$(cd "${3:-$root/artifacts}" && pwd)"

if [[ ! -f $system/complete ]]; then
  mirror="$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian Debian //p' | head -n 1)"
  openssl=libssl3t64
  if [[ $suite == bookworm ]]; then openssl=libssl3; fi
  debootstrap --variant=minbase --include="$openssl" "$suite" "$system" "$mirror" >"$system.log" || { tail "$system.log" >&2 && exit 1; }
  touch "$system/complete"
fi
for absent in libdnnl libavcodec libgomp; do
  if [[ -n "$(find "$system/usr/lib" -name "$absent.*")" ]]; then echo "$system is not bare: it has $absent" && exit 1; fi
done

# In mounts of our own, which end with this.
dotnet="$(dirname "$(readlink -f "$(command -v dotnet)")")"
mapfile -t sources < <(dotnet nuget list source --format short | sed -n 's/^E \(\/.*\)/\1/p')
export root system artifacts dotnet config="$HOME/.nuget/NuGet/NuGet.Config"
unshare --mount --propagation private bash -euo pipefail -s -- "${sources[@]}" <<'SH'
bind() { mkdir -p "$system$2" && mount --bind "$1" "$system$2" && mount -o remount,ro,bind "$system$2"; }
bind "$dotnet" /usr/share/dotnet
bind "$root/tests/documentation" /ata/tests/documentation
bind "$root/docs" /ata/docs
bind "$artifacts" /ata/artifacts
for source in "$@"; do bind "$source" "$source"; done
mkdir -p "$system/proc" "$system/dev"
mount -t proc proc "$system/proc"
mount --bind /dev "$system/dev"
cp "$root/README.md" "$root/VERSION" "$system/ata/"
mkdir -p "$system/root/.nuget/NuGet"
cp "$config" "$system/root/.nuget/NuGet/"
chroot "$system" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/share/dotnet \
  DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
  /ata/tests/documentation/examples.sh --packages /ata/artifacts
SH
