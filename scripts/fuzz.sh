#!/usr/bin/env bash
# Builds the fuzz targets with clang and feeds each with changed files for some minutes.
#
#   scripts/fuzz.sh [--seconds N] [--torch DIR] [TARGET...]
#
#   --seconds N  so long for each target; the default is 600
#   --torch DIR  as of scripts/setup.sh
#   TARGET       json, safetensors, image, video, metadata; the default is all of them
#
# A target starts from tests/fuzz/corpus/TARGET, and keeps what it learns in build/fuzz/learned/TARGET for the next
# time. A file that breaks it is kept in build/fuzz/findings/TARGET, and the exit code is then 1. A finding becomes a
# file of the corpus together with its fix: the unit tests feed those to the same functions.
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

known=(json safetensors image video metadata)
seconds=600
targets=()
take_setup_options "$@"
set -- "${rest[@]}"
while (($#)); do
  case $1 in
    --seconds)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "--seconds needs a number"
      seconds=$2
      shift
      ;;
    -h | --help)
      sed -n '2,/^# shellcheck/{/^# shellcheck/d; s/^# \{0,1\}//; p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      [[ " ${known[*]} " == *" $1 "* ]] || fail "unknown target $1" "there are: ${known[*]}"
      targets+=("$1")
      ;;
  esac
  shift
done
((${#targets[@]})) || targets=("${known[@]}")

"$root/scripts/setup.sh" --no-cuda --tools "${setup_options[@]}"
build fuzz "${targets[@]/%/_fuzz}"

export ASAN_OPTIONS=detect_odr_violation=0 UBSAN_OPTIONS=print_stacktrace=1
broken=()
for target in "${targets[@]}"; do
  learned=$root/build/fuzz/learned/$target
  findings=$root/build/fuzz/findings/$target
  mkdir -p "$learned" "$findings"
  seeds=("$root/tests/fuzz/corpus/$target")
  [[ $target != image ]] || seeds+=("$root/tests/golden/pictures")
  say "Fuzzing $target for $seconds seconds"
  "$root/build/fuzz/${target}_fuzz" -max_total_time="$seconds" -timeout=25 -rss_limit_mb=2048 -max_len=16384 \
    -print_final_stats=1 -verbosity=0 -artifact_prefix="$findings/" "$learned" "${seeds[@]}" >&2 || broken+=("$target")
done
((!${#broken[@]})) || fail "findings in: ${broken[*]}" "the files are in build/fuzz/findings; run build/fuzz/TARGET_fuzz FILE"
say "No findings"
