//! Detector files that were damaged anywhere: refused with a reason, or still good.

use tidewatch_rules::parse;

use super::GOOD;

/// No text, however broken, may panic or be refused without a reason; prefixes and single-byte
/// damage of a good file reach most of the paths.
#[test]
fn broken_files_are_refused_with_a_reason() {
    let mut refused = 0;
    for at in 0..GOOD.len() {
        let damaged = |with: &str| format!("{}{with}{}", &GOOD[..at], &GOOD[at + 1..]);
        for text in [GOOD[..at].to_owned(), damaged(""), damaged("\""), damaged("é"), damaged("{")]
        {
            if let Err(errors) = parse("scan.toml", &text) {
                refused += 1;
                assert!(!errors.is_empty(), "{text}");
                assert!(errors.iter().all(|error| !error.help.is_empty()), "{text}");
            }
        }
    }
    assert!(refused > GOOD.len(), "most damage is noticed: {refused}");
}
