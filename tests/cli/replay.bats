# What a file says about how it was made, and making it again.
load ../support/cli

@test "show prints the request, without a path" {
  mkdir deep && mv in.png deep/
  svd --image deep/in.png --model "$TINY" --frames 3 --steps 2 --size 64x64 --seed 7 --device cpu -o deep/out.mp4
  svd show deep/out.mp4
  expect_status 0
  expect_json 'j["request"]["seed"], j["request"]["frames"], j["image"]["name"]' "(7, 3, 'in.png')"
  expect_json 'len(j["image"]["sha256"]), len(j["model"]["id"]), j["model"]["name"]' "(64, 32, 'tiny-svd')"
  [ "$(json 'j["image"]["sha256"]')" = "$(sha256sum deep/in.png | cut -d' ' -f1)" ]
  [[ $output != *"$PWD"* && $output != *"$REPOSITORY"* ]] || fail "a path is told"
}

@test "replay gives the same bytes" {
  tiny --fps 12 --motion-bucket-id 60 -o out.mp4
  svd replay out.mp4 --models-dir "$REPOSITORY/tests/models"
  expect_status 0
  cmp out.mp4 out-replay.mp4
}

@test "every format tells its request, itself or beside it" {
  local name
  for name in a.mp4 b.mov c.mkv d.webm e.gif f.webp g.y4m frames/ p_%04d.png q_%04d.jpg r_%04d.tiff; do
    tiny -o "$name"
    expect_status 0
    svd show "${name//%04d/0000}"
    expect_status 0
    expect_json 'j["request"]["seed"]' 7
  done
  [ -e e.json ] && [ -e f.json ] && [ -e g.json ] && [ -e q.json ] && [ ! -e a.json ]
}

@test "replay of other formats gives the same bytes" {
  local name
  for name in c.mkv e.gif frames/ q_%04d.jpg; do tiny -o "$name"; done
  svd replay c.mkv && cmp c.mkv c-replay.mkv
  svd replay e.gif && cmp e.gif e-replay.gif
  mkdir again
  svd replay frames/ -o again/frames/ && diff -r frames again/frames
  svd replay q_0000.jpg -o again/q_%04d.jpg && cmp q_0001.jpg again/q_0001.jpg
}

@test "--set changes one thing" {
  tiny -o out.mp4
  svd replay out.mp4 --set seed=8 -o eight.mp4
  expect_status 0
  tiny --seed 8 -o direct.mp4
  cmp eight.mp4 direct.mp4
  svd replay out.mp4 --set stepz=3 -o no.mp4
  expect_status 2
  expect_in_stderr "did you mean"
}

@test "another picture or model is refused, naming both" {
  tiny -o out.mp4
  sum=$(sha256sum in.png | cut -d' ' -f1)
  python3 "$SUPPORT/pictures.py" rgb 64 64 other.png
  other=$(sha256sum other.png | cut -d' ' -f1)
  refused 3 "$sum" replay out.mp4 --image other.png
  expect_in_stderr "$other"
  rm in.png
  refused 3 "is neither beside out.mp4 nor here" replay out.mp4
  mv other.png in.png
  refused 3 "is neither beside" replay out.mp4
}

@test "a file without a record is refused" {
  tiny --no-metadata -o out.mp4
  refused 3 "holds no request" show out.mp4
  refused 3 "holds no request" replay out.mp4
  refused 3 "none.mp4" show none.mp4
}

@test "--sidecar writes the request beside an MP4 too" {
  tiny --sidecar -o out.mp4
  svd show out.mp4
  expect_json 'j' "$(python3 -c 'import json; print(json.load(open("out.json")))')"
}

