# `cmake --install` gives a folder that works wherever it is moved:
#
#   bin/svd-gen        include/svd/        share/svd-gen/{configs,models,scripts}
#   share/man/man1/svd-gen.1                          and completions for bash, zsh and fish
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
install(DIRECTORY configs DESTINATION share/svd-gen)
install(PROGRAMS scripts/download_model.sh DESTINATION share/svd-gen/scripts)
install(FILES LICENSE DESTINATION share/doc/svd-gen)

# The program writes its own manual page and completions.
set(_texts ${PROJECT_BINARY_DIR}/texts)
add_custom_command(OUTPUT ${_texts}/svd-gen.1
  COMMAND ${CMAKE_COMMAND} -E make_directory ${_texts}
  COMMAND svd-gen completions bash > ${_texts}/svd-gen
  COMMAND svd-gen completions zsh > ${_texts}/_svd-gen
  COMMAND svd-gen completions fish > ${_texts}/svd-gen.fish
  COMMAND svd-gen manual > ${_texts}/svd-gen.1
  DEPENDS svd-gen
  VERBATIM)
add_custom_target(svd_texts ALL DEPENDS ${_texts}/svd-gen.1)
install(FILES ${_texts}/svd-gen.1 DESTINATION share/man/man1)
install(FILES ${_texts}/svd-gen DESTINATION share/bash-completion/completions)
install(FILES ${_texts}/_svd-gen DESTINATION share/zsh/site-functions)
install(FILES ${_texts}/svd-gen.fish DESTINATION share/fish/vendor_completions.d)

set(_torch_roots ${SVD_TORCH_ROOT}/lib/libtorch_cpu.so)
if(TARGET svd_cuda)
  list(APPEND _torch_roots ${SVD_TORCH_ROOT}/lib/libtorch_cuda.so)
endif()
install(CODE "set(torch_root \"${SVD_TORCH_ROOT}\")\nset(libraries \"${_torch_roots}\")")
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/InstallTorch.cmake)
