#!/usr/bin/env bash
# Trains the bundled model from nothing: draws clips, trains the autoencoder and the UNet; and LoRAs for it.
#
#   scripts/train_tiny.sh [--torch DIR] [--cuda|--no-cuda] [--rehearse] [STAGE...]
#
#   --rehearse  a few clips and two steps of each stage, in build/rehearsal: whether all of it runs, in minutes
#   STAGE  data, vae, video, finetune, pan, high-noise, camera, settle, finish, decoder, decoder-more, pan-more,
#          pan-many, average, decoder-whole, decoder-settle, lora-static, lora-zoom, lora-horizontal; the default is all,
#          in this order
#
# What a stage leaves is in build/train; a stage that was stopped goes on from its last checkpoint, if it had one. The result
# is build/train/tiny-svd, a folder for --model. docs/tiny-model.md records how the bundled one was made.
# Hours on two cores; a GPU is used where set-up finds one (not tried yet).
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

all=(data vae video finetune pan high-noise camera settle finish decoder decoder-more pan-more
  pan-many average decoder-whole decoder-settle lora-static lora-zoom lora-horizontal)
stages=()
train=build/train
rehearse=false
take_setup_options "$@"
set -- "${rest[@]}"
while (($#)); do
  case $1 in
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --rehearse)
      rehearse=true
      train=build/rehearsal
      ;;
    *)
      printf '%s\n' "${all[@]}" | grep -qxF -e "$1" || fail "unknown stage $1" "--help lists them"
      stages+=("$1")
      ;;
  esac
  shift
done
((${#stages[@]})) || stages=("${all[@]}")

"$root/scripts/setup.sh" "${setup_options[@]}"
build_svd_gen
cd "$root"
svd_gen=$root/build/release/svd-gen

mkdir -p "$train"

# draw NAME SVD-GEN'S OPTIONS...: clips in a dataset of that name, unless they are there.
draw() {
  local few=()
  ! $rehearse || few=(--clips 24)
  [[ ! -e $train/$1/clips.jsonl ]] || return 0
  rm -rf "${train:?}/$1"  # what a killed run left
  "$svd_gen" synth "$train/$1" "${@:2}" "${few[@]}"
}

# config_of STAGE: the name of its training file, for a rehearsal of a short one.
config_of() {
  local file=configs/train/tiny-$1.json
  if $rehearse; then
    python3 - "$file" "$train" >"$train/tiny-$1.json" <<'END'
import json
import sys

settings = json.loads(open(sys.argv[1]).read().replace("build/train/", sys.argv[2] + "/"))
settings |= {"steps": 2, "log_every": 1}
if "samples" in settings:
    settings["samples"] = settings["samples"][:1]
print(json.dumps(settings))
END
    file=$train/tiny-$1.json
  fi
  echo "$file"
}

for stage in "${stages[@]}"; do
  say "Stage $stage"
  if [[ $stage == data ]]; then
    draw data --clips 1500 --seed 1 --sizes 128x128,160x128,128x160
    larger=192x128,256x192,128x192
    draw zoom --clips 420 --seed 77 --sizes $larger --motions zoom_in
    draw pan --clips 60 --seed 770000 --sizes 192x128 --motions pan_right
    draw pan-small --clips 200 --seed 31 --sizes 96x96 --motions pan_right
    draw pan-long --clips 30 --seed 41000 --sizes 96x96 --motions pan_right --frames 25
    draw still --clips 40 --seed 880000 --sizes 128x96 --motions still
    draw still-large --clips 24 --seed 890000 --sizes 192x128 --motions still
    draw zoom-small --clips 240 --seed 51000 --sizes 96x96 --motions zoom_in
    draw zoom-far --clips 160 --seed 53000 --sizes 96x96 --motions zoom_in --fps 5
    draw zoom-large --clips 90 --seed 77 --sizes 192x128 --motions zoom_in
    draw data-larger --clips 240 --seed 61000 --sizes 192x128,128x192
    draw pan-more --clips 300 --seed 32000 --sizes 96x96 --motions pan_right
    draw pan-large --clips 100 --seed 33000 --sizes 192x128 --motions pan_right
    draw pan-many --clips 900 --seed 34000 --sizes 96x96 --motions pan_right
    draw pan-many-large --clips 220 --seed 36000 --sizes 192x128 --motions pan_right
    draw whole --clips 320 --seed 62000 --frames 4 --sizes 192x128,128x192,256x192,128x128
    draw zoom-few --clips 50 --seed 57000 --sizes 96x96 --motions zoom_in
    continue
  fi
  if [[ $stage == average ]]; then
    part=$train/tiny-average.part  # no model of that name before it is whole
    unet=model/unet/diffusion_pytorch_model.safetensors
    rm -rf "$part" "$train/tiny-average"
    mkdir "$part"
    cp -r "$train/tiny-pan-many/model" "$part/model"
    scripts/average_models.py "$train/tiny-decoder-more/$unet" "$train/tiny-pan-many/$unet" 0.5 "$part/$unet"
    mv "$part" "$train/tiny-average"
    continue
  fi
  resume=()
  [[ ! -e $train/tiny-$stage/config.json ]] || resume=(--resume)
  "$svd_gen" train --config "$(config_of "$stage")" "${resume[@]}"
done

[[ -e $train/tiny-decoder-settle/model ]] || exit 0
rm -rf "$train/tiny-svd"
cp -r "$train/tiny-decoder-settle/model" "$train/tiny-svd"
for name in horizontal zoom static; do
  lora=$train/tiny-lora-$name/model/pytorch_lora_weights.safetensors
  [[ ! -e $lora ]] || install -D -m 644 "$lora" "$train/tiny-svd/loras/$name.safetensors"
done
say "The model is in $train/tiny-svd"
