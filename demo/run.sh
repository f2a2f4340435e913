#!/usr/bin/env bash
# run.sh FOLDER: shows what Ata does, on a video made for the purpose. Needs `ata` on the PATH.
set -euo pipefail
mkdir -p "$1"
cd "$1"
rm -rf clips model.safetensors aligned.mp4 aligned.html

step() { printf '\n\033[1m%s\033[0m\n$ %s\n' "$1" "${*:2}" && "${@:2}"; }

step "1. Make short videos: textured objects over a textured background, one of which acts" \
  ata synth clips --clips 8 --size 320x240 --frames 48 --difficulty easy --seed 3
clip=clips/00002.mp4

step "2. Align neighbouring frames: which patch went where" \
  ata align "$clip" --overlay aligned.mp4 --html aligned.html

step "3. Make a model. Its weights are random: it has learnt nothing" \
  ata init model.safetensors --arch vit-tiny --classes 8 --labels clips/labels.txt --seed 1

step "4. Run it over the video (so what it says here is chance)" \
  ata predict "$clip" --model model.safetensors --top 5

cat <<TEXT

What to do next, in $PWD:
  see the alignment       open aligned.mp4: a patch keeps its colour along its trajectory
                          open aligned.html in a browser: hover over a patch to see where it goes
  use trained weights     ata import IN.safetensors model.safetensors   (timm, CLIP, TimeSformer)
  your own video          ata predict VIDEO --model model.safetensors
  everything else         ata --help, and README.md
TEXT
