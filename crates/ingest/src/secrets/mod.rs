//! What should never stand in a log, found in a message: passwords, tokens, keys, card numbers, addresses of
//! people, session cookies. The list is OWASP's (Logging Cheat Sheet, "Data to exclude").
//!
//! Invariants: nothing that is found leaves this module, only its kind and how often it is there; every byte is
//! looked at a bounded number of times, whatever the text. What has no shape of its own is told by its label, and
//! what is random is rather missed than cried over: ids, hashes, times and order numbers are no secrets.

use std::ops::Range;

mod cards;
mod labels;
mod mail;
mod tokens;

/// A kind of thing that should not be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Secret {
    /// A password, or the secret of a client, in the clear or hashed.
    Password,
    /// A JSON web token with its signature (RFC 7519), or an encrypted one.
    Jwt,
    /// Another token that whoever bears it may use (RFC 6750).
    BearerToken,
    /// The id of an AWS access key. CloudTrail names these on purpose.
    AwsAccessKeyId,
    /// The secret half of an AWS access key.
    AwsSecretKey,
    /// A payment card's number that passes its check digit.
    CardNumber,
    /// A cookie by which a session is taken over.
    SessionCookie,
    /// An e-mail address.
    EmailAddress,
    /// An e-mail address that is the name tried in a login: what it takes to find who is attacked.
    EmailAsUser,
}

/// How many kinds there are.
const KINDS: usize = Secret::ALL.len();

impl Secret {
    /// All of them.
    pub const ALL: [Secret; 9] = [
        Secret::Password,
        Secret::Jwt,
        Secret::BearerToken,
        Secret::AwsAccessKeyId,
        Secret::AwsSecretKey,
        Secret::CardNumber,
        Secret::SessionCookie,
        Secret::EmailAddress,
        Secret::EmailAsUser,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Secret::Password => "password",
            Secret::Jwt => "jwt",
            Secret::BearerToken => "bearer_token",
            Secret::AwsAccessKeyId => "aws_access_key_id",
            Secret::AwsSecretKey => "aws_secret_key",
            Secret::CardNumber => "card_number",
            Secret::SessionCookie => "session_cookie",
            Secret::EmailAddress => "email_address",
            Secret::EmailAsUser => "email_as_user",
        }
    }

    /// Its name in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Secret::Password => "passwords",
            Secret::Jwt => "JSON web tokens",
            Secret::BearerToken => "bearer tokens",
            Secret::AwsAccessKeyId => "ids of AWS access keys",
            Secret::AwsSecretKey => "AWS secret keys",
            Secret::CardNumber => "card numbers",
            Secret::SessionCookie => "session cookies",
            Secret::EmailAddress => "e-mail addresses",
            Secret::EmailAsUser => "e-mail addresses as usernames",
        }
    }
}

/// How much of each kind a message holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    counts: [u16; KINDS],
    /// Numbers as long as a card's that nothing says are one, and how many of them could be.
    pub(crate) numbers: u16,
    /// See `numbers`.
    pub(crate) like_cards: u16,
}

impl Held {
    /// How often a kind is there.
    pub(crate) fn of(&self, kind: Secret) -> u64 {
        u64::from(self.counts[kind as usize])
    }

    fn add(&mut self, kind: Secret) {
        let count = &mut self.counts[kind as usize];
        *count = count.saturating_add(1);
    }
}

/// Looks through `text`; `is_user` says whether an address is the name that was tried.
pub(crate) fn look(text: &str, is_user: impl Fn(&str) -> bool) -> Held {
    let mut held = Held::default();
    let jwts = tokens::jwts(text);
    jwts.iter().for_each(|_| held.add(Secret::Jwt));
    let labelled = labels::labelled(text);
    for (kind, range) in &labelled {
        if !overlaps(&jwts, range) {
            held.add(*kind);
        }
    }
    let mut taken: Vec<Range<usize>> = labelled.into_iter().map(|(_, range)| range).collect();
    for (kind, range) in tokens::schemes(text) {
        if !overlaps(&jwts, &range) && !overlaps(&taken, &range) {
            held.add(kind);
        }
    }
    for range in labels::in_addresses(text) {
        held.add(Secret::Password);
        taken.push(range);
    }
    taken.sort_by_key(|range| range.start);
    for (kind, range) in tokens::aws_keys(text) {
        if kind == Secret::AwsAccessKeyId || !overlaps(&taken, &range) {
            held.add(kind);
        }
    }
    for range in mail::addresses(text) {
        if !overlaps(&taken, &range) {
            let is_user = text.get(range).is_some_and(&is_user);
            held.add(if is_user { Secret::EmailAsUser } else { Secret::EmailAddress });
        }
    }
    cards::look(text.as_bytes(), &mut held);
    held
}

/// Whether `range` meets one of `others`, which are in order and do not meet each other.
fn overlaps(others: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = others.partition_point(|other| other.end <= range.start);
    others.get(next).is_some_and(|other| other.start < range.end)
}

/// How many bytes from `at` on satisfy `is`, at most `most`.
fn run(bytes: &[u8], at: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take(most).take_while(|byte| is(**byte)).count()
}

/// How many bytes before `at` satisfy `is`, at most `most`.
fn run_before(bytes: &[u8], at: usize, most: usize, is: impl Fn(u8) -> bool) -> usize {
    let front = bytes.get(..at).unwrap_or_default();
    front.iter().rev().take(most).take_while(|byte| is(**byte)).count()
}

/// Letters and digits, in lower case, of a label.
fn plain(label: &[u8]) -> String {
    let letters = label.iter().filter(|byte| byte.is_ascii_alphanumeric());
    letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

#[cfg(test)]
mod tests;
