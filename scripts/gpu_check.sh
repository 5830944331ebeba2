#!/usr/bin/env bash
# Builds and tests svd-gen with CUDA on a bare machine: an NVIDIA card, nvcc, CMake, Ninja and the
# torch of its Python, but no OpenCV, FFmpeg or network. The small libraries come along in
# build/deps/headers (scripts/deps_headers.sh).
#
#   scripts/gpu_check.sh [--torch DIR] [build] [parity]     no stage named: all, in this order
#
#   build   everything but src/media, and the CUDA module for the cards of this machine, in build/bare
#   parity  the unit tests, operations on the CPU and on the card; a case for the card that cannot
#           run there is a failure
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

take_setup_options "$@"
stages=("${rest[@]}")
((${#stages[@]})) || stages=(build parity)

python_torch() {
  python3 -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null
}

build_stage() {
  local -a options
  if ! own_torch >/dev/null && ! is_torch "$deps/torch/torch"; then
    torch_option=$(python_torch)
    is_torch "$torch_option" || fail "no libtorch found" "name its folder: --torch DIR"
  fi
  find_nvcc >/dev/null || fail "no nvcc found" "the check is about our kernels, which it compiles"
  mapfile -t options < <(cuda_cmake_options)
  SECONDS=0
  build bare "${options[@]}"
  say "Built in $SECONDS s"
}

parity_stage() {
  local program
  local -a failed=() programs=("$root"/build/bare/*_test)
  [[ -x ${programs[0]} ]] || fail "no test programs in build/bare" "run the stage 'build' first"
  for program in "${programs[@]}"; do
    say "Running $(basename "$program")"
    SVD_TEST_REQUIRE_CUDA=1 "$program" --gtest_brief=1 || failed+=("$(basename "$program")")
  done
  ((${#failed[@]} == 0)) || fail "failed: ${failed[*]}"
}

for stage in "${stages[@]}"; do
  case $stage in
    build) build_stage ;;
    parity) parity_stage ;;
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) fail "unknown stage '$stage'" "expected build or parity" ;;
  esac
done
say "Passed: ${stages[*]}"
