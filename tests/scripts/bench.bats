#!/usr/bin/env bats
# What scripts/bench.sh does with measurements, with programs that only pretend to render.

setup() {
  repository=$BATS_TEST_DIRNAME/../..
  side_by_side=$repository/tests/bench/side_by_side.py
  cd "$BATS_TEST_TMPDIR" || return 1
  # pretend NAME SECONDS VALUE: a program that says SECONDS a step and saves the latents VALUE.
  cat >program.py <<'END'
import json, pathlib, struct, sys
name, seconds, value = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
with open("turns", "a") as log:
    log.write(name + "\n")
if seconds < 0:
    sys.exit("no such luck")
seconds += 0.1 * open("turns").read().split().count(name)
with open(sys.argv[sys.argv.index("--save-latents") + 1], "wb") as file:
    header = json.dumps({"latents": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    file.write(struct.pack("<Q", len(header)) + header + struct.pack("<2f", value, value))
print(json.dumps({
    "build": {"version": "1", "commit": "c"}, "device": "CPU", "warmup_steps": 1, "error": None,
    "request": {"frames": 2, "width": 64, "height": 64, "steps": 3, "dtype": "float32", "vae_dtype": "float32"},
    "step": {"median": seconds}, "seconds": {"load": 1}, "peak_rss_bytes": {"sample": None, "whole": 2**30}}))
END
}

pretend() {
  printf '#!/bin/sh\nexec python3 %s/program.py %s %s %s "$@"\n' "$PWD" "$@" >"$1"
  chmod +x "$1"
}

compare() {
  run "$side_by_side" --svd-gen ./ours --python ./peer --checkpoint . --image x --out out.json --rounds 2 "$@"
}

@test "programs take turns, and ratios are those of a round" {
  pretend ours 0.9 3.0
  pretend peer 1.9 2.0
  compare
  [ "$status" -eq 0 ]
  [ "$(paste -sd' ' turns)" = "ours peer ours peer" ]
  # 1.0 and 1.1 against 2.0 and 2.1 seconds; latents 3 against 2.
  [[ $output =~ a\ step\ +1\.050\ +2\.050\ +s\ +0\.512\ +0\.500\ to\ 0\.524 ]]
  [[ $output == *"latents differ by 5.0e-01"* ]]
  [[ $output =~ load\ +1\.000\ +1\.000 ]]
  [[ $output != *"while sampling"* ]] # no program knows it
}

@test "--report prints the table again" {
  pretend ours 0.9 3.0
  pretend peer 1.9 2.0
  compare
  [[ $output == *"frames of 64x64"* ]]
  printed=$(grep -v '^round' <<<"$output")
  run "$side_by_side" --report out.json
  [ "$output" = "$printed" ]
}

@test "a peer that cannot run is named and the rest goes on" {
  pretend ours 0.9 3.0
  pretend peer -1 0
  compare
  [ "$status" -eq 1 ]
  [ "$(grep -c ours turns)" -eq 2 ]
  [[ $output == *"diffusers eager: could not be measured: no such luck"* ]]
}

@test "svd-gen that cannot run is an error" {
  pretend ours -1 0
  pretend peer 1.9 2.0
  compare
  [ "$status" -eq 1 ]
  [[ $output == *"error: svd-gen: no such luck"* ]]
  [ ! -e out.json ]
}

@test "bench.sh says what it needs" {
  run "$repository/scripts/bench.sh"
  [ "$status" -eq 1 ]
  [[ $output == *"--checkpoint is missing"* ]]
  run "$repository/scripts/bench.sh" --checkpoint .
  [ "$status" -eq 1 ]
  [[ $output == *"not a diffusers folder"* ]]
  run "$repository/scripts/bench.sh" --help
  [ "$status" -eq 0 ]
  [[ $output == *"--exactness"* && $output != *shellcheck* ]]
}
