#!/usr/bin/env bash
# Measures svd-gen beside diffusers: the same weights, noise, steps, number formats and threads.
#
#   scripts/bench.sh --checkpoint DIR [options]
#
#   --checkpoint DIR        diffusers folder, which both read (scripts/make_checkpoint.py writes one)
#   --svd-gen-model FILE    let svd-gen read the same weights from here, for example a single file
#   --rounds N              how often the programs take turns (default 3)
#   --peers eager|all       all: also diffusers with torch.compile and with the UNet on OpenVINO
#   --frames 14 --size 448x256 --steps 4 --warmup-steps 1 --dtype bfloat16 --threads N
#   --vae-dtype DTYPE       of both; default: each program's own, float32 and diffusers' --dtype
#   --image FILE            default examples/lake.jpg
#   --out FILE.json         everything that was measured (default build/bench/DATE.json)
#   --exactness             instead of speed: errors of both in --dtype against diffusers in float32
#                           (--seeds, --limit; 4 frames of 192x128 unless said otherwise)
#
# Python with torch and diffusers is build/golden-env, which scripts/golden_env.sh makes, or
# SVD_GOLDEN_PYTHON; the binary is build/release/svd-gen or SVD_GEN. docs/performance.md says more.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

exactness=off image=$root/examples/lake.jpg out="" peers=eager checkpoint=""
options=()
while (($#)); do
  case $1 in
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    --exactness) exactness=on ;;
    --image | --out | --peers | --checkpoint)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    *) options+=("$1") ;;
  esac
  shift
done
[[ -n $checkpoint ]] || fail "--checkpoint is missing" "scripts/make_checkpoint.py --out DIR writes DIR/folder"
[[ -f $checkpoint/model_index.json ]] ||
  fail "$checkpoint is not a diffusers folder: no model_index.json" "diffusers cannot read a single file"

binary=${SVD_GEN:-$root/build/release/svd-gen}
[[ -x $binary ]] || fail "no $binary" "scripts/render.sh builds it"
if [[ -z ${SVD_GOLDEN_PYTHON:-} ]]; then
  "$root/scripts/golden_env.sh"
fi
python=${SVD_GOLDEN_PYTHON:-$root/build/golden-env/bin/python}

common=(--svd-gen "$binary" --checkpoint "$checkpoint" --image "$image")
if [[ $exactness == on ]]; then
  exec "$python" "$root/tests/bench/exactness.py" "${common[@]}" "${options[@]}"
fi

# In a folder of its own: only this comparison needs it.
openvino=$root/build/openvino
if [[ $peers == all && ! -d $openvino/openvino ]]; then
  say "Installing OpenVINO into $openvino"
  "$python" -m pip install --disable-pip-version-check -q --no-deps --target "$openvino" openvino >&2 ||
    say "OpenVINO cannot be had: going on without it"
fi
if [[ -z $out ]]; then
  out=$root/build/bench/$(date -u +%Y%m%d-%H%M%S).json
fi
mkdir -p "$(dirname "$out")"
status=0
"$python" "$root/tests/bench/side_by_side.py" "${common[@]}" --python "$python" --openvino "$openvino" \
  --peers "$peers" --out "$out" "${options[@]}" || status=$?
say "Measurements: $out"
exit "$status"
