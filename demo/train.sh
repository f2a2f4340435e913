#!/usr/bin/env bash
# train.sh FOLDER [--full]: the paper's protocol in small. An image model learns from single frames, the temporal
# modules are plugged in at zero, and the model is fine-tuned on videos in each temporal mode with equal steps.
# --full takes more videos, more steps and 5 seeds. Needs `ata` on the PATH.
set -euo pipefail
videos=2000 steps=400 image_steps=150 seeds=1
if [[ "${2:-}" == --full ]]; then videos=4000 steps=600 image_steps=1500 seeds=5; fi
mkdir -p "$1"
cd "$1"
rm -rf videos compared

step() { printf '\n\033[1m%s\033[0m\n$ %s\n' "$1" "${*:2}" && "${@:2}"; }

step "5. Make $videos videos of objects that brighten or dim while they move" \
  ata synth videos --clips "$videos" --classes 2 --size 32x32 --frames 24 --fps 12 --difficulty medium --test 0.2 --seed 1

step "6. Train an image model on the objects' shapes, then fine-tune it in each temporal mode with equal steps" \
  ata compare --data videos/list.csv --image-data videos/shapes.csv --out compared --arch vit-tiny --image-size 32 \
  --patch-size 8 --dim 64 --depth 2 --heads 4 --frames 6 --stride 4 --crop full --batch 64 --image-steps "$image_steps" \
  --steps "$steps" --seeds "$seeds" --lr 1e-3 --warmup 50 --cache 2000

held_out="videos/$(grep -m 1 ',test$' videos/list.csv | cut -d, -f1)"
step "7. What the aligned model says of a video that it has not seen" \
  ata predict "$held_out" --model compared/ata-0/final.safetensors --top 2
printf 'The truth: %s\n' "$(grep "^$(basename "$held_out")," videos/list.csv | cut -d, -f2)"

printf '\nThe report with curves and confusion matrix: %s\nThe table as Markdown: %s\n' \
  "$PWD/compared/ata-0/report.html" "$PWD/compared/table.md"
