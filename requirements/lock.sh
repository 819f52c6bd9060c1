#!/bin/sh
# lock.sh VENV: compile each .in file; later sets are held to the versions of the earlier ones.
set -eu
export UV_CUSTOM_COMPILE_COMMAND="make lock"

compile() {
    name=$1
    shift
    "$venv/bin/python" -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --annotation-style line "$@" \
        "requirements/$name.in" --output-file "requirements/$name.txt"
}

venv=$1
compile base
compile embedded -c requirements/base.txt
compile parquet -c requirements/embedded.txt
compile test -c requirements/embedded.txt -c requirements/parquet.txt
compile dev -c requirements/test.txt
compile production -c requirements/base.txt
compile bench
