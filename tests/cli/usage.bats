# Options, help and version of the real binary.
load ../support/cli

@test "-h is one screen on stdout, examples first" {
  svd -h
  expect_status 0
  [ -z "$stderr" ]
  [ "$(wc -l <<< "$output")" -le 24 ]
  [[ $output == *"svd-gen --image cat.png"* ]]
}

@test "--help names exit codes and groups on stdout" {
  svd --help
  expect_status 0
  [ -z "$stderr" ]
  [[ $output == *"Exit codes:"* && $output == *"Output:"* && $output == *"--motion-bucket-id"* ]]
}

@test "--version names the libraries in use" {
  svd --version
  expect_status 0
  [ -z "$stderr" ]
  [[ $output == "svd-gen "* && $output == *"commit "* && $output == *"libtorch    2."* ]]
}

@test "--version --json parses" {
  svd --version --json
  expect_status 0
  expect_json 'j["libraries"]["libtorch"].split(".")[0]' 2
  expect_json 'sorted(k for k in j)' "['build_type', 'commit', 'compiler', 'libraries', 'version']"
}

@test "no arguments: exit 2 and how to start" {
  refused 2 "--image is missing"
}

@test "unknown flag: exit 2 and a suggestion" {
  refused 2 "did you mean --steps?" --image in.png --stepz 3
}

@test "a flag without its value: exit 2" {
  refused 2 "--image needs a value" --image
  refused 2 "--image needs a value" --image --frames 3
}

@test "values: exit 2, naming flag and range" {
  refused 2 "--frames 0 is out of range: 1 to 1000" --image in.png --frames 0
  refused 2 "--frames -3 is out of range: 1 to 1000" --image in.png --frames -3
  refused 2 "--frames '1e9'" --image in.png --frames 1e9
  refused 2 "--frames 1000000000 is out of range" --image in.png --frames 1000000000
  refused 2 "--fps 'nan' is not a finite number" --image in.png --fps nan
  refused 2 "--fps 0 is out of range" --image in.png --fps 0
  refused 2 "--max-guidance 'inf'" --image in.png --max-guidance inf
  refused 2 "--min-guidance '-inf'" --image in.png --min-guidance=-inf
  refused 2 "--seed '-1'" --image in.png --seed -1
  refused 2 "--seed 18446744073709551616 is out of range" --image in.png --seed 18446744073709551616
  refused 2 "did you mean crop?" --image in.png --fit corp
  refused 2 "--device 'gpu'" --image in.png --device gpu
}

@test "a size that is no multiple of 64: exit 2, naming the nearest" {
  refused 2 "1024x512 or 960x448" --image in.png --size 1000x500
}

@test "values are checked before any file is looked at" {
  refused 2 "--frames 0" --image missing.png --model missing -o missing/out.mp4 --frames 0
}

@test "a wrong command line with --json: one object on stdout" {
  svd --image in.png --stepz 3 --json
  expect_status 2
  expect_json 'j["error"]["kind"], j["error"]["exit_code"]' "('usage', 2)"
}

@test "stdout that cannot be written is an error" {
  run bash -c '"$SVD_GEN" --help > /dev/full'
  [ "$status" -eq 6 ]
}

@test "no colours and no redrawn lines unless stderr is a terminal" {
  svd --image missing.png
  [[ $stderr != *$'\033'* ]]
}

@test "a file whose name begins with a dash comes after --" {
  tiny -o ./-x.mp4
  svd show -- -x.mp4
  expect_status 0
  expect_json 'j["request"]["seed"]' 7
  refused 2 "unexpected argument" show -- -x.mp4 more
}
