# Runs at install time: copies `libraries` and every library that they need and that lies beside them
# in the wheel to lib/svd-gen, keeping the wheel's layout. System libraries stay where they are.
get_filename_component(_site ${torch_root} DIRECTORY)
get_filename_component(_torch_name ${torch_root} NAME)
string(REGEX REPLACE "([][+.*()^])" "\\\\\\1" _site_pattern "${_site}")

if(libraries MATCHES "libtorch_cuda\\.so")  # and what CUDA's libraries load by name
  file(GLOB _by_name
    ${torch_root}/lib/libcaffe2_nvrtc.so ${torch_root}/lib/libtorch_cuda_linalg.so
    ${_site}/nvidia/cudnn/lib/libcudnn*.so.* ${_site}/nvidia/cu13/lib/libnvrtc*.so.*
    ${_site}/nvidia/cu13/lib/libnvJitLink.so.*)
  list(APPEND libraries ${_by_name})
endif()

file(GET_RUNTIME_DEPENDENCIES
  LIBRARIES ${libraries}
  RESOLVED_DEPENDENCIES_VAR _needed
  UNRESOLVED_DEPENDENCIES_VAR _missing
  POST_INCLUDE_REGEXES "^${_site_pattern}/"
  POST_EXCLUDE_REGEXES ".*"
  DIRECTORIES ${torch_root}/lib)
foreach(_name IN LISTS _missing)
  if(NOT _name MATCHES "^libcuda\\.so")  # the driver's own
    message(WARNING "${_name}, which libtorch needs, is missing; the installed program will need it from elsewhere")
  endif()
endforeach()

foreach(_library IN LISTS libraries _needed)
  file(RELATIVE_PATH _path ${_site} ${_library})
  string(REGEX REPLACE "^${_torch_name}/" "torch/" _path ${_path})
  get_filename_component(_folder ${_path} DIRECTORY)
  file(INSTALL DESTINATION ${CMAKE_INSTALL_PREFIX}/lib/svd-gen/${_folder} TYPE SHARED_LIBRARY
       FOLLOW_SYMLINK_CHAIN FILES ${_library})
endforeach()
