//! A log of refused logins, and lists of names beside it.

use std::path::Path;

/// The arguments, those that name a list (`*.txt`) with their folder before them.
pub fn lists_in(folder: &Path, arguments: &[&str]) -> Vec<String> {
    let one = |argument: &&str| match argument.contains(".txt") {
        true => folder.join(argument).to_str().expect("a path").to_owned(),
        false => (*argument).to_owned(),
    };
    arguments.iter().map(one).collect()
}

/// `count` refused logins from one address, one a second, of these names; `more` are further fields of each line.
pub fn refused(name: impl Fn(u32) -> String, count: u32, more: &str) -> String {
    let line = |n: u32| {
        format!(
            "{{\"timestamp\":\"2026-11-10T06:{:02}:{:02}Z\",\"event\":\"login_failed\",\"user\":\"{}\",\
             \"src_ip\":\"203.0.113.9\"{more}}}\n",
            n / 60,
            n % 60,
            name(n)
        )
    };
    (0..count).map(line).collect()
}
