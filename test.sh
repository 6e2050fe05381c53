#!/usr/bin/env bash
# The whole test command: format, lints, licences, every test of the workspace. Installs the one tool
# it needs, cargo-deny, at a pinned version into the user's cache. Set TIDEWATCH_DATA to a folder of
# labelled logs to score those as well; without it those tests say that they were skipped.
set -euo pipefail
cd "$(dirname "$0")"

deny_version=0.20.2
tools="${XDG_CACHE_HOME:-$HOME/.cache}/tidewatch/tools"
if ! "$tools/bin/cargo-deny" --version 2>/dev/null | grep -qx "cargo-deny $deny_version"; then
    echo "== installing cargo-deny $deny_version into $tools (once)"
    cargo install cargo-deny --locked --version "$deny_version" --root "$tools"
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
cargo test --workspace --locked
