#!/usr/bin/env bash
# run.sh [ARTIFACTS]: packs the NuGet packages, or takes those in ARTIFACTS, builds the consumer against them and runs it: as
# it is, as a plug-in, trimmed, and compiled ahead of time where the SDK's packages for that can be had; and installs
# the command as a tool. Warnings of the trimmer and the compiler are errors.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

"$here/feed.sh" "$work/feed" "$work/consumer" "${1:+"$(cd "$1" && pwd)"}"
cp "$here/consumer.csproj" "$here/Program.cs" "$work/consumer/"
cd "$work/consumer"
# Packed where it was built; the consumer then takes it, too.
if compgen -G "$work/feed/packages/Ata.Native.Cuda.*" >/dev/null; then export AtaCuda=true; fi

run() { # PROGRAM: in a folder of decoys, without hints where libata is
  (cd "$work/run" && env -u LD_LIBRARY_PATH -u ATA_LIBRARY_PATH "$1")
}

dotnet build -c Release -v quiet -o "$work/built"
libraries=("$work"/feed/installed/ata.native.*/*/runtimes/*/native/lib*)
for library in "${libraries[@]}"; do
  case "$library" in
    */ata.native.cuda.*/libata_cuda.so.* | */ata.native.linux*/libata.so | */ata.native.video.*/libata_video.so.*) ;;
    *) echo "$library is in the wrong package" && exit 1 ;;
  esac
done
expected=2
if [[ -n ${AtaCuda:-} ]]; then expected=3; fi
if ((${#libraries[@]} != expected)); then
  echo "the native packages hold ${#libraries[@]} libraries, not $expected: ${libraries[*]}"
  exit 1
fi
"$here/../run_path.sh" "${libraries[@]}"
"$here/../decoys.sh" "$work/run" "${libraries[@]}"
run "$work/built/consumer"
relative="$(cd "$work/run" && ATA_LIBRARY_PATH=libata.so "$work/built/consumer" 2>&1 || true)"
if [[ $relative != *"ATA_LIBRARY_PATH must be the absolute path"* ]]; then
  echo "a relative ATA_LIBRARY_PATH is not refused: $relative"
  exit 1
fi

"$here/loader.sh" "$work/built" "$work/loader"

dotnet tool install Ata.Cli --tool-path "$work/tool" --version "$(<ata-version)" --configfile nuget.config >"$work/tool.log" ||
  { cat "$work/tool.log" >&2 && exit 1; }
(cd "$work/run" && "$work/tool/ata" synth clips --clips 1 --seed 1 && "$work/tool/ata" info) >"$work/tool.log" 2>&1 ||
  { cat "$work/tool.log" >&2 && exit 1; }

rid="$(dotnet --info | sed -n 's/^ *RID: *//p')"
publish() { # NAME PROPERTIES...: quiet unless it fails
  dotnet publish -c Release -r "$rid" -v quiet -o "$work/$1" "${@:2}" >"$work/$1.log" 2>&1
}

publish trimmed --self-contained -p:PublishTrimmed=true || { cat "$work/trimmed.log" >&2 && exit 1; }
run "$work/trimmed/consumer"

if publish aot -p:PublishAot=true; then
  run "$work/aot/consumer"
elif grep -qE 'NU1101|NU1102|NU1301|Platform linker' "$work/aot.log"; then
  echo "ahead-of-time compilation was not checked; this machine lacks what it needs:"
  grep -m 1 -oE '(NU1[0-9]+|Platform linker).*' "$work/aot.log"
else
  cat "$work/aot.log" >&2
  exit 1
fi
