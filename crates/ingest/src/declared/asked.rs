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
