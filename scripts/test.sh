#!/usr/bin/env bash
# Installs what is missing, builds svd-gen and runs its tests.
#
#   scripts/test.sh [--all] [--cuda | --no-cuda] [--torch DIR] [ctest's arguments]
#
#   --all  also the long tests, the formatting check, shellcheck, clang-tidy, and the unit tests
#          under the address and undefined behaviour sanitizers
#
# The other options are those of scripts/setup.sh; the rest goes on to ctest (-R NAME, -V, ...).
# Where nvcc is installed, the CUDA module is compiled and linked too; a card is not needed for that.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

take_setup_options "$@"
all=off
ctest_options=()
for argument in "${rest[@]}"; do
  case $argument in
    --all) all=on ;;
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) ctest_options+=("$argument") ;;
  esac
done
if [[ $all == on ]]; then setup_options+=(--tools); else ctest_options+=(-LE slow); fi
"$root/scripts/setup.sh" "${setup_options[@]}"

if [[ $all == on ]]; then
  "$root/scripts/format.sh" --check
  say "Checking the scripts"
  (cd "$root" && shellcheck -x scripts/*.sh .ci/run)
fi

options=(-DSVD_CUDA=OFF)
if [[ ! -e $(torch_dir)/lib/libtorch_cuda.so ]]; then
  say "This libtorch has no CUDA part: the CUDA module is not built"
elif wants_cuda; then
  mapfile -t options < <(cuda_cmake_options)
elif nvcc=$(find_nvcc); then
  build cuda "-DSVD_NVCC=$nvcc" svd_cuda
else
  say "No nvcc 13 here: the CUDA module is not built"
fi
build release "${options[@]}"

if [[ $all == on ]]; then
  build tidy
  build asan
  say "Unit tests under the sanitizers"
  (cd "$root" && ctest --preset asan -j "$(jobs)")
fi

cd "$root/build/release"
exec ctest --output-on-failure -j "$(jobs)" "${ctest_options[@]}"
