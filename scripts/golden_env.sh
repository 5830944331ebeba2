#!/usr/bin/env bash
# Makes the Python environment of tests/golden and of scripts/make_*.py; does nothing when it is there.
# Only those who make goldens or checkpoints again need it: svd-gen and its default tests do not.
#
#   scripts/golden_env.sh [DIR]     default build/golden-env; about 7 GB on the disk
#
# PYTHON names the interpreter (3.10 to 3.12; default python3).
# shellcheck source-path=SCRIPTDIR
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1:-} in -h | --help)
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
  exit
  ;;
esac
environment=${1:-$root/build/golden-env}
requirements=$root/tests/golden/requirements.txt
python=${PYTHON:-python3}
stamp=$environment/requirements.txt

if [[ -x $environment/bin/python ]] && cmp -s "$requirements" "$stamp"; then
  say "$environment is up to date"
  exit
fi
have "$python" || fail "no $python" "install Python 3.10 or newer, or name it: PYTHON=/path/to/python3 $0"
"$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' ||
  fail "$python is $("$python" -V 2>&1), expected 3.10 to 3.12" "name another one: PYTHON=/path/to/python3.11 $0"
say "Installing torch, diffusers and what Stability's classes import into $environment:"
say "  $(grep -v '^#' "$requirements" | tr '\n' ' ')"
"$python" -m venv "$environment" ||
  fail "$python cannot make a virtual environment" "on Debian: apt-get install python3-venv"
"$environment/bin/python" -m pip install --disable-pip-version-check -q -r "$requirements" >&2 ||
  fail "pip could not install tests/golden/requirements.txt; the reason is above"
cp "$requirements" "$stamp"
say "Done: $environment/bin/python"
