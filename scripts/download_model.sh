#!/usr/bin/env bash
# Fetches a model into the folder where svd-gen finds it.
#
#   scripts/download_model.sh NAME [--dir DIR] [--token TOKEN] [--base-url URL]
#
# NAME is svd, svd-xt or svd-xt-1.1 (models/*.json). The files go to DIR/NAME; DIR is $SVD_GEN_MODELS or
# the project's models/ folder. An interrupted download goes on where it stopped when the same command
# is given again; every file is checked against the size and checksum of the manifest where they are
# known. TOKEN (or $HF_TOKEN, which other users of the machine cannot see in the list of processes) is an access
# token of huggingface.co; models behind a licence gate need one.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
fail() {
  local code=$1
  printf 'error: %s\n' "$2" >&2
  shift 2
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit "$code"
}
usage() {
  sed -n '2,/^set -/{/^set -/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
manifests=$here/../models
[[ -d $manifests ]] || manifests=$here/../share/svd-gen/models
attempts=5
wait_seconds=${SVD_RETRY_SECONDS:-3}

name="" dir_given="" dir="${SVD_GEN_MODELS:-$manifests}" token=${HF_TOKEN:-} base_url=https://huggingface.co
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --dir | --token | --base-url)
      (($# > 1)) || fail 2 "$1 needs a value"
      case $1 in
        --dir) dir=$2 dir_given=1 ;;
        --token) token=$2 ;;
        --base-url) base_url=${2%/} ;;
      esac
      shift
      ;;
    -*) fail 2 "unknown option: $1" "scripts/download_model.sh --help lists them" ;;
    *)
      [[ -z $name ]] || fail 2 "one model at a time: $name, $1"
      name=$1
      ;;
  esac
  shift
done

