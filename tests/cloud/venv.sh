#!/usr/bin/env bash
# Makes a Python environment from a file of pinned and hashed packages, once for each content of that file,
# in the user's cache, and prints where it is. It is made under a name of its own and linked when it is
# whole, so that neither a run that was stopped nor two at once leave half of one behind.
#
#   venv.sh NAME REQUIREMENTS
set -euo pipefail

name="$1"
requirements="$2"
venv="${XDG_CACHE_HOME:-$HOME/.cache}/tidewatch/$name-$(sha256sum <"$requirements" | cut -c1-16)"
if ! [ -x "$venv/bin/python" ]; then
    echo "== installing the packages of $requirements into $venv (once)" >&2
    made="$venv.$$"
    mkdir -p "${venv%/*}"
    if ! python3 -m venv "$made" >&2; then
        rm -rf "$made"
        echo "$0: needs python3 with its venv module (3.10 to 3.13; on Debian: python3-venv)" >&2
        exit 1
    fi
    if ! "$made/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --only-binary :all: --requirement "$requirements" >&2; then
        rm -rf "$made"
        echo "$0: the packages of $requirements cannot be installed, see above" >&2
        exit 1
    fi
    ln -sfn "$made" "$venv"
fi
echo "$venv"
