#!/usr/bin/env bash
# A checkpoint of the true SVD size: inspected, and rendered in bfloat16 within 16 GB of memory.
# Needs a Python with torch (SVD_GOLDEN_PYTHON), 10 GB of disk and about half an hour on two cores;
# without the first the test is skipped.
set -euo pipefail
[[ -n ${SVD_GOLDEN_PYTHON:-} ]] || {
  echo "skipped: set SVD_GOLDEN_PYTHON"
  exit 77
}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SVD_GOLDEN_PYTHON" "$root/scripts/make_checkpoint.py" --out "$work" --layout single
model=$work/svd_xt.safetensors
[[ $(stat -c %s "$model") == 9559625980 ]]
"$SVD_GEN" inspect --json "$model" | python3 -c '
import json, sys
model = json.load(sys.stdin)
assert [part["tensors"] for part in model["parts"]] == [1428, 398, 248, 372], model["parts"]
assert model["complete"]'
"$SVD_GEN" --image "$root/examples/lake.jpg" --model "$model" --frames 25 --fps 12 --size 512x320 --steps 2 \
  --dtype bfloat16 --json -o "$work/out.mp4" >"$work/result.json"
python3 - "$work/result.json" <<'END'
import json, sys
result = json.load(open(sys.argv[1]))
assert result["status"] == "done", result
assert result["peak_rss_bytes"] < 16e9, result["peak_rss_bytes"]
END
[[ $(ffprobe -v error -select_streams v -show_entries stream=nb_frames -of csv=p=0 "$work/out.mp4") == 25 ]]
