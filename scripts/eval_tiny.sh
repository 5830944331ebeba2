#!/usr/bin/env bash
# Renders the bundled model on procedural pictures that it was not trained on and measures how the clips move.
#
#   scripts/eval_tiny.sh [--torch DIR] [--model DIR] [--images N] [--seeds N]
#
#   --model DIR  the default is the bundled model
#   --images N   so many pictures, the default is 32
#   --seeds N    so many clips of each, the default is 4
#
# Prints a table: motion over --motion-bucket-id, over --fps, and with each LoRA that the model has. The clips stay in
# build/eval_tiny. Dense optical flow, as svd-gen dataset measures it. With the defaults, hours on two cores.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

model=$root/models/tiny-svd
images=32
seeds=4
take_setup_options "$@"
set -- "${rest[@]}"
while (($#)); do
  case $1 in
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --model) model=$(realpath "${2:?--model needs a folder}") ;;
    --images) images=${2:?--images needs a number} ;;
    --seeds) seeds=${2:?--seeds needs a number} ;;
    *) fail "unknown option $1" "--help lists them" ;;
  esac
  shift 2
done

"$root/scripts/setup.sh" --no-cuda "${setup_options[@]}"
build release -DSVD_CUDA=OFF svd-gen
svd_gen=$root/build/release/svd-gen
work=$root/build/eval_tiny
rm -rf "$work"
mkdir -p "$work"
cd "$work"

# Half a million is far from the seeds of any training.
"$svd_gen" synth held_out --videos --clips "$images" --seed 500000 --sizes 160x128 --fps 7 \
  --motions pan_left,pan_right,zoom_in,objects -q

# measure NAME SVD-GEN'S OPTIONS...: renders every picture with every seed and measures the clips.
measure() {
  local name=$1 seed clip
  shift
  mkdir -p "$name"
  for clip in held_out/*.mp4; do
    for ((seed = 1; seed <= seeds; seed++)); do
      printf '{"image": "%s", "seed": %d, "output": "%s/%s-%d.mkv"}\n' \
        "$clip" "$seed" "$name" "$(basename "$clip" .mp4)" "$seed"
    done
  done >"$name.jsonl"
  "$svd_gen" --batch "$name.jsonl" --results "$name.results" --model "$model" --frames 14 --size 160x128 --codec ffv1 \
    -q "$@"
  "$svd_gen" dataset "$name.clips" --from "$name" --frames 14 --size 160x128 -q
}

for bucket in 30 80 127 200; do measure "bucket_$bucket" --motion-bucket-id "$bucket" --fps 7; done
for fps in 5 14; do measure "fps_$fps" --motion-bucket-id 127 --fps "$fps"; done
for lora in "$model"/loras/*.safetensors; do
  [[ ! -e $lora ]] || measure "lora_$(basename "$lora" .safetensors)" --motion-bucket-id 127 --fps 7 --lora "$lora"
done
python3 "$root/scripts/eval_tiny.py" "$work"
