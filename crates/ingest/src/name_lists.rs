//! Lists of names from elsewhere, as filters: on which of them a name that was tried stands.
//!
//! A list is a filter as known users are one ([`crate::known_users`]), under a name, with how many of the
//! operator's own users stand on it. The form of version 1, all numbers little-endian:
//!
//! | bytes | |
//! |---|---|
//! | 8 | `TWNAMES` and 0x1a |
//! | 4 | version, 1 |
//! | 8, 8 | the operator's users on it, and those that were compared with it; 0 and 0 where none were |
//! | 2 | bytes of the name |
//! | | the name, UTF-8 |
//! | 32 | SHA-256 of all before |
//! | | a filter of known users |
//!
//! Invariant: no name is in it but its own; a damaged file is refused whole.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tidewatch_core::lists::{LISTS_MAX, NameList, marked};
use tidewatch_core::tag::UserTag;

use crate::known_users::{FilterError, KnownUsers};

/// The longest name of a list, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

const MAGIC: [u8; 8] = *b"TWNAMES\x1a";
const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;

/// One list.
#[derive(Clone, Debug)]
pub struct NamesOf {
    name: String,
    own: Option<(u64, u64)>,
    filter: KnownUsers,
}

/// The lists of a run.
#[derive(Clone, Debug, Default)]
pub struct NameLists {
    /// Each with its place.
    lists: Arc<[(usize, NamesOf)]>,
    /// Whether tags have room for lists also where there are none.
    reserved: bool,
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is something else.
    #[error("it is no list of names: `tidewatch lists build NAME FILE` makes one")]
    Foreign,
    /// A later version of the program wrote it.
    #[error(
        "it is a list of names in form {0}, and this program reads form {VERSION}: build it again"
    )]
    Newer(u32),
    /// It ends early, its checksum does not fit, or it contradicts itself.
    #[error("it is damaged: copy or build it again")]
    Damaged,
    /// What it holds is no filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// It cannot be called so.
    #[error(
        "a list is called by 1 to {NAME_BYTES_MAX} bytes without control characters, as it is shown in findings"
    )]
    Name,
    /// Two are called the same.
    #[error("two lists are called `{0}`")]
    Twice(String),
    /// There are too many.
    #[error("more than {LISTS_MAX} lists: a tag has room for no more")]
    TooMany,
}

impl NamesOf {
    /// A list of the names in `filter`; `own` are the operator's users on it, and all that were looked up.
    ///
    /// # Errors
    /// If `name` is none.
    pub fn new(
        name: &str,
        own: Option<(u64, u64)>,
        filter: KnownUsers,
    ) -> Result<NamesOf, ListError> {
        checked(name)?;
        Ok(NamesOf { name: name.to_owned(), own: own.filter(|(_, of)| *of > 0), filter })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a name stands on it, or is one of the few that look like one that does.
    pub fn has(&self, name: &str) -> bool {
        self.filter.knows(name)
    }

    /// Different names on it.
    pub fn names(&self) -> u64 {
        self.filter.names()
    }

    /// What a plan is told of it where it has this place.
    fn about(&self, place: usize) -> NameList {
        let foreign = self.filter.false_positive_rate();
        NameList { name: self.name.clone(), place, own: self.own, foreign }
    }

    /// Its form, as [`NamesOf::parse`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        let (on, of) = self.own.unwrap_or_default();
        bytes.extend(on.to_le_bytes());
        bytes.extend(of.to_le_bytes());
        bytes.extend((self.name.len() as u16).to_le_bytes());
        bytes.extend(self.name.as_bytes());
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes.extend(self.filter.to_bytes());
        bytes
    }

    /// The list in the bytes of a file.
    ///
    /// # Errors
    /// If it is anything else, damaged, or of a later version.
    pub fn parse(bytes: &[u8]) -> Result<NamesOf, ListError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(ListError::Foreign)?;
        let (version, rest) = rest.split_first_chunk().ok_or(ListError::Damaged)?;
        match u32::from_le_bytes(*version) {
            VERSION => {}
            newer => return Err(ListError::Newer(newer)),
        }
        let (on, rest) = rest.split_first_chunk().ok_or(ListError::Damaged)?;
        let (of, rest) = rest.split_first_chunk().ok_or(ListError::Damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or(ListError::Damaged)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let (name, rest) = rest.split_at_checked(length).ok_or(ListError::Damaged)?;
        let (checksum, filter) = rest.split_at_checked(CHECKSUM_BYTES).ok_or(ListError::Damaged)?;
        let header = &bytes[..bytes.len() - rest.len()];
        let (on, of) = (u64::from_le_bytes(*on), u64::from_le_bytes(*of));
        let name = str::from_utf8(name).map_err(|_| ListError::Damaged)?;
        if Sha256::digest(header).as_slice() != checksum || on > of {
            return Err(ListError::Damaged);
        }
        NamesOf::new(name, Some((on, of)), KnownUsers::parse(filter)?)
    }
}

impl NameLists {
    /// These lists, in this order; tags are as they were where there are none.
    ///
    /// # Errors
    /// If there are too many, or two of one name.
    pub fn new(lists: Vec<NamesOf>) -> Result<NameLists, ListError> {
        NameLists::placed(lists.into_iter().enumerate().collect(), false)
    }

