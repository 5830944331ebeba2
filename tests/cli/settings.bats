# Where values come from, and ways to watch.
load ../support/cli

@test "--print-config says where every value comes from" {
  echo '{"steps": 5, "crf": 20}' > c.json
  SVD_GEN_DEVICE=cpu svd --print-config --model tiny --config c.json --preset draft --fps 9
  expect_status 0
  expect_json 'j["fps"], j["steps"]["origin"], j["width"], j["device"]["origin"]' \
    "({'value': 9.0, 'origin': 'command line'}, 'config c.json', {'value': 512, 'origin': 'preset draft'}, 'environment SVD_GEN_DEVICE')"
  expect_json 'j["frames"]["origin"], j["motion_bucket_id"]["origin"], j["seed"]["origin"], j["crf"]' \
    "('model', 'model', 'random', {'value': '20', 'origin': 'config c.json'})"
}

@test "a preset lies as the picture does" {
  python3 "$SUPPORT/pictures.py" rgb 64 96 tall.png
  svd --image tall.png --model tiny --preset draft --dry-run --json -o t.mp4
  expect_status 0
  expect_json 'j["request"]["width"], j["request"]["height"]' "(320, 512)"
}

@test "--progress json: every line is an event" {
  tiny --progress json -o out.mp4
  expect_status 0
  printf '%s\n' "$stderr" | python3 -c '
import json, sys
events = [json.loads(line) for line in sys.stdin if line.strip()]
kinds = [e["event"] for e in events]
assert kinds.count("stage_begin") == 6 and kinds.count("stage_end") == 6, kinds
assert any(e["event"] == "progress" and e["stage"] == "sample" and e["done"] == 1 and e["total"] == 2 for e in events)
assert any(e["event"] == "message" and e["level"] == "warning" for e in events)'
}

@test "--progress none announces no stage" {
  tiny --progress none -o out.mp4
  [[ $stderr != *sampling* && $stderr == *"wrote out.mp4"* ]]
}

@test "--preview is an animation of what comes" {
  tiny --preview p.webp -o out.mp4
  expect_status 0
  [ "$(head -c 4 p.webp)" = RIFF ]
  [ "$(grep -c ANMF p.webp)" -ge 1 ]
}

@test "--contact-sheet is a picture of all frames" {
  tiny --contact-sheet sheet.png -o out.mp4
  expect_status 0
  [ "$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 sheet.png)" = png ]
}

@test "completions and the manual list every option" {
  for kind in "completions bash" "completions zsh" "completions fish" manual; do
    # shellcheck disable=SC2086
    svd $kind
    expect_status 0
    for name in $("$SVD_GEN" --help | grep -oE -- '--[a-z][a-z-]+' | sort -u); do
      [[ ${output//\\-/-} == *"${name#--}"* ]] || fail "$kind lacks $name"
    done
  done
  svd completions csh
  expect_status 2
}

@test "bash completes options, their values and commands" {
  "$SVD_GEN" completions bash > svd-gen.bash
  complete_words() {
    bash -c 'source svd-gen.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _svd_gen; printf "%s\n" "${COMPREPLY[@]}"' _ "$@"
  }
  [ "$(complete_words svd-gen --motion)" = --motion-bucket-id ]
  [ "$(complete_words svd-gen --fit s)" = stretch ]
  [ "$(complete_words svd-gen rep)" = replay ]
  [ "$(complete_words svd-gen replay --se)" = --set ]
  [ "$(complete_words svd-gen completions z)" = zsh ]
  [ "$(complete_words svd-gen --image in.p)" = in.png ]
}

@test "zsh and the manual page are well-formed" {
  if command -v zsh > /dev/null; then "$SVD_GEN" completions zsh > _svd-gen && zsh -n _svd-gen; fi
  if command -v fish > /dev/null; then "$SVD_GEN" completions fish > svd-gen.fish && fish -n svd-gen.fish; fi
  if command -v groff > /dev/null; then
    [ -z "$("$SVD_GEN" manual | groff -man -Tutf8 -ww -z 2>&1)" ]
  fi
}
