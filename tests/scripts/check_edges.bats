#!/usr/bin/env bats
# scripts/check_edges.py finds what it is there to find, in a small tree of its own.

setup() {
  scripts=$BATS_TEST_DIRNAME/../../scripts
  tree=$BATS_TEST_TMPDIR/tree
  mkdir -p "$tree"/{docs,include/svd,src/base,src/media,src/cli}
  cat >"$tree/docs/architecture.md" <<'END'
<!-- edges: begin -->
| folder | includes | libraries |
|---|---|---|
| include/svd | | |
| src/base | svd | fmt |
| src/media | svd, base | opencv |
| src/cli | svd, base, media | cli11 |
<!-- edges: end -->
END
  echo '#include "svd/error.h"' >"$tree/src/base/base.cpp"
  echo 'int main() { std::cout << 1; }' >"$tree/src/cli/main.cpp"
}

@test "a tree that follows the table passes" {
  printf '%s\n' '#include "base/base.h"' '#include <opencv2/core.hpp>' '#include <vector>' >"$tree/src/media/fit.cpp"
  "$scripts/check_edges.py" "$tree"
}

@test "an edge that is not in the table is named with file and line" {
  printf '%s\n' '' '#include "media/fit.h"' >"$tree/src/base/base.cpp"
  run "$scripts/check_edges.py" "$tree"
  [ "$status" -eq 1 ]
  [[ $output == *"src/base/base.cpp:2: src/base may not include media: media/fit.h"* ]]
}

@test "a library in a public header is found" {
  echo '#include <ATen/core/Tensor.h>' >"$tree/include/svd/image.h"
  run "$scripts/check_edges.py" "$tree"
  [ "$status" -eq 1 ]
  [[ $output == *"include/svd may not include torch"* ]]
}

@test "printing and exiting outside cli is found, comments and strings are not" {
  printf '%s\n' '// std::cout << 1;' 'const char* s = "exit(1)";' 'int n = snprintf(b, 4, "x");' >"$tree/src/base/base.cpp"
  "$scripts/check_edges.py" "$tree"
  for offence in 'std::cerr << 1;' 'printf("x");' 'std::exit(1);' '::exit(1);' 'fmt::print("x");'; do
    echo "$offence" >"$tree/src/base/base.cpp"
    run "$scripts/check_edges.py" "$tree"
    [ "$status" -eq 1 ]
    [[ $output == *"src/base/base.cpp:1: only src/cli prints or exits"* ]]
  done
}

@test "a folder without a row is found" {
  mkdir "$tree/src/extra"
  run "$scripts/check_edges.py" "$tree"
  [ "$status" -eq 1 ]
  [[ $output == *"src/extra: not in the table"* ]]
}
