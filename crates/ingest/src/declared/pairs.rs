//! `key=value` pairs in a message: logfmt, and what syslog daemons write between other words.

/// The pairs of `message`, in order. A key is letters, digits and `_.-` right before a `=`; its value is
/// quoted (with `"` or `'`, a backslash escaping the next character) or goes to the next blank, `,`, `;`
/// or `|`. A value in quotes is given as it stands, its escapes too.
pub(super) fn pairs(message: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let equals = at + message.get(at..)?.find('=')?;
            let key = key_before(message, at, equals);
            let (value, end) = value_at(message, equals + 1);
            if let Some(key) = key {
                at = end;
                return Some((key, value));
            }
            at = equals + 1;
        }
    })
}

/// The key that ends at `equals` and does not begin before `from`.
fn key_before(message: &str, from: usize, equals: usize) -> Option<&str> {
    let before = message.get(from..equals)?;
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let key = before.trim_end_matches(is_key);
    let key = &before[key.len()..];
    (!key.is_empty()).then_some(key)
}

/// The value that begins at `start`, and where what follows it begins.
fn value_at(message: &str, start: usize) -> (&str, usize) {
    let rest = &message[start..];
    for quote in ['"', '\''] {
        if let Some(inside) = rest.strip_prefix(quote) {
            if let Some(length) = closing(inside, quote) {
                return (&inside[..length], start + 1 + length + 1);
            }
            break;
        }
    }
    let length = rest.find([' ', '\t', ',', ';', '|']).unwrap_or(rest.len());
    (&rest[..length], start + length)
}

/// Where `quote` stands that is not escaped.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(message: &str, expected: &[(&str, &str)]) {
        assert_eq!(pairs(message).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pairs_of_all_sorts() {
        check(
            "level=error msg=\"a \\\"b\\\" c=d\" user='x y' ip=192.0.2.1, z=",
            &[
                ("level", "error"),
                ("msg", "a \\\"b\\\" c=d"),
                ("user", "x y"),
                ("ip", "192.0.2.1"),
                ("z", ""),
            ],
        );
        check("== a =b = c", &[]);
        check(
            "x; logname= uid=0 rhost=[::1]:5",
            &[("logname", ""), ("uid", "0"), ("rhost", "[::1]:5")],
        );
        check("open=\"never closed", &[("open", "\"never")]);
    }

    proptest! {
        #[test]
        fn anything_ends(message in "[a=\"'\\\\ ,é]{0,40}") {
            prop_assert!(pairs(&message).count() <= message.len());
        }
    }
}
