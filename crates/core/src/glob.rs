//! Texts with `*` in them, as log groups, functions and the values of fields are named.

/// A text in which `*` stands for any text, also none. Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// The glob that is written like this.
    pub fn new(text: &str) -> Glob {
        Glob(text.to_lowercase())
    }

    /// Whether all of `text` fits. Takes time in proportion to the product of both lengths at worst.
    pub fn fits(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut last = None;
        for part in parts {
            if let Some(middle) = last.replace(part) {
                let Some(at) = rest.find(middle) else { return false };
                rest = &rest[at + middle.len()..];
            }
        }
        // Without a `*` nothing may be left; else the last part must be the end.
        last.map_or(rest.is_empty(), |last| rest.ends_with(last))
    }

    /// Whether every text fits.
    pub fn fits_all(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte == b'*')
    }

    /// As it was written, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_stand_for_anything() {
        let cases = [
            ("a", "A", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*unknown*user*", "an unknown sort of User!", true),
            ("*x*y", "y x", false),
        ];
        for (glob, text, fits) in cases {
            assert_eq!(Glob::new(glob).fits(text), fits, "{glob} {text}");
        }
    }

    /// By definition.
    fn fits(glob: &[char], text: &[char]) -> bool {
        match glob.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| fits(rest, &text[skip..])),
            Some((one, rest)) => text.first() == Some(one) && fits(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn fitting_is_what_it_is_by_definition(glob in "[ab*]{0,6}", text in "[ab]{0,8}") {
            let (chars, of): (Vec<char>, Vec<char>) = (text.chars().collect(), glob.chars().collect());
            prop_assert_eq!(Glob::new(&glob).fits(&text), fits(&of, &chars));
        }
    }
}
