#!/usr/bin/env bash
# Installs what svd-gen is built from; does nothing in a moment when all is there.
# render.sh and test.sh call it.
#
#   scripts/setup.sh [--cuda | --no-cuda] [--torch DIR] [--tools]
#
#   --cuda       also the CUDA libraries and nvcc; the default on a machine with an NVIDIA card
#   --no-cuda    never
#   --torch DIR  use this libtorch (2.9 or newer; also the folder of an installed Python torch)
#                instead of fetching the official wheel; so do Torch_DIR and CMAKE_PREFIX_PATH
#   --tools      also the tools that test.sh --all and fuzz.sh need
#
# Debian packages come with apt (as root or through sudo), libtorch from the wheels that
# scripts/wheels/*.txt pin by hash. These are unpacked in build/deps/torch (SVD_DEPS_DIR: elsewhere).
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Package and how to see without dpkg that it is there; ? marks what one can do without.
packages() {
  cat <<'END'
cmake cmd:cmake
ninja-build cmd:ninja
g++ cmd:g++
pkg-config cmd:pkg-config
libopencv-core-dev header:opencv4/opencv2/core.hpp
libopencv-imgproc-dev header:opencv4/opencv2/imgproc.hpp
libopencv-imgcodecs-dev header:opencv4/opencv2/imgcodecs.hpp
libopencv-video-dev header:opencv4/opencv2/video/tracking.hpp
libavformat-dev pc:libavformat
libavcodec-dev pc:libavcodec
libavutil-dev pc:libavutil
libswscale-dev pc:libswscale
libavfilter-dev pc:libavfilter
libexif-dev pc:libexif
libcli11-dev header:CLI/CLI.hpp
nlohmann-json3-dev header:nlohmann/json.hpp
libfmt-dev header:fmt/core.h
libxxhash-dev header:xxhash.h
libgtest-dev header:gtest/gtest.h
libgmock-dev header:gmock/gmock.h
ffmpeg cmd:ffprobe
bats cmd:bats
curl cmd:curl
python3 cmd:python3
ccache cmd:ccache ?
END
  if [[ $tools == on ]]; then
    printf '%s\n' 'clang-format-14 cmd:clang-format-14' 'clang-tidy-14 cmd:clang-tidy-14' 'shellcheck cmd:shellcheck' \
      'clang-14 cmd:clang++-14' 'libclang-rt-14-dev fuzzer' 'chromium cmd:chromium' 'parallel cmd:parallel'
  fi
  if ! own_torch >/dev/null && wheels_missing; then
    printf '%s\n' 'python3-pip pip' 'unzip cmd:unzip ?'
  fi
}