    /// These lists, each in its place, for tags that are kept: they have room for lists also without any.
    ///
    /// # Errors
    /// If a tag has no such place, or two have one name.
    pub fn kept(lists: Vec<(usize, NamesOf)>) -> Result<NameLists, ListError> {
        NameLists::placed(lists, true)
    }

    fn placed(lists: Vec<(usize, NamesOf)>, reserved: bool) -> Result<NameLists, ListError> {
        if lists.iter().any(|(place, _)| *place >= LISTS_MAX) {
            return Err(ListError::TooMany);
        }
        for (nth, (_, list)) in lists.iter().enumerate() {
            if lists[..nth].iter().any(|(_, other)| other.name == list.name) {
                return Err(ListError::Twice(list.name.clone()));
            }
        }
        Ok(NameLists { lists: lists.into(), reserved })
    }

    /// What a plan is told of them.
    pub fn about(&self) -> Vec<NameList> {
        self.lists.iter().map(|(place, list)| list.about(*place)).collect()
    }

    /// The tag of a raw name with the lists it stands on; as it was where there are none, and no room for any.
    pub fn mark(&self, tag: UserTag, name: &str) -> UserTag {
        if self.lists.is_empty() && !self.reserved {
            return tag;
        }
        let lists = self.lists.iter();
        marked(tag, lists.map(|(place, list)| u8::from(list.has(name)) << place).sum())
    }
}

/// Whether a list may be called so.
///
/// # Errors
/// If it may not.
pub fn checked(name: &str) -> Result<(), ListError> {
    let is_name = !name.trim().is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.chars().any(char::is_control);
    is_name.then_some(()).ok_or(ListError::Name)
}

#[cfg(test)]
mod tests {
    use tidewatch_core::lists::unmarked;

    use super::*;
    use crate::known_users::Hashing;
    use crate::username::Usernames;

    fn list(name: &str, names: &[&str]) -> NamesOf {
        let hashing = Hashing { salt: [9; 16], usernames: Usernames::Fold };
        let hashes = names.iter().map(|name| hashing.hash(name)).collect();
        NamesOf::new(name, Some((3, 100)), KnownUsers::build(hashing, hashes).unwrap()).unwrap()
    }

    #[test]
    fn a_list_is_read_back_as_it_was_written() {
        let written = list("leak of 2019", &["ann", "bob"]);
        let read = NamesOf::parse(&written.to_bytes()).unwrap();
        assert_eq!(read.about(0), written.about(0));
        assert!(read.has("ANN ") && read.has("bob") && !read.has("eve"));
    }

    #[test]
    fn whatever_is_changed_or_cut_off_it_is_refused() {
        let bytes = list("leak", &["ann", "bob"]).to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            assert!(NamesOf::parse(&changed).is_err(), "byte {at} changed");
            assert!(NamesOf::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_name_is_marked_with_its_lists_in_any_spelling() {
        let lists = [list("a", &["ann", "bob"]), list("b", &["bob"])];
        let lists = NameLists::new(lists.to_vec()).unwrap();
        let mark = |name| lists.mark(UserTag(0xaaaa_aa00_0000_0001), name).0 >> 32 & 0x3f;
        assert_eq!(["ann", "Bob", "eve"].map(mark), [1, 3, 0]);
        let UserTag(marked) = lists.mark(UserTag(!0), "bob");
        assert_eq!(unmarked(marked), unmarked(!0));
        let none = NameLists::default();
        assert_eq!(none.mark(UserTag(!0), "bob"), UserTag(!0));
    }

    #[test]
    fn tags_that_are_kept_change_with_a_list_for_the_names_on_it_only() {
        let [first, second] = [list("a", &["ann", "bob"]), list("b", &["bob"])];
        let kept = |lists: &[(usize, &NamesOf)]| {
            let lists = lists.iter().map(|(place, list)| (*place, (*list).clone())).collect();
            let lists = NameLists::kept(lists).unwrap();
            ["ann", "bob", "eve"].map(|name| lists.mark(UserTag(!0), name).0 >> 32 & 0x3f)
        };
        assert_eq!(kept(&[]), [0, 0, 0]);
        assert_eq!(kept(&[(5, &second)]), [0, 32, 0]);
        assert_eq!(kept(&[(1, &first), (5, &second)]), [2, 34, 0]);
        let beyond = NameLists::kept(vec![(LISTS_MAX, first)]);
        assert_eq!(beyond.unwrap_err(), ListError::TooMany);
    }

    #[test]
    fn too_many_two_of_one_name_and_no_name_are_refused() {
        let many = (0..=LISTS_MAX).map(|nth| list(&format!("list {nth}"), &["ann"])).collect();
        assert_eq!(NameLists::new(many).unwrap_err(), ListError::TooMany);
        let twice = vec![list("a", &["ann"]), list("a", &["bob"])];
        assert_eq!(NameLists::new(twice).unwrap_err(), ListError::Twice("a".to_owned()));
        let long = "x".repeat(NAME_BYTES_MAX + 1);
        for name in ["", " ", "a\nb", &long] {
            assert_eq!(checked(name), Err(ListError::Name));
        }
    }
}
