#!/usr/bin/env bash
# scripts/bench.sh with diffusers and the goldens' model: both programs make the same clip, and in
# bfloat16 svd-gen is no further from float32 than diffusers. Speed is not judged. Needs the
# environment that scripts/golden_env.sh makes (SVD_GOLDEN_PYTHON); without it the test is skipped.
set -euo pipefail
[[ -n ${SVD_GOLDEN_PYTHON:-} ]] || {
  echo "skipped: set SVD_GOLDEN_PYTHON"
  exit 77
}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/scripts/bench.sh" --checkpoint "$root/tests/golden/model" --rounds 1 --frames 2 --size 128x128 --dtype float32 \
  --steps 2 --out "$work/out.json"
python3 - "$work/out.json" <<'END'
import json, sys
data = json.load(open(sys.argv[1]))
ours, peer = data["rounds"][0]["svd-gen"], data["rounds"][0]["diffusers eager"]
for part, names in {"seconds": ("load", "condition", "sample", "decode", "encode", "start_to_first_step", "start_to_file"),
                    "peak_rss_bytes": ("load", "condition", "sample", "decode", "whole"), "step": ("median",)}.items():
    for name in names:
        assert ours[part][name] > 0 and peer[part][name] > 0, (part, name)
assert data["difference"]["diffusers eager"] < 1e-3, data["difference"]
END
"$root/scripts/bench.sh" --exactness --checkpoint "$root/tests/golden/model"
