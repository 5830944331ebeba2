#!/usr/bin/env bash
# Formats the C++ and CUDA sources with clang-format 14; --check only says what it would change.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in
  "") options=(-i) ;;
  --check) options=(--dry-run --Werror) ;;
  *) fail "unknown option $1" "scripts/format.sh [--check]" ;;
esac
formatter=$(command -v clang-format-14 || command -v clang-format) ||
  fail "clang-format is missing" "scripts/setup.sh --tools installs it"
"$formatter" --version | grep -q 'version 14\.' ||
  fail "clang-format 14 is needed, found $("$formatter" --version)" "other versions format differently"

cd "$root"
git ls-files -z '*.h' '*.cpp' '*.cu' '*.cuh' | xargs -0 -r "$formatter" "${options[@]}"
