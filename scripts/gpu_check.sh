#!/usr/bin/env bash
# Builds and tests svd-gen with CUDA on a bare machine: an NVIDIA card, nvcc, CMake, Ninja and the
# torch of its Python, but no OpenCV, FFmpeg or network. The small libraries come along in
# build/deps/headers (scripts/deps_headers.sh).
#
#   scripts/gpu_check.sh [--torch DIR] [--wheels DIR] [build] [parity] [bench] [plans]     no stage named: all
#
#   build   everything but src/media, and the CUDA module for the cards of this machine, in build/bare
#   parity  the unit tests, operations on the CPU and on the card; a case for the card that cannot
#           run there is a failure
#   bench   SVD-XT's 25 frames of 1024x576 in bfloat16 with full-size weights that are made here from a
#           seed, beside diffusers eager and compiled, if the machine's Python has diffusers or --wheels
#           names a folder with its wheels; three rounds in turns
#   plans   the same clip of two steps within 40, 24, 16 and 10 GiB: time and peak memory of each plan
#
# Each stage is made to take less than ten minutes. Results are collected in build/gpu_check/report.json.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

take_setup_options "$@"
wheels=""
stages=()
while ((${#rest[@]})); do
  case ${rest[0]} in
    --wheels)
      if ((${#rest[@]} < 2)) || [[ ! -d ${rest[1]} ]]; then fail "--wheels needs a folder"; fi
      wheels=$(cd "${rest[1]}" && pwd)
      rest=("${rest[@]:2}")
      ;;
    *)
      stages+=("${rest[0]}")
      rest=("${rest[@]:1}")
      ;;
  esac
done
((${#stages[@]})) || stages=(build parity bench plans)
work=$root/build/gpu_check
mkdir -p "$work"

# note STAGE FILE: puts the JSON in FILE under its stage in the report, with date, commit and card.
note() {
  python3 - "$work/report.json" "$1" "$2" <<'END'
import datetime, json, pathlib, subprocess, sys
report, stage, part = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
data = json.loads(report.read_text()) if report.exists() else {}
card = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"],
                      capture_output=True, text=True)
data["card"] = card.stdout.strip()
data[stage] = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
               "result": json.loads(part.read_text())}
report.write_text(json.dumps(data, indent=1) + "\n")
END
}

python_torch() {
  python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null
}

build_stage() {
  local -a options
  if ! own_torch >/dev/null && ! is_torch "$deps/torch/torch"; then
    torch_option=$(python_torch)
    is_torch "$torch_option" || fail "no libtorch found" "name its folder: --torch DIR"
  fi
  find_nvcc >/dev/null || fail "no nvcc found" "the check is about our kernels, which it compiles"
  mapfile -t options < <(cuda_cmake_options)
  SECONDS=0
  build bare "${options[@]}"
  say "Built in $SECONDS s"
  echo "{\"seconds\": $SECONDS}" >"$work/build.json"
  note build "$work/build.json"
}

parity_stage() {
  local program
  local -a failed=() programs=("$root"/build/bare/*_test)
  [[ -x ${programs[0]} ]] || fail "no test programs in build/bare" "run the stage 'build' first"
  for program in "${programs[@]}"; do
    say "Running $(basename "$program")"
    SVD_TEST_REQUIRE_CUDA=1 "$program" --gtest_brief=1 || failed+=("$(basename "$program")")
  done
  printf '%s\n' "${failed[@]}" | python3 -c 'import json, sys; print(json.dumps({"failed": sys.stdin.read().split()}))' \
    >"$work/parity.json"
  note parity "$work/parity.json"
  ((${#failed[@]} == 0)) || fail "failed: ${failed[*]}"
}

# Full-size weights, once.
checkpoint() {
  [[ -f $work/folder/model_index.json ]] ||
    python3 "$root/scripts/make_checkpoint.py" --out "$work" --layout folder --dtype f16
}

# Prints the Python that has diffusers, if there is one.
peer_python() {
  if [[ -n $wheels && ! -d $work/python ]]; then
    python3 -m pip install -q --no-index --no-deps --target "$work/python" "$wheels"/*.whl >&2
  fi
  PYTHONPATH=$work/python${PYTHONPATH:+:$PYTHONPATH} python3 -c 'import diffusers, transformers' 2>/dev/null
}

clip=(--frames 25 --size 1024x576 --dtype bfloat16 --device cuda)

bench_stage() {
  checkpoint
  if peer_python; then
    PYTHONPATH=$work/python${PYTHONPATH:+:$PYTHONPATH} python3 "$root/tests/bench/side_by_side.py" \
      --svd-gen "$root/build/bare/svd-gen" --python "$(command -v python3)" --checkpoint "$work/folder" \
      --image "$root/examples/lake.jpg" --out "$work/bench.json" --peers compile --rounds 3 --steps 8 --warmup-steps 3 \
      --vae-dtype bfloat16 --drawn-picture "${clip[@]}"
  else
    say "no diffusers here: svd-gen alone"
    "$root/build/bare/svd-gen" bench --json -q --model "$work/folder" --steps 8 --warmup-steps 3 --vae-dtype bfloat16 \
      "${clip[@]}" >"$work/bench.json"
  fi
  note bench "$work/bench.json"
}

plans_stage() {
  local limit
  checkpoint
  for limit in 40 24 16 10; do
    say "Within $limit GiB"
    "$root/build/bare/svd-gen" bench --json -q --model "$work/folder" --steps 2 --memory "${limit}G" "${clip[@]}" \
      >"$work/plan_$limit.json" || say "refused, or failed: see the report"
  done
  python3 - "$work" <<'END'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
found = {path.stem.removeprefix("plan_") + " GiB": json.loads(path.read_text()) for path in work.glob("plan_*.json")}
(work / "plans.json").write_text(json.dumps(found))
END
  note plans "$work/plans.json"
}

for stage in "${stages[@]}"; do
  case $stage in
    build) build_stage ;;
    parity) parity_stage ;;
    bench) bench_stage ;;
    plans) plans_stage ;;
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) fail "unknown stage '$stage'" "expected build, parity, bench or plans" ;;
  esac
done
say "Passed: ${stages[*]}"
