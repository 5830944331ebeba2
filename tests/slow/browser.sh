#!/usr/bin/env bash
# What a browser makes of clips and of their gallery, in headless Chromium: MP4 and WebM of svd-gen and of
# ffmpeg play and seek, the gallery sorts, filters, plays and loads nothing from elsewhere. Skipped
# without chromium (scripts/setup.sh --tools installs it).
set -euo pipefail
command -v chromium >/dev/null || {
  echo "skipped: no chromium"
  exit 77
}
root=$(cd "$(dirname "$0")/../.." && pwd)
check() { timeout 120 python3 "$root/tests/support/browser_check.py" "$@"; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

expect() {
  local found
  found=$(check "${@:2}")
  [[ $found == "$1" ]] || {
    printf 'browser_check.py %s\n  says     %s\n  expected %s\n' "${*:2}" "$found" "$1" >&2
    exit 1
  }
}

ffmpeg -loglevel error -f lavfi -i testsrc2=s=256x128:r=7:d=2 -pix_fmt yuv420p ffmpeg.mp4
ffmpeg -loglevel error -i ffmpeg.mp4 -c:v libvpx-vp9 ffmpeg.webm
python3 "$root/tests/support/pictures.py" rgb 96 64 in.png
mkdir clips
for clip in "2 2 mp4" "10 1 mp4" "1 3 mp4" "3 1 webm"; do
  read -r seed steps kind <<<"$clip"
  "$SVD_GEN" -q --image in.png --model tiny --frames 14 --steps "$steps" --size 64x64 --seed "$seed" \
    --device cpu -o "clips/<b>$seed & co.$kind"
done
for file in ffmpeg.mp4 ffmpeg.webm clips/*; do
  echo "$file: $(check play "$file")"
done

for option in "" --link; do
  "$SVD_GEN" gallery clips --overwrite $option
  page=clips/index.html
  expect $'["1", "2", "3", "10"]\n["10", "3", "2", "1"]' sorted "$page" seed
  expect $'["1", "1", "2", "3"]\n["3", "2", "1", "1"]' sorted "$page" steps
  expect 2 filtered "$page" steps=1
  expect 1 filtered "$page" webm
  [[ $(check playing "$page") -ge 1 ]]
  expect "" foreign "$page"
done
for look in "390 dark" "1280 light"; do
  read -r width scheme <<<"$look"
  check screenshot "$page" "$width" "$scheme" "$work/$width.png"
done
