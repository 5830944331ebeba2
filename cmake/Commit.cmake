# Writes HEADER with the commit of SOURCE as SVD_COMMIT; untouched when nothing changed.
# Called at each build: cmake -DSOURCE=... -DHEADER=... -P Commit.cmake
execute_process(
  COMMAND git -c safe.directory=* describe --always --dirty --abbrev=12 --match=
  WORKING_DIRECTORY ${SOURCE} OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE
  RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT EXISTS ${SOURCE}/.git)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${HEADER} CONTENT "#define SVD_COMMIT \"${commit}\"\n")
