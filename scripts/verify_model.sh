#!/usr/bin/env bash
# Checks real weights against what is known of the published ones.
#
#   scripts/verify_model.sh PATH [--cat cat_6.png] [--svd-gen BINARY] [--python PYTHON]
#
# PATH   a single file (svd*.safetensors) or a diffusers folder
# --cat  the picture of diffusers' published test (pix2pix/cat_6.png of its test images); with it and the folder of the
#        14-frame model a corner of the first of 3 frames (3 steps, seed 0, 1024x576) is compared with the published
#        numbers: rendered by svd-gen, and by diffusers where a Python environment of scripts/golden_env.sh is there.
#        On a CPU that takes long.
#
# What can be checked is checked; what cannot is named. Exit status 1 when a check fails.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() { sed -n '2,13s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }
path="" cat="" svd_gen=$root/build/release/svd-gen python=$root/build/golden-env/bin/python
while (($#)); do
  case $1 in
    -h | --help) usage && exit ;;
    --cat | --svd-gen | --python)
      (($# > 1)) || fail "$1 needs a value"
      case $1 in --cat) cat=$2 ;; --svd-gen) svd_gen=$2 ;; *) python=$2 ;; esac
      shift
      ;;
    -*) fail "unknown option $1" "$(usage)" ;;
    *)
      [[ -z $path ]] || fail "more than one path" "$(usage)"
      path=$1
      ;;
  esac
  shift
done
[[ -n $path ]] || fail "no PATH given" "$(usage)"
[[ -e $path ]] || fail "$path does not exist"
[[ -z $cat || -f $cat ]] || fail "--cat: no such file: $cat"
have python3 || fail "python3 is missing" "on Debian: apt-get install python3"

failed=0
report() { # report STATUS NAME DETAIL
  printf '%-8s %s: %s\n' "$1" "$2" "$3"
  [[ $1 != FAILED ]] || failed=1
}

check_inspect() {
  local output
  if [[ ! -x $svd_gen ]]; then
    report "not run" "names and shapes" "no $svd_gen (build it, or --svd-gen BINARY)"
  elif output=$("$svd_gen" inspect "$path" 2>&1); then
    report ok "names and shapes" "svd-gen inspect finds the model complete"
  else
    report FAILED "names and shapes" "$output"
  fi
}

# quant_conv after the conditioning encoder's conv_out equals the first stage's conv_out.
check_quant_conv() {
  local output status=0
  if [[ -d $path ]]; then
    report "not run" "quant_conv" "a folder holds one encoder only; give the single file"
    return
  fi
  output=$(
    python3 - "$path" <<'END'
import array
import json
import struct
import sys

CONDITION, FIRST = "conditioner.embedders.3.encoder.", "first_stage_model."


def fail(message, status):
    print(message)
    sys.exit(status)


with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
    if not 2 <= length <= 100_000_000:
        fail(f"not a safetensors file: its header would have {length} bytes", 1)
    header = json.loads(file.read(length))

    def values(name):
        if name not in header:
            fail(f"tensor {name} is missing", 1)
        info = header[name]
        start, end = info["data_offsets"]
        file.seek(8 + length + start)
        data = file.read(end - start)
        if len(data) != end - start:
            fail(f"tensor {name}: the file is cut off", 1)
        if info["dtype"] == "BF16":
            data = b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2))
        code, size = {"F32": ("f", 4), "BF16": ("f", 4), "F16": ("e", 2), "F64": ("d", 8)}[info["dtype"]]
        return list(struct.unpack(f"<{len(data) // size}{code}", data)), info["dtype"]

    if FIRST + "quant_conv.weight" in header:
        fail("an image_decoder file keeps quant_conv beside its first stage, nothing is folded", 3)
    quant, _ = values(CONDITION + "quant_conv.weight")
    quant_bias, _ = values(CONDITION + "quant_conv.bias")
    kernel, kind = values(CONDITION + "encoder.conv_out.weight")
    bias, _ = values(CONDITION + "encoder.conv_out.bias")
    want, _ = values(FIRST + "encoder.conv_out.weight")
    want_bias, _ = values(FIRST + "encoder.conv_out.bias")

