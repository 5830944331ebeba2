# Shared by the cases in tests/cli. SVD_GEN is the binary; every case runs in a folder of its own.
bats_require_minimum_version 1.5.0

: "${SVD_GEN:?set SVD_GEN to the svd-gen binary}"
REPOSITORY=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
# shellcheck disable=SC2034  # for the cases
TINY=$REPOSITORY/tests/models/tiny-svd
# Where --model tiny is found first: faster than the bundled one.
export SVD_GEN_MODELS=$REPOSITORY/tests/models
SUPPORT=$REPOSITORY/tests/support

setup() {
  mkdir "$BATS_TEST_TMPDIR/work"  # bats keeps files of its own in the folder above
  cd "$BATS_TEST_TMPDIR/work" || return 1
  unset NO_COLOR
  python3 "$SUPPORT/pictures.py" rgb 96 64 in.png
}

# Runs svd-gen; status, output (stdout) and stderr are for the case to look at.
svd() {
  local begin end
  begin=$(date +%s%N)
  run --separate-stderr "$SVD_GEN" "$@"
  end=$(date +%s%N)
  elapsed_ms=$(((end - begin) / 1000000))
}

# The small clip that most cases render; further arguments follow.
tiny() {
  svd --image in.png --model tiny --frames 3 --steps 2 --size 64x64 --seed 7 --device cpu "$@"
}

fail() {
  printf '%s\nstatus: %s\nstdout: %s\nstderr: %s\n' "$1" "${status-}" "${output-}" "${stderr-}" >&2
  return 1
}

expect_status() { [ "$status" -eq "$1" ] || fail "expected exit code $1"; }
expect_in_stderr() { [[ $stderr == *"$1"* ]] || fail "stderr lacks: $1"; }
expect_no_output() { [ -z "$output" ] || fail "stdout is not empty"; }

# refused CODE TEXT ARGUMENTS...: exit code, a message with TEXT, a silent stdout, nothing new in the
# folder. The time is shown with the case, not judged.
refused() {
  local code=$1 text=$2 before after
  shift 2
  before=$(find . | sort)
  svd "$@"
  after=$(find . | sort)
  echo "# ${elapsed_ms} ms: exit $status of: $*" >&3
  expect_status "$code"
  expect_no_output
  [[ $stderr == *"error: "* ]] || fail "stderr has no error line"
  expect_in_stderr "$text"
  [ "$before" = "$after" ] || fail "files changed: $after"
}

# json EXPRESSION: value of a Python expression over `j`, the object on stdout of the last run.
json() {
  printf '%s' "$output" | python3 -c "import json, sys; j = json.load(sys.stdin); print(($1))"
}

# expect_json EXPRESSION VALUE
expect_json() {
  local value
  value=$(json "$1") || fail "stdout is not JSON with $1"
  [ "$value" = "$2" ] || fail "$1 is $value, expected $2"
}
