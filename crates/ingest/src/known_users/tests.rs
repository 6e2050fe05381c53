//! What a filter promises: every name built in is known, in any spelling; of all others as many as it says;
//! what was written is read for ever; and whatever is no filter is refused with what to do.

use proptest::prelude::*;

use super::*;

fn hashing(usernames: Usernames) -> Hashing {
    Hashing { salt: *b"a salt of tests.", usernames }
}

fn built(names: &[&str], usernames: Usernames) -> KnownUsers {
    let hashing = hashing(usernames);
    let hashes = names.iter().map(|name| hashing.hash(name)).collect();
    KnownUsers::build(hashing, hashes).expect("names")
}

/// Seven names in the form of version 1, as the first release wrote them.
const V1: &[u8] = include_bytes!("v1.known.users");
const V1_NAMES: [&str; 7] =
    ["ann", "Bob@Shop.example", "o'brien", "müller", "оксана", "4711", "ＡＤＭＩＮ"];

#[test]
fn a_filter_of_version_1_is_read_for_ever() {
    let filter = KnownUsers::parse(V1).expect("version 1");
    assert_eq!((filter.names(), filter.usernames()), (7, Usernames::Fold));
    assert_eq!(filter.false_positive_rate(), 1.0 / 65_536.0);
    for name in V1_NAMES {
        assert!(filter.knows(name), "{name}");
        assert!(filter.knows(&name.to_uppercase()), "{name} in capitals");
    }
    assert_eq!(filter.to_bytes(), V1);
    assert_eq!(built(&V1_NAMES, Usernames::Fold).to_bytes(), V1, "and is still written");
}

#[test]
fn a_file_is_whole_or_refused() {
    let check = |bytes: &[u8], says: &str| {
        let error = KnownUsers::parse(bytes).expect_err("refused").to_string();
        assert!(error.contains(says), "{says} in {error}");
    };
    check(b"", "it is empty");
    check(b"ann\nbob\r\n", "it looks like text; from a list of names `tidewatch users build`");
    check(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], "it is gzip");
    check(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0], "it is no filter of known users");
    for length in 1..V1.len() {
        check(&V1[..length], &format!("it has {length} bytes instead of "));
    }
    check(&[V1, b"\n"].concat(), "it has 153 bytes instead of 152");
    let with = |at: usize, byte: u8| {
        let mut bytes = V1.to_vec();
        bytes[at] = byte;
        bytes
    };
    check(&with(8, 2), "in form 2, and this program reads form 1");
    for at in (12..V1.len()).filter(|at| !(64..72).contains(at)) {
        check(&with(at, !V1[at]), "it is damaged (its checksum does not fit)");
    }
    check(&with(71, 0xff), "it is damaged (its length cannot be)");
    // A checksum can be right although nothing else is.
    let signed = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - CHECKSUM_BYTES);
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    };
    check(&signed(with(12, 7)), "it folds names in no known way");
    for (at, byte) in [(13, 8), (14, 1), (32, 0), (47, 0xff), (56, 3), (57, 1), (60, 2), (60, 0)] {
        check(&signed(with(at, byte)), "its numbers contradict each other");
    }
}

#[test]
fn without_names_there_is_no_filter() {
    let none = KnownUsers::build(hashing(Usernames::Fold), Vec::new());
    assert_eq!(none.expect_err("none").to_string(), "there is no name to build a filter of");
}

#[test]
fn of_other_names_as_many_are_known_as_it_states() {
    let hashing = hashing(Usernames::Fold);
    let hashes = (0..100_000).map(|n| hashing.hash(&format!("customer{n}"))).collect();
    let filter = KnownUsers::build(hashing, hashes).expect("names");
    assert!((0..100_000).all(|n| filter.knows(&format!("Customer{n}"))));
    let tried = 4_000_000_u32;
    let known = (0..tried).filter(|n| filter.knows(&format!("stranger{n}"))).count() as f64;
    let expected = f64::from(tried) * filter.false_positive_rate();
    // As Poisson has it: 61 are expected, so between 38 and 84.
    assert!((known - expected).abs() < 3.0 * expected.sqrt(), "{known} of {expected}");
}

#[test]
fn the_file_has_little_more_than_two_bytes_a_name() {
    let hashing = hashing(Usernames::Exact);
    let hashes = (0..100_000).map(|n| hashing.hash(&format!("customer{n}"))).collect();
    let bytes = KnownUsers::build(hashing, hashes).expect("names").to_bytes();
    assert!((200_000..260_000).contains(&bytes.len()), "{}", bytes.len());
}

proptest! {
    #[test]
    fn every_name_built_in_is_known_in_any_spelling(
        names in prop::collection::hash_set(".{0,20}", 1..200),
    ) {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for usernames in [Usernames::Fold, Usernames::Exact] {
            let filter = KnownUsers::parse(&built(&names, usernames).to_bytes()).expect("a filter");
            prop_assert!(filter.names() <= names.len() as u64);
            for name in &names {
                prop_assert!(filter.knows(name));
                // Two spellings are known alike wherever they have one tag.
                let other = format!("  {}\t", name.to_ascii_uppercase());
                let naming = Naming { key: TagKey::new([1; 16]), usernames };
                prop_assert!(naming.tag(name) != naming.tag(&other) || filter.knows(&other));
                prop_assert!(usernames == Usernames::Exact || filter.knows(&other));
            }
        }
    }

    #[test]
    fn no_bytes_make_it_fail(bytes in prop::collection::vec(any::<u8>(), 0..200), name in ".*") {
        let _ = KnownUsers::parse(&bytes);
        let mut bytes = [&V1[..12], &bytes].concat();
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        if let Ok(filter) = KnownUsers::parse(&bytes) {
            let _ = filter.knows(&name);
        }
    }
}
