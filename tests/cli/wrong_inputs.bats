# Everything that can be wrong with picture, model, device and output, each with its exit code.
load ../support/cli

@test "picture: missing, a folder, text, empty" {
  mkdir folder
  echo "not a picture" > text.png
  : > empty.png
  refused 3 missing.png --image missing.png --model tiny
  refused 3 folder --image folder --model tiny
  refused 3 text.png --image text.png --model tiny
  refused 3 empty.png --image empty.png --model tiny
}

@test "picture: a name that is too long" {
  refused 3 "too long" --image "$(printf 'a%.0s' {1..300}).png" --model tiny
}

@test "picture: cut off" {
  python3 "$SUPPORT/pictures.py" rgb 300 200 whole.png
  ffmpeg -loglevel error -i whole.png whole.jpg
  for kind in png jpg; do
    head -c $(($(stat -c %s "whole.$kind") / 2)) "whole.$kind" > "half.$kind"
    refused 3 "half.$kind" --image "half.$kind" --model tiny
  done
}

@test "picture: too small, too large" {
  python3 "$SUPPORT/pictures.py" rgb 1 1 dot.png
  python3 "$SUPPORT/pictures.py" bits 30000 20000 wall.png
  refused 3 dot.png --image dot.png --model tiny
  refused 3 wall.png --image wall.png --model tiny
}

@test "picture: an empty standard input" {
  svd --image - --model tiny < /dev/null
  expect_status 3
}

@test "model: an unknown name" {
  refused 4 tinny --image in.png --model tinny
  refused 4 nowhere/model.safetensors --image in.png --model nowhere/model.safetensors
}

copy_tiny() {
  cp -r "$TINY" model
  unet=$(find model/unet -name '*.safetensors' | head -n 1)
}

@test "model: a truncated file" {
  copy_tiny
  python3 "$SUPPORT/break_model.py" truncate "$unet"
  refused 4 "$(basename "$unet")" --image in.png --model model
}

@test "model: a header length of 2^63" {
  copy_tiny
  python3 "$SUPPORT/break_model.py" header "$unet"
  refused 4 "$(basename "$unet")" --image in.png --model model
}

@test "model: a wrong shape" {
  copy_tiny
  python3 "$SUPPORT/break_model.py" shape "$unet" time_embedding.linear_1.weight
  refused 4 time_embedding.linear_1.weight --image in.png --model model
}

@test "model: a missing and an unexpected tensor in one message" {
  copy_tiny
  python3 "$SUPPORT/break_model.py" rename "$unet" conv_in.weight
  refused 4 conv_in.weight --image in.png --model model
  expect_in_stderr nobody.knows.weight
}

@test "model: a broken configuration" {
  copy_tiny
  printf '{"in_channels": 8,' > model/unet/config.json
  refused 4 config.json --image in.png --model model
}

@test "model: pickle files are refused" {
  echo pickle > model.ckpt
  refused 4 model.ckpt --image in.png --model model.ckpt
}

@test "device: cuda without a card" {
  if [ -e /dev/nvidiactl ]; then skip "this machine has a card"; fi
  refused 5 cuda --image in.png --model tiny --device cuda
}

@test "output: an unknown extension" {
  refused 2 out.xyz --image in.png --model tiny -o out.xyz
}

@test "output: a missing parent folder, a parent that is a file" {
  : > file
  refused 6 missing --image in.png --model tiny -o missing/out.mp4
  refused 6 file --image in.png --model tiny -o file/out.mp4
  refused 6 missing --image in.png --model tiny --save-latents missing/l.safetensors
}

@test "output: what exists stays untouched without --overwrite" {
  echo precious > out.mp4
  mkdir frames
  echo precious > frames/00000.png
  echo precious > l.safetensors
  refused 6 out.mp4 --image in.png --model tiny -o out.mp4
  refused 6 frames --image in.png --model tiny -o frames/
  refused 6 l.safetensors --image in.png --model tiny --save-latents l.safetensors
  [ "$(cat out.mp4 frames/00000.png l.safetensors)" = $'precious\nprecious\nprecious' ]
}

