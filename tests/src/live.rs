//! A run that is not over: its lines as they come, its signals and its memory.
//!
//! Nothing here sleeps or measures time: it waits for conditions, and gives up after a bound so large
//! that only a hang reaches it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::binary::{Ran, command, command_at};
use crate::ministack::Ministack;

/// How long a condition may stay away before the test fails.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// The binary while it runs.
#[derive(Debug)]
pub struct Live {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: String,
    stderr: JoinHandle<String>,
}

/// Starts the binary with `arguments`.
///
/// # Panics
/// If it cannot be started.
pub fn start(arguments: &[&str]) -> Live {
    Live::of(command(arguments))
}

/// The same with the local cloud in the place of AWS.
///
/// # Panics
/// If it cannot be started.
pub fn start_at(cloud: &Ministack, arguments: &[&str]) -> Live {
    Live::of(command_at(cloud, arguments))
}

impl Live {
    fn of(mut command: Command) -> Live {
        let mut child = command.spawn().expect("the binary starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut stderr = child.stderr.take().expect("standard error is piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if sender.send(line.expect("standard output is UTF-8")).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("standard error is UTF-8");
            text
        });
        Live { child, stdin, lines, seen: String::new(), stderr }
    }

    /// Writes to its standard input, which stays open.
    ///
    /// # Panics
    /// If it does not read.
    pub fn send(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("it reads its input");
    }

    /// The next line on its standard output.
    ///
    /// # Panics
    /// If none comes.
    pub fn next_line(&mut self) -> String {
        let line = self.lines.recv_timeout(WAIT_MAX).expect("a line on standard output");
        self.seen.push_str(&line);
        self.seen.push('\n');
        line
    }

    /// What was read of its standard output so far.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// What a user's Ctrl-C does.
    ///
    /// # Panics
    /// If there is no `kill` program.
    pub fn interrupt(&self) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args(["-INT", &pid]).status().expect("kill runs");
        assert!(status.success(), "kill -INT {pid}");
    }

    /// Ends it as a machine that loses its power does: nothing of it runs any more.
    ///
    /// # Panics
    /// If it cannot be ended.
    pub fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it ends");
    }

    /// Waits until it has asked for SIGINT, so that an interrupt is not too early.
    ///
    /// # Panics
    /// If it never does.
    pub fn wait_until_it_catches_interrupts(&self) {
        let begun = Instant::now();
        loop {
            let caught = self.status("SigCgt");
            let caught = u64::from_str_radix(&caught, 16).expect("a mask of signals");
            // SIGINT is signal 2, and bit 0 is signal 1.
            if caught & 0b10 != 0 {
                return;
            }
            assert!(begun.elapsed() < WAIT_MAX, "it does not catch SIGINT");
            std::thread::yield_now();
        }
    }

    /// The most memory it has had so far, in MiB.
    ///
    /// # Panics
    /// If the system does not say.
    pub fn peak_mib(&self) -> u64 {
        let peak = self.status("VmHWM");
        let kib: u64 = peak.trim_end_matches(" kB").parse().expect("a number of kB");
        kib / 1024
    }

    /// A field of Linux's own account of the process.
    fn status(&self, field: &str) -> String {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("Linux's /proc");
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.expect("a field of /proc/PID/status").trim().to_owned()
    }

    /// Waits for its end, with standard input still open.
    ///
    /// # Panics
    /// If it does not end.
    pub fn wait(mut self) -> Ran {
        let rest: Vec<String> = std::iter::from_fn(|| match self.lines.recv_timeout(WAIT_MAX) {
            Ok(line) => Some(line),
            Err(error) => {
                let ended = error == std::sync::mpsc::RecvTimeoutError::Disconnected;
                assert!(ended, "it does not end");
                None
            }
        })
        .collect();
        for line in rest {
            self.seen.push_str(&line);
            self.seen.push('\n');
        }
        let status = self.child.wait().expect("it ends");
        drop(self.stdin);
        Ran {
            code: status.code().unwrap_or(-1),
            stdout: self.seen,
            stderr: self.stderr.join().expect("standard error was read"),
        }
    }

    /// Ends its standard input and waits for its end.
    ///
    /// # Panics
    /// If it does not end.
    pub fn finish(mut self) -> Ran {
        self.stdin = None;
        self.wait()
    }
}
