# Whole renders with the bundled model.
load ../support/cli

probe() { ffprobe -v error -select_streams v -count_frames -show_entries "stream=$1" -of csv=p=0 "$2"; }

@test "an MP4 with the frames, rate and tags that were asked for" {
  tiny --fps 12 -o out.mp4
  expect_status 0
  expect_no_output
  [ "$(probe codec_name,width,height,pix_fmt,r_frame_rate,nb_read_frames out.mp4)" = h264,64,64,yuv420p,12/1,3 ]
  [ "$(probe color_range,color_space,color_transfer,color_primaries out.mp4)" = tv,bt709,bt709,bt709 ]
}

@test "one line says frames, rate, seconds, size and seed" {
  tiny --fps 12 -o out.mp4
  [ "$(grep -c '3 frames at 12 fps = 0.25 s, 64x64, seed 7' <<< "$stderr")" -eq 1 ]
  [ "$(grep -c '^wrote out.mp4 in ' <<< "$stderr")" -eq 1 ]
}

@test "the bundled model is announced as a demonstration" {
  tiny -o out.mp4
  [[ ${stderr,,} == *demonstration* ]]
}

@test "without -o the clip is named after the picture" {
  tiny
  expect_status 0
  [ -s in.mp4 ]
}

@test "the same request gives the same bytes" {
  tiny -o a.mp4
  expect_status 0
  tiny -o b.mp4
  expect_status 0
  cmp a.mp4 b.mp4
}

@test "another seed gives another clip" {
  tiny -o a.mp4
  tiny -o b.mp4 --seed 8
  run -1 cmp -s a.mp4 b.mp4
}

@test "--json: one object with what was done" {
  tiny --json --fps 12 -o out.mp4
  expect_status 0
  expect_json 'j["status"], j["output"], j["seed"], j["frames_written"]' "('done', 'out.mp4', 7, 3)"
  expect_json 'j["request"]["steps"], j["request"]["fps"], j["request"]["width"]' "(2, 12.0, 64)"
  expect_json '[s["stage"] for s in j["stages"]]' \
    "['load_conditioning', 'condition', 'load_unet', 'sample', 'load_decoder', 'decode']"
  expect_json 'j["error"], j["peak_rss_bytes"] > 10**6, len(j["warnings"]) > 0' "(None, True, True)"
}

@test "a seed that is drawn is told and gives the clip again" {
  svd --image in.png --model tiny --frames 2 --steps 1 --size 64x64 --device cpu --json -o a.mp4
  expect_status 0
  seed=$(json 'j["seed"]')
  [ "$seed" -lt 4294967296 ]
  expect_in_stderr "seed $seed"
  svd --image in.png --model tiny --frames 2 --steps 1 --size 64x64 --device cpu --seed "$seed" -o b.mp4
  cmp a.mp4 b.mp4
}

@test "--dry-run tells the plan and writes nothing" {
  before=$(find . | sort)
  tiny --dry-run --json -o out.mp4
  expect_status 0
  expect_json 'j["status"], j["request"]["frames"], len(j["stages"])' "('planned', 3, 6)"
  expect_in_stderr "3 frames at"
  [ "$before" = "$(find . | sort)" ]
}

@test "-q is silent" {
  tiny -q -o out.mp4
  expect_status 0
  expect_no_output
  [ -z "$stderr" ]
}

@test "-v tells device and model path" {
  tiny -v -o out.mp4
  expect_in_stderr "device: CPU"
  expect_in_stderr "model path: "
}

@test "a folder of PNG frames" {
  tiny -o frames/
  expect_status 0
  [ "$(ls frames)" = $'00000.png\n00001.png\n00002.png' ]
  [ "$(probe width,height,pix_fmt frames/00002.png)" = 64,64,rgb24 ]
}

@test "a pattern of PNG frames" {
  tiny -o f_%04d.png
  expect_status 0
  [ -s f_0000.png ] && [ -s f_0002.png ] && [ ! -e f_0003.png ]
}

@test "--overwrite replaces what exists" {
  echo old > out.mp4
  tiny --overwrite -o out.mp4
  expect_status 0
  [ "$(probe nb_read_frames out.mp4)" = 3 ]
}

@test "the picture can come from standard input" {
  tiny -o a.mp4
  svd --image - --model tiny --frames 3 --steps 2 --size 64x64 --seed 7 --device cpu -o b.mp4 < in.png
  expect_status 0
  cmp <(ffmpeg -v error -i a.mp4 -f framemd5 -) <(ffmpeg -v error -i b.mp4 -f framemd5 -)
}

@test "latents are saved, and noise can be given" {
  tiny --save-latents l.safetensors -o a.mp4
  expect_status 0
  [ "$(python3 -c '
import json, struct
f = open("l.safetensors", "rb")
header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
print(header["latents"]["dtype"], header["latents"]["shape"])')" = "F32 [3, 4, 8, 8]" ]
  tiny --init-latents l.safetensors -o b.mp4
  expect_status 0
  run -1 cmp -s a.mp4 b.mp4
}

@test "a rate outside the trained range warns and is kept" {
  tiny --fps 60 -o out.mp4
  expect_status 0
  [ "$(probe r_frame_rate out.mp4)" = 60/1 ]
  expect_in_stderr "warning:"
  tiny --fps 60 --json --dry-run
  expect_json 'j["request"]["fps"], j["request"]["condition_fps"]' "(60.0, 29.0)"
}

@test "a portrait picture gives a portrait clip" {
  python3 "$SUPPORT/pictures.py" rgb 64 96 in.png
  svd --image in.png --model tiny --dry-run --json
  expect_status 0
  expect_json 'j["request"]["width"] < j["request"]["height"]' True
}

@test "progress: a bar on a terminal, plain lines elsewhere" {
  tiny --force-tty -o a.mp4
  [[ $stderr == *$'\r'* && $stderr == *"sampling ["* ]]
  tiny -o b.mp4
  [[ $stderr != *$'\r'* && $stderr != *$'\033'* && $stderr == *"sampling: 0/2"* ]]
}

@test "NO_COLOR takes colours from a terminal" {
  TERM=xterm svd --image missing.png --force-tty
  [[ $stderr == *$'\033[1;31m'* ]]
  TERM=xterm NO_COLOR=1 svd --image missing.png --force-tty
  [[ $stderr != *$'\033[1;31m'* ]]
}

@test "a link to a folder takes the frames" {
  mkdir disk
  ln -s disk frames
  tiny -o frames/
  expect_status 0
  [ -L frames ]
  [ -s disk/00002.png ]
}

@test "frames of a longer clip that outlive a shorter one are told" {
  tiny -o f_%02d.png
  tiny --frames 2 --overwrite -o f_%02d.png
  expect_status 0
  expect_in_stderr "f_02.png and what follows are of another clip"
}