@test "output: the picture is never overwritten" {
  mkdir frames
  cp in.png frames/
  refused 2 "would be overwritten" --image frames/in.png --model tiny -o frames/ --overwrite
  refused 2 "names no new folder" --image frames/in.png --model tiny -o ./ --overwrite
  cp in.png f_0001.png
  refused 2 "would be overwritten" --image f_0001.png --model tiny -o f_%04d.png --overwrite
  refused 2 "--save-latents" --image in.png --model tiny -o out.mp4 --save-latents ./out.mp4
  refused 2 "--image in.png would be overwritten by --save-latents" --image in.png --model tiny --save-latents ./in.png --overwrite
  cp -r "$TINY" model
  refused 2 "lies in the model" --image in.png --model model --save-latents model/unet/config.json --overwrite
  cmp model/unet/config.json "$TINY/unet/config.json"
  cmp in.png frames/in.png
}

@test "the first failure wins: output, picture, model, device" {
  refused 6 missing --image missing.png --model missing --device cuda -o missing/out.mp4
  refused 3 missing.png --image missing.png --model missing --device cuda
  refused 4 missing --image in.png --model missing --device cuda
}

@test "latents that are not there" {
  refused 2 "--init-latents in.png" --image in.png --model tiny --init-latents in.png
  refused 2 "is not a file" --image in.png --model tiny --init-latents .
  refused 2 missing.safetensors --image in.png --model tiny --init-latents missing.safetensors
}

@test "a failure with --json: one object on stdout" {
  svd --image missing.png --model tiny --json -o out.mp4
  expect_status 3
  expect_json 'j["status"], j["error"]["kind"], j["error"]["exit_code"], j["output"]' \
    "('failed', 'image', 3, 'out.mp4')"
}

@test "-q leaves the error alone on stderr" {
  svd --image missing.png --model tiny -q
  expect_status 3
  [[ $stderr == "error: "* ]]
}

@test "output: nothing else that is there is overwritten either" {
  cp in.png photo.webp
  refused 6 "photo.webp exists already" --image in.png --model tiny --preview photo.webp -o out.mp4
  refused 6 "photo.webp exists already" --image in.png --model tiny --preview photo.webp -o out.mp4 --resume
  cmp in.png photo.webp
  cp photo.webp lat.safetensors
  refused 6 "lat.safetensors exists already" --image in.png --model tiny --save-latents lat.safetensors -o out.mp4 --resume
  # What a stopped list left is replaced.
  local -a options=(--image in.png --model tiny --frames 2 --steps 1 --size 64x64 --device cpu --seeds 1,2 -o 's{seed}.mp4'
    --preview p.webp --save-latents 'l{seed}.safetensors' -q)
  "$SVD_GEN" "${options[@]}"
  rm s2.mp4
  svd "${options[@]}" --skip-existing
  expect_status 0
  rm s1.mp4
  svd "${options[@]}" --resume
  expect_status 0
  ffmpeg -v error -f lavfi -i testsrc2=s=96x64:r=8:d=1 v.mp4
  refused 2 "--image v.mp4 would be overwritten by --output v.mp4" --image v.mp4@0.5s --model tiny -o v.mp4 --overwrite
  refused 2 "would be overwritten" --image v.mp4@0.5s --model tiny --overwrite
  refused 6 "v.mp4 exists already" --image v.mp4@0.5s --model tiny
  cp in.png results.png
  refused 2 "results would be written to --image results.png" --image results.png --model tiny --results ./results.png -o a.mp4
  echo '{}' >c.json
  refused 2 "results would be written to --config c.json" --image in.png --model tiny --config c.json --results c.json -o a.mp4
  refused 2 "results would be written to the sidecar a.json" --image in.png --model tiny --results a.json -o a.gif
  refused 2 "among the frames" --image in.png --model tiny --results f/r.jsonl -o f/
  refused 2 "results would be written to --output a.mp4" --image in.png --model tiny --results a.mp4 -o a.mp4
  cmp in.png results.png
  echo '{"image": "in.png", "output": "a.mp4"}' >results.jsonl
  refused 2 "results would be written to --batch results.jsonl" --batch results.jsonl --model tiny
  [ "$(wc -l <results.jsonl)" -eq 1 ]
}

