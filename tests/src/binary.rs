//! The real `tidewatch` binary: built by the test that needs it, and run as a user runs it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cargo_metadata::Message;
use serde_json::Value;

use crate::cloud::REGION;
use crate::ministack::{Ministack, without_aws};
use crate::searched::Searched;

/// What a run left behind.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The repository's root.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_owned()
}

/// Builds the binary once and says where it is.
///
/// # Panics
/// If it does not build.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build("tidewatch", "tidewatch", &[]))
}

/// Builds the binary `name` of `package` with more `arguments` for cargo, and says where it is.
///
/// # Panics
/// If it does not build.
pub fn build(package: &str, name: &str, arguments: &[&str]) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this test about its own package: the build script of ring, and all that stands on it,
    // would be run again for it, here and in the next build outside.
    for (variable, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if told.iter().any(|prefix| variable.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(variable);
        }
    }
    let output = cargo
        // As a part of the workspace, as the tests are: alone it would have its dependencies with other features.
        .args(["build", "--locked", "--workspace", "--bin", name, "--message-format=json"])
        .args(arguments)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo build -p {package} failed");
    Message::parse_stream(output.stdout.as_slice())
        .filter_map(|message| match message.expect("cargo's JSON") {
            Message::CompilerArtifact(artifact) if artifact.target.name == name => {
                artifact.executable.map(PathBuf::from)
            }
            _ => None,
        })
        .last()
        .expect("cargo names the executable")
}

/// The binary with `arguments`, in the repository's root, all streams piped.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command
        .args(arguments)
        .current_dir(root())
        .env_remove("TIDEWATCH_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs the binary with `arguments`, `input` on standard input.
///
/// # Panics
/// If it cannot be started.
pub fn run(arguments: &[&str], input: &[u8]) -> Ran {
    run_in(command(arguments), input)
}

/// The same with the local cloud in the place of AWS, as the account's root.
///
/// # Panics
/// If it cannot be started.
pub fn run_at(cloud: &Ministack, arguments: &[&str], input: &[u8]) -> Ran {
    run_in(command_at(cloud, arguments), input)
}

/// The same as somebody with the access key `id` and its `secret`.
///
/// # Panics
/// If it cannot be started.
pub fn run_as(cloud: &Ministack, (id, secret): (&str, &str), arguments: &[&str]) -> Ran {
    let mut command = command_at(cloud, arguments);
    command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
    run_in(command, b"")
}

/// The same, as somebody where an access key is given, with CloudWatch Logs behind `logs`.
///
/// # Panics
/// If it cannot be started.
pub fn run_searched(
    cloud: &Ministack,
    logs: &Searched,
    key: Option<(&str, &str)>,
    arguments: &[&str],
) -> Ran {
    let mut command = command_at(cloud, arguments);
    command.env("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", logs.endpoint());
    if let Some((id, secret)) = key {
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
    }
    run_in(command, b"")
}

/// As [`command`], with the local cloud in the place of AWS.
pub(crate) fn command_at(cloud: &Ministack, arguments: &[&str]) -> Command {
    let mut command = command(arguments);
    without_aws(&mut command);
    command
        .env("AWS_ENDPOINT_URL", cloud.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// The same with a secret of its own in TIDEWATCH_KEY.
///
/// # Panics
/// If it cannot be started.
pub fn run_keyed(key: &str, arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = command(arguments);
    command.env("TIDEWATCH_KEY", key);
    run_in(command, input)
}

/// The same with standard output going to `output`, of which nothing is caught.
///
/// # Panics
/// If it cannot be started.
pub fn run_into(arguments: &[&str], output: Stdio) -> Ran {
    let mut command = command(arguments);
    command.stdout(output);
    run_in(command, b"")
}

fn run_in(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command.spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let input = input.to_vec();
    // It may end without having read everything, so a failed write is no fault.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("the binary ends");
    let _ = writer.join();
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

impl Ran {
    /// The findings on standard output, one JSON object a line.
    ///
    /// # Panics
    /// If a line is anything else.
    pub fn findings(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).expect("a finding a line");
        self.stdout.lines().map(parse).collect()
    }

    /// The statistics: the last line on standard error.
    ///
    /// # Panics
    /// If there are none.
    pub fn stats(&self) -> Value {
        let last = self.stderr.lines().last().expect("standard error is not empty");
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
    }

    /// When the first finding about each key opened, in milliseconds since the epoch.
    ///
    /// # Panics
    /// If a line of standard output is no finding.
    pub fn openings(&self) -> BTreeMap<String, i64> {
        let mut openings = BTreeMap::new();
        for finding in self.findings().iter().filter(|finding| finding["activity_id"] == 1) {
            let key = finding["unmapped"]["tidewatch"]["key"].as_str().expect("a key");
            let opened = finding["finding_info"]["created_time"].as_i64().expect("a time");
            let first = openings.entry(key.to_owned()).or_insert(opened);
            *first = opened.min(*first);
        }
        openings
    }

    /// How often something was not counted for `reason`.
    ///
    /// # Panics
    /// If there are no statistics.
    pub fn quarantined(&self, reason: &str) -> u64 {
        self.stats()["quarantined"][reason].as_u64().unwrap_or(0)
    }

    /// The IPv4 sources of all findings that opened, sorted.
    pub fn raised_sources(&self) -> Vec<String> {
        let mut sources: Vec<String> = self
            .findings()
            .iter()
            .filter(|finding| finding["activity_id"] == 1)
            .filter_map(|finding| finding["evidences"][0]["src_endpoint"]["ip"].as_str())
            .map(str::to_owned)
            .collect();
        sources.sort();
        sources.dedup();
        sources
    }
}
