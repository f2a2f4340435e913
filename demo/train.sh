#!/usr/bin/env bash
# train.sh FOLDER [--full]: when following pays. A ring marks one of three moving discs, in the first frame only; the
# class is the quadrant in which that disc ends. An image model learns from single frames where a ring is, the temporal
# modules are plugged in at zero, and the model is fine-tuned on clips in each mode with equal steps on equal data.
# --full takes more clips and updates and 5 seeds, fine-tunes one of the image models with 5 seeds in every mode and
# alignment, and sweeps the speed, which takes hours. Needs `ata` on the PATH.
set -euo pipefail
clips=2000 pictures=3000 steps=230 image_steps=1000 full=
compared=(--modes divided,ata)
if [[ "${2:-}" == --full ]]; then
  clips=4800 pictures=6000 steps=800 image_steps=1500 full=1
  compared+=(--seeds 5)
fi
mkdir -p "$1"
cd "$1"
rm -rf shells compared fine_tuned swept

step() { printf '\n\033[1m%s\033[0m\n$ %s\n' "$1" "${*:2}" && "${@:2}"; }

step "5. Make $clips clips in which one of three discs wears a ring, in the first frame only" \
  ata synth shells --task follow --clips "$clips" --pictures "$pictures" --size 40x40 --frames 6 --fps 8 \
  --radius 0.18 --speed 0.1 --test 0.1667 --seed 1

settings=(--data shells/list.csv --frames 6 --stride 1 --crop full --flip 0 --batch 32 --lr 1e-3 --warmup 100 --cache 2000
  --seed 1)
step "6. Where does that disc end? Teach an image model to see the ring, then fine-tune it in each mode with equal steps" \
  ata compare --out compared "${compared[@]}" --image-data shells/pictures.csv --arch vit-tiny --image-size 40 --patch-size 4 \
  --dim 64 --depth 2 --heads 4 --image-steps "$image_steps" --steps "$steps" "${settings[@]}"

clip="shells/$(grep -m 1 ',test$' shells/list.csv | cut -d, -f1)"
step "7. See along what the trained model attends, in a clip that it has not learnt from" \
  ata align "$clip" --model compared/ata-1/final.safetensors --stride 1 --html followed.html

if [[ $full ]]; then
  image=compared/image-4/final.safetensors
  step "8. The image model of seed 4 with other seeds, in every mode and with every alignment" \
    ata compare --model "$image" --out fine_tuned --modes space_only,divided,joint,ata --alignments exact,nearest,window,soft \
    --seeds 5 --steps 600 "${settings[@]}"
  step "9. The same at other speeds" \
    ata compare --model "$image" --out swept --modes divided,ata --sweep speed=0.02,0.05,0.1,0.15,0.2 --steps 600 "${settings[@]}"
  printf '\nEvery mode and alignment: %s\nThe sweep with curves: %s\n' "$PWD/fine_tuned/report.html" "$PWD/swept/report.html"
fi

printf '\nThe page of trajectories: %s\nThe report with curves: %s\nThe table as Markdown: %s\n\nWhat was seen:\n' \
  "$PWD/followed.html" "$PWD/compared/report.html" "$PWD/compared/table.md"
grep -E '^(\*\*Objects move|ata is right|Of the patches)' compared/table.md | tr -d '*'
if [[ ! $full ]]; then
  printf 'A demonstration is short. What more updates and 5 seeds give: docs/benchmark.md\n'
fi
