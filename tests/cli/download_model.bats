# scripts/download_model.sh against a server on loopback.
bats_require_minimum_version 1.5.0

setup() {
  root=$BATS_TEST_TMPDIR/work
  repository=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  # The script looks for manifests beside itself: a copy gets manifests of small files.
  mkdir -p "$root"/{scripts,models,server/owner/small/resolve/main/unet}
  cp "$repository/scripts/download_model.sh" "$root/scripts/"
  cd "$root" || return 1
  files=server/owner/small/resolve/main
  head -c 100000 /dev/urandom >"$files"/unet/weights.safetensors
  echo '{"a": 1}' >"$files"/model_index.json
  sum=$(sha256sum <"$files"/unet/weights.safetensors)
  manifest small false "${sum%% *}"
  unset HF_TOKEN SVD_GEN_MODELS
  export SVD_RETRY_SECONDS=0
}

teardown() { [[ -z ${server:-} ]] || kill "$server"; }

# manifest NAME GATED SHA256
manifest() {
  cat >"models/$1.json" <<END
{
  "name": "$1",
  "title": "A small model, for tests",
  "repository": "owner/small",
  "gated": $2,
  "frames": 14,
  "licence": {"name": "Test Licence", "url": "https://example.org/licence"},
  "folders": ["$1"],
  "single_files": [],
  "files": [
    {"path": "model_index.json", "bytes": null, "sha256": null},
    {"path": "unet/weights.safetensors", "bytes": 100000, "sha256": "$3"}
  ]
}
END
}

serve() {
  python3 "$repository/tests/support/file_server.py" server "$@" >port 3>&- &
  server=$!
  until [[ -s port ]]; do sleep 0.05; done
  url=http://127.0.0.1:$(<port)
}

download() { run --separate-stderr scripts/download_model.sh "$@" --base-url "$url"; }
expect() {
  # shellcheck disable=SC2154  # set by run
  [[ $status -eq $1 && $stderr == *"$2"* ]] || {
    printf 'expected %s and "%s", got %s:\n%s\n' "$1" "$2" "$status" "$stderr" >&2
    return 1
  }
}
expect_whole() {
  cmp "$1/model_index.json" "$files"/model_index.json
  cmp "$1/unet/weights.safetensors" "$files"/unet/weights.safetensors
  [[ -z $(find . -name '*.part') ]]
}

@test "fetches, checks and names the licence; the second time there is nothing to do" {
  serve
  download small
  expect 0 "Test Licence: https://example.org/licence"
  expect 0 "No checksum is known for: model_index.json"
  expect 0 "Done: svd-gen --model small"
  expect_whole models/small
  requests=$(wc -l <server/log)
  download small
  expect 0 "have     unet/weights.safetensors"
  [[ $(wc -l <server/log) -eq $requests ]]
}

@test "--dir and SVD_GEN_MODELS choose the folder" {
  serve
  download small --dir "here and there"
  expect 0 "--models-dir here and there"
  expect_whole "here and there/small"
  SVD_GEN_MODELS=$PWD/variable download small
  expect_whole variable/small
}

@test "goes on where an interrupted download stopped" {
  serve
  mkdir -p models/small/unet
  head -c 40000 "$files"/unet/weights.safetensors >models/small/unet/weights.safetensors.part
  download small
  expect 0 "from byte 40000"
  grep -q "^206 40000 .*weights" server/log
  expect_whole models/small
}

@test "goes on after broken connections" {
  serve --cut 12000
  download small
  expect 0 "from byte 96000"
  expect_whole models/small
}

@test "starts again where the server cannot go on" {
  serve --no-range
  mkdir -p models/small/unet
  head -c 40000 /dev/urandom >models/small/unet/weights.safetensors.part
  download small
  expect 0 Done
  expect_whole models/small
}

@test "tries a busy server again, and gives up in the end" {
  serve --busy 2
  download small
  expect 0 Done
  expect_whole models/small
  rm -r models/small
  kill "$server"
  wait "$server" || true
  server=""
  download small
  expect 1 "failed 5 times"
  expect 1 "give the command again"
}

@test "damaged files are removed, files of the user are not" {
  serve
  manifest small false 0000000000000000000000000000000000000000000000000000000000000000
  download small
  expect 1 "weights.safetensors arrived damaged: its SHA-256 is"
  [[ ! -e models/small/unet/weights.safetensors && ! -e models/small/unet/weights.safetensors.part ]]
  echo mine >models/small/unet/weights.safetensors
  download small
  expect 1 "it has 5 bytes, expected 100000"
  [[ $(<models/small/unet/weights.safetensors) == mine ]]
}

@test "a partial file of wrong content is noticed" {
  serve
  mkdir -p models/small/unet
  head -c 40000 /dev/zero >models/small/unet/weights.safetensors.part
  download small
  expect 1 "arrived damaged"
  download small
  expect 0 Done
  expect_whole models/small
}

@test "a gated model needs a token" {
  serve --token secret
  manifest small true "${sum%% *}"
  download small
  expect 1 "licence gate"
  expect 1 "$url/owner/small"
  [[ ! -e server/log && ! -e models/small ]]
  download small --token wrong
  expect 1 "access denied (401); the token is wrong"
  HF_TOKEN=secret download small
  expect 0 Done
  expect_whole models/small
}

@test "a refusal of a model that was thought to be open names the steps" {
  serve --token secret
  download small
  expect 1 "access denied (401)"
  expect 1 "accept the licence"
  [[ $stderr != *"token is wrong"* ]]
}

@test "a file that is gone, and mistakes in the command" {
  serve
  rm "$files"/model_index.json
  download small
  expect 1 "there is no such file"
  download
  expect 2 "known: small"
  download none
  expect 2 "unknown model: none"
  download ../models/small
  expect 2 "unknown model"
  download small --fast
  expect 2 "unknown option: --fast"
  run --separate-stderr scripts/download_model.sh --dir
  expect 2 "--dir needs a value"
}

@test "the real manifests are in the form that the script reads" {
  serve
  for name in svd svd-xt svd-xt-1.1; do
    cp "$repository/models/$name.json" models/
    download "$name" --token x
    # Nothing is served under these names, so the first file of the list is refused.
    expect 1 "/stabilityai/stable-video-diffusion-img2vid"
    expect 1 "model_index.json: there is no such file"
    expect 1 "Licence: "
    python3 - "models/$name.json" <<'END'
import json, re, sys
text = open(sys.argv[1]).read()
lines = re.findall(r'^    {"path": "([^"]*)", "bytes": (\w+), "sha256": "?(\w+)"?},?$', text, re.M)
assert [line[0] for line in lines] == [file["path"] for file in json.loads(text)["files"]], lines
END
  done
  cp "$repository/models/tiny.json" models/
  download tiny
  expect 2 "nothing to fetch"
}
