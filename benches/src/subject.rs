//! The subject: the release build of `tidewatch`, built by the bench and run as a user runs it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use cargo_metadata::Message;
use serde_json::Value;
use tidewatch_core::plan::Plan;

/// The repository's root.
pub fn root() -> PathBuf {
    let benches = Path::new(env!("CARGO_MANIFEST_DIR"));
    benches.parent().unwrap_or(benches).to_owned()
}

/// The profile of one detector, which the baseline computes as well.
pub fn yardstick() -> PathBuf {
    root().join("tests/profiles/distinct20")
}

/// The plan of a folder of detector files.
///
/// # Errors
/// If it cannot be read, or a file is faulty.
pub fn plan(folder: &Path) -> Result<Plan> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        // The cases stand beside them.
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        files.push((path.display().to_string(), std::fs::read_to_string(&path)?));
    }
    files.sort();
    let detectors = tidewatch_rules::load(files)
        .map_err(|errors| anyhow!("{} has faults: {errors:?}", folder.display()))?;
    Ok(Plan::new(detectors)?)
}

/// Builds the binary and says where it is.
///
/// # Errors
/// If it does not build.
pub fn build() -> Result<PathBuf> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--locked", "-p", "tidewatch", "--message-format=json"])
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "cargo build --release -p tidewatch failed");
    let mut found = None;
    for message in Message::parse_stream(output.stdout.as_slice()) {
        match message? {
            Message::CompilerArtifact(artifact) if artifact.target.name == "tidewatch" => {
                found = artifact.executable.map(PathBuf::from).or(found);
            }
            _ => {}
        }
    }
    found.context("cargo names no executable")
}

/// `tidewatch replay --output json --stats FILE`, with the shipped detectors unless others are given.
pub fn replay(binary: &Path, detectors: Option<&Path>, file: &Path) -> Command {
    let mut command = Command::new(binary);
    command.args(["replay", "--output", "json", "--stats"]).env_remove("TIDEWATCH_KEY");
    if let Some(folder) = detectors {
        command.arg("--detectors").arg(folder);
    }
    command.arg(file);
    command
}

/// The IPv4 sources of all findings that opened.
///
/// # Errors
/// If a line of standard output is no JSON.
pub fn raised(stdout: &str) -> Result<BTreeSet<String>> {
    let mut sources = BTreeSet::new();
    for line in stdout.lines() {
        let finding: Value = serde_json::from_str(line)?;
        let source = finding["evidences"][0]["src_endpoint"]["ip"].as_str();
        if finding["activity_id"] == 1 {
            sources.extend(source.map(str::to_owned));
        }
    }
    Ok(sources)
}

/// The statistics: the last line of standard error.
///
/// # Errors
/// If it is no JSON.
pub fn stats(stderr: &str) -> Result<Value> {
    Ok(serde_json::from_str(stderr.lines().last().unwrap_or_default())?)
}

/// Version and commit, with a mark where the tree has changes.
pub fn version() -> String {
    let git =
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root()).output();
    let commit = git.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    );
    format!("tidewatch {} ({commit})", env!("CARGO_PKG_VERSION"))
}
