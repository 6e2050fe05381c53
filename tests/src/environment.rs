//! An execution environment of Lambda for the real `bootstrap`: the process, and the Runtime API it polls,
//! on a loopback port (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
//!
//! A local cloud shows what a deployed stack does; it does not show what the function answers, which is
//! what decides about retries. Here each invocation's answer is in hand, and so is every line it says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tiny_http::{Header, Method, Request, Response, Server};

use crate::binary;

/// How long anything is waited for: what takes longer is broken, not slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running environment.
pub struct Environment {
    process: Child,
    api: Server,
    /// The poll that waits for the next invocation.
    poll: Option<Request>,
    said: Arc<Said>,
    invocations: u32,
    /// From the start of the process to its first poll.
    pub cold_start: Duration,
}

/// What the process printed.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// What came of an invocation.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The handler's answer.
    Done(Value),
    /// The handler failed; the error's object.
    Failed(Value),
    /// The process ended without an answer.
    Died,
}

/// The `bootstrap` binary as tests build it.
///
/// # Panics
/// If it does not build.
pub fn bootstrap() -> PathBuf {
    binary::build("tidewatch-lambda", "bootstrap", &[])
}

impl Environment {
    /// Starts `executable` with `variables` and nothing else of AWS in its environment, and waits until
    /// it polls.
    ///
    /// # Panics
    /// If it does not.
    pub fn start(executable: &PathBuf, variables: &BTreeMap<String, String>) -> Environment {
        let api = Server::http("127.0.0.1:0").expect("a free loopback port");
        let address = api.server_addr().to_ip().expect("an address");
        let mut command = Command::new(executable);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("AWS_") || name.starts_with("TIDEWATCH_") {
                command.env_remove(&*name);
            }
        }
        command
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "tidewatch")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let begun = Instant::now();
        let mut process = command.spawn().expect("bootstrap starts");
        let said = Arc::new(Said::default());
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        let collected = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                collected.lines.lock().expect("nobody panics inside").push(line);
                collected.more.notify_all();
            }
        });
        let cold_start = Duration::ZERO;
        let mut environment =
            Environment { process, api, poll: None, said, invocations: 0, cold_start };
        environment.poll = environment.request();
        environment.cold_start = begun.elapsed();
        assert!(environment.poll.is_some(), "bootstrap ended: {:?}", environment.lines());
        environment
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Has it deal with `event` within `limit`.
    ///
    /// # Panics
    /// If it neither answers nor ends, or does not poll.
    pub fn invoke(&mut self, event: &Value, limit: Duration) -> Answer {
        self.invoke_json(event.to_string().into_bytes(), limit)
    }

    /// The same with the bytes of an event.
    ///
    /// # Panics
    /// As [`Environment::invoke`].
    pub fn invoke_json(&mut self, event: Vec<u8>, limit: Duration) -> Answer {
        let Some(poll) = self.poll.take().or_else(|| self.request()) else { return Answer::Died };
        assert_eq!((poll.method(), last(poll.url())), (&Method::Get, "next"));
        self.invocations += 1;
        let deadline = SystemTime::now() + limit;
        let deadline = deadline.duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let response = Response::from_data(event)
            .with_header(header("Lambda-Runtime-Aws-Request-Id", &self.invocations.to_string()))
            .with_header(header("Lambda-Runtime-Deadline-Ms", &deadline.to_string()))
            .with_header(header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local"))
            .with_header(header("Content-Type", "application/json"));
        poll.respond(response).expect("it takes the event");
        let Some(mut answer) = self.request() else { return Answer::Died };
        let mut body = String::new();
        answer.as_reader().read_to_string(&mut body).expect("an answer");
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        let failed = last(answer.url()) == "error";
        answer.respond(Response::empty(202)).expect("it waits for this");
        if failed { Answer::Failed(body) } else { Answer::Done(body) }
    }

    /// The process's next request; `None` if it has ended.
    fn request(&mut self) -> Option<Request> {
        let begun = Instant::now();
        loop {
            let asked = self.api.recv_timeout(Duration::from_millis(20)).expect("the port is ours");
            if asked.is_some() {
                return asked;
            }
            if self.process.try_wait().expect("its state").is_some() {
                return None;
            }
            assert!(begun.elapsed() < PATIENCE, "bootstrap hangs: {:?}", self.lines());
        }
    }

    /// What it has said so far.
    pub fn lines(&self) -> Vec<String> {
        self.said.lines.lock().expect("nobody panics inside").clone()
    }

    /// Waits until all that was said has these words.
    ///
    /// # Panics
    /// If it has not.
    pub fn says(&self, words: &[&str]) {
        let begun = Instant::now();
        loop {
            let all = self.lines().concat();
            let missing: Vec<_> = words.iter().filter(|word| !all.contains(**word)).collect();
            if missing.is_empty() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no {missing:?} in {all}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the `nth` line, from 0, that is an object whose `message` is `what`.
    ///
    /// # Panics
    /// If it is not said.
    pub fn said(&self, what: &str, nth: usize) -> Value {
        let mut lines = self.said.lines.lock().expect("nobody panics inside");
        let begun = Instant::now();
        loop {
            let objects = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(found) = objects.filter(|object| object["message"] == what).nth(nth) {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "no `{what}` among {lines:#?}");
            let waited = self.said.more.wait_timeout(lines, Duration::from_millis(100));
            lines = waited.expect("nobody panics inside").0;
        }
    }
}

impl Drop for Environment {
    /// Ends the process by its id.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn header(name: &str, value: &str) -> Header {
    Header::from_bytes(name, value).expect("a header")
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
