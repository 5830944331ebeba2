#!/usr/bin/env bats
# svd-gen synth and train, and --lora, as a user calls them.

load ../support/cli

export SVD_GEN_DEVICE=cpu  # cases compare bytes

# config STAGE [KEY VALUE]...: config.json that trains the goldens' small model; values are JSON.
config() {
  REPOSITORY=$REPOSITORY python3 - "$@" >config.json <<'END'
import json
import os
import sys

settings = {"stage": sys.argv[1], "model": os.environ["REPOSITORY"] + "/tests/golden/model", "output": "run",
            "data": ["data"], "batch": 2, "log_every": 1, "checkpoint_every": 2}
print(json.dumps(settings | {key: json.loads(value) for key, value in zip(sys.argv[2::2], sys.argv[3::2])}))
END
}

# small_model: the goldens' model with settings of its own that render fast, in small/.
small_model() {
  cp -r "$REPOSITORY/tests/golden/model" small
  python3 - <<'END'
import json

index = json.load(open("small/model_index.json"))
index["svd_gen"] = {"frames": 3, "steps": 2, "min_guidance": 1.0, "max_guidance": 1.0, "width": 64, "height": 64}
json.dump(index, open("small/model_index.json", "w"))
END
}

# await_steps N: until the run has told of so many steps, 30 seconds at most.
await_steps() {
  for ((i = 0; i < 600; ++i)); do
    [ "$(cat run/metrics.jsonl 2>/dev/null | wc -l)" -ge "$1" ] && break
    sleep 0.05
  done
}

losses() {
  sed 's/.*"step":\([0-9]*\),"loss":\([^,]*\),.*/\1 \2/' "$1"
}

@test "synth draws the same clips from the same seed" {
  "$SVD_GEN" synth a --clips 4 --frames 3 --sizes 64x64,128x64 --seed 3 -q
  "$SVD_GEN" synth b --clips 4 --frames 3 --sizes 64x64,128x64 --seed 3 -q
  "$SVD_GEN" synth c --clips 4 --frames 3 --sizes 64x64,128x64 --seed 4 -q
  diff -r a b
  run ! cmp -s a/shard-00000.safetensors c/shard-00000.safetensors
  [ "$(wc -l <a/clips.jsonl)" -eq 4 ]
  run "$SVD_GEN" synth a --clips 1
  [ "$status" -eq 6 ]
}

@test "synth --videos writes clips that play, with annotations" {
  "$SVD_GEN" synth v --videos --clips 2 --frames 5 --sizes 64x96 --motions zoom_in,pan_left --fps 12 -q
  [ "$(ffprobe -v error -count_frames -show_entries stream=width,height,nb_read_frames,r_frame_rate -of csv=p=0 v/clip-00001.mp4)" = "64,96,12/1,5" ]
  grep -q '"file":"clip-00000.mp4","fps":12.0,"motion":"zoom_in"' v/annotations.jsonl
  grep -q '"motion":"pan_left"' v/annotations.jsonl
  python3 - <<'END'
import json
import math

for clip in map(json.loads, open("v/annotations.jsonl")):
    assert clip["motion_bucket_id"] == max(1, round(255 * (1 - math.exp(-clip["motion_score"] / 0.6)))), clip
END
}

@test "only clips without latents are encoded, and told of" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  "$SVD_GEN" synth more --clips 3 --frames 3 --sizes 64x64 --seed 2 -q
  config video steps 1 data '["more"]'
  "$SVD_GEN" train --config config.json --threads 1 2>log
  grep -q "encoding 3 clips" log
  config video steps 1 data '["data", "more"]' output '"both"'
  "$SVD_GEN" train --config config.json --threads 1 2>log
  grep -q "encoding 2 clips" log
  config video steps 1 data '["data", "more"]' output '"again"'
  "$SVD_GEN" train --config config.json --threads 1 2>log
  run ! grep -q encoding log
  "$SVD_GEN" synth new --clips 4 --frames 3 --sizes 64x64 --seed 3 -q
  config video steps 1 data '["more", "new", "new"]' output '"twice"'
  "$SVD_GEN" train --config config.json --threads 1 2>log
  grep -q "encoding 4 clips" log
}

