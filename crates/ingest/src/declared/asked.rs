//! Which fields the formats ask JSON objects for, so that the names in a flat object tell which readings cannot
//! fit it.
//!
//! Nearly every login is a flat object that its application wrote in its own way. A needle of some format is
//! often in it, as `login_failed` is, and to search each such text for the names that the format needs took
//! longer than to read it. Whoever reads it looks every name up anyway, and here learns which bit it has.
//!
//! In a flat object a path finds its value only where the whole of it is a name, in whatever case: there is no
//! object to step into, and a string without a quote in it holds none with names either. Invariant: a reading
//! that does not fit by its names here fits no flat object that has just these; what only seems to fit costs time.

use super::{Body, Declared, WHOLE};

/// How many names have bits. What further names ask for is not asked here.
const NAMES_MAX: usize = u128::BITS as usize;

/// The names that readings of JSON objects need, each with a bit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    names: Vec<String>,
}

/// Some of these names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSet(u128);

impl Asked {
    /// The names that these formats ask for, and for each reading of an object: its format, and what it needs.
    pub(super) fn of(formats: &[Declared]) -> (Asked, Vec<(usize, FieldSet)>) {
        let mut asked = Asked::default();
        let mut needed = Vec::new();
        for (format, declared) in formats.iter().enumerate().filter(|(_, it)| !it.is_general) {
            for reading in &declared.readings {
                if let Body::Json(conditions) = &reading.body {
                    let names = conditions.iter().map(|condition| &condition.field);
                    let names = names.filter(|name| *name != WHOLE);
                    needed.push((format, names.map(|name| asked.numbered(name)).collect()));
                }
            }
        }
        (asked, needed)
    }

    /// The bit of a name, which gets one if there is one left.
    fn numbered(&mut self, name: &str) -> FieldSet {
        let known = self.set(name);
        if known != FieldSet::default() || self.names.len() == NAMES_MAX {
            return known;
        }
        self.names.push(name.to_owned());
        self.set(name)
    }

    /// The bit of a field's name; none where no reading asks for it.
    pub(crate) fn set(&self, name: &str) -> FieldSet {
        let place = self.names.iter().position(|asked| asked.eq_ignore_ascii_case(name));
        FieldSet(place.map_or(0, |place| 1 << place))
    }
}

impl FieldSet {
    /// All of both.
    #[inline]
    pub(crate) fn with(self, other: FieldSet) -> FieldSet {
        FieldSet(self.0 | other.0)
    }

    /// Whether all of it is in `other`.
    #[inline]
    pub(super) fn is_in(self, other: FieldSet) -> bool {
        self.0 & !other.0 == 0
    }
}

impl FromIterator<FieldSet> for FieldSet {
    fn from_iter<I: IntoIterator<Item = FieldSet>>(sets: I) -> FieldSet {
        sets.into_iter().fold(FieldSet::default(), FieldSet::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::Condition;

    fn format(id: usize, fields: &[String]) -> Declared {
        let condition = |field: &String| Condition { field: field.clone(), values: Vec::new() };
        let reading = crate::check::reading(Body::Json(fields.iter().map(condition).collect()));
        Declared {
            id: id.to_string(),
            log_groups: Vec::new(),
            needles: vec!["needle".to_owned()],
            is_general: false,
            readings: vec![reading],
        }
    }

    #[test]
    fn a_name_has_one_bit_however_it_is_written_and_what_has_none_is_needed_by_nobody() {
        let names = |range: std::ops::Range<usize>| -> Vec<String> {
            range.map(|n| format!("Name.{n}")).collect()
        };
        let all = [
            format(0, &names(0..2)),
            format(1, &names(1..NAMES_MAX)),
            format(2, &names(NAMES_MAX - 1..NAMES_MAX + 2)),
            format(3, &names(NAMES_MAX + 1..NAMES_MAX + 2)),
            format(4, &[WHOLE.to_owned()]),
        ];
        let (asked, needed) = Asked::of(&all);
        let of: Vec<usize> = needed.iter().map(|(format, _)| *format).collect();
        assert_eq!(of, [0, 1, 2, 3, 4]);
        let fit = |fields: FieldSet| -> Vec<usize> {
            let fits = needed.iter().filter(|(_, needed)| needed.is_in(fields));
            fits.map(|(format, _)| *format).collect()
        };
        let two = asked.set("name.0").with(asked.set("NAME.1"));
        assert_eq!(fit(two), [0, 3, 4]);
        assert_eq!(fit(asked.set("Name.0")), [3, 4]);
        let last = asked.set(&format!("name.{}", NAMES_MAX - 1));
        assert_eq!(fit(last), [2, 3, 4]);
        assert_eq!(asked.set(&format!("name.{NAMES_MAX}")), FieldSet::default());
        assert_eq!(asked.set("0"), FieldSet::default());
    }
}
