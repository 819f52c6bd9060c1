#!/bin/sh
# install.sh PYTHON VENV UV LOCK: create VENV if there is none, and install exactly what LOCK lists.
set -eu
python=$1 venv=$2 uv=$3 lock=$4

"$python" - <<'CHECK' || exit 1
import sys
if sys.version_info < (3, 11):
    sys.exit(f"error: python_too_old: Python 3.11 or newer is needed, this is {sys.version.split()[0]}. "
             "Name another: make run PYTHON=python3.12")
CHECK

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "Creating $venv ..."
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        echo "error: no_venv: '$python -m venv' failed. On Debian: apt-get install python3-venv" >&2
        exit 1
    fi
fi

echo "Installing $lock (once) ..."
quiet_pip() { "$venv/bin/python" -m pip --quiet --disable-pip-version-check install "$@"; }
# uv takes seconds where pip takes most of a minute; pip does the same where uv cannot be had. Compiled once here, or each of
# the ten processes of a first start would compile the same modules beside the others.
if quiet_pip "$uv" && "$venv/bin/python" -m uv pip install --quiet --python "$venv/bin/python" \
    --compile-bytecode --require-hashes --requirement "$lock"; then
    exit 0
fi
echo "uv did not do it; installing with pip ..."
quiet_pip --require-hashes --requirement "$lock"
