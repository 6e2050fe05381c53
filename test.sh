#!/usr/bin/env bash
# The whole test command: format, lints, licences, every test of the workspace. Installs what it needs
# into the user's cache, once: cargo-deny at a pinned version and, from pinned and hashed packages, a local
# cloud with what reads our template for it. Where that cannot be installed, the tests that need it are
# named as SKIPPED and all others run; with CI=true that is a failure, at the end. Set TIDEWATCH_DATA to a
# folder of labelled logs to score those as well; without it those tests say that they were skipped.
set -euo pipefail
cd "$(dirname "$0")"

deny_version=0.20.2
tools="${XDG_CACHE_HOME:-$HOME/.cache}/tidewatch/tools"
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qx "cargo-deny $deny_version"; then
    echo "== installing cargo-deny $deny_version into $tools (once)"
    cargo install cargo-deny --locked --version "$deny_version" --root "$tools"
fi

if cloud="$(tests/cloud/venv.sh cloud tests/cloud/requirements.txt)"; then
    export TIDEWATCH_MINISTACK="$cloud/bin/ministack"
    export TIDEWATCH_PYTHON="$cloud/bin/python"
else
    cloud=
fi

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
if [ -n "$cloud" ]; then
    cargo test --workspace --locked --no-fail-fast
    exit
fi

# Test targets that reach for the local cloud say so in their imports.
with=()
without=()
for target in tests/tests/*.rs tests/tests/*/main.rs; do
    name="${target#tests/tests/}"
    name="${name%/main.rs}"
    name="${name%.rs}"
    if grep -rqE 'tidewatch_tests::(ministack|cloud|stack)\b' "${target%/main.rs}"; then
        with+=("$name")
    else
        without+=(--test "$name")
    fi
done
cargo test --workspace --exclude tidewatch-tests --locked
cargo test --package tidewatch-tests --lib "${without[@]}" --locked
for name in "${with[@]}"; do
    echo "SKIPPED: tests/tests/$name needs the local cloud, which is not installed (see the top)"
done
if [ "${CI:-}" = true ]; then
    echo "test.sh: in CI no test may be skipped" >&2
    exit 1
fi