@test "saved latents are decoded again" {
  tiny --save-latents l.safetensors -o out.mp4
  svd decode l.safetensors -o again.mp4
  expect_status 0
  cmp <(ffmpeg -v error -i out.mp4 -f rawvideo -) <(ffmpeg -v error -i again.mp4 -f rawvideo -)
  svd decode l.safetensors --fps 24 -o fast.gif --loop bounce
  expect_status 0
  svd show fast.gif
  expect_json 'j["request"]["fps"], j["encoding"]["loop"]' "(24.0, 'bounce')"
  refused 2 "in.png" decode in.png
  cp -r "$REPOSITORY/tests/golden/model" tiny-svd
  refused 4 "is not the one that was used" decode l.safetensors --models-dir . -o no.mp4
}

@test "a picture's name need not be UTF-8" {
  name=$(printf 'p\xff.png')
  cp in.png "$name"
  svd --image "$name" --model tiny --frames 2 --steps 1 --size 64x64 --seed 7 --device cpu --save-latents l.safetensors -o out.mp4
  expect_status 0
  svd show out.mp4
  expect_status 0
  svd decode l.safetensors -o again.mp4
  expect_status 0
}

@test "replay makes another format, with that format's own settings" {
  tiny -o out.mp4
  svd replay out.mp4 -o out.gif
  expect_status 0
  svd replay out.mp4 --set format=webm
  expect_status 0
  [ "$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 out-replay.webm)" = vp9 ]
  svd replay out.mp4 --set codec=h265 --set bit_depth=10 -o ten.mp4
  expect_status 0
  [ "$(ffprobe -v error -show_entries stream=pix_fmt -of csv=p=0 ten.mp4)" = yuv420p10le ]
  svd replay out.mp4 --set seed=9 -o '{stem}-{seed}.mp4'
  expect_status 0
  [ -s in-9.mp4 ]
  tiny -o f_%04d.png
  svd replay 'f_%04d.png'
  expect_status 0
  [ -s f_-replay_00000.png ]
}

@test "another program's comment is no record" {
  ffmpeg -v error -f lavfi -i testsrc=d=1:s=64x64 -metadata comment=hello other.mp4
  refused 3 "holds no request" show other.mp4
}

# changed PYTHON: the record j of out.mp4, changed, as the sidecar of its frames alone, evil.y4m.
changed() {
  "$SVD_GEN" show out.mp4 >record.json
  python3 -c "
import json
j = json.load(open('record.json'))
$1
json.dump(j, open('evil.json', 'w'))"
  ffmpeg -v error -y -i out.mp4 -map_metadata -1 evil.y4m
}

@test "a record chooses no paths, overwrites nothing and opens no network" {
  tiny -o out.mp4
  mkdir mine && echo mine >mine/notes.txt
  local change
  for change in 'j["request"]["preview"] = "mine/notes.txt"' 'j["request"]["contact_sheet"] = "mine/sheet.png"' \
    'j["request"]["save_latents"] = "mine/l.safetensors"' 'j["request"]["overwrite"] = True' \
    'j["request"]["output"] = "mine/x.mp4"' 'j["encoding"]["output"] = "mine/x.mp4"' \
    'j["request"]["allow_network"] = True' 'j["request"]["image"] = "http://localhost/x.png"' \
    'j["request"]["model"] = "mine"' 'j["request"]["init_latents"] = "/dev/null"' \
    'j["image"]["name"] = "../in.png"' 'j["image"]["name"] = "-"' 'j["model"]["name"] = ".."' \
    'j["encoding"]["format"] = "evil"' 'j["encoding"]["format"] = 3' 'j["image"]["sha256"] = ""' 'del j["model"]["id"]' \
    'j["image"]["sha256"] = "\x1b]0;x" + 60 * "a"' 'j["request"]["init_latents"] = "in.png"' \
    'j["init_latents"] = {"sha256": 64 * "a"}' 'j["request"]["fit"] = "\x1bcrop"' \
    'j["model"]["name"] = "../tiny"' 'j["model"]["loras"] = ["mine/x.safetensors"]'; do
    changed "$change"
    refused 3 "evil.y4m" replay evil.y4m
    [ "$(ls mine)" = notes.txt ] && [ "$(cat mine/notes.txt)" = mine ] || fail "$change"
  done
  changed 'j["encoding"]["format"] = "y4m"; del j["encoding"]["codec"], j["encoding"]["crf"], j["encoding"]["pixel_format"]'
  svd replay evil.y4m
  expect_status 0
}