@test "output: neither sidecars nor later clips take what is there" {
  cp in.png x.json
  refused 2 "--image x.json would be overwritten by the sidecar x.json" --image x.json --model tiny -o x.gif --overwrite
  refused 2 "the sidecar x.json would be overwritten by --save-latents x.json" --image in.png --model tiny -o x.gif \
    --save-latents x.json --overwrite
  echo '{}' >f.json
  refused 2 "--config f.json would be overwritten by the sidecar f.json" --image in.png --model tiny --config f.json -o f.gif --overwrite
  cp "$REPOSITORY/models/tiny-svd/loras/zoom.safetensors" z.safetensors
  refused 2 "--lora z.safetensors would be overwritten by --save-latents z.safetensors" --image in.png --model tiny \
    --lora z.safetensors --save-latents z.safetensors -o y.mp4 --overwrite
  echo '{"image": "in.png"}' >cc.mp4
  svd --batch cc.mp4 --model tiny -o cc.mp4 --overwrite
  expect_status 2
  [ "$(wc -l <cc.mp4)" -eq 1 ]
  cp in.png b.png
  printf '%s\n' '{"image": "in.png", "output": "1.mp4", "contact_sheet": "b.png"}' '{"image": "b.png", "output": "2.mp4"}' >list.jsonl
  refused 2 "clip 0: --contact-sheet b.png would replace the picture of clip 1" --batch list.jsonl --model tiny --overwrite
  cmp in.png b.png
  tiny -o w.gif
  refused 6 "w.json tells how w.gif was made" --image in.png --model tiny --frames 2 --steps 1 --size 64x64 -o w.webp --overwrite
  # Of a run that was killed between the two names.
  rm w.gif
  svd --image in.png --model tiny --frames 2 --steps 1 --size 64x64 --device cpu -o w.gif --resume
  expect_status 0
  [ -s w.gif ] && [ -s w.json ]
  sed 's/"format":"gif"/"format":"evil"/' w.json >e.json
  svd --image in.png --model tiny --frames 2 --steps 1 --size 64x64 --device cpu -o e.gif --overwrite
  expect_status 0
  tiny -o n_%04d.jpg
  cp n.json kept.json
  refused 6 "n.json exists already" --image in.png --model tiny --frames 2 --steps 1 --size 64x64 -o n-%04d.jpg --resume
  cmp n.json kept.json
  mkfifo p.json
  cp w.gif p.gif
  refused 3 "holds no request" show p.gif
}

@test "standard output is for one thing" {
  svd --image in.png --model tiny --json -o -
  expect_status 2
  expect_in_stderr "--output - and --json both write to standard output"
  echo '{"output": "-"}' >c.json
  svd --image in.png --model tiny --json --config c.json
  expect_status 2
  tiny -o x.mp4
  svd replay x.mp4 --json --set output=-
  expect_status 2
  local option
  for option in --preview --save-latents --contact-sheet --results; do
    refused 2 "$option - does not write to standard output" --image in.png --model tiny "$option" - -o out.mp4
  done
  refused 2 "does not write to standard output" gallery . -o -
}

@test "names from a batch file have no zero bytes" {
  printf '{"image": "in.png", "output": "ok\\u0000evil.mp4"}\n' >list.jsonl
  refused 2 "without zero bytes" --batch list.jsonl --model tiny
}

@test "a pipe in a folder of pictures is left out" {
  mkdir pictures
  mkfifo pictures/a.png
  refused 3 "holds no picture" --image-dir pictures --model tiny -o '{stem}.mp4'
  cp in.png pictures/b.png
  svd --image-dir pictures --model tiny --frames 2 --steps 1 --size 64x64 --device cpu -o '{stem}.mp4' -n
  expect_status 0
}

@test "sizes that would fit are sizes that are possible" {
  svd --image in.png --model "$REPOSITORY/models/tiny-svd" --frames 6 --steps 2 --size 256x256 --memory 500M --device cpu -o out.mp4
  expect_status 5
  local size
  size=$(grep -o -e '--size [0-9]*x[0-9]*' <<<"$stderr" | head -1)
  [ -n "$size" ] || fail "no size is named"
  # shellcheck disable=SC2086  # an option and its value
  svd --image in.png --model "$REPOSITORY/models/tiny-svd" --frames 6 --steps 2 $size --memory 500M --device cpu -o out.mp4 -n
  expect_status 0
}
