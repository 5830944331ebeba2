#!/usr/bin/env bats
# cmake --install of SVD_BUILD: the tree works after it was moved, from anywhere, by itself.

setup_file() {
  export place=$SVD_BUILD/install_test
  rm -rf "$place"
  cmake --install "$SVD_BUILD" --prefix "$place/first" >/dev/null
  mkdir "$place/moved"
  mv "$place/first" "$place/moved/svd"
}

teardown_file() { rm -rf "$place"; }

setup() { tree=$place/moved/svd; }

@test "the program starts with the libraries of the tree and no others of libtorch" {
  cd /
  "$tree/bin/svd-gen" --version
  run env LD_TRACE_LOADED_OBJECTS=1 "$tree/bin/svd-gen"
  [[ $output != *"not found"* ]]
  for library in libtorch_cpu libc10 libcudart libgomp; do
    # A libtorch without CUDA has no libcudart, and may carry its own libgomp.
    grep -F "$library" <<<"$output" | while read -r line; do
      [[ $line == *"=> $tree/"* || $line == *libgomp*"=> $place/"* ]]
    done
  done
  [[ $output == *"libtorch_cpu.so => $tree/"* ]]
}

@test "no file of the tree names the folder it was built in as a place of libraries" {
  for file in "$tree"/bin/svd-gen "$tree"/lib/svd-gen/*.so; do
    [ -e "$file" ] || continue
    run readelf -d "$file"
    [[ $output == *'[$ORIGIN/'* ]]
    [[ $output != *"path: ["*"$SVD_BUILD"* ]]
  done
}

@test "public headers compile by themselves" {
  for header in "$tree"/include/svd/*.h; do
    echo "#include \"svd/$(basename "$header")\"" | c++ -std=c++20 -fsyntax-only -I"$tree/include" -x c++ -
  done
}

@test "the bundled model is found in the tree" {
  cd /
  run env -u SVD_GEN_MODELS HOME=/nonexistent "$tree/bin/svd-gen" inspect tiny --json
  [ "$status" -eq 0 ]
  [[ $output == *"$tree"* ]]
}