@test "replay takes the frame of a video that was taken then" {
  ffmpeg -v error -f lavfi -i testsrc2=s=96x64:r=8:d=1 v.mp4
  "$SVD_GEN" -i v.mp4@end --model tiny --frames 2 --steps 1 --size 64x64 --seed 7 --device cpu -q -o out.mp4
  svd replay out.mp4
  expect_status 0
  cmp out.mp4 out-replay.mp4
  svd replay out.mp4 --image v.mp4 -o named.mp4
  expect_status 0
  cmp out.mp4 named.mp4
  refused 3 "is not the one that was used: that is at end" replay out.mp4 --image v.mp4@0.5s -o other.mp4
}

@test "replay checks the noise that a clip began with" {
  python3 - <<'END'
import json, random, struct
random.seed(1)
values = [random.gauss(0, 1) for _ in range(2 * 4 * 8 * 8)]
header = json.dumps({"latents": {"dtype": "F32", "shape": [2, 4, 8, 8], "data_offsets": [0, 4 * len(values)]}}).encode()
header += b" " * (-len(header) % 8)
open("noise.safetensors", "wb").write(struct.pack("<Q", len(header)) + header + struct.pack(f"<{len(values)}f", *values))
END
  mkdir deep
  mv noise.safetensors in.png deep/
  "$SVD_GEN" -i deep/in.png --init-latents deep/noise.safetensors --model tiny --frames 2 --steps 1 --size 64x64 --seed 7 \
    --device cpu -q -o deep/out.mp4
  svd replay deep/out.mp4
  expect_status 0
  cmp deep/out.mp4 out-replay.mp4
  python3 - <<'END'
data = bytearray(open("deep/noise.safetensors", "rb").read())
data[-3] ^= 64
open("deep/other.safetensors", "wb").write(data)
END
  cp deep/noise.safetensors kept.safetensors
  cp deep/other.safetensors deep/noise.safetensors
  refused 2 "noise.safetensors" replay deep/out.mp4 -o no.mp4
  refused 2 "is not the one that was used: its SHA-256" replay deep/out.mp4 --init-latents deep/noise.safetensors -o no.mp4
  svd replay deep/out.mp4 --init-latents kept.safetensors -o again.mp4
  expect_status 0
  cmp deep/out.mp4 again.mp4
  svd replay deep/out.mp4 --set init_latents=deep/noise.safetensors -o other.mp4
  expect_status 0
  run ! cmp -s deep/out.mp4 other.mp4
}

@test "--set and an option of the same name exclude each other" {
  tiny -o out.mp4
  refused 2 "exclude each other" replay out.mp4 -o a.mp4 --set output=b.mp4
  [ ! -e a.mp4 ] && [ ! -e b.mp4 ]
}

@test "a sidecar tells of no clip that replaced its own" {
  tiny -o a.gif
  tiny --overwrite --no-metadata -o a.gif
  refused 3 "holds no request" show a.gif
  [ ! -e a.json ]
  tiny -o c.gif
  cp c.gif kept.gif
  rm c.gif
  tiny --overwrite -o c.webp
  svd show c.webp
  expect_status 0
  cp kept.gif c.gif
  refused 3 "holds no request" show c.gif
  tiny -o f_%04d.jpg
  tiny --overwrite --no-metadata -o f-%04d.jpg
  svd show f_0000.jpg
  expect_status 0
  echo mine >d.json
  tiny --overwrite --no-metadata -o d.gif
  [ "$(cat d.json)" = mine ]
}