@test "a run leaves a plot of its loss and samples of its checkpoints" {
  "$SVD_GEN" synth data --clips 4 --frames 3 --sizes 64x64 -q
  small_model
  config video model '"small"' steps 4 samples '["in.png"]' augmentation_draws 2
  "$SVD_GEN" train --config config.json -q --threads 1
  [[ "$(file run/loss.png)" == *"960 x 540"* ]]
  for step in 000002 000004; do
    [ "$(ffprobe -v error -show_entries stream=codec_name -of csv=p=0 "run/samples/in-$step.mp4")" = h264 ]
  done
  # Of the model at that step, with its own settings.
  "$SVD_GEN" -i in.png -m run/model --seed 0 -o last.mp4 -q --threads 1
  cmp <(ffmpeg -v error -i last.mp4 -f rawvideo -) <(ffmpeg -v error -i run/samples/in-000004.mp4 -f rawvideo -)
  # A sample changes nothing of the run that goes on.
  config video model '"small"' steps 4 augmentation_draws 2 output '"plain"'
  "$SVD_GEN" train --config config.json -q --threads 1
  [ ! -e plain/samples ]
  diff <(losses run/metrics.jsonl) <(losses plain/metrics.jsonl)
  mkdir other_folder
  cp in.png other_folder/in.png
  config video samples '["in.png", "other_folder/in.png"]' output '"other"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"'samples': two are called 'in'"* ]]
  config video samples '["nothing.png"]' output '"other"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 3 ]
  [[ "$output" == *"'samples': nothing.png"* ]]
}

@test "settings that a stage does not read are refused" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  for settings in 'image dropout 0.2' 'video rank 4' 'video any_motion_bucket true' 'image crop 32' 'vae_video kl_weight 0.1' \
    'vae_image dropout 0.2' 'lora temporal_only true' 'vae_image samples ["in.png"]'; do
    read -r stage key value <<<"$settings"
    config "$stage" "$key" "$value"
    run "$SVD_GEN" train --config config.json
    [ "$status" -eq 2 ]
    [[ "$output" == *"'$key' is "*"the stage $stage does not read it"* ]]
  done
  [ ! -e run ]
}

@test "the first signal begins no more samples" {
  "$SVD_GEN" synth data --clips 4 --frames 3 --sizes 64x64 -q
  small_model
  config video model '"small"' steps 1000 samples '["in.png"]' checkpoint_every 900
  "$SVD_GEN" train --config config.json --threads 1 &
  await_steps 2
  kill -TERM $!
  wait $! || true
  [ -e run/checkpoint.safetensors ]
  [ ! -e run/samples ]
}

@test "a run that is killed goes on to the losses of one that is not" {
  "$SVD_GEN" synth data --clips 6 --frames 3 --sizes 64x64 -q
  config video steps 8 augmentation_draws 2
  "$SVD_GEN" train --config config.json -q --threads 1
  mv run whole
  "$SVD_GEN" train --config config.json --threads 1 &
  await_steps 3
  kill -KILL $!
  wait $! || true
  [ ! -e run/model ] || [ -e run/model/unet/config.json ]
  "$SVD_GEN" train --config config.json --threads 1 --resume
  diff <(losses whole/metrics.jsonl) <(losses run/metrics.jsonl)
  cmp whole/checkpoint.safetensors run/checkpoint.safetensors
  cmp whole/model/unet/diffusion_pytorch_model.safetensors run/model/unet/diffusion_pytorch_model.safetensors
  "$SVD_GEN" inspect run/model
}

@test "the first signal saves a checkpoint" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config vae_image steps 100000
  "$SVD_GEN" train --config config.json 2>log &
  await_steps 2
  kill -TERM $!
  status=0
  wait $! || status=$?
  [ "$status" -eq 143 ]
  [ -e run/checkpoint.safetensors ]
  grep -q "stopped after step" log
}

@test "a checkpoint that cannot be saved is the failure, whatever asked for it" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config vae_image steps 100000 checkpoint_every 100000
  (
    ulimit -f 200  # blocks of 1024 bytes
    exec "$SVD_GEN" train --config config.json 2>log
  ) &
  await_steps 2
  kill -TERM $!
  status=0
  wait $! || status=$?
  [ "$status" -eq 6 ]
  [ ! -e run/checkpoint.safetensors ]
}

