#!/usr/bin/env bash
# Renders the bundled model on procedural pictures that it was not trained on and measures how the clips move.
#
#   scripts/eval_tiny.sh [--torch DIR] [--model DIR] [--images N] [--seeds N] [--size WxH] [--steps N]
#                        [--vae-dtype TYPE] [--resume]
#
#   --model DIR  the default is the bundled model
#   --images N   so many pictures, the default is 32
#   --seeds N    so many clips of each, the default is 4
#   --size WxH   of the clips, the default is 192x128
#   --steps N, --vae-dtype TYPE  as svd-gen's; the VAE in bfloat16 takes half of the time, on CPUs that have it
#   --resume     goes on where a run with the same --images and --size was interrupted, or adds seeds to it
#
# Prints motion over --motion-bucket-id, over --fps, and with each LoRA that the model has; then how the clips compare
# with the true ones, beside a repeated first frame and cross-fades from it: to the true clip's last frame, which the
# model does not know, and to the last frame of the model's clip. Dense optical flow, as svd-gen dataset measures it. The
# clips stay in build/eval_tiny. With the defaults, from half an hour to hours on two cores.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

model=$root/models/tiny-svd
images=32
seeds=4
size=192x128
svd_gen_options=()
resume=off
take_setup_options "$@"
set -- "${rest[@]}"
while (($#)); do
  case $1 in
    --resume)
      resume=on
      svd_gen_options+=(--resume)
      shift
      continue
      ;;
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --model) model=$(realpath "${2:?--model needs a folder}") ;;
    --images) images=${2:?--images needs a number} ;;
    --seeds) seeds=${2:?--seeds needs a number} ;;
    --size) size=${2:?--size needs a width and a height} ;;
    --steps | --vae-dtype) svd_gen_options+=("$1" "${2:?$1 needs a value}") ;;
    *) fail "unknown option $1" "--help lists them" ;;
  esac
  shift 2
done

"$root/scripts/setup.sh" --no-cuda "${setup_options[@]}"
build release -DSVD_CUDA=OFF svd-gen
svd_gen=$root/build/release/svd-gen
frames=14
rate=7
work=$root/build/eval_tiny
[[ $resume == on ]] || rm -rf "$work"
mkdir -p "$work"
cd "$work"

# draw NAME SEED MOTIONS...: true clips as videos. No training draws from these seeds.
draw() {
  rm -rf "$1"
  "$svd_gen" synth "$1" --videos --clips "$images" --frames "$frames" --sizes "$size" --fps $rate --seed "$2" -q "${@:3}"
}

# render NAME SVD-GEN'S OPTIONS...: the clips of NAME.jsonl, and their motion in NAME.clips. A process a core: pictures
# this small leave threads waiting.
render() {
  mkdir -p "$1"
  rm -f "$1".list-??
  split --elide-empty-files -n "r/$(jobs)" "$1.jsonl" "$1.list-"
  printf '%s\0' "$1".list-?? | xargs -0 -P "$(jobs)" -I{} "$svd_gen" --batch {} --results {}.results --model "$model" \
    --frames "$frames" --size "$size" --codec ffv1 --threads 1 "${svd_gen_options[@]}" -q "${@:2}"
  motion "$1"
}

# motion FOLDER: measures its videos into FOLDER.clips.
motion() {
  rm -rf "$1.clips"
  "$svd_gen" dataset "$1.clips" --from "$1" --frames "$frames" --size "$size" -q
}

# control NAME SVD-GEN'S OPTIONS...: every held-out picture with every seed.
control() {
  python3 "$root/scripts/eval_tiny.py" jobs held_out "$1" --seeds "$seeds" >"$1.jsonl"
  render "$@"
}

last=$((frames - 1))
lossless=(-c:v ffv1)
by_number="settb=1/$rate,setpts=N"  # containers round time stamps
as_yuv="scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"  # svd-gen's ffv1 is RGB

# fade A B OUTPUT: from the first frame of video A to the last one of video B.
fade() {
  ffmpeg -v error -i "$1" -i "$2" "${lossless[@]}" "$3" -filter_complex "
    [0:v]$as_yuv,loop=$last:1:0,trim=end_frame=$frames,${by_number}[a];
    [1:v]$as_yuv,reverse,loop=$last:1:0,trim=end_frame=$frames,${by_number}[b];
    [a][b]blend=all_expr=A*(1-T*$rate/$last)+B*T*$rate/$last+0.5"  # it rounds down
}

# compare NAME SVD-GEN'S OPTIONS...: renders what the true clips of NAME begin with, at their own speed, and makes the
# simple clips of each.
compare() {
  local name=$1 clip stem kind
  motion "$name"
  python3 "$root/scripts/eval_tiny.py" jobs "$name" "$name-model" --true-motion >"$name-model.jsonl"
  render "$name-model" "${@:2}"
  rm -rf "$name-repeated" "$name-faded" "$name-faded_to_own"
  mkdir "$name-repeated" "$name-faded" "$name-faded_to_own"
  for clip in "$name"/*.mp4; do
    stem=$(basename "$clip" .mp4)
    ffmpeg -v error -i "$clip" -vf "loop=$last:1:0,trim=end_frame=$frames,$by_number" "${lossless[@]}" \
      "$name-repeated/$stem-1.mkv"
    fade "$clip" "$clip" "$name-faded/$stem-1.mkv"
    fade "$clip" "$name-model/$stem-1.mkv" "$name-faded_to_own/$stem-1.mkv"
    for kind in model repeated faded faded_to_own; do
      ffmpeg -v error -i "$name-$kind/$stem-1.mkv" -i "$clip" -f null - \
        -lavfi "[0:v]$as_yuv,${by_number}[a]; [1:v]$as_yuv,${by_number}[b]; [a][b]psnr=stats_file=$name-$kind/$stem.psnr"
    done
  done
  for kind in repeated faded faded_to_own; do motion "$name-$kind"; done
}

draw held_out 500000 --motions pan_left,pan_right,zoom_in,objects
for bucket in 30 80 127 200; do control "bucket_$bucket" --motion-bucket-id "$bucket" --fps $rate; done
for fps in 5 14; do control "fps_$fps" --motion-bucket-id 127 --fps "$fps"; done
for lora in "$model"/loras/*.safetensors; do
  [[ ! -e $lora ]] || control "lora_$(basename "$lora" .safetensors)" --motion-bucket-id 127 --fps $rate --lora "$lora"
done
draw all 600000
compare all
draw pan 700000 --motions pan_right
horizontal=$model/loras/horizontal.safetensors
if [[ -e $horizontal ]]; then compare pan --lora "$horizontal"; else compare pan; fi
python3 "$root/scripts/eval_tiny.py" report .
