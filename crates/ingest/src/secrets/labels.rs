//! Values that a label says are secret: `"password":"…"`, `password=…`, `aws_secret_access_key: …`, the cookies of
//! a request; and passwords in the addresses of services, `scheme://user:…@host`.
//!
//! A sentence is no label: `password: must be longer` and `Failed password for ann` hold none. A value that says
//! itself that it is none, or was taken out, is none.

use std::ops::Range;

use memchr::memmem;

use super::tokens::{is_key_secret, is_token_like};
use super::{Secret, plain, run, run_before};

/// The longest label, in bytes.
const LABEL_BYTES_MAX: usize = 64;

/// As much of a value is looked at, in bytes.
const VALUE_BYTES_MAX: usize = 512;

/// As much of a request's cookies is looked at, in bytes.
const COOKIES_BYTES_MAX: usize = 2 << 10;

/// Labels of cookies.
const COOKIES: [&str; 3] = ["cookie", "setcookie", "cookies"];

/// The longest user and password in the address of a service, in bytes.
const USERINFO_BYTES_MAX: usize = 256;

/// The shortest cookie that may be a session, in bytes.
const SESSION_BYTES_MIN: usize = 16;

/// What labels that speak about passwords begin with.
const ABOUT: [&str; 18] = [
    "has",
    "is",
    "no",
    "forgot",
    "forgotten",
    "reset",
    "change",
    "changed",
    "failed",
    "bad",
    "wrong",
    "invalid",
    "require",
    "requires",
    "without",
    "show",
    "max",
    "min",
];

/// Words that are said of a password and are none.
const NO_VALUES: [&str; 52] = [
    "null",
    "none",
    "nil",
    "undefined",
    "nan",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "redacted",
    "filtered",
    "hidden",
    "masked",
    "secret",
    "removed",
    "omitted",
    "protected",
    "required",
    "invalid",
    "missing",
    "incorrect",
    "wrong",
    "expired",
    "empty",
    "blank",
    "unset",
    "set",
    "changed",
    "reset",
    "ok",
    "failed",
    "failure",
    "success",
    "accepted",
    "rejected",
    "unknown",
    "string",
    "str",
    "password",
    "passwd",
    "authentication",
    "authenticated",
    "publickey",
    "valid",
    "matched",
    "mismatch",
    "denied",
    "granted",
    "optional",
    "encrypted",
];

/// How a value stands behind its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// In quotes, or behind a label that is.
    Quoted,
    /// Behind `=`.
    Assigned,
    /// Behind a colon, as a sentence may be.
    Prose,
}

/// Values that a label says are secret, in order.
pub(super) fn labelled(text: &str) -> Vec<(Secret, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut behind = 0;
    for at in memchr::memchr2_iter(b'=', b':', bytes) {
        if at < behind {
            continue;
        }
        let Some((label, is_quoted)) = label(bytes, at) else { continue };
        let name = plain(label);
        if !is_of_interest(&name) {
            continue;
        }
        let (mut range, style) = value(bytes, at, is_quoted);
        if COOKIES.contains(&&*name) {
            // Blanks and semicolons stand between them.
            let is_of_line = |byte: u8| !b"\r\n\"'\\".contains(&byte);
            range.end = range.start + run(bytes, range.start, COOKIES_BYTES_MAX, is_of_line);
        }
        if let Some(kind) = kind(&name, &bytes[range.clone()], style) {
            behind = range.end;
            found.push((kind, range));
        }
    }
    found
}

/// The label in front of the sign at `at`, and whether it is in quotes.
fn label(bytes: &[u8], at: usize) -> Option<(&[u8], bool)> {
    let mut end = at - run_before(bytes, at, 2, |byte| byte == b' ');
    let quotes = run_before(bytes, end, 1, |byte| byte == b'"' || byte == b'\'');
    end -= quotes;
    if quotes > 0 {
        end -= run_before(bytes, end, 3, |byte| byte == b'\\');
    }
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let len = run_before(bytes, end, LABEL_BYTES_MAX + 1, is_label);
    let is_path = end.checked_sub(len + 1).is_some_and(|before| bytes[before] == b'/');
    let found = (1..=LABEL_BYTES_MAX).contains(&len) && !is_path;
    found.then(|| (&bytes[end - len..end], quotes > 0))
}

/// The value behind the sign at `at`, and how it stands there.
fn value(bytes: &[u8], at: usize, is_label_quoted: bool) -> (Range<usize>, Style) {
    let is_assigned = bytes[at] == b'=';
    let mut start = at + 1 + run(bytes, at + 1, 1, |byte| byte == b'>');
    let blanks = run(bytes, start, 2, |byte| byte == b' ');
    start += blanks;
    start += run(bytes, start, 1, |byte| byte == b'[');
    let slashes = run(bytes, start, 3, |byte| byte == b'\\');
    let quote = bytes.get(start + slashes).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    if let Some(quote) = quote {
        start += slashes + 1;
        let len = run(bytes, start, VALUE_BYTES_MAX, |byte| byte != quote && byte != b'\\');
        return (start..start + len, Style::Quoted);
    }
    let stops = |byte: u8| byte.is_ascii_whitespace() || b",;&\"')}]><|\\".contains(&byte);
    let mut len = run(bytes, start, VALUE_BYTES_MAX, |byte| !stops(byte));
    if is_assigned && blanks > 0 && bytes[start..start + len].contains(&b'=') {
        // There is no value, and this is the next label.
        len = 0;
    }
    let style = match () {
        () if is_label_quoted => Style::Quoted,
        () if is_assigned => Style::Assigned,
        () => Style::Prose,
    };
    (start..start + len, style)
}

