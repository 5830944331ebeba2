# --memory: the same frames in less, or a refusal that helps.
load ../support/cli

# Wide enough that decoding matters beside the program itself.
clip() {
  svd --image in.png --model tiny --frames 6 --steps 1 --size 256x256 --seed 7 --device cpu "$@"
}

@test "the plan is part of the JSON, and of what --dry-run prints" {
  clip --dry-run --json -o out.mp4
  expect_status 0
  expect_json '[s["stage"] for s in j["memory"]["stages"]]' "['condition', 'sample', 'decode']"
  expect_json '0 < j["memory"]["peak_bytes"] <= j["memory"]["limit_bytes"]' True
  clip --dry-run -o out.mp4
  expect_in_stderr "memory   up to about"
}

@test "a cap is kept, and the frames are the same" {
  clip --json -o free/
  expect_status 0
  free=$(json 'j["peak_rss_bytes"]')
  svd --image in.png --model tiny --frames 6 --steps 1 --size 256x256 --device cpu --memory 64M -o never/
  expect_status 5
  least=$(($(sed -n 's/.*as it is fits --memory \([0-9]*\)M.*/\1/p' <<< "$stderr") << 20))
  [ "$least" -lt "$free" ]

  cap=$(((free + least) / 2))
  clip --memory $cap --json -o capped/
  expect_status 0
  expect_json "j['peak_rss_bytes'] <= $cap, j['memory']['recompute_decoder']" "(True, False)"
  diff -r free capped

  clip --memory $least --json -o least/
  expect_status 0
  expect_json "j['peak_rss_bytes'] <= $least" True
  diff -r free least
}

@test "what cannot fit is refused at once, with settings that fit" {
  refused 5 "not enough memory" --image in.png --model tiny --size 1024x1024 --frames 14 --memory 700M -o out.mp4
  expect_in_stderr "--size"
  size=$(grep -o -- '--size [0-9x]*' <<< "$stderr" | head -1)
  svd --image in.png --model tiny "${size% *}" "${size#* }" --frames 14 --memory 700M --dry-run -o out.mp4
  expect_status 0
  refused 5 "not enough memory" --image in.png --model tiny --size 4096x4096 --frames 1000 \
    --decode-chunk 1000 --memory 4G -o out.mp4
  expect_in_stderr "--size"
}

@test "an amount that is none" {
  refused 2 "--memory" --image in.png --model tiny --memory much -o out.mp4
  refused 2 "--memory" --image in.png --model tiny --memory 8X -o out.mp4
  refused 2 "64M" --image in.png --model tiny --memory 8 -o out.mp4
}
