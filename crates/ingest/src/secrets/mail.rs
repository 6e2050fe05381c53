//! E-mail addresses, as far as they are a person's: what only looks like one, as algorithms of ssh, units of
//! systemd and file names do, is left out.

use std::ops::Range;

use super::{run, run_before};

/// The longest local part and the longest domain (RFC 5321, 4.5.3.1).
const LOCAL_BYTES_MAX: usize = 64;
const DOMAIN_BYTES_MAX: usize = 255;

/// What a name ends with that is no domain of the Internet: files, units of systemd, hosts of one's own.
const NO_DOMAINS: [&str; 34] = [
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "ico",
    "css",
    "js",
    "mjs",
    "map",
    "json",
    "xml",
    "html",
    "txt",
    "log",
    "gz",
    "tgz",
    "zip",
    "jar",
    "service",
    "socket",
    "timer",
    "target",
    "mount",
    "slice",
    "scope",
    "device",
    "internal",
    "local",
    "localdomain",
    "lan",
    "arpa",
    "invalid",
];

/// Domains in whose name there are algorithms and programs, and no people.
const NO_PEOPLE: [&str; 4] = ["openssh.com", "libssh.org", "lysator.liu.se", "gserviceaccount.com"];

/// Where addresses stand, in order.
pub(super) fn addresses(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'@', bytes).filter_map(|at| address(text, bytes, at)).collect()
}

/// The address around the `@` at `at`.
fn address(text: &str, bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte);
    let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let local = run_before(bytes, at, LOCAL_BYTES_MAX + 1, is_local);
    let domain = run(bytes, at + 1, DOMAIN_BYTES_MAX + 1, is_domain);
    if !(1..=LOCAL_BYTES_MAX).contains(&local) || domain > DOMAIN_BYTES_MAX {
        return None;
    }
    let start = at - local;
    let name = text.get(at + 1..at + 1 + domain)?.trim_end_matches(['.', '-']);
    let (host, top) = name.rsplit_once('.')?;
    let is_top = (2..=24).contains(&top.len()) && top.bytes().all(|b| b.is_ascii_alphabetic());
    let labels_are_whole =
        host.split('.').all(|label| !label.is_empty() && !label.starts_with('-'));
    let ends_well = bytes[start] != b'.' && bytes[at - 1] != b'.';
    let lower = name.to_ascii_lowercase();
    let is_persons = !NO_DOMAINS.contains(&&*top.to_ascii_lowercase())
        && !NO_PEOPLE.iter().any(|none| lower.ends_with(none))
        && !is_no_persons(bytes, start, &text[start..at]);
    let found = is_top && labels_are_whole && ends_well && is_persons;
    found.then_some(start..at + 1 + name.len())
}

/// Whether what begins at `start` is the user in a URL, or the id of a message.
fn is_no_persons(bytes: &[u8], start: usize, local: &str) -> bool {
    let before = &bytes[..start];
    let id = before.strip_suffix(b"<").map(|front| &front[front.len().saturating_sub(12)..]);
    let is_id = id.is_some_and(|front| {
        let front = front.trim_ascii_end().to_ascii_lowercase();
        front.ends_with(b"message-id=") || front.ends_with(b"message-id:")
    });
    is_id || before.ends_with(b"//") || local == "git"
}
