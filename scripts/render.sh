#!/usr/bin/env bash
# Installs what is missing, builds svd-gen and renders a video.
#
#   scripts/render.sh [--cuda | --no-cuda] [--torch DIR] [svd-gen's arguments]
#
# Without arguments: examples/lake.jpg with the bundled demonstration model. An --image, --model or
# --output of yours takes the place of that one; build/release/svd-gen --help lists the rest.
# The first three options are those of scripts/setup.sh.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

take_setup_options "$@"
set -- "${rest[@]}"

image="" model="" output=""
for ((i = 1; i <= $#; i++)); do
  next=$((i + 1))
  case ${!i} in
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    -i | --image) image=${!next:-} ;;
    -m | --model) model=${!next:-} ;;
    -o | --output) output=${!next:-} ;;
    --image=*) image=${!i#*=} ;;
    --model=*) model=${!i#*=} ;;
    --output=*) output=${!i#*=} ;;
  esac
done

defaults=()
if [[ -z $image ]]; then
  image=$root/examples/lake.jpg
  defaults+=(--image "$image")
fi
if [[ -z $model ]]; then defaults+=(--model tiny); fi
if [[ -z $output ]]; then
  name=$(basename "$image")
  [[ $name != - ]] || name=video
  output=$root/build/render/${name%.*}.mp4
  mkdir -p "$root/build/render"
  defaults+=(--output "$output" --overwrite)
fi

"$root/scripts/setup.sh" "${setup_options[@]}"
build_svd_gen
"$root/build/release/svd-gen" "${defaults[@]}" "$@"
[[ ! -e $output ]] || say "The video is in $output"
