# shellcheck shell=bash
# Shared by the scripts beside it: messages, set-up options, where libtorch and nvcc are, building.
# Sourced, not run.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=${SVD_DEPS_DIR:-$root/build/deps}

say() { printf '%s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  printf '  %s\n' "$@" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# Set-up options, the same for every script: take_setup_options "$@" sets them, collects them in
# setup_options to hand on to setup.sh, and leaves the other arguments in rest.
torch_option=""
cuda_option=auto
setup_options=()
rest=()
take_setup_options() {
  while (($#)); do
    case $1 in
      --torch)
        (($# > 1)) || fail "--torch needs a folder"
        torch_option=$(cd "$2" 2>/dev/null && pwd) || fail "--torch: no such folder: $2"
        setup_options+=(--torch "$torch_option")
        shift
        ;;
      --cuda | --no-cuda)
        cuda_option=$([[ $1 == --cuda ]] && echo on || echo off)
        setup_options+=("$1")
        ;;
      *) rest+=("$1") ;;
    esac
    shift
  done
}

is_torch() { [[ -f $1/lib/libtorch_cpu.so && -f $1/include/ATen/Tensor.h ]]; }

# The libtorch that the user names (--torch, SVD_TORCH_DIR, Torch_DIR, CMAKE_PREFIX_PATH), as the
# folder with lib/ and include/; fails when there is none.
own_torch() {
  local named=${torch_option:-${SVD_TORCH_DIR:-}} dir candidate
  local -a places=()
  [[ -z $named ]] || places+=("$named")
  [[ -z ${Torch_DIR:-} ]] || places+=("$Torch_DIR/../../..")
  IFS=: read -ra prefixes <<<"${CMAKE_PREFIX_PATH:-}"
  for dir in "${places[@]}" "${prefixes[@]}"; do
    for candidate in "$dir" "$dir/torch" "$dir/../.."; do
      if [[ -n $dir ]] && is_torch "$candidate"; then
        (cd "$candidate" && pwd)
        return
      fi
    done
  done
  [[ -z $named ]] || fail "no libtorch in $named" "expected lib/libtorch_cpu.so and include/ATen/Tensor.h there"
  return 1
}

torch_dir() { own_torch || echo "$deps/torch/torch"; }

has_card() { [[ -e /proc/driver/nvidia/version ]] || { have nvidia-smi && nvidia-smi -L 2>/dev/null | grep -q GPU; }; }
wants_cuda() { [[ $cuda_option == on ]] || { [[ $cuda_option == auto ]] && has_card; }; }

# The first nvcc that fits: release 13 for the wheel, which is built with it; any for an own libtorch.
find_nvcc() {
  local nvcc
  for nvcc in "${CUDACXX:-}" "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc "$deps/torch/nvidia/cu13/bin/nvcc"; do
    [[ -x $nvcc ]] || continue
    if own_torch >/dev/null || "$nvcc" --version | grep -q 'release 13\.'; then
      echo "$nvcc"
      return
    fi
  done
  return 1
}

# -D options for a build with the CUDA module, for the cards of this machine if there are any.
cuda_cmake_options() {
  local nvcc cards
  echo -DSVD_CUDA=ON
  if nvcc=$(find_nvcc); then echo "-DSVD_NVCC=$nvcc"; fi
  cards=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | sed -nE 's/^([0-9]+)\.([0-9]+)$/\1\2-real/p' | sort -u | paste -sd';' || true)
  if [[ -n $cards ]]; then echo "-DSVD_CUDA_ARCHITECTURES=$cards"; fi
}

# One job per core, and 1.5 GB of memory for each.
jobs() {
  local cores memory_kb fit
  cores=$(nproc)
  memory_kb=$(awk '/MemAvailable/ {print $2}' /proc/meminfo)
  fit=$((memory_kb / 1500000))
  ((fit < cores)) && cores=$fit
  echo $((cores > 0 ? cores : 1))
}

# build PRESET [-DNAME=VALUE...] [TARGET...]
build() {
  local preset=$1 argument log
  local -a options=() targets=()
  shift
  for argument; do
    if [[ $argument == -D* ]]; then options+=("$argument"); else targets+=(--target "$argument"); fi
  done
  mkdir -p "$root/build/$preset"
  log=$root/build/$preset/configure.log
  say "Building $preset in build/$preset"
  (
    cd "$root"
    cmake --preset "$preset" "-DSVD_TORCH_DIR=$(torch_dir)" "${options[@]}" >"$log" 2>&1 || {
      cat "$log" >&2
      fail "cmake could not configure build/$preset; the reason is above"
    }
    grep -A3 -i '^CMake Warning' "$log" >&2 || true
    cmake --build --preset "$preset" -j "$(jobs)" "${targets[@]}" >&2
  )
}

# build_svd_gen: the program in build/release, with the CUDA module where set-up brought CUDA libraries.
build_svd_gen() {
  local -a options=(-DSVD_CUDA=OFF) targets=(svd-gen)
  if wants_cuda && [[ -e $(torch_dir)/lib/libtorch_cuda.so ]]; then
    mapfile -t options < <(cuda_cmake_options)
    targets+=(svd_cuda)
  fi
  build release "${options[@]}" "${targets[@]}"
}
