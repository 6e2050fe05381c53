#!/usr/bin/env bash
# The whole test command: format, lints, licences, every test of the workspace. Installs the two tools
# it needs into the user's cache: cargo-deny at a pinned version, and, with python3, a local cloud from
# pinned and hashed packages. Set TIDEWATCH_DATA to a folder of
# labelled logs to score those as well; without it those tests say that they were skipped.
set -euo pipefail
cd "$(dirname "$0")"

deny_version=0.20.2
tools="${XDG_CACHE_HOME:-$HOME/.cache}/tidewatch/tools"
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qx "cargo-deny $deny_version"; then
    echo "== installing cargo-deny $deny_version into $tools (once)"
    cargo install cargo-deny --locked --version "$deny_version" --root "$tools"
fi

# The venv is made under a name of its own and linked when it is whole, so that neither a run that was
# stopped nor two at once leave half of one behind.
requirements=tests/ministack/requirements.txt
ministack="${tools%/tools}/ministack-$(sha256sum <"$requirements" | cut -c1-16)"
if ! [ -x "$ministack/bin/ministack" ]; then
    echo "== installing the local cloud of the tests, ministack, into $ministack (once)"
    venv="$ministack.$$"
    mkdir -p "${venv%/*}"
    if ! python3 -m venv "$venv"; then
        rm -rf "$venv"
        echo "test.sh: needs python3 with its venv module (3.10 or newer; on Debian: python3-venv)" >&2
        exit 1
    fi
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --requirement "$requirements"; then
        rm -rf "$venv"
        echo "test.sh: the packages of $requirements cannot be installed, see above" >&2
        exit 1
    fi
    ln -sfn "$venv" "$ministack"
fi
export TIDEWATCH_MINISTACK="$ministack/bin/ministack"

echo "== format"
cargo fmt --all --check
# Lints are errors for the compiler they were settled with; a newer one may know more of them.
lints_settled_with=1.95
echo "== lints"
case "$(rustc --version)" in
    "rustc $lints_settled_with."*) cargo clippy --workspace --all-targets --locked -- -D warnings ;;
    *) cargo clippy --workspace --all-targets --locked ;;
esac
echo "== licences, sources and bans of dependencies"
"$tools/bin/cargo-deny" --workspace check bans licenses sources
echo "== tests"
cargo test --workspace --locked
