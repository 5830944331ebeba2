# One warning level for all of our targets; an error where SVD_WERROR is set (CI).
option(SVD_WERROR "Treat warnings as errors" OFF)

function(svd_warnings target)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow>)
  if(SVD_WERROR)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
  endif()
endfunction()
