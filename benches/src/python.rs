//! The Python baseline, with and without orjson: the standard library alone, and the fastest JSON
//! reader a user would install, pinned by hash in a virtual environment in the user's cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::peers::{Peers, content, finish};

/// The detector script: "20 distinct unknown users in a sliding 300 s" by exact sets.
const SCRIPT: &str = "py_detect.py";

/// The baseline on the standard library, with `arguments`.
pub fn detect(peers: &Peers, arguments: &[&Path]) -> Command {
    let mut command = Command::new("python3");
    command.arg(peers.script(SCRIPT)).args(arguments);
    command
}

/// The same on orjson.
///
/// # Errors
/// If the environment cannot be made.
pub fn detect_with_orjson(peers: &Peers, arguments: &[&Path]) -> Result<Command> {
    let mut command = Command::new(environment(peers)?.join("bin/python"));
    command.arg(peers.script(SCRIPT)).args(arguments).arg("--orjson");
    Ok(command)
}

fn environment(peers: &Peers) -> Result<PathBuf> {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("requirements.txt");
    let folder = peers.cache.join(format!("python-{}", content(&[&requirements])?));
    let ready = folder.join("ready");
    if !ready.is_file() {
        // An environment cannot be moved, so it is made in its place and marked when it is whole.
        finish(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        let mut install = Command::new(folder.join("bin/python"));
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        finish(install.args(["--require-hashes", "-r"]).arg(&requirements))
            .context("orjson is pinned for CPython 3.11 to 3.13 on Linux x86_64 and aarch64")?;
        std::fs::write(&ready, "")?;
    }
    Ok(folder)
}

/// The baseline's own account: one JSON object on standard output.
///
/// # Errors
/// If it is anything else.
pub fn account(stdout: &str) -> Result<Value> {
    let last = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("the baseline printed {last:?}"))
}

/// Checks that the baseline found `truth` sources, and no others.
///
/// # Errors
/// If it did not.
pub fn found_all(stdout: &str, truth: usize) -> Result<()> {
    let account = account(stdout)?;
    let number = |name: &str| account[name].as_u64();
    ensure!(
        number("found") == Some(truth as u64) && number("false") == Some(0),
        "the baseline found something else than the {truth} sources: {account}"
    );
    Ok(())
}

/// The versions of Python, and of orjson where it is used.
///
/// # Errors
/// If Python does not run.
pub fn versions(peers: &Peers) -> Result<String> {
    let say = "import sys, orjson; print('CPython', sys.version.split()[0], '· orjson', orjson.__version__)";
    let python = environment(peers)?.join("bin/python");
    let output = Command::new(python).args(["-c", say]).output()?;
    if !output.status.success() {
        bail!("orjson cannot be imported");
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
