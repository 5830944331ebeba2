# svd-gen bench.
load ../support/cli

quick() { svd bench --model tiny --frames 2 --size 64x64 --steps 2 --device cpu "$@"; }

@test "--json has a number for every stage, step and peak" {
  quick --json -q
  expect_status 0
  [ -z "$stderr" ]
  expect_json 'j["program"], j["error"], j["image"], j["warmup_steps"]' "('svd-gen', None, None, 1)"
  expect_json 'sorted(j["seconds"])' "['condition', 'decode', 'encode', 'load', 'load_conditioning', \
'load_decoder', 'load_unet', 'open', 'sample', 'start_to_file', 'start_to_first_step']"
  expect_json 'all(s >= 0 for s in j["seconds"].values())' True
  expect_json 'sorted(j["peak_rss_bytes"])' "['condition', 'decode', 'load', 'load_conditioning', \
'load_decoder', 'load_unet', 'sample', 'whole']"
  expect_json 'j["peak_rss_bytes"]["whole"] >= max(p for p in j["peak_rss_bytes"].values() if p)' True
  expect_json 'len(j["steps"]), j["step"]["median"] == j["steps"][1]' "(2, True)"
  expect_json 'j["seconds"]["start_to_first_step"] < j["seconds"]["start_to_file"]' True
  # The process started after the clock of this case, but for a tick of 10 ms.
  expect_json "j['seconds']['start_to_file'] * 1000 < $elapsed_ms + 20" True
  expect_json 'j["request"]["steps"], j["request"]["seed"], j["request"]["frames"]' "(2, 0, 2)"
  expect_json 'j["build"]["libraries"]["libtorch"][:2], "commit" in j["build"]' "('2.', True)"
}

@test "nothing is left behind" {
  export TMPDIR=$PWD/tmp
  mkdir tmp
  quick -q
  expect_status 0
  [ -z "$(ls tmp)" ]
  [ "$(ls)" = $'in.png\ntmp' ]
}

@test "text on stdout" {
  quick -q
  expect_status 0
  [[ $output == *"load_unet "* && $output == *"start to first step"* && $output == *"median "* ]]
}

@test "--profile-ops: operators whose seconds and operations add up" {
  quick -q --profile-ops --json
  expect_status 0
  expect_json 'j["operations"]["ceiling_gflops"] > 0' True
  expect_json 'sum(r["seconds"] for r in j["operations"]["rows"]) <= j["operations"]["seconds"]' True
  expect_json '0 <= j["operations"]["seconds"] - j["steps"][1] < 1' True
  expect_json 'sum(r["flops"] for r in j["operations"]["rows"]) > 1e7' True
}

@test "the same latents as a render" {
  tiny --no-metadata --save-latents a.safetensors -o a.mp4
  expect_status 0
  svd bench --image in.png --model tiny --frames 3 --steps 2 --size 64x64 --seed 7 --device cpu \
    --save-latents b.safetensors -q
  expect_status 0
  cmp a.safetensors b.safetensors
}

@test "wrong flags and values: exit 2" {
  refused 2 "unknown option --output" bench --model tiny --output b.mp4
  refused 2 "--warmup-steps 2 is out of range: 0 to 1" bench --model tiny --steps 2 --warmup-steps 2
  refused 2 "--warmup-steps -1 is out of range" bench --model tiny --warmup-steps -1
  refused 2 "merged_qkv" bench --model tiny --without all
  refused 2 "--frames 0 is out of range" bench --model tiny --frames 0
}

@test "a picture or a model that is not there: exit 3 and 4" {
  refused 3 missing.png bench --model tiny --image missing.png
  refused 4 nothing.safetensors bench --model nothing.safetensors
}

@test "latents that exist already are not replaced: exit 6" {
  echo precious > l.safetensors
  refused 6 "l.safetensors exists" bench --model tiny --save-latents l.safetensors
}

@test "a failure with --json: one object on stdout" {
  svd bench --model nothing.safetensors --json
  expect_status 4
  expect_json 'j["error"]["kind"]' model
}

@test "terminated: exit 143 and an empty temporary folder" {
  export TMPDIR=$PWD/tmp
  mkdir tmp
  "$SVD_GEN" bench --model tiny --frames 8 --size 128x128 --steps 1000 --device cpu 2> stderr.txt &
  pid=$!
  until grep -q sampling stderr.txt; do
    kill -0 "$pid"
    sleep 0.05
  done
  [ -n "$(ls tmp)" ]
  kill -TERM "$pid"
  code=0
  wait "$pid" || code=$?
  [ "$code" -eq 143 ]
  [ -z "$(ls tmp)" ]
}

@test "bench --help lists its options" {
  svd bench --help
  expect_status 0
  for name in --model --image --steps --warmup-steps --profile-ops --dtype --decode-chunk --json; do
    [[ $output == *"$name"* ]] || fail "no $name"
  done
}

@test "one step is counted, not taken for a warm-up" {
  svd bench --model tiny --frames 1 --size 64x64 --steps 1 --device cpu --json
  expect_status 0
  expect_json 'len(j["steps"]) - j["warmup_steps"]' 1
}
