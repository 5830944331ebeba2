#!/usr/bin/env bash
# Copies the header-only libraries and the GoogleTest sources of this machine to build/deps/headers,
# a few MB to take along to a machine that has torch, CMake and a compiler but none of these:
#
#   scripts/deps_headers.sh                                                   here
#   cmake --preset bare -DSVD_TORCH_DIR=DIR && cmake --build --preset bare    there
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if (($#)); then
  sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
  exit 0
fi
for source in /usr/include/nlohmann /usr/include/CLI /usr/include/fmt /usr/include/xxhash.h \
  /usr/include/xxh3.h /usr/src/googletest; do
  [[ -e $source ]] || fail "$source is missing" "scripts/setup.sh installs the packages"
done

copies=$root/build/deps/headers
mkdir -p "$root/build/deps"
fresh=$(mktemp -d "$root/build/deps/headers.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
mkdir "$fresh/include"
cp -rL /usr/include/nlohmann /usr/include/CLI /usr/include/fmt /usr/include/xxhash.h /usr/include/xxh3.h \
  "$fresh/include/"
cp -rL /usr/src/googletest "$fresh/googletest"
chmod 755 "$fresh"
rm -rf "$copies"
mv "$fresh" "$copies"
say "Copied to $copies ($(du -sh "$copies" | cut -f1))"
