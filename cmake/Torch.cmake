# libtorch of the official wheel as imported targets of our own: svd::torch (libtorch_cpu + libc10)
# and, for the CUDA module, svd::torch_cuda. The wheel's find_package(Torch) is not used: it enables
# CUDA and links libraries that a machine without a card does not have.
#
# SVD_TORCH_DIR names it; else Torch_DIR, CMAKE_PREFIX_PATH (both also as environment variables) and
# what scripts/setup.sh has unpacked are looked through.
set(SVD_TORCH_DIR "" CACHE PATH "Folder 'torch' of an unpacked wheel, or libtorch (2.9 or newer)")

set(_hints ${SVD_TORCH_DIR})
if(NOT SVD_TORCH_DIR)
  foreach(_dir ${Torch_DIR} $ENV{Torch_DIR})
    list(APPEND _hints ${_dir}/../../..)
  endforeach()
  string(REPLACE ":" ";" _prefixes "$ENV{CMAKE_PREFIX_PATH}")
  list(APPEND _hints ${CMAKE_PREFIX_PATH} ${_prefixes} ${PROJECT_SOURCE_DIR}/build/deps/torch)
endif()
unset(SVD_TORCH_ROOT)
foreach(_hint IN LISTS _hints)
  foreach(_dir ${_hint} ${_hint}/torch ${_hint}/../..)  # the last: torch/share/cmake
    if(NOT SVD_TORCH_ROOT AND EXISTS ${_dir}/include/ATen/Tensor.h AND EXISTS ${_dir}/lib/libtorch_cpu.so)
      get_filename_component(SVD_TORCH_ROOT ${_dir} REALPATH)
    endif()
  endforeach()
endforeach()
if(NOT SVD_TORCH_ROOT)
  message(FATAL_ERROR "libtorch not found; run scripts/setup.sh, or pass -DSVD_TORCH_DIR=DIR. Looked in: ${_hints}")
endif()
set(_version_header ${SVD_TORCH_ROOT}/include/torch/headeronly/version.h)
if(NOT EXISTS ${_version_header})
  set(_version_header ${SVD_TORCH_ROOT}/include/torch/csrc/api/include/torch/version.h)
endif()
file(STRINGS ${_version_header} _version
     REGEX "define TORCH_VERSION_(MAJOR|MINOR) ")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" SVD_TORCH_VERSION "${_version}")
if(SVD_TORCH_VERSION VERSION_LESS 2.9)
  message(FATAL_ERROR "libtorch ${SVD_TORCH_VERSION} in ${SVD_TORCH_ROOT} is too old; 2.9 or newer is needed")
endif()
message(STATUS "libtorch ${SVD_TORCH_VERSION}: ${SVD_TORCH_ROOT}")

function(_svd_import name)
  add_library(svd::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(svd::${name} PROPERTIES IMPORTED_LOCATION ${SVD_TORCH_ROOT}/lib/lib${name}.so)
endfunction()
_svd_import(c10)
_svd_import(torch_cpu)

add_library(svd_torch INTERFACE)
add_library(svd::torch ALIAS svd_torch)
# clang brings an OpenMP library of its own, which must not be there twice; with =libgomp it ignores the pragmas.
set(_openmp -fopenmp$<$<CXX_COMPILER_ID:Clang>:=libgomp>)
# -idirafter: the wheel carries an fmt of its own that must not shadow the system's.
target_compile_options(svd_torch INTERFACE
  "SHELL:-idirafter ${SVD_TORCH_ROOT}/include"
  "SHELL:-idirafter ${SVD_TORCH_ROOT}/include/torch/csrc/api/include" ${_openmp})
# The wheel is a release build, and some of its classes have other members in debug builds.
target_compile_definitions(svd_torch INTERFACE NDEBUG)
target_link_libraries(svd_torch INTERFACE svd::torch_cpu svd::c10)
# What libtorch_cpu itself needs (CUDA runtime stubs, libgomp) is found through its own RPATH. Our own
# parallel loops need libgomp.so.1 too, by the same name, so there is one copy in the process.
target_link_options(svd_torch INTERFACE -Wl,--allow-shlib-undefined ${_openmp})
