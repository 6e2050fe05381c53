//! Files that were damaged anywhere: refused with a reason, or still good.

use tidewatch_rules::{RuleError, parse};

use super::GOOD;

/// No text, however broken, may panic or be refused without a reason; prefixes and single-byte
/// damage of a good file reach most of the paths.
pub(crate) fn check<T>(good: &str, load: impl Fn(&str) -> Result<T, Vec<RuleError>>) {
    let mut refused = 0;
    for at in 0..good.len() {
        let damaged = |with: &str| format!("{}{with}{}", &good[..at], &good[at + 1..]);
        for text in [good[..at].to_owned(), damaged(""), damaged("\""), damaged("é"), damaged("{")]
        {
            if let Err(errors) = load(&text) {
                refused += 1;
                assert!(!errors.is_empty(), "{text}");
                assert!(errors.iter().all(|error| !error.help.is_empty()), "{text}");
            }
        }
    }
    assert!(refused > good.len(), "most damage is noticed: {refused}");
}

#[test]
fn broken_files_are_refused_with_a_reason() {
    check(GOOD, |text| parse("scan.toml", text));
}
