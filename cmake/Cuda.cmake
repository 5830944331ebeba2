# What the CUDA module needs: imported targets svd::torch_cuda, svd::c10_cuda and svd::cudart, and
# svd_cuda_kernels(). Headers and runtime come from the toolkit of nvcc or, without one, from the
# nvidia-cuda-runtime wheel beside torch. SVD_NVCC is the compiler; not found: no kernels.
#
# nvcc is called by custom commands, not through CMake's CUDA language: its probes fail for nvcc from
# wheels, and CMake 3.25 does not know what nvcc 13 can do.

foreach(_name c10_cuda torch_cuda)
  if(NOT EXISTS ${SVD_TORCH_ROOT}/lib/lib${_name}.so)
    message(FATAL_ERROR "SVD_CUDA=ON needs a CUDA build of libtorch; ${SVD_TORCH_ROOT}/lib has no lib${_name}.so")
  endif()
  _svd_import(${_name})
endforeach()

get_filename_component(_wheel_cuda ${SVD_TORCH_ROOT}/../nvidia/cu13 ABSOLUTE)
find_program(SVD_NVCC nvcc HINTS ENV CUDA_HOME ${_wheel_cuda} PATHS /usr/local/cuda PATH_SUFFIXES bin)
set(_cuda_roots ${_wheel_cuda} /usr/local/cuda)
if(SVD_NVCC)
  get_filename_component(_nvcc ${SVD_NVCC} REALPATH)
  get_filename_component(_toolkit ${_nvcc}/../.. ABSOLUTE)
  list(PREPEND _cuda_roots ${_toolkit})
  message(STATUS "CUDA module: kernels by ${SVD_NVCC} for ${SVD_CUDA_ARCHITECTURES}")
else()
  message(WARNING "CUDA module: nvcc not found, building without own kernels; stock operations are used")
endif()
find_path(SVD_CUDART_INCLUDE cuda_runtime_api.h PATHS ${_cuda_roots} PATH_SUFFIXES include
          NO_DEFAULT_PATH REQUIRED)
find_library(SVD_CUDART_LIBRARY NAMES cudart libcudart.so.13 PATHS ${_cuda_roots}
             PATH_SUFFIXES lib64 lib NO_DEFAULT_PATH REQUIRED)
add_library(svd::cudart SHARED IMPORTED GLOBAL)
set_target_properties(svd::cudart PROPERTIES IMPORTED_LOCATION ${SVD_CUDART_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${SVD_CUDART_INCLUDE})

# svd_cuda_kernels(OUT SOURCES...): compiles .cu files for SVD_CUDA_ARCHITECTURES (spelled as CMake
# spells CUDA_ARCHITECTURES: 90-real, 90-virtual, or 90 for both) to the objects in OUT.
function(svd_cuda_kernels out)
  set(_flags -std=c++17 -O3 -I${PROJECT_SOURCE_DIR}/src -Xcompiler=-fPIC,-Wall,-Wextra)
  foreach(_arch IN LISTS SVD_CUDA_ARCHITECTURES)
    if(NOT _arch MATCHES "^([0-9]+[af]?)(-real|-virtual)?$")
      message(FATAL_ERROR "SVD_CUDA_ARCHITECTURES: '${_arch}' is not N, N-real or N-virtual")
    endif()
    set(_sm ${CMAKE_MATCH_1})
    if(NOT CMAKE_MATCH_2 STREQUAL "-virtual")
      list(APPEND _flags -gencode=arch=compute_${_sm},code=sm_${_sm})
    endif()
    if(NOT CMAKE_MATCH_2 STREQUAL "-real")
      list(APPEND _flags -gencode=arch=compute_${_sm},code=compute_${_sm})
    endif()
  endforeach()
  set(_objects)
  foreach(_source IN LISTS ARGN)
    get_filename_component(_name ${_source} NAME_WE)
    set(_object ${CMAKE_CURRENT_BINARY_DIR}/${_name}.cu.o)
    add_custom_command(OUTPUT ${_object}
      COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${SVD_NVCC} ${_flags} -ccbin ${CMAKE_CXX_COMPILER}
              -MD -MT ${_object} -MF ${_object}.d -c ${_source} -o ${_object}
      DEPENDS ${_source} DEPFILE ${_object}.d
      COMMENT "Compiling ${_name}.cu with nvcc" VERBATIM)
    list(APPEND _objects ${_object})
  endforeach()
  set(${out} ${_objects} PARENT_SCOPE)
endfunction()
