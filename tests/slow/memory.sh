#!/usr/bin/env bash
# A checkpoint of the true SVD size within 60, 40 and 25 percent of the memory that it takes freely: the same frames.
# Needs a Python with torch (SVD_GOLDEN_PYTHON) and 10 GB of disk; without the first the test is skipped.
set -euo pipefail
[[ -n ${SVD_GOLDEN_PYTHON:-} ]] || {
  echo "skipped: set SVD_GOLDEN_PYTHON"
  exit 77
}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SVD_GOLDEN_PYTHON" "$root/scripts/make_checkpoint.py" --out "$work" --layout single
"$SVD_GOLDEN_PYTHON" "$root/tests/bench/memory_caps.py" --svd-gen "$SVD_GEN" --work "$work" -- \
  --image "$root/examples/lake.jpg" --model "$work/svd_xt.safetensors" --dtype float32 --frames 6 --size 320x192 \
  --steps 2 --seed 1 --device cpu
