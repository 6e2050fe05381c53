//! Numbers of payment cards: 13 to 19 digits with an issuer's prefix and length whose last digit is the check digit
//! of the others (ISO/IEC 7812-1, the Luhn algorithm), in one piece or grouped as on a card.
//!
//! One random number in ten passes the check, so the check alone says little about a number of 16 digits: one that
//! nothing labels as a card's is only counted beside all such numbers, and whoever sums them up decides.

use super::{Held, Secret, plain, run, run_before};

/// How many digits a card has.
const DIGITS: std::ops::RangeInclusive<usize> = 13..=19;

/// How many groups of digits are looked at together.
const GROUPS_TOGETHER: usize = 4;

/// A run of digits, and what joins it to the next.
#[derive(Clone, Copy)]
struct Group {
    start: usize,
    len: usize,
    joint: Option<u8>,
}

/// Adds the cards of `bytes`, and the numbers that may be some.
pub(super) fn look(bytes: &[u8], held: &mut Held) {
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + found;
        let (groups, end) = chain(bytes, start);
        if begins(bytes, start) && ends(bytes, end) {
            read(bytes, &groups, held);
        }
        // The chain ends at what is no digit.
        at = end;
    }
}

/// The runs of digits from `start` on that single blanks or hyphens join, and where they end.
fn chain(bytes: &[u8], mut start: usize) -> (Vec<Group>, usize) {
    let mut groups = Vec::new();
    loop {
        let len = run(bytes, start, usize::MAX, |byte| byte.is_ascii_digit());
        let end = start + len;
        let joint = bytes.get(end).copied().filter(|byte| matches!(byte, b' ' | b'-'));
        let goes_on = bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let joint = joint.filter(|_| goes_on);
        groups.push(Group { start, len, joint });
        if joint.is_none() {
            return (groups, end);
        }
        start = end + 1;
    }
}

/// Whether a number may begin here: not inside a word, a path, a fraction or an id.
fn begins(bytes: &[u8], start: usize) -> bool {
    let before = start.checked_sub(1).map(|at| bytes[at]);
    before.is_none_or(|byte| {
        byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"_.-#/+%@\\".contains(&byte)
    })
}

fn ends(bytes: &[u8], end: usize) -> bool {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    match bytes.get(end) {
        None => true,
        Some(b'.' | b',') => !is_digit(end + 1),
        Some(byte) => !byte.is_ascii_alphanumeric() && !b"_-%@/".contains(byte),
    }
}

fn read(bytes: &[u8], groups: &[Group], held: &mut Held) {
    let mut nth = 0;
    while let Some(group) = groups.get(nth) {
        let before = nth.checked_sub(1).and_then(|before| groups[before].joint);
        let together = grouped(&groups[nth..]).filter(|count| {
            let after = groups[nth + count - 1].joint;
            before != Some(b'-') && after != Some(b'-')
        });
        let is_one =
            DIGITS.contains(&group.len) && before != Some(b'-') && group.joint != Some(b'-');
        let count = together.unwrap_or(1);
        if together.is_some() || is_one {
            let last = groups[nth + count - 1];
            let digits: Vec<u8> = bytes[group.start..last.start + last.len]
                .iter()
                .filter(|b| b.is_ascii_digit())
                .map(|b| b - b'0')
                .collect();
            let is_card = has_issuer(&digits) && checks(&digits);
            let is_labelled = is_labelled(bytes, group.start);
            match is_card {
                true if is_labelled => held.add(Secret::CardNumber),
                // Times begin with a 1, and no card does; nor with the others.
                is_card if !is_labelled && (2..=6).contains(&digits[0]) => {
                    held.numbers = held.numbers.saturating_add(1);
                    held.like_cards = held.like_cards.saturating_add(u16::from(is_card));
                }
                _ => {}
            }
        }
        nth += count;
    }
}

/// How many of the groups make a number as cards are printed: 4-4-4-4, or 4-6-5.
fn grouped(groups: &[Group]) -> Option<usize> {
    let first: Vec<Group> = groups.iter().take(GROUPS_TOGETHER).copied().collect();
    let joint = first.first()?.joint?;
    let is = |lens: &[usize]| {
        let lens_fit =
            first.len() >= lens.len() && first.iter().zip(lens).all(|(g, len)| g.len == *len);
        lens_fit && first.iter().take(lens.len() - 1).all(|group| group.joint == Some(joint))
    };
    [&[4, 4, 4, 4][..], &[4, 6, 5]].into_iter().find(|lens| is(lens)).map(<[usize]>::len)
}

/// Whether an issuer gives out numbers that begin so and are so long.
fn has_issuer(digits: &[u8]) -> bool {
    let Some(first) = digits.get(..4) else { return false };
    let prefix = first.iter().fold(0u32, |all, digit| all * 10 + u32::from(*digit));
    let len = digits.len();
    match prefix {
        // Visa.
        4000..=4999 => matches!(len, 13 | 16 | 19),
        // Mastercard.
        5100..=5599 | 2221..=2720 => len == 16,
        // American Express.
        3400..=3499 | 3700..=3799 => len == 15,
        // Discover, and UnionPay.
        6011 | 6440..=6599 | 6200..=6299 => (16..=19).contains(&len),
        // Diners Club.
        3000..=3059 | 3600..=3699 | 3800..=3899 => len == 14,
        // JCB.
        3528..=3589 => len == 16,
        _ => false,
    }
}

/// Whether the last digit checks the others: every second digit from the right is doubled, and the sum of all
/// digits is a multiple of ten.
fn checks(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let each = digits.iter().rev().enumerate();
    let sum: u32 =
        each.map(|(nth, d)| u32::from(if nth % 2 == 1 { doubled(*d) } else { *d })).sum();
    sum.is_multiple_of(10)
}

/// Whether the two words before `start` say that a card's number follows, and not what stands for one.
fn is_labelled(bytes: &[u8], start: usize) -> bool {
    let between = |byte: u8| b" \"'\\:=#.([".contains(&byte);
    let word = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-';
    let mut at = start - run_before(bytes, start, 8, between);
    let mut words = String::new();
    for _ in 0..2 {
        let len = run_before(bytes, at, 24, word);
        words.insert_str(0, &plain(&bytes[at - len..at]));
        at -= len;
        at -= run_before(bytes, at, 1, |byte| byte == b' ');
    }
    let stands_for = ["id", "token", "ref", "reference", "hash", "fingerprint", "order"];
    let issuers = ["pan", "ccnum", "ccnumber", "ccno", "visa", "amex"];
    let is = words.contains("card") || issuers.iter().any(|name| words.ends_with(name));
    is && !stands_for.iter().any(|end| words.ends_with(end))
}
