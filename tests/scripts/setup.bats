#!/usr/bin/env bats
# scripts/setup.sh without network and without installing: what it takes, refuses and lists.

setup() {
  scripts=$BATS_TEST_DIRNAME/../../scripts
  torch=$BATS_TEST_TMPDIR/site/torch
  mkdir -p "$torch/lib" "$torch/include/ATen"
  touch "$torch/lib/libtorch_cpu.so" "$torch/include/ATen/Tensor.h"
  export SVD_DEPS_DIR=$BATS_TEST_TMPDIR/deps
  unset SVD_TORCH_DIR Torch_DIR CMAKE_PREFIX_PATH
}

@test "--torch, SVD_TORCH_DIR, Torch_DIR and CMAKE_PREFIX_PATH name another libtorch; nothing is fetched" {
  run "$scripts/setup.sh" --torch "$torch"
  [ "$status" -eq 0 ]
  [[ $output == *"libtorch: $torch" ]]
  for name in SVD_TORCH_DIR="$torch" Torch_DIR="$torch/share/cmake/Torch" CMAKE_PREFIX_PATH="/none:$BATS_TEST_TMPDIR/site" \
    CMAKE_PREFIX_PATH="$torch/share/cmake"; do
    mkdir -p "$torch/share/cmake/Torch"
    run env "$name" "$scripts/setup.sh"
    [ "$status" -eq 0 ]
    [[ $output == *"libtorch: $torch" ]]
  done
  [ ! -e "$SVD_DEPS_DIR/torch" ]
}

@test "a folder without libtorch is refused" {
  run "$scripts/setup.sh" --torch "$BATS_TEST_TMPDIR"
  [ "$status" -eq 1 ]
  [[ $output == *"no libtorch in $BATS_TEST_TMPDIR"*"expected lib/libtorch_cpu.so"* ]]
  run "$scripts/setup.sh" --torch /no/such/folder
  [ "$status" -eq 1 ]
  [[ $output == *"no such folder: /no/such/folder"* ]]
}

@test "an unknown option is refused" {
  run "$scripts/setup.sh" --colour
  [ "$status" -eq 1 ]
  [[ $output == *"unknown option --colour"* ]]
}

@test "without apt the missing packages are listed" {
  bin=$BATS_TEST_TMPDIR/bin
  mkdir "$bin"
  for tool in bash env dirname basename cat cut sed grep mkdir tr uname flock pkg-config python3 g++; do
    ln -s "$(command -v $tool)" "$bin/$tool"
  done
  run env PATH="$bin" "$scripts/setup.sh" --torch "$torch"
  [ "$status" -eq 1 ]
  [[ $output == *"cannot be installed here: no apt-get"* ]]
  [[ $output == *"missing (Debian's names): cmake ninja-build"* ]]
  [[ $output != *"g++"* ]]
  [[ $output != *ccache* ]]
}

@test "an unpacked tree of the pinned versions is taken as it is, one of other versions is not" {
  site=$SVD_DEPS_DIR/torch
  mkdir -p "$site"
  sed -n 's/^\([^#=]*\)==\([^ ]*\) .*/\1 \2/p' "$scripts/wheels/torch.txt" | while read -r name version; do
    mkdir "$site/${name//-/_}-$version.dist-info"
  done
  run "$scripts/setup.sh" --no-cuda
  [ "$status" -eq 0 ]
  [[ $output == *"libtorch: $site/torch" ]]

  mv "$site"/torch-*.dist-info "$site/torch-1.0.dist-info"
  run env PIP_NO_INDEX=1 PIP_FIND_LINKS="$BATS_TEST_TMPDIR" "$scripts/setup.sh" --no-cuda
  [ "$status" -eq 1 ]
  [[ $output == *"torch-1.0.dist-info is no longer the pinned version"* ]]
  [[ $output == *"libtorch could not be fetched"* ]]
  [ -z "$(ls "$site")" ]
  [ -z "$(find "$SVD_DEPS_DIR" -name 'fetch.*')" ]
}

@test "every wheel is pinned by hash" {
  run grep -LE '^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$' "$scripts"/wheels/*.txt
  [ -z "$output" ]
  run grep -hvE '^(#.*|[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64})$' "$scripts"/wheels/*.txt
  [ -z "$output" ]
}
