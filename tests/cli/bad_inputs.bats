# Everything in bad_inputs.tsv is refused with its exit code and message, and nothing is written.
load ../support/cli

# What the rows name.
make_files() {
  local tsv_folder=$BATS_TEST_DIRNAME
  cp "$tsv_folder/bad_inputs.tsv" "$BATS_TEST_TMPDIR/table"
  mkdir folder folder.mp4 mixed pictures
  : >empty.png
  : >empty.jsonl
  echo "not a picture" | tee text.png text.safetensors pickle.ckpt mixed/note.txt >/dev/null
  mkfifo fifo.mp4
  cp in.png pictures/a.png
  python3 "$SUPPORT/pictures.py" rgb 1 1 dot.png
  python3 "$SUPPORT/pictures.py" bits 30000 20000 wall.png
  python3 "$SUPPORT/pictures.py" rgb 300 200 whole.png
  ffmpeg -loglevel error -i whole.png whole.jpg
  for kind in png jpg; do head -c $(($(stat -c %s "whole.$kind") / 2)) "whole.$kind" >"half.$kind"; done
  ffmpeg -loglevel error -f lavfi -i testsrc2=s=64x64:r=5:d=2 -pix_fmt yuv420p plain.mp4
  cp -r "$TINY" cut
  python3 "$SUPPORT/break_model.py" truncate "$(find cut/unet -name '*.safetensors' | head -n 1)"
  cp -r "$TINY" lacking
  rm -r lacking/vae

  echo '{"steps": 3,' >broken.json
  echo '{"stepz": 3}' >unknown.json
  echo '{"steps": true}' >type.json
  echo '{"overwrite": 1}' >flag.json
  echo '[]' >list.json
  echo '{"seed": 1, "seed": 2}' >twice.json
  echo '{"shard": "0/2"}' >run.json

  local good='{"image": "in.png", "model": "tiny", "output": "{index}.mp4"}'
  printf '%s\n' "$good" >jobs.jsonl
  printf '%s\n' "$good" '{"image": ' >broken.jsonl
  printf '%s\n' "$good" "" '{"image": "in.png", "stepz": 3}' >unknown.jsonl
  printf '%s\n' '{"model": "tiny"}' >noimage.jsonl
  printf '%s\n' "$good" '{"image": "in.png", "steps": 0}' >range.jsonl
  printf '%s\n' '{"image": "in.png", "seed": [1]}' >type.jsonl
  printf '%s\n' '{"image": "in.png", "output": "out.mp4"}' '{"image": "in.png", "output": "out.mp4"}' >same.jsonl
}

# As refused in support/cli.bash, but to be asked in a condition, where a failed command stops nothing.
is_refused() {
  local code=$1 text=$2 before after
  shift 2
  before=$(find . | sort)
  svd "$@" </dev/null
  after=$(find . | sort)
  [ "$status" -eq "$code" ] && [ -z "$output" ] && [[ $stderr == *"error: "* && $stderr == *"$text"* ]] &&
    [ "$before" = "$after" ]
}

# refuse_all GROUP: every row of a group; all offences are shown.
refuse_all() {
  local group code text words offences=0 rows=0
  # shellcheck disable=SC2034  # for the rows
  local in="--image in.png --model tiny --frames 2 --steps 1 --size 64x64"
  make_files
  while IFS=$'\t' read -r group code text words; do
    [ "$group" = "$1" ] || continue
    rows=$((rows + 1))
    words=${words//\$in/$in}
    local -a arguments
    eval "arguments=($words)"
    is_refused "$code" "$text" "${arguments[@]}" || {
      printf 'expected %s with: %s\n  of: %s\n  got %s: %s\n' "$code" "$text" "${arguments[*]}" "$status" "$output$stderr" >&2
      offences=$((offences + 1))
    }
  done <"$BATS_TEST_TMPDIR/table"
  [ "$rows" -gt 0 ] && [ "$offences" -eq 0 ]
}

@test "names of options, commands and arguments" { refuse_all names; }
@test "missing values" { refuse_all missing; }
@test "numbers" { refuse_all numbers; }
@test "choices" { refuse_all choices; }
@test "options that exclude each other" { refuse_all conflicts; }
@test "seeds, shards and lists" { refuse_all lists; }
@test "placeholders in names" { refuse_all templates; }
@test "presets and configurations" { refuse_all settings; }
@test "lines of a batch" { refuse_all batch; }
@test "outputs" { refuse_all output; }
@test "codecs and containers" { refuse_all codecs; }
@test "pictures" { refuse_all pictures; }
@test "models" { refuse_all models; }
@test "devices and memory" { refuse_all device; }
@test "records, latents and galleries" { refuse_all files; }

@test "every row belongs to a group that is tested" {
  local group
  while IFS=$'\t' read -r group _; do
    grep -q "{ refuse_all $group; }" "$BATS_TEST_FILENAME"
  done < <(grep -v '^#' "$BATS_TEST_DIRNAME/bad_inputs.tsv")
}

@test "cuda without a card" {
  if [ -e /dev/nvidiactl ]; then skip "this machine has a card"; fi
  refused 5 cuda --image in.png --model tiny --device cuda
}

@test "a folder that may not be written to" {
  [ "$(id -u)" -ne 0 ] || skip "root may write anywhere"
  mkdir -m 555 closed
  refused 6 closed --image in.png --model tiny -o closed/out.mp4
}

@test "a disk that fills up while the clip is written" {
  mkdir small
  mount -t tmpfs -o size=16k tmpfs small 2>/dev/null || skip "mounting is not permitted"
  svd --image in.png --model tiny --frames 14 --steps 1 --size 256x256 --device cpu -o small/out.mkv --codec ffv1
  left=$(ls -A small)
  umount small
  expect_status 6
  expect_in_stderr "error: "
  [ -z "$left" ]
}

@test "one wrong clip of a list: the others are rendered, the exit code is its" {
  svd --image missing.png --image in.png --model tiny --frames 2 --steps 1 --size 64x64 --device cpu -o '{stem}.mp4'
  expect_status 3
  [ -s in.mp4 ]
  [ ! -e missing.mp4 ]
  expect_in_stderr "1 failed"
}