@test "going on leaves nothing of a killed run, and a finished one as it is" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config vae_image steps 1
  "$SVD_GEN" train --config config.json -q
  touch run/.svd-gen-123-0.tmp
  config vae_image steps 3
  "$SVD_GEN" train --config config.json --resume -q
  [ ! -e run/.svd-gen-123-0.tmp ]
  [ "$(python3 -c 'import json; print(json.load(open("run/config.json"))["steps"])')" -eq 3 ]
  local before
  before=$(stat -c %i run/checkpoint.safetensors)
  run "$SVD_GEN" train --config run/config.json --resume
  [ "$status" -eq 0 ]
  [[ "$output" == *"nothing is left to do: 3 of 3 'steps' are done"* ]]
  [ "$(stat -c %i run/checkpoint.safetensors)" = "$before" ]
  # Killed before its settings were written.
  rm -r run/*
  touch run/metrics.jsonl
  "$SVD_GEN" train --config config.json --resume -q
  [ "$(wc -l <run/metrics.jsonl)" -eq 3 ]
  # Killed while it encoded: the folder is there.
  rm -r run
  mkdir run
  "$SVD_GEN" train --config config.json --resume -q
  [ "$(wc -l <run/metrics.jsonl)" -eq 3 ]
  config vae_image steps 2 log_every 2
  "$SVD_GEN" train --config config.json --resume -q
  [ "$(python3 -c 'import json; print(json.load(open("run/config.json"))["steps"])')" -eq 3 ]
  config vae_image steps 3
  # Not a run.
  rm -r run/*
  echo mine >run/metrics.jsonl
  run "$SVD_GEN" train --config config.json --resume
  [ "$status" -eq 2 ]
  [ "$(cat run/metrics.jsonl)" = mine ]
}

@test "a run replaces no other's model" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  mkdir -p run/model
  echo mine >run/model/weights
  config vae_image steps 1
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 6 ]
  [[ "$output" == *"'output' is run, which is not empty"* ]]
  [ "$(cat run/model/weights)" = mine ]
  [ "$(ls run)" = model ]
  small_model
  config vae_image steps 1 model '"small"' output '"./small"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 6 ]
  [[ "$output" == *"'output' is ./small, which is not empty"* ]]
  [ ! -e small/config.json ]
  # Nor the training file beside which it would be written.
  config vae_image steps 1 output '"."'
  cp config.json before.json
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 6 ]
  cmp config.json before.json
}

@test "a run has its folder for itself, and may begin again" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config vae_image steps 100000 checkpoint_every 100000
  "$SVD_GEN" train --config config.json --threads 1 -q &
  await_steps 2
  run "$SVD_GEN" train --config config.json --resume
  [ "$status" -eq 6 ]
  [[ "$output" == *"run is being written by another run"* ]]
  kill -KILL $!
  wait $! || true
  [ ! -e run/checkpoint.safetensors ]
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 6 ]
  [[ "$output" == *"holds a training run already"* ]]
  config vae_image steps 2
  "$SVD_GEN" train --config config.json --resume -q
  [ "$(wc -l <run/metrics.jsonl)" -eq 2 ]
  # The same model by another name.
  config vae_image steps 3 model "\"$REPOSITORY/tests/golden/./model/\""
  "$SVD_GEN" train --config config.json --resume -q
  [ "$(wc -l <run/metrics.jsonl)" -eq 3 ]
  printf 'x' >run/checkpoint.safetensors
  run "$SVD_GEN" train --config config.json --resume
  [ "$status" -eq 4 ]
  [[ "$output" == *"begin a new one in another 'output'"* ]]
}

@test "weights that are missing or damaged are told of" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  small_model
  rm small/image_encoder/*.safetensors
  config video steps 1 model '"small"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 0 ]
  [[ "$output" == *"small/image_encoder has no weights: it begins at random"* ]]
  truncate -s 1000 small/unet/*.safetensors
  config vae_image steps 1 model '"small"' output '"damaged"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 4 ]
  rm small/unet/*.safetensors
  config lora steps 1 model '"small"' output '"damaged"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 4 ]
  [[ "$output" == *"small/unet has no weights"* ]]
  [ ! -e damaged ]
  rm -r small/unet
  run "$SVD_GEN" train --config config.json
  [[ "$output" == *"'model' is small, which is no diffusers folder"* ]]
  truncate -s 1000 data/shard-00000.safetensors
  config vae_image steps 1 output '"damaged"'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"the dataset has to be made again"* ]]
}

@test "a run that has diverged says what to change" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config video steps 20 learning_rate 10 warmup_steps 0 clip_norm 0
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"is no number any more ('learning_rate' 10, 'clip_norm' 0)"* ]]
}

@test "sizes and folders that cannot be are refused" {
  for size in 0x0 4x64 64x20000; do
    run "$SVD_GEN" synth s --sizes "$size"
    [ "$status" -eq 2 ]
    [[ "$output" == *"--sizes $size is out of range: sides from 8 to 4096"* ]]
    run "$SVD_GEN" dataset s --from . --size "$size"
    [ "$status" -eq 2 ]
  done
  [ ! -e s ]
  mkdir used
  touch used/clip-00000.mp4
  for command in 'synth used --videos' 'synth used' 'dataset used --from .'; do
    # shellcheck disable=SC2086
    run "$SVD_GEN" $command --frames 2
    [ "$status" -eq 6 ]
    [[ "$output" == *"used is not empty"* ]]
  done
  [ "$(ls used)" = clip-00000.mp4 ]
  [ ! -s used/clip-00000.mp4 ]
}

@test "what is not finished leaves nothing behind" {
  for options in '--videos' ''; do
    # shellcheck disable=SC2086
    "$SVD_GEN" synth far/s --clips 100000 --sizes 256x256 $options &
    for ((i = 0; i < 3600; ++i)); do
      [ -n "$(ls far/s 2>/dev/null)" ] && break
      sleep 0.05
    done
    [ -n "$(ls far/s)" ]
    kill -TERM $!
    status=0
    wait $! || status=$?
    [ "$status" -eq 143 ]
    [ ! -e far/s ]
  done
  mkdir empty
  run "$SVD_GEN" dataset d --from empty
  [ "$status" -eq 3 ]
  [ ! -e d ]
}

@test "datasets, models and LoRAs are named in what is wrong with them" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q --motions still
  refused_file() {  # MESSAGE STAGE [KEY VALUE]...
    local message=$1
    shift
    config "$@"
    run "$SVD_GEN" train --config config.json
    [ "$status" -eq 2 ] || [ "$status" -eq 4 ]
    [[ "$output" == *"$message"* ]]
    [ ! -e run ]
  }
  refused_file "'output' is ''" video output '""'
  refused_file "'model' is ''" video model '""'
  refused_file "'model' is in.png, which is no diffusers folder" video model '"in.png"'
  refused_file "'zooms' is none" video motions '["zooms", "still"]'
  refused_file "'data' has no 'batch' of 2 clips of one size with at least 9 frames and one of the 'motions'" video frames 9 motions '["still"]'
  refused_file "there are clips of up to 3 frames with these motions: still" video motions '["orbit"]'
  refused_file "did you mean tiny" video model '"tinny"'
  run "$SVD_GEN" train config.json
  [[ "$output" == *"--config config.json"* ]]
  config video steps 1 batch 1 model '"tiny"' frames 1
  "$SVD_GEN" train --config config.json -q
  [ -e run/model/unet/config.json ]
  render() { "$SVD_GEN" -i in.png -m tiny -o x.mp4 --lora "$1"; }
  run render zoom:101
  [ "$status" -eq 2 ]
  [[ "$output" == *"strength from -100 to 100"* ]]
  run render zoom:0,8
  [ "$status" -eq 2 ]
  [[ "$output" == *"a strength has a point"* ]]
  run render run
  [ "$status" -eq 4 ]
  [[ "$output" == *"is a folder"*"named by its file"* ]]
  config lora steps 1 rank 2 output '"lora"'
  "$SVD_GEN" train --config config.json -q
  run render lora
  [ "$status" -eq 4 ]
  [[ "$output" == *"is a folder"*"lora/model/pytorch_lora_weights.safetensors"* ]]
  mkdir zoom
  "$SVD_GEN" -i in.png -m "$REPOSITORY/models/tiny-svd" -o x.mp4 --lora zoom --dry-run
}

@test "damaged latents are made again, and a run that is done says so" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config video steps 1
  "$SVD_GEN" train --config config.json -q --threads 1
  latents=$(ls data/latents-*)
  cp "$latents" whole
  truncate -s 500 "$latents"
  config video steps 1 output '"again"'
  "$SVD_GEN" train --config config.json -q --threads 1
  cmp "$latents" whole
  run "$SVD_GEN" train --config config.json --resume
  [ "$status" -eq 0 ]
  [[ "$output" == *"nothing is left to do: 1 of 1 'steps' are done"* ]]
}

@test "what is wrong with a training file is said before anything is read" {
  config video stepz 4
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"unknown key 'stepz'"*"steps"* ]]
  config video steps -1
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"'steps' is -1"* ]]
  config video steps 1
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"data/clips.jsonl: no such file"* ]]
  run "$SVD_GEN" train
  [ "$status" -eq 2 ]
  "$SVD_GEN" synth odd --clips 2 --frames 2 --sizes 72x64 -q
  config video steps 1 data '["odd"]'
  run "$SVD_GEN" train --config config.json
  [ "$status" -eq 2 ]
  [[ "$output" == *"72x64"*"multiples of"* ]]
  run "$SVD_GEN" synth x --frames 1001
  [ "$status" -eq 2 ]
  run "$SVD_GEN" synth x --motions zoom
  [ "$status" -eq 2 ]
  [[ "$output" == *"zoom_in"* ]]
}

@test "a device that is not there is refused before anything is written" {
  "$SVD_GEN" synth data --clips 2 --frames 3 --sizes 64x64 -q
  config vae_image steps 1
  run "$SVD_GEN" train --config config.json --device gpu
  [ "$status" -eq 2 ]
  [[ "$output" == *"use auto, cpu, cuda or cuda:N"* ]]
  CUDA_VISIBLE_DEVICES='' run "$SVD_GEN" train --config config.json --device cuda
  [ "$status" -eq 5 ]
  SVD_GEN_DEVICE=cuda CUDA_VISIBLE_DEVICES='' run "$SVD_GEN" train --config config.json
  [ "$status" -eq 5 ]
  [ ! -e run ]
  SVD_GEN_DEVICE=cuda "$SVD_GEN" train --config config.json --device cpu 2>log
  grep -q "training on CPU" log
}

@test "what has changed since a run began is noticed" {
  "$SVD_GEN" synth data --clips 4 --frames 3 --sizes 64x64 -q
  config video steps 2
  "$SVD_GEN" train --config config.json -q
  # Settings, before anything is encoded.
  rm data/latents-*
  config video steps 4 learning_rate 0.5
  run "$SVD_GEN" train --config config.json --resume
  [ "$status" -eq 2 ]
  [[ "$output" == *"'learning_rate' is 0.5"* ]]
  run ! ls data/latents-*
  # A checkpoint that is something else.
  cp run/model/unet/diffusion_pytorch_model.safetensors run/checkpoint.safetensors
  run "$SVD_GEN" train --config config.json --resume
  [ "$status" -eq 4 ]
  [[ "$output" == *"no checkpoint of a training run"* ]]
  # Latents of other clips.
  config video steps 1 output '"one"' learning_rate 0.0
  "$SVD_GEN" train --config config.json -q
  mkdir before
  mv data/latents-* before
  rm -r data
  "$SVD_GEN" synth data --clips 4 --frames 3 --sizes 64x64 --seed 9 -q
  cp before/* data
  config video steps 1 output '"two"' learning_rate 0.0
  "$SVD_GEN" train --config config.json -q
  run ! diff -q before data/latents-*
}

@test "--lora changes the clip, is recorded and replayed" {
  "$SVD_GEN" synth data --clips 4 --frames 3 --sizes 64x64 -q
  config lora steps 3 rank 2 learning_rate 0.05 warmup_steps 0
  "$SVD_GEN" train --config config.json -q
  lora=run/model/pytorch_lora_weights.safetensors
  render() {
    "$SVD_GEN" --image "$REPOSITORY/tests/golden/data/images/scene_128x64.png" -m "$REPOSITORY/tests/golden/model" --size 128x64 \
      --frames 3 --steps 2 --seed 1 -q "$@"
  }
  render -o plain.mkv --codec ffv1
  render -o none.mkv --codec ffv1 --lora "$lora:0"
  render -o lora.mkv --codec ffv1 --lora "$lora"
  frames() { ffmpeg -v error -i "$1" -f md5 -; }
  [ "$(frames plain.mkv)" = "$(frames none.mkv)" ]
  [ "$(frames plain.mkv)" != "$(frames lora.mkv)" ]
  "$SVD_GEN" show lora.mkv | grep -q '"pytorch_lora_weights.safetensors"'
  mkdir again
  cp "$lora" "$REPOSITORY/tests/golden/data/images/scene_128x64.png" again
  cp lora.mkv again
  cd again
  "$SVD_GEN" replay lora.mkv -m "$REPOSITORY/tests/golden/model" -o again.mkv -q
  cmp lora.mkv again.mkv
  cd ..
  mv "$lora" elsewhere
  "$SVD_GEN" replay again/lora.mkv -m "$REPOSITORY/tests/golden/model" -o beside.mkv -q
  cmp lora.mkv beside.mkv
  cd again
  run "$SVD_GEN" replay lora.mkv -m "$REPOSITORY/tests/golden/model" -o other.mkv --lora "pytorch_lora_weights.safetensors:2"
  [ "$status" -eq 4 ]
  [[ "$output" == *"--lora the LoRAs"* ]]
}

@test "dataset measures by optical flow what synth knows" {
  "$SVD_GEN" synth v --videos --clips 7 --frames 6 --sizes 128x128 --fps 10 --seed 2 -q \
    --motions pan_left,pan_right,zoom_in,zoom_out,pan_up,pan_down,still
  "$SVD_GEN" dataset d --from v --frames 6 --size 128x128 2>log
  grep -q "left out: v/annotations.jsonl" log
  python3 - <<'END'
import json
known = {c["file"]: c for c in map(json.loads, open("v/annotations.jsonl"))}
found = {c["source"]: c for c in map(json.loads, open("d/clips.jsonl"))}
assert found.keys() == known.keys(), found.keys()
for name, clip in found.items():
    score, flow, motion = known[name]["motion_score"], clip["flow"], known[name]["motion"]
    assert clip["fps"] == 10 and clip["frames"] == 6, clip
    print(motion, round(score, 2), round(clip["motion_score"], 2), flow)
    # Flow does not see what moves without a texture, such as a sky.
    assert 0.1 * score <= clip["motion_score"] <= 1.5 * score + 0.05, (name, score, clip)
    right = {"pan_left": flow["x"], "pan_right": -flow["x"], "pan_up": flow["y"], "pan_down": -flow["y"],
             "zoom_in": flow["divergence"], "zoom_out": -flow["divergence"], "still": 1}[motion]
    assert right > 0, (name, motion, flow)
END
  "$SVD_GEN" dataset few --from v --frames 3 --size 64x64 --fps 5 --least-motion 0.3 2>log
  ! grep -q "fewer frames a second" log || return 1
  [ "$(wc -l <few/clips.jsonl)" -lt 7 ]
  grep -q '"fps":5.0' few/clips.jsonl
  "$SVD_GEN" dataset fast --from v --frames 6 --size 64x64 --fps 24 2>log
  grep -qF "clips with fewer frames a second than --fps 24, marked with their own: 7" log
  grep -q '"fps":10.0' fast/clips.jsonl
  # Five frames a second, then thirty: what was missing is not made up for.
  mkdir uneven
  ffmpeg -v error -f lavfi -i testsrc2=s=128x128:r=30:d=4 -vf "select='gte(t,2)+not(mod(n,6))'" -fps_mode vfr \
    uneven/v.mp4
  "$SVD_GEN" dataset even --from uneven --frames 5 --size 64x64 --fps 15 2>log
  python3 - <<'END'
import json
rates = [json.loads(line)["fps"] for line in open("even/clips.jsonl")]
assert len(rates) >= 6 and rates[0] == 5 and max(rates) < 15.5 and rates[-1] > 14.5, rates
END
  "$SVD_GEN" dataset both --from v --from v --frames 6 --size 128x128 -q 2>/dev/null
  [ "$(wc -l <both/clips.jsonl)" -eq 14 ]
  local deep
  deep=v/$(printf '%0250d' 0)
  mkdir "$deep"
  mkfifo v/pipe.mp4
  (for ((i = 0; i < 20; i++)); do cd "$deep" && deep=${deep#v/} && mkdir "$deep"; done)  # no path is as long
  "$SVD_GEN" dataset beside --from v --frames 6 --size 64x64 2>log
  grep -q "left out: v/000.*: File name too long" log
  grep -q "left out: v/pipe.mp4: neither a file" log
  [ "$(wc -l <beside/clips.jsonl)" -eq 7 ]
  mkdir none
  run "$SVD_GEN" dataset e --from none
  [ "$status" -eq 3 ]
}
