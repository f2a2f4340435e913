#!/usr/bin/env bash
# pack.sh ARTIFACTS: writes the C++ package and, with the .NET SDK, the NuGet packages to the folder ARTIFACTS, which is
# emptied first. All of it needs glibc alone; see dependencies.sh. `./build.sh pack` installs what this needs and runs it.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$root"
artifacts="$1"
version="$(<VERSION)"
readonly root artifacts version work=out/packaging build=out/package

packaging/dependencies.sh "$work"

launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_CUDA_COMPILER_LAUNCHER=ccache); fi
# Of every GPU; where nothing is packaged of two, which is sooner done.
cmake --preset package "${launcher[@]}" -DATA_CUDA="${ATA_CUDA:-AUTO}" \
  -DATA_CUDA_ARCHITECTURES="${ATA_CUDA_ARCHITECTURES:-RELEASE}" -Wno-dev >"$work/configure.log" ||
  { cat "$work/configure.log" >&2 && exit 1; }
sed -n 's/^-- \(.* left out: .*\)/\1/p' "$work/configure.log"
cmake --build --preset package

rm -rf "$artifacts"
mkdir -p "$artifacts"
target="ata-$version-linux-$(uname -m)"
rm -rf "$work/$target"
cmake --install "$build" --prefix "$work/$target" --strip >/dev/null
cp -r "$work/notices" "$work/$target/share/doc/Ata/"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner -czf "$artifacts/$target.tar.gz" "$target"

if command -v dotnet >/dev/null; then
  # In folders of its own: beside what the other builds write lie native files of this machine.
  dotnet pack Ata.sln -c Release -v quiet -o "$artifacts" --artifacts-path "$root/$work/dotnet" \
    -p:AtaInstalled="$root/$work/$target" -p:AtaNotices="$root/$work/notices"
fi
packaging/check.sh "$artifacts" "$root"
ls -l "$artifacts"
