//! Logs of scans as JSON lines, for tests that need somebody to be found.

use std::fmt::Write as _;

/// When these logs begin, in seconds since 1970: 2026-11-10T06:00:00Z.
pub const BEGUN_S: i64 = 1_794_290_400;

/// One line: a try of `user`, who does not exist, from `source`, so many seconds after the log begins.
pub fn unknown(second: i64, source: &str, user: &str) -> (i64, String) {
    let time = jiff::Timestamp::from_second(BEGUN_S + second).expect("a time");
    let line = format!(
        "{{\"timestamp\":\"{time}\",\"event\":\"login_failed\",\"reason\":\"unknown_user\",\
         \"user\":\"{user}\",\"src_ip\":\"{source}\"}}"
    );
    (second, line)
}

/// A success of `user` from `source`.
pub fn success(second: i64, source: &str, user: &str) -> (i64, String) {
    let (second, line) = unknown(second, source, user);
    let line = line.replace("login_failed", "login_succeeded");
    (second, line.replace("\"reason\":\"unknown_user\",", ""))
}

/// A scan of `names` names from `source`, one every `every` seconds.
pub fn scan(source: &str, from: i64, names: i64, every: i64) -> Vec<(i64, String)> {
    (0..names).map(|n| unknown(from + n * every, source, &format!("x{n}-{source}"))).collect()
}

/// The lines of all parts in the order of their times.
pub fn log(parts: impl IntoIterator<Item = Vec<(i64, String)>>) -> String {
    let mut lines: Vec<(i64, String)> = parts.into_iter().flatten().collect();
    lines.sort_by_key(|(second, _)| *second);
    lines.iter().fold(String::new(), |mut log, (_, line)| {
        let _ = writeln!(log, "{line}");
        log
    })
}
