# Ctrl-C and termination in the middle of a run.
load ../support/cli

# start ARGUMENTS...: a run in the background that would take long, left when it samples. A shell
# that is not interactive lets its background processes ignore SIGINT, hence env.
start() {
  env --default-signal=INT,TERM "$SVD_GEN" --image in.png --model tiny --frames 8 --steps 1000 \
    --size 128x128 --device cpu -o out.mp4 "$@" > stdout.txt 2> stderr.txt &
  pid=$!
  for _ in $(seq 200); do
    if grep -q "sampling" stderr.txt; then return 0; fi
    kill -0 "$pid" || return 1
    sleep 0.05
  done
  return 1
}

# finish: waits for the run; its status, a signal as 128 + number.
finish() {
  code=0
  wait "$pid" || code=$?
}

expect_nothing_left() {
  [ "$(find . -type f | sort)" = $'./in.png\n./stderr.txt\n./stdout.txt' ]
}

@test "SIGINT: exit 130, nothing left behind" {
  start
  kill -INT "$pid"
  finish
  [ "$code" -eq 130 ]
  grep -q "stopping" stderr.txt
  expect_nothing_left
}

@test "SIGTERM: exit 143, nothing left behind" {
  start
  kill -TERM "$pid"
  finish
  [ "$code" -eq 143 ]
  expect_nothing_left
}

@test "the process dies of the signal, as a calling shell expects" {
  run python3 - "$SVD_GEN" << 'PYTHON'
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
run = subprocess.Popen([sys.argv[1], "--image", "in.png", "--model", "tiny", "--frames", "8", "--steps", "1000",
                        "--size", "128x128", "--device", "cpu", "-o", "out.mp4"], stderr=subprocess.PIPE, text=True)
for line in run.stderr:
    if line.startswith("sampling"):
        break
run.send_signal(signal.SIGINT)
run.stderr.read()
sys.exit(0 if run.wait() == -signal.SIGINT else 1)
PYTHON
  [ "$status" -eq 0 ]
}

@test "a list that is stopped ends by the signal, whatever failed before" {
  echo none >bad.png
  env --default-signal=INT,TERM "$SVD_GEN" --image bad.png --image in.png --model tiny --frames 8 --steps 1000 \
    --size 128x128 --device cpu -o '{stem}.mp4' >stdout.txt 2>stderr.txt &
  pid=$!
  for _ in $(seq 200); do
    if grep -q "sampling" stderr.txt; then break; fi
    sleep 0.05
  done
  kill -TERM "$pid"
  finish
  [ "$code" -eq 143 ]
}

@test "an interrupted run with --json says so" {
  start --json
  kill -INT "$pid"
  finish
  output=$(cat stdout.txt)
  expect_json 'j["status"], j["error"]["kind"], j["error"]["exit_code"]' "('failed', 'interrupted', 130)"
  [ "$(json 'j["seed"]')" -ge 0 ]
}

@test "an existing clip survives an interrupted --overwrite" {
  echo precious > out.mp4
  start --overwrite
  kill -INT "$pid"
  finish
  [ "$(cat out.mp4)" = precious ]
}