known=$(cd "$manifests" && for file in *.json; do printf '%s ' "${file%.json}"; done)
[[ -n $name ]] || fail 2 "which model?" "known: $known"
manifest=$manifests/$name.json
[[ $name != */* && -f $manifest ]] || fail 2 "unknown model: $name" "known: $known"
command -v curl >/dev/null || fail 1 "curl is not installed" "apt install curl"
command -v sha256sum >/dev/null || fail 1 "sha256sum is not installed" "apt install coreutils"

# The manifests are written with one key, and one file, a line.
field() { sed -n -e 's/^  "'"$1"'": "\([^"]*\)",\{0,1\}$/\1/p' -e 's/^  "'"$1"'": \([a-z0-9]*\),\{0,1\}$/\1/p' "$manifest"; }
file_lines() { sed -n 's/^    {"path": "\([^"]*\)", "bytes": \([0-9a-z]*\), "sha256": "\{0,1\}\([0-9a-z]*\)"\{0,1\}},\{0,1\}$/\1 \2 \3/p' "$manifest"; }
title=$(field title)
repository=$(field repository)
licence=$(sed -n 's/^  "licence": {"name": "\([^"]*\)", "url": "\([^"]*\)"},$/\1: \2/p' "$manifest")
mapfile -t files < <(file_lines)
[[ $repository != null ]] || fail 2 "$name comes with svd-gen; there is nothing to fetch"
((${#files[@]} > 0)) || fail 1 "$manifest names no files"

page=$base_url/$repository
gate_steps=(
  "1. log in and accept the licence on $page"
  "2. make a read token on $base_url/settings/tokens"
  "3. HF_TOKEN=... scripts/download_model.sh $name"
)
if [[ $(field gated) == true && -z $token ]]; then
  fail 1 "$title is behind a licence gate, and no token was given" "${gate_steps[@]}"
fi

target=$dir/$name
mkdir -p "$target" || fail 1 "cannot write to $dir" "choose another folder with --dir"
say "$title, from $page"
say "Licence: $licence"
say "Using the model means accepting it. Files go to $target"

have_bytes() { stat -c %s "$1" 2>/dev/null || echo 0; }

missing_bytes=0
for line in "${files[@]}"; do
  read -r path bytes _ <<<"$line"
  if [[ $bytes != null && ! -e $target/$path ]]; then
    missing_bytes=$((missing_bytes + bytes - $(have_bytes "$target/$path.part")))
  fi
done
free_bytes=$(df --output=avail -B1 "$target" | tail -1)
((missing_bytes <= free_bytes)) ||
  fail 1 "$((missing_bytes / 1000000)) MB are to be fetched, but only $((free_bytes / 1000000)) MB are free in $target"

# check FILE BYTES SHA256: whether FILE is what the manifest says; the reason is in $why if not.
check() {
  local size sum
  size=$(have_bytes "$1")
  if [[ $2 != null && $size != "$2" ]]; then
    why="it has $size bytes, expected $2"
    return 1
  fi
  [[ $3 != null ]] || return 0
  sum=$(sha256sum <"$1")
  sum=${sum%% *}
  why="its SHA-256 is $sum, expected $3"
  [[ $sum == "$3" ]]
}

# One curl call. The token goes through standard input, not through the list of processes.
transfer() {
  local header=""
  [[ -z $token ]] || header="Authorization: Bearer $token"
  local -a progress=(--silent --show-error)
  [[ ! -t 2 ]] || progress=(--progress-bar)
  printf '%s\n' "$header" |
    curl --fail --location --connect-timeout 30 --speed-limit 1 --speed-time 60 "${progress[@]}" --header @- \
      --continue-at - --output "$2" --write-out '%{http_code}' "$1"
}

# fetch PATH BYTES SHA256
fetch() {
  local path=$1 bytes=$2 file=$target/$1 part=$target/$1.part url=$base_url/$repository/resolve/main/$1
  local attempt status code before
  mkdir -p "$(dirname "$file")"
  if [[ -e $file ]]; then
    check "$file" "$2" "$3" || fail 1 "$file is there, but $why" "remove it and give the command again"
    say "have     $path"
    return
  fi
  if [[ $bytes != null ]] && (($(have_bytes "$part") > bytes)); then rm "$part"; fi
  for ((attempt = 1; ; attempt++)); do
    if [[ $bytes != null && $(have_bytes "$part") == "$bytes" ]]; then break; fi
    say "fetching $path$([[ ! -s $part ]] || echo ", from byte $(have_bytes "$part")")"
    code=0 before=$(have_bytes "$part")
    status=$(transfer "$url" "$part") || code=$?
    case $code:$status in
      0:*) break ;;
      *:401 | *:403)
        fail 1 "$url: access denied ($status)$([[ -z $token ]] || echo "; the token is wrong or its owner has not accepted the licence")" \
          "${gate_steps[@]}"
        ;;
      *:404) fail 1 "$url: there is no such file" "the repository may have changed; $page lists its files" ;;
      33:* | *:416) rm -f "$part" ;; # the server cannot go on where we stopped
    esac
    (($(have_bytes "$part") <= before)) || attempt=0 # it goes on, however slowly
    ((attempt < attempts)) ||
      fail 1 "$url: failed $attempts times, last with curl's code $code and HTTP status $status" \
        "what has arrived is kept: give the command again to go on"
    sleep "$wait_seconds"
  done
  if ! check "$part" "$2" "$3"; then
    rm "$part"
    fail 1 "$path arrived damaged: $why" "the file was removed; give the command again"
  fi
  [[ $3 != null ]] || unchecked+=("$path")
  mv "$part" "$file"
}

unchecked=()
for line in "${files[@]}"; do
  read -r path bytes sum <<<"$line"
  fetch "$path" "$bytes" "$sum"
done
((${#unchecked[@]} == 0)) || say "No checksum is known for: ${unchecked[*]}"
say "Done: svd-gen --model $name$([[ -z $dir_given ]] || echo " --models-dir $dir")"
