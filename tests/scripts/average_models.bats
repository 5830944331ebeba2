#!/usr/bin/env bats
# What scripts/average_models.py makes of two files of weights.

setup() {
  average=$BATS_TEST_DIRNAME/../../scripts/average_models.py
  cd "$BATS_TEST_TMPDIR" || return 1
  # weights FILE TYPE VALUES...: a tensor of two values and one with the rest.
  cat >weights.py <<'END'
import json, struct, sys
name, kind, values = sys.argv[1], sys.argv[2], [float(value) for value in sys.argv[3:]]
size = {"F16": 2, "F32": 4}[kind]
header = json.dumps({"__metadata__": {"format": "pt"},
                     "a": {"dtype": kind, "shape": [2], "data_offsets": [0, 2 * size]},
                     "b": {"dtype": kind, "shape": [len(values) - 2],
                           "data_offsets": [2 * size, len(values) * size]}}).encode()
with open(name, "wb") as file:
    file.write(struct.pack("<Q", len(header)) + header
               + struct.pack(f"<{len(values)}{'e' if kind == 'F16' else 'f'}", *values))
END
}

weights() { python3 weights.py "$@"; }

@test "every value is the mean by share, and the names stay" {
  weights one F16 0 1 2 -4
  weights two F16 1 3 2 4
  weights expected F16 0.25 1.5 2 -2
  "$average" one two 0.25 result
  cmp result expected
}

@test "other tensors and other types are refused" {
  weights one F16 0 1 2 -4
  weights longer F16 1 3 2 4 5
  weights wide F32 1 3 2 4
  run "$average" one longer 0.5 result
  [ "$status" -eq 1 ]
  [[ "$output" == *"one and longer: their headers differ"* ]]
  run "$average" one wide 0.5 result
  [ "$status" -eq 1 ]
  [[ "$output" == *"wide: a is F32, not float16"* ]]
  run "$average" one one 1.5 result
  [ "$status" -eq 2 ]
  [[ "$output" == *"SHARE: a number from 0 to 1"* ]]
  [ ! -e result ]
}
