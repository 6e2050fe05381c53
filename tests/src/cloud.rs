//! AWS calls for a test: any operation of any service at the local cloud, through one Python process
//! (`tests/cloud/call.py`) that lives as long as the value. The services that crates/aws has clients for
//! are its business; this is for what stands around them, such as a queue or a stack.
//!
//! Calls are made one at a time, without retries, and end within a minute.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::root;
use crate::ministack::{Ministack, without_aws};

/// The Region of everything in the local cloud.
pub const REGION: &str = "us-east-1";

/// How long a condition is waited for at most, and how long is left between looks at it.
const WAIT_MAX: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// A client of a running [`Ministack`].
#[derive(Debug)]
pub struct Cloud {
    process: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

/// What the local cloud, or the client before it, did not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The service's error code, or the name of the client's error.
    pub code: String,
    /// Its words.
    pub message: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.message)
    }
}

/// A command that runs the Python of the local cloud's environment, with nothing of the user's AWS
/// configuration.
///
/// # Panics
/// If TIDEWATCH_PYTHON is not set.
pub fn python() -> Command {
    let executable = std::env::var_os("TIDEWATCH_PYTHON").unwrap_or_else(|| {
        panic!(
            "TIDEWATCH_PYTHON is not set: this test needs the environment that ./test.sh installs. \
             Run ./test.sh, or set it to its python"
        )
    });
    let mut command = Command::new(executable);
    without_aws(&mut command);
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.current_dir(root());
    command
}

impl Cloud {
    /// Starts the process that calls `ministack`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(ministack: &Ministack) -> Cloud {
        let mut process = python()
            .args(["tests/cloud/call.py", &ministack.endpoint(), REGION])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("TIDEWATCH_PYTHON starts");
        let stdin = process.stdin.take().expect("a pipe");
        let stdout = process.stdout.take().expect("a pipe");
        Cloud { process, pipes: Mutex::new((stdin, BufReader::new(stdout))) }
    }

    /// Calls `operation` of `service` (botocore's name of it), both as in its API reference. Bytes are
    /// `{"$bytes": "<base64>"}`, see [`bytes`].
    ///
    /// # Errors
    /// If the service refuses, does not answer within a minute, or knows no such operation.
    ///
    /// # Panics
    /// If the process that calls has ended.
    pub fn call(
        &self,
        service: &str,
        operation: &str,
        parameters: Value,
    ) -> Result<Value, Refused> {
        let ask = json!({ "service": service, "operation": operation, "parameters": parameters });
        let mut answer = String::new();
        {
            let mut pipes = self.pipes.lock().expect("nobody panics inside");
            writeln!(pipes.0, "{ask}").expect("call.py reads");
            pipes.1.read_line(&mut answer).expect("call.py answers");
        }
        let mut answer: Value = serde_json::from_str(&answer).unwrap_or_else(|error| {
            panic!("{service} {operation}: call.py says {answer:?}: {error}")
        });
        match answer.get_mut("ok") {
            Some(ok) => Ok(ok.take()),
            None => Err(Refused {
                code: text(&answer["error"]["code"]),
                message: text(&answer["error"]["message"]),
            }),
        }
    }

    /// As [`Cloud::call`], where anything but success is a defect of the test.
    ///
    /// # Panics
    /// If the call fails.
    pub fn must(&self, service: &str, operation: &str, parameters: Value) -> Value {
        let called = self.call(service, operation, parameters);
        called.unwrap_or_else(|refused| panic!("{service} {operation}: {refused}"))
    }
}

impl Drop for Cloud {
    /// Ends the process by its process id.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Bytes as [`Cloud::call`] takes them.
pub fn bytes(content: &[u8]) -> Value {
    json!({ "$bytes": base64_simd::STANDARD.encode_to_string(content) })
}

/// Bytes as [`Cloud::call`] gives them; `None` where `value` is something else.
pub fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    base64_simd::STANDARD.decode_to_vec(value.get("$bytes")?.as_str()?).ok()
}

/// Looks at `condition` until it holds.
///
/// # Panics
/// With `what` was waited for, if that takes more than a minute.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(held) = condition() {
            return held;
        }
        assert!(start.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} for {what}");
        std::thread::sleep(LOOK_PAUSE);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
