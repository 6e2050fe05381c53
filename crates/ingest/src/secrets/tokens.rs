//! Tokens and keys that are known by their shape: JSON web tokens, what stands behind `Bearer` and `Basic`, AWS's
//! access keys.

use std::ops::Range;

use memchr::memmem;

use super::labels::is_hidden;
use super::{Secret, run, run_before};

/// The longest part of a JSON web token that is looked at, in bytes.
const PART_BYTES_MAX: usize = 64 << 10;

/// The shortest token behind `Bearer` that is believed, in bytes.
const BEARER_BYTES_MIN: usize = 20;

/// The longest one that is looked at, in bytes.
const BEARER_BYTES_MAX: usize = 8 << 10;

/// The id of an AWS access key: a prefix, then base32 (AWS, "IAM identifiers": AKIA for long-term keys, ASIA for
/// those of sessions).
const KEY_ID_BYTES: usize = 20;

/// The secret of an AWS access key is so long.
pub(super) const KEY_SECRET_BYTES: usize = 40;

/// How far from an id its secret may stand where nothing labels it, in bytes.
const KEY_DISTANCE_MAX: usize = 100;

/// Tokens with a header that names an algorithm, and with a signature or a ciphertext.
pub(super) fn jwts(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    // A JSON object in base64 begins so.
    while let Some(at) = memmem::find(&bytes[from..], b"eyJ").map(|at| from + at) {
        let mut end = at + run(bytes, at, PART_BYTES_MAX, is_base64url);
        let header = at..end;
        let mut parts = 1;
        let mut last = 0;
        while parts < 5 && bytes.get(end) == Some(&b'.') {
            last = run(bytes, end + 1, PART_BYTES_MAX, is_base64url);
            end += 1 + last;
            parts += 1;
        }
        let begins = at == 0 || !is_base64url(bytes[at - 1]);
        let signed = parts == 3 || parts == 5;
        if begins && signed && last >= 16 && names_algorithm(&bytes[header]) {
            found.push(at..end);
        }
        from = end;
    }
    found
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Whether a header says how the token is signed or encrypted (RFC 7515 and 7516: `alg` must be there).
fn names_algorithm(header: &[u8]) -> bool {
    let decoded = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(header).unwrap_or_default();
    memmem::find(&decoded, b"\"alg\"").is_some()
}

/// What stands behind the names of HTTP's authentication schemes: bearer tokens, and passwords.
pub(super) fn schemes(text: &str) -> Vec<(Secret, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for blank in memchr::memchr_iter(b' ', bytes) {
        let letters = run_before(bytes, blank, 7, |byte| byte.is_ascii_alphabetic());
        let name = &bytes[blank - letters..blank];
        let kind = match () {
            () if name.eq_ignore_ascii_case(b"bearer") => Secret::BearerToken,
            () if name.eq_ignore_ascii_case(b"basic") => Secret::Password,
            () => continue,
        };
        let is_token = |byte: u8| is_base64url(byte) || b".~+/=".contains(&byte);
        let len = run(bytes, blank + 1, BEARER_BYTES_MAX, is_token);
        let value = &bytes[blank + 1..blank + 1 + len];
        let holds = match kind {
            Secret::BearerToken => is_token_like(value),
            _ => is_user_and_password(value),
        };
        if holds {
            found.push((kind, blank + 1..blank + 1 + len));
        }
    }
    found
}

/// Whether it is long enough for a token, and no word.
pub(super) fn is_token_like(value: &[u8]) -> bool {
    value.len() >= BEARER_BYTES_MIN
        && value.iter().any(u8::is_ascii_digit)
        && value.iter().any(u8::is_ascii_alphabetic)
        && !is_hidden(value)
}

/// Whether it is base64 of a name and a password (RFC 7617).
fn is_user_and_password(value: &[u8]) -> bool {
    let decoded = base64_simd::STANDARD.decode_to_vec(value).ok();
    let text = decoded.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    let parts =
        text.filter(|text| !text.contains(char::is_control)).and_then(|t| t.split_once(':'));
    parts.is_some_and(|(_, password)| !is_hidden(password.as_bytes()))
}

/// The ids of access keys, and secrets that stand near one.
pub(super) fn aws_keys(text: &str) -> Vec<(Secret, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut ids: Vec<Range<usize>> = Vec::new();
    for prefix in [b"AKIA", b"ASIA"] {
        for at in memmem::find_iter(bytes, prefix) {
            let is_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
            let whole = run(bytes, at, KEY_ID_BYTES, is_base32) == KEY_ID_BYTES;
            let alone = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            if whole && alone(before) && alone(bytes.get(at + KEY_ID_BYTES)) {
                ids.push(at..at + KEY_ID_BYTES);
            }
        }
    }
    let mut found: Vec<(Secret, Range<usize>)> = Vec::new();
    ids.sort_by_key(|id| id.start);
    let mut searched = 0;
    for id in ids {
        let from = id.start.saturating_sub(KEY_DISTANCE_MAX + KEY_SECRET_BYTES).max(searched);
        let until = (id.end + KEY_DISTANCE_MAX + KEY_SECRET_BYTES).min(bytes.len());
        found.push((Secret::AwsAccessKeyId, id));
        let secret = |range: Range<usize>| (Secret::AwsSecretKey, range);
        found.extend(key_secrets(bytes, from.min(until)..until).map(secret));
        searched = until;
    }
    found
}

/// The secrets of access keys in a part of the bytes.
fn key_secrets(bytes: &[u8], part: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = part.start;
    std::iter::from_fn(move || {
        while at < part.end {
            let len = run(bytes, at, part.end - at + 1, is_key_secret_byte);
            let range = at..at + len;
            at = range.end + 1;
            let begins = range.start == 0 || !is_key_secret_byte(bytes[range.start - 1]);
            if begins && bytes.get(range.clone()).is_some_and(is_key_secret) {
                return Some(range);
            }
        }
        None
    })
}

fn is_key_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'/' || byte == b'+'
}

/// Whether it may be the secret of an access key: 40 characters as base64 has them, and no hash in hexadecimal
/// and no path.
pub(super) fn is_key_secret(value: &[u8]) -> bool {
    value.len() == KEY_SECRET_BYTES
        && value.iter().all(|byte| is_key_secret_byte(*byte))
        && value.iter().any(u8::is_ascii_uppercase)
        && value.iter().any(u8::is_ascii_lowercase)
        && value.iter().any(u8::is_ascii_digit)
        && !value.iter().all(u8::is_ascii_hexdigit)
        && value.iter().filter(|byte| **byte == b'/').count() <= 4
}
