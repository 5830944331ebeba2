# `cmake --install` gives a folder that works wherever it is moved:
#
#   bin/svd-gen        include/svd/        share/svd-gen/{models,scripts}
#   lib/svd-gen/libsvd_cuda.so                        the CUDA module, if built
#   lib/svd-gen/torch/lib, lib/svd-gen/nvidia/*/lib   libtorch and what it needs, laid out as in the
#                                                     wheel, whose libraries find each other by that
set_target_properties(svd-gen PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/svd-gen/torch/lib")
if(TARGET svd_cuda)
  set_target_properties(svd_cuda PROPERTIES
    INSTALL_RPATH "$ORIGIN/torch/lib;$ORIGIN/nvidia/cu13/lib")
endif()

install(TARGETS svd-gen RUNTIME DESTINATION bin)
install(DIRECTORY include/svd DESTINATION include)
# Not what scripts/download_model.sh may have put beside them.
file(GLOB _manifests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/models/*.json)
install(FILES ${_manifests} DESTINATION share/svd-gen/models)
install(DIRECTORY models/tiny-svd DESTINATION share/svd-gen/models)
install(PROGRAMS scripts/download_model.sh DESTINATION share/svd-gen/scripts)
install(FILES LICENSE DESTINATION share/doc/svd-gen)

set(_torch_roots ${SVD_TORCH_ROOT}/lib/libtorch_cpu.so)
if(TARGET svd_cuda)
  list(APPEND _torch_roots ${SVD_TORCH_ROOT}/lib/libtorch_cuda.so)
endif()
install(CODE "set(torch_root \"${SVD_TORCH_ROOT}\")\nset(libraries \"${_torch_roots}\")")
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/InstallTorch.cmake)