is_there() {
  local path
  case $1 in
    cmd:*) have "${1#cmd:}" ;;
    pc:*) pkg-config --exists "${1#pc:}" 2>/dev/null ;;
    fuzzer) [[ -e $(clang++-14 -print-runtime-dir 2>/dev/null)/libclang_rt.fuzzer-$(uname -m).a ]] ;;
    pip) python3 -m pip --version >/dev/null 2>&1 ;;
    header:*)
      for path in /usr/include /usr/local/include $(tr : " " <<<"${CPATH:-}"); do
        [[ ! -e $path/${1#header:} ]] || return 0
      done
      return 1
      ;;
  esac
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}
can_be_root() { ((EUID == 0)) || { have sudo && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; }; }

install_packages() {
  local table installed package probe optional log
  local -a missing=() spare=()
  table=$(packages)
  # shellcheck disable=SC2046  # package names, one word each
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $(cut -d' ' -f1 <<<"$table") 2>/dev/null || true)
  while read -r package probe optional; do
    grep -q "^$package installed" <<<"$installed" || is_there "$probe" || {
      if [[ -n $optional ]]; then spare+=("$package"); else missing+=("$package"); fi
    }
  done <<<"$table"
  ((${#missing[@]} + ${#spare[@]})) || return 0

  if ! have apt-get || ! can_be_root; then
    if ((${#missing[@]})); then
      fail "packages are missing and cannot be installed here: $(have apt-get && echo 'neither root nor sudo' || echo 'no apt-get')" \
        "missing (Debian's names): ${missing[*]}" "install them and run this again"
    fi
    say "Going on without ${spare[*]}"
    return 0
  fi
  say "Installing with apt: ${missing[*]} ${spare[*]}"
  mkdir -p "$root/build"
  log=$root/build/apt.log
  as_root apt-get update >"$log" 2>&1 || say "apt-get update failed; trying with the lists that are there"
  if ! as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" "${spare[@]}" >>"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "apt-get could not install the packages; the reason is above" "the whole log: $log"
  fi
}

# The folder whose presence says that a pinned wheel ("name==version ...") is unpacked completely.
dist_info() {
  local name=${1%%==*} version=${1#*==}
  echo "$deps/torch/${name//-/_}-${version%% *}.dist-info"
}

# Pins of the given lists that are not unpacked yet.
pins_missing() {
  local list pin
  for list; do
    while read -r pin; do
      [[ $pin != *==* || -d $(dist_info "$pin") ]] || echo "$pin"
    done <"$root/scripts/wheels/$list.txt"
  done
}

wheel_lists() {
  echo torch
  if wants_cuda; then
    echo cuda
    find_nvcc >/dev/null || echo nvcc
  fi
}
# shellcheck disable=SC2046  # list names, one word each
wheels_missing() { [[ -n $(pins_missing $(wheel_lists)) ]]; }

# Another version of a pinned wheel leaves files behind: then everything is fetched anew.
drop_other_versions() {
  local pin name info other
  while read -r pin; do
    [[ $pin == *==* ]] || continue
    name=${pin%%==*}
    info=$(dist_info "$pin")
    for other in "$deps/torch/${name//-/_}"-*.dist-info; do
      if [[ -d $other && $other != "$info" ]]; then
        say "$(basename "$other") is no longer the pinned version; removing $deps/torch"
        rm -rf "$deps/torch"
        return
      fi
    done
  done < <(cat "$root"/scripts/wheels/*.txt)
}

# Moves an unpacked wheel into the tree. Its dist-info comes last: an interrupted move is done again.
merge_wheel() {
  local entry target
  for entry in "$1"/*; do
    target=$deps/torch/$(basename "$entry")
    if [[ $entry == *.dist-info ]]; then
      continue
    elif [[ -d $target ]]; then
      cp -al --remove-destination "$entry/." "$target/" || return
    else
      mv "$entry" "$target" || return
    fi
  done
  mv "$1"/*.dist-info "$deps/torch/"
}

unpack_wheel() {
  local folder=$fetch_dir/unpacked
  mkdir "$folder" || return
  if have unzip; then
    unzip -q "$1" -d "$folder" || return
  else
    python3 -m zipfile -e "$1" "$folder" || return
  fi
  rm "$1" && merge_wheel "$folder" && rm -rf "$folder"
}

# fetch_wheels WHAT LIST: everything passes through a folder of its own, removed however this ends.
fetch_wheels() {
  local what=$1 pins tag wheel
  local -a platforms=(--platform manylinux2010_x86_64 --platform manylinux2014_x86_64) quiet=()
  pins=$(pins_missing "$2")
  [[ -n $pins ]] || return 0
  [[ $(uname -sm) == "Linux x86_64" ]] || fail "the libtorch wheel is for Linux on x86_64, this is $(uname -sm)" \
    "use another libtorch with --torch DIR"

  say "Downloading $what into $deps/torch:"
  say "$(sed 's/ .*//; s/^/  /' <<<"$pins")"
  for tag in {12..28}; do platforms+=(--platform "manylinux_2_${tag}_x86_64"); done
  [[ -t 2 ]] || quiet=(--quiet)
  mkdir -p "$deps/torch"
  fetch_dir=$(mktemp -d "$deps/fetch.XXXXXX")
  trap 'rm -rf "$fetch_dir"' EXIT
  printf '%s\n' "$pins" >"$fetch_dir/pins.txt"
  python3 -m pip download "${quiet[@]}" --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --implementation cp --python-version 3.11 --abi cp311 "${platforms[@]}" \
    --dest "$fetch_dir" --requirement "$fetch_dir/pins.txt" >&2 || return
  for wheel in "$fetch_dir"/*.whl; do
    unpack_wheel "$wheel" || return
  done
  rm -rf "$fetch_dir"
}

# What a toolkit has and the wheels leave out: a lib64 folder, and programs anyone may start.
finish_nvcc() {
  local toolkit=$deps/torch/nvidia/cu13
  [[ -e $toolkit/lib64 ]] || ln -s lib "$toolkit/lib64"
  chmod -R a+rX,u+x "$toolkit/bin" "$toolkit/nvvm/bin"
}

fetch_torch() {
  local again="check the network, or use another libtorch with --torch DIR"
  drop_other_versions
  fetch_wheels "libtorch (0.55 GB, 1.1 GB unpacked)" torch || fail "libtorch could not be fetched; the reason is above" "$again"
  wants_cuda || return 0
  fetch_wheels "the CUDA libraries (about 2.5 GB)" cuda ||
    fail "the CUDA libraries could not be fetched; the reason is above" "$again, or go without the card with --no-cuda"
  if ! find_nvcc >/dev/null; then
    if fetch_wheels "the CUDA compiler (0.1 GB)" nvcc; then
      finish_nvcc
    else
      say "nvcc 13 is missing and could not be fetched: the CUDA module is built without our own kernels"
    fi
  fi
}

tools=off
take_setup_options "$@"
for argument in "${rest[@]}"; do
  case $argument in
    --tools) tools=on ;;
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) fail "unknown option $argument" "scripts/setup.sh --help lists the options" ;;
  esac
done

mkdir -p "$deps"
exec {lock}>"$deps/.lock"
if have flock; then flock "$lock"; fi
install_packages
if ! torch=$(own_torch); then
  [[ -z $torch_option${SVD_TORCH_DIR:-} ]] || exit 1
  fetch_torch
  torch=$(torch_dir)
fi
say "Set-up complete; libtorch: $torch"
