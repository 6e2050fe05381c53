//! Runs of whole programs in turn, each with the CPU time and the peak memory the kernel charged to it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use wait4::Wait4 as _;

/// What one run took and left.
#[derive(Clone, Debug)]
pub struct Spent {
    /// User and system time of all threads, in seconds.
    pub cpu_s: f64,
    /// Peak resident memory in bytes.
    pub rss_bytes: u64,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A program in the race, with its runs so far.
#[derive(Debug)]
pub struct Contender {
    /// Its name in the table.
    pub name: String,
    command: Command,
    runs: Vec<Spent>,
}

impl Contender {
    /// `command` under `name`, not run yet.
    pub fn new(name: &str, command: Command) -> Contender {
        Contender { name: name.to_owned(), command, runs: Vec::new() }
    }

    /// The median of its CPU seconds.
    pub fn cpu_s(&self) -> f64 {
        crate::clock::median(self.runs.iter().map(|spent| spent.cpu_s).collect())
    }

    /// The largest peak of its memory, in bytes.
    pub fn rss_bytes(&self) -> u64 {
        self.runs.iter().map(|spent| spent.rss_bytes).max().unwrap_or(0)
    }

    /// The same in MiB for a table. Between fork and exec a child is charged what we held, so a peak
    /// that is not above our own is only known to be no more than that.
    pub fn peak(&self) -> String {
        let bound = if self.rss_bytes() <= own_peak_bytes() { "≤ " } else { "" };
        format!("{bound}{}", crate::table::mib(self.rss_bytes()))
    }

    /// Its latest run.
    ///
    /// # Panics
    /// If it has not run.
    pub fn latest(&self) -> &Spent {
        self.runs.last().expect("it has run")
    }
}

/// Runs all contenders one after the other, `rounds` times, so that whatever else the machine does
/// falls on all of them.
///
/// # Errors
/// If one cannot be started or ends with anything but success.
pub fn race(contenders: &mut [Contender], rounds: usize, scratch: &Path) -> Result<()> {
    for round in 1..=rounds {
        for contender in &mut *contenders {
            eprintln!("round {round} of {rounds}: {}", contender.name);
            let spent = run(&mut contender.command, scratch)
                .with_context(|| format!("running {}", contender.name))?;
            contender.runs.push(spent);
        }
    }
    Ok(())
}

/// Output goes through files: a pipe would make the child wait for us.
fn run(command: &mut Command, scratch: &Path) -> Result<Spent> {
    std::fs::create_dir_all(scratch)?;
    let path = |name: &str| -> PathBuf { scratch.join(format!("{name}.{}", std::process::id())) };
    let (out, err) = (path("stdout"), path("stderr"));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&err)?)
        .spawn()
        .with_context(|| format!("starting {:?}", command.get_program()))?;
    let used = child.wait4()?;
    let read = |path: &Path| -> Result<String> {
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        std::fs::remove_file(path)?;
        Ok(text)
    };
    let (stdout, stderr) = (read(&out)?, read(&err)?);
    if !used.status.success() {
        bail!("it ended with {}: {stderr}", used.status);
    }
    let cpu_s = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok(Spent { cpu_s, rss_bytes: used.rusage.maxrss, stdout, stderr })
}

/// The most this process ever held.
fn own_peak_bytes() -> u64 {
    let about = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = about.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
