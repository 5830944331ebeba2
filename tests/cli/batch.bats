# Lists of clips: pictures, seeds, batch files, results, resuming, shards.
load ../support/cli

small=(--model tiny --frames 2 --steps 1 --size 64x64 --device cpu)

# jobs N: N lines of a batch over two pictures.
jobs() {
  local i
  python3 "$SUPPORT/pictures.py" rgb 80 80 other.png
  for ((i = 0; i < $1; i++)); do
    printf '{"image": "%s", "seed": %d, "output": "out/{stem}_{seed}.mp4"}\n' "$([ $((i % 2)) = 0 ] && echo in.png || echo other.png)" "$i"
  done > jobs.jsonl
  mkdir out
}

results() { python3 -c "import json; print([$1 for j in map(json.loads, open('${2-results.jsonl}'))])"; }

@test "several pictures and seeds make several clips" {
  cp in.png second.png
  svd --image in.png --image second.png --seeds 3..4 "${small[@]}" --json
  expect_status 0
  [ "$(ls ./*.mp4 | tr '\n' ' ')" = "./in_3_0.mp4 ./in_4_1.mp4 ./second_3_2.mp4 ./second_4_3.mp4 " ]
  expect_json '[c["status"] for c in j["clips"]], [c["seed"] for c in j["clips"]]' \
    "(['done', 'done', 'done', 'done'], [3, 4, 3, 4])"
  expect_in_stderr "4 of 4 clips rendered"
  cmp in_3_0.mp4 in_4_1.mp4 && fail "seeds make no difference"
  svd --image in.png --seed 4 "${small[@]}" -o alone.mp4
  cmp alone.mp4 in_4_1.mp4
}

@test "a bad clip does not stop the others, and its exit code is the command's" {
  echo text > bad.png
  printf '%s\n' '{"image": "in.png", "output": "a.mp4"}' '{"image": "bad.png", "output": "b.mp4"}' \
    '{"image": "in.png", "output": "missing/c.mp4"}' '{"image": "in.png", "output": "d.mp4"}' > jobs.jsonl
  svd --batch jobs.jsonl "${small[@]}"
  expect_status 3
  [ -s a.mp4 ] && [ -s d.mp4 ] && [ ! -e b.mp4 ]
  expect_in_stderr "2 of 4 clips rendered, 2 failed"
  [ "$(results '(j["index"], j["status"], (j["error"] or {}).get("exit_code"))')" = \
    "[(0, 'done', None), (1, 'failed', 3), (2, 'failed', 6), (3, 'done', None)]" ]
}

@test "--resume leaves out what is finished and adopts what the results do not know" {
  jobs 4
  svd --batch jobs.jsonl "${small[@]}"
  expect_status 0
  head -1 results.jsonl > kept && mv kept results.jsonl
  rm out/other_3.mp4
  sum=$(sha256sum out/in_0.mp4 out/other_1.mp4 out/in_2.mp4)
  svd --batch jobs.jsonl "${small[@]}" --resume
  expect_status 0
  expect_in_stderr "1 of 4 clips rendered, 3 there before"
  [ "$(sha256sum out/in_0.mp4 out/other_1.mp4 out/in_2.mp4)" = "$sum" ]
  [ "$(results 'j["status"]')" = "['done', 'adopted', 'adopted', 'done']" ]
}

@test "--resume does not adopt a file of another request" {
  jobs 1
  svd --batch jobs.jsonl "${small[@]}"
  rm results.jsonl
  svd --batch jobs.jsonl "${small[@]}" --motion-bucket-id 60 --resume
  expect_status 6
  expect_in_stderr "exists already"
}

@test "--resume does not take a broken file for a clip" {
  jobs 2
  svd --batch jobs.jsonl "${small[@]}"
  : > out/in_0.mp4
  head -c 500 out/other_1.mp4 > cut && mv cut out/other_1.mp4
  svd --batch jobs.jsonl "${small[@]}" --resume
  expect_status 6
  expect_in_stderr "0 of 2 clips rendered, 2 failed"
  svd --batch jobs.jsonl "${small[@]}" --resume --overwrite
  expect_status 0
  [ "$(find out -name '*.mp4' -size +1k | wc -l)" = 2 ]
}

@test "--skip-existing goes by the file alone" {
  jobs 2
  echo anything > out/in_0.mp4
  svd --batch jobs.jsonl "${small[@]}" --skip-existing
  expect_status 0
  [ "$(cat out/in_0.mp4)" = anything ]
  [ -s out/other_1.mp4 ]
}

@test "shards give the files of one run" {
  jobs 5
  svd --batch jobs.jsonl "${small[@]}"
  mv out whole && mkdir out && rm results.jsonl
  svd --batch jobs.jsonl "${small[@]}" --shard 0/2
  [ "$(ls out | wc -l)" = 3 ]
  svd --batch jobs.jsonl "${small[@]}" --shard 1/2
  diff -r whole out
  [ "$(results 'j["index"]')" = "[0, 2, 4, 1, 3]" ]
}

@test "killed at ten moments and resumed: every clip once, whole, nothing left over" {
  local i pid
  jobs 40
  for ((i = 0; i < 10; i++)); do
    "$SVD_GEN" --batch jobs.jsonl "${small[@]}" --resume -q 2>> errors &
    pid=$!
    sleep "0.$((RANDOM % 7 + 3))$((RANDOM % 10))"
    kill -KILL "$pid" 2> /dev/null || true
    wait "$pid" 2> /dev/null || true
  done
  svd --batch jobs.jsonl "${small[@]}" --resume
  expect_status 0
  [ "$(find out -mindepth 1 -name '.*' | wc -l)" = 0 ] || fail "left over: $(ls -a out)"
  [ "$(find out -name '*.mp4' | wc -l)" = 40 ]
  for file in out/*.mp4; do
    [ "$(ffprobe -v error -count_frames -show_entries stream=nb_read_frames -of csv=p=0 "$file")" = 2 ] || fail "$file"
  done
  # Once each: rendered or, where the kill came between file and line, adopted.
  [ "$(results 'j["index"]' | tr -d '[],' | tr ' ' '\n' | sort -n | uniq -d | wc -l)" = 0 ]
  [ "$(results 'j["index"]' | tr -d '[],' | wc -w)" = 40 ]
}

@test "--dry-run of a list plans every clip and writes nothing" {
  jobs 3
  svd --batch jobs.jsonl "${small[@]}" --dry-run
  expect_status 0
  expect_in_stderr "3 of 3 clips planned"
  [ -z "$(ls out)" ] && [ ! -e results.jsonl ]
}

@test "an interrupted list says so and goes on with --resume" {
  jobs 40
  "$SVD_GEN" --batch jobs.jsonl "${small[@]}" 2> messages &
  pid=$!
  for _ in {1..100}; do [ -s results.jsonl ] && break; sleep 0.05; done
  kill -TERM "$pid"
  wait "$pid" && code=0 || code=$?
  [ "$code" = 143 ]
  [ "$(find out -name '.*' -type f | wc -l)" = 0 ]
  [ "$(results 'j["status"]' | grep -c failed)" = 0 ]
  svd --batch jobs.jsonl "${small[@]}" --resume
  expect_status 0
  [ "$(find out -name '*.mp4' | wc -l)" = 40 ]
}
