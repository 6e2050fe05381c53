//! A fixed set of names with a meaning each, looked up many times a line: built when the program is
//! compiled, so that the tables stay readable lists and a look-up costs a few nanoseconds.
//!
//! Open addressing on a hash of four cheap features; a hit compares the whole name. Invariant, held
//! by the compiler: no name stands in it twice, and at most half of the slots are taken.

/// Names with their meanings; `SLOTS` is a power of two.
pub(super) struct Lexicon<T: 'static, const SLOTS: usize> {
    slots: [Option<(&'static str, T)>; SLOTS],
    taken: usize,
}

impl<T: Copy, const SLOTS: usize> Lexicon<T, SLOTS> {
    /// No names.
    pub(super) const fn new() -> Self {
        assert!(SLOTS.is_power_of_two());
        Lexicon { slots: [None; SLOTS], taken: 0 }
    }

    /// These names too, all with one meaning.
    pub(super) const fn with(mut self, names: &[&'static str], meaning: T) -> Self {
        let mut at = 0;
        while at < names.len() {
            self = self.and(names[at], meaning);
            at += 1;
        }
        self
    }

    /// This name too. Names are in lower case.
    pub(super) const fn and(mut self, name: &'static str, meaning: T) -> Self {
        let mut slot = hash(name.as_bytes()) % SLOTS;
        while let Some((other, _)) = self.slots[slot] {
            assert!(!equal(other.as_bytes(), name.as_bytes()), "a name stands twice");
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = Some((name, meaning));
        self.taken += 1;
        assert!(self.taken * 2 <= SLOTS, "too few slots");
        self
    }

    /// The meaning of a name.
    pub(super) fn get(&self, name: &[u8]) -> Option<T> {
        if name.is_empty() {
            return None;
        }
        let mut slot = hash(name) % SLOTS;
        while let Some((other, meaning)) = self.slots[slot] {
            if other.as_bytes() == name {
                return Some(meaning);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// All names, in no order that means anything.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = (&'static str, T)> {
        self.slots.iter().copied().flatten()
    }
}

/// Length, first, middle and last byte. An attacker gains nothing by collisions: the table is fixed.
const fn hash(name: &[u8]) -> usize {
    let length = name.len();
    let (first, middle, last) = (name[0], name[length / 2], name[length - 1]);
    length * 67 + first as usize * 31 + middle as usize * 7 + last as usize * 139
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_and_others_are_not() {
        const NUMBERS: Lexicon<u8, 16> =
            Lexicon::new().with(&["one", "uno"], 1).with(&["two", "dos"], 2).and("three", 3);
        let found =
            ["one", "uno", "dos", "three", "four", "", "onE"].map(|n| NUMBERS.get(n.as_bytes()));
        assert_eq!(found, [Some(1), Some(1), Some(2), Some(3), None, None, None]);
        assert_eq!(NUMBERS.names().count(), 5);
    }
}
