#!/bin/sh
# Builds the Python that runs the lab's AWS emulator, in a virtual environment of its own:
#
#     setup.sh DIR
#
# A second run with the same requirements, constraints and Python does nothing. PYTHON names another python3.
set -eu

fail() {
	echo "setup.sh: $*" >&2
	exit 1
}

[ $# -eq 1 ] && [ -n "$1" ] || fail "give one directory to build in, such as .cache/emulator"
dir=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${PYTHON:-python3}

command -v "$python" >/dev/null 2>&1 || fail "$python not found; install Python 3.10 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)"

mkdir -p "$(dirname "$dir")"
if [ -z "${CERTPACE_SETUP_LOCKED:-}" ] && command -v flock >/dev/null 2>&1; then
	# Two makes at a time would build into each other.
	CERTPACE_SETUP_LOCKED=1 exec flock "$dir.lock" "$0" "$dir"
fi

wanted=$("$python" - "$here/requirements.txt" "$here/constraints.txt" <<'PYTHON'
import hashlib, sys
if sys.version_info < (3, 10):
    sys.exit(1)
digest = hashlib.sha256(sys.version.encode())
for path in sys.argv[1:]:
    digest.update(open(path, "rb").read())
print(digest.hexdigest())
PYTHON
) || fail "$("$python" --version 2>&1) is too old; moto needs Python 3.10 or newer, which PYTHON may name"
stamp=$dir/stamp
if [ -x "$dir/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
	exit 0
fi

"$python" -c 'import venv, ensurepip' 2>/dev/null || fail "$python has no venv; install it (Debian, Ubuntu: apt-get install python3-venv)"
echo "building the emulator's Python environment in $dir (once; about 10 seconds)"
"$python" -m venv --clear "$dir"
"$dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
	--requirement "$here/requirements.txt" --constraint "$here/constraints.txt" ||
	fail "pip could not install $here/requirements.txt; its message is above"
"$dir/bin/python" -m pip check --disable-pip-version-check >/dev/null || fail "the installed packages contradict each other: run $dir/bin/python -m pip check"
echo "$wanted" >"$stamp"
