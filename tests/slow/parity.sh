#!/usr/bin/env bash
# Renders beside both published implementations, over a table of cases. Needs the environment that
# scripts/golden_env.sh makes (SVD_GOLDEN_PYTHON) and a checkout of Stability-AI/generative-models
# (SVD_GENERATIVE_MODELS); without them the test is skipped.
set -euo pipefail
[[ -n ${SVD_GOLDEN_PYTHON:-} && -n ${SVD_GENERATIVE_MODELS:-} ]] || {
  echo "skipped: set SVD_GOLDEN_PYTHON and SVD_GENERATIVE_MODELS"
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$SVD_GOLDEN_PYTHON" "$(dirname "$0")/../golden/parity.py" --svd-gen "$SVD_GEN" \
  --generative-models "$SVD_GENERATIVE_MODELS" --work "$work"