/// Whether a label may be one of those that [`kind`] knows: most are not.
fn is_of_interest(name: &str) -> bool {
    let parts = ["pass", "pwd", "secret", "token", "sess", "cookie", "sid"];
    parts.iter().any(|part| name.contains(part))
}

/// What the value of a label with this plain name is.
fn kind(name: &str, value: &[u8], style: Style) -> Option<Secret> {
    if is_hidden(value) {
        return None;
    }
    if ends(name, &["secretaccesskey", "secretkey", "awssecret"]) && is_key_secret(value) {
        return Some(Secret::AwsSecretKey);
    }
    if ends(
        name,
        &["accesstoken", "refreshtoken", "idtoken", "sessiontoken", "securitytoken", "authtoken"],
    ) {
        return is_token_like(value).then_some(Secret::BearerToken);
    }
    if COOKIES.contains(&name) {
        return holds_session(value).then_some(Secret::SessionCookie);
    }
    let frameworks = ["jsessionid", "phpsessid", "aspnetsessionid", "connectsid", "laravelsession"];
    if ends(name, &frameworks) {
        return is_session(value).then_some(Secret::SessionCookie);
    }
    is_password(name, value, style).then_some(Secret::Password)
}

fn ends(name: &str, with: &[&str]) -> bool {
    with.iter().any(|end| name.ends_with(end))
}

/// Whether it is a password, by its label and by how it looks.
fn is_password(name: &str, value: &[u8], style: Style) -> bool {
    let is_short = name == "pwd" || name == "pass" || ends(name, &["userpass", "dbpass"]);
    let is_long =
        ends(name, &["password", "passwd", "passphrase", "passcode", "clientsecret", "dbpwd"]);
    if !(is_short || is_long) || ABOUT.iter().any(|word| name.starts_with(word)) {
        return false;
    }
    let is_path = value.starts_with(b"/") || value.starts_with(b"~");
    let is_mixed = value.iter().any(u8::is_ascii_alphabetic)
        && value.iter().any(|byte| !byte.is_ascii_alphabetic());
    let is_sure = value.len() >= 6 && is_mixed && !value.ends_with(b".");
    match style {
        // A short name is often the working directory, or says that a test has passed.
        _ if is_short => !is_path && is_sure,
        Style::Quoted | Style::Assigned => value.len() >= 3,
        Style::Prose => is_sure,
    }
}

/// Whether a value says itself that it is none, or has been taken out; one with blanks is a sentence.
pub(super) fn is_hidden(value: &[u8]) -> bool {
    let Some(first) = value.first() else { return true };
    let is_one_byte = value.iter().all(|byte| byte == first);
    let is_template = b"<[({%*$#".contains(first) && !value.starts_with(b"$2") && !is_hash(value);
    let lower = value.to_ascii_lowercase();
    let is_taken_out = [&b"***"[..], b"redacted", b"masked", b"filtered", b"xxxx", b"hidden"];
    is_one_byte
        || is_template
        || !value.is_ascii() && value.starts_with("•".as_bytes())
        || NO_VALUES.iter().any(|word| word.as_bytes() == lower)
        || is_taken_out.iter().any(|word| memmem::find(&lower, word).is_some())
        || value.iter().all(|byte| byte.is_ascii_punctuation())
        || value.contains(&b' ') && !value.contains(&b'=')
}

/// Whether it is a hash as crypt writes it.
fn is_hash(value: &[u8]) -> bool {
    value.starts_with(b"$") && value.iter().filter(|byte| **byte == b'$').count() >= 3
}

/// Whether one of a request's cookies, or the one that is set, is a session.
fn holds_session(cookies: &[u8]) -> bool {
    let mut pairs = cookies.split(|byte| *byte == b';').filter_map(|cookie| {
        let cookie = cookie.trim_ascii();
        let at = memchr::memchr(b'=', cookie)?;
        Some((plain(&cookie[..at.min(LABEL_BYTES_MAX)]), &cookie[at + 1..]))
    });
    let names = ["sess", "auth", "token", "loggedin", "jwt"];
    pairs.any(|(name, value)| {
        let is_named = name.ends_with("sid") || names.iter().any(|part| name.contains(part));
        is_named && is_session(value)
    })
}

fn is_session(value: &[u8]) -> bool {
    value.len() >= SESSION_BYTES_MIN && !is_hidden(value) && !value.contains(&b' ')
}

/// Passwords in the addresses of services, in order.
pub(super) fn in_addresses(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for at in memmem::find_iter(bytes, b"://") {
        let start = at + 3;
        let is_userinfo = |byte: u8| byte.is_ascii_graphic() && !b"/?#\"'<>\\".contains(&byte);
        let len = run(bytes, start, USERINFO_BYTES_MAX, is_userinfo);
        let authority = &bytes[start..start + len];
        let Some(end) = memchr::memrchr(b'@', authority) else { continue };
        let Some(colon) = memchr::memchr(b':', &authority[..end]) else { continue };
        if !is_hidden(&authority[colon + 1..end]) {
            found.push(start..start + len);
        }
    }
    found
}