rows = len(quant_bias)
size = len(kernel) // rows
worst = 0.0
for i in range(rows):
    mix = quant[i * rows : (i + 1) * rows]
    made = array.array("d", bytes(8 * size))
    for j, factor in enumerate(mix):
        for k, value in enumerate(kernel[j * size : (j + 1) * size]):
            made[k] += factor * value
    worst = max(worst, max(abs(a - b) for a, b in zip(made, want[i * size : (i + 1) * size])))
    worst = max(worst, abs(sum(f * b for f, b in zip(mix, bias)) + quant_bias[i] - want_bias[i]))
top = max(map(abs, want + want_bias))
limit = {"F32": 1e-5, "F64": 1e-5}.get(kind, 1e-2 if kind == "BF16" else 2e-3)
text = f"largest difference {worst:.2e}, largest value {top:.2e} ({kind})"
fail(text, 0 if worst <= limit * top else 1)
END
  ) || status=$?
  case $status in
    0) report ok "quant_conv is folded into the first stage's encoder" "$output" ;;
    3) report "not run" "quant_conv" "$output" ;;
    *) report FAILED "quant_conv is folded into the first stage's encoder" "$output" ;;
  esac
}

# compare_corner NAME FRAME: the last 3x3 values of blue against the published ones.
compare_corner() {
  local output status=0
  output=$(
    ffmpeg -v error -i "$2" -vf "crop=3:3:iw-3:ih-3:exact=1" -f rawvideo -pix_fmt rgb24 - | python3 -c '
import math
import sys

want = [0.8592, 0.8645, 0.8499, 0.8722, 0.8769, 0.8421, 0.8557, 0.8528, 0.8285]
got = [value / 255 for value in sys.stdin.buffer.read()[2::3]]
if len(got) != 9:
    sys.exit(f"{len(got)} values, expected 9")
norm = math.sqrt(sum(a * a for a in got) * sum(b * b for b in want))
distance = 1 - sum(a * b for a, b in zip(got, want)) / norm if norm else 1.0
print(f"cosine distance {distance:.1e}, values {[round(a, 4) for a in got]}")
sys.exit(distance >= 1e-3)'
  ) || status=$?
  report "$([[ $status == 0 ]] && echo ok || echo FAILED)" "$1" "$output"
}

check_slice() {
  local name="published corner" work
  if [[ ! -d $path ]]; then
    report "not run" "$name" "it is known for the diffusers folder of the 14-frame model"
  elif [[ -z $cat ]]; then
    report "not run" "$name" "needs --cat cat_6.png"
  elif ! grep -q '"num_frames": *14' "$path/unet/config.json"; then
    report "not run" "$name" "it is known for the 14-frame model"
  elif ! have ffmpeg; then
    report "not run" "$name" "ffmpeg is missing"
  else
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # the folder of this call
    trap "rm -rf '$work'" EXIT
    if [[ ! -x $svd_gen ]]; then
      report "not run" "$name, svd-gen" "no $svd_gen"
    elif "$svd_gen" --image "$cat" --model "$path" --profile diffusers --fit stretch --size 1024x576 --frames 3 --steps 3 \
      --seed 0 --fps 7 --condition-fps 6 --min-guidance 1 --max-guidance 3 -q -o "$work/frames/"; then
      compare_corner "$name, svd-gen" "$work/frames/00000.png"
    else
      report FAILED "$name, svd-gen" "the render failed"
    fi
    if [[ ! -x $python ]]; then
      report "not run" "$name, diffusers" "no $python (scripts/golden_env.sh makes it, or --python PYTHON)"
    elif "$python" "$root/tests/golden/run_diffusers.py" --model "$path" --image "$cat" --out "$work/diffusers" \
      --size 1024x576 --frames 3 --steps 3 --seed 0 --min-guidance 1 --max-guidance 3 --decode-chunk 3; then
      compare_corner "$name, diffusers" "$work/diffusers/frames/00000.png"
    else
      report FAILED "$name, diffusers" "the render failed"
    fi
  fi
}

check_inspect
check_quant_conv
check_slice
exit $failed
