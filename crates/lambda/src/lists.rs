//! The lists of names from elsewhere that the user has put into the bucket, which are looked for every minute and
//! taken in without a new deployment: findings then say how many of the names tried stand on them.
//!
//! Each list is by itself: in the place of a faulty one the one before it stays, or nothing where there was none,
//! and every invocation says so.

use tidewatch_aws::lists::{Fetched, ListsSource, PREFIX, SUFFIX};
use tidewatch_aws::pace::TokioPace;
use tidewatch_core::time::Time;
use tidewatch_ingest::name_lists::{NameLists, NamesOf};

use crate::log;

/// The lists in force.
#[derive(Debug)]
pub struct Lists {
    /// They, ready to mark tags.
    pub marks: NameLists,
    /// Why the newest ones are not in force, as far as they are not.
    pub rejected: Option<String>,
    /// Each with its place.
    known: Vec<(usize, NamesOf)>,
    /// The newest ones seen, in force or not.
    seen: Option<tidewatch_aws::overrides::Fingerprint>,
    /// Whether some of those are faulty.
    faulty: bool,
}

impl Default for Lists {
    fn default() -> Lists {
        // There is room in a tag for as many as none.
        let marks = NameLists::kept(Vec::new()).unwrap_or_default();
        Lists { marks, rejected: None, known: Vec::new(), seen: None, faulty: false }
    }
}

/// Looks for lists. `known` is what is in force; the answer is what is from now on.
pub async fn refresh(
    known: Lists,
    source: &ListsSource,
    pace: &TokioPace,
    deadline: Time,
) -> Lists {
    match source.fetch(known.seen.as_ref(), pace, deadline).await {
        // Where only the bucket could not be read, that is over.
        Ok(Fetched::Unchanged) => {
            Lists { rejected: known.rejected.filter(|_| known.faulty), ..known }
        }
        Ok(Fetched::Lists { lists, fingerprint }) => {
            Lists { seen: Some(fingerprint), ..taken(known, lists) }
        }
        Err(error) => {
            let why = error.to_string();
            log::error("lists_unreadable", &why);
            Lists { rejected: Some(why), ..known }
        }
    }
}

/// What is in force once these bytes were found, each in its place.
fn taken(known: Lists, found: Vec<(usize, Vec<u8>)>) -> Lists {
    let mut faults = Vec::new();
    let mut lists = Vec::new();
    for (place, bytes) in found {
        match NamesOf::parse(&bytes) {
            Ok(list) => lists.push((place, list)),
            Err(why) => {
                faults.push(format!("`{PREFIX}{}{SUFFIX}` in the bucket: {why}", place + 1));
                lists.extend(known.known.iter().find(|(of, _)| *of == place).cloned());
            }
        }
    }
    let marks = match NameLists::kept(lists.clone()) {
        Ok(marks) => marks,
        Err(why) => {
            let why = format!("the lists below `{PREFIX}` in the bucket: {why}");
            log::error("lists_rejected", &why);
            return Lists { rejected: Some(why), faulty: true, ..known };
        }
    };
    let rejected = (!faults.is_empty()).then(|| faults.join("; "));
    if let Some(why) = &rejected {
        log::error("lists_rejected", why);
    }
    let names: Vec<&str> = lists.iter().map(|(_, list)| list.name()).collect();
    log::info("lists", format_args!("{} in force: {}", names.len(), names.join(", ")));
    let faulty = rejected.is_some();
    Lists { marks, rejected, known: lists, seen: None, faulty }
}

#[cfg(test)]
mod tests {
    use tidewatch_core::tag::UserTag;
    use tidewatch_ingest::known_users::{Hashing, KnownUsers};
    use tidewatch_ingest::username::Usernames;

    use super::*;

    fn bytes(name: &str, names: &[&str]) -> Vec<u8> {
        let hashing = Hashing { salt: [3; 16], usernames: Usernames::Fold };
        let hashes = names.iter().map(|name| hashing.hash(name)).collect();
        let filter = KnownUsers::build(hashing, hashes).expect("names");
        NamesOf::new(name, None, filter).expect("a name").to_bytes()
    }

    fn on(lists: &Lists, name: &str) -> u64 {
        lists.marks.mark(UserTag(!0), name).0 >> 32 & 0x3f
    }

    #[test]
    fn a_list_keeps_its_place_and_a_faulty_one_what_was_there() {
        let (leak, breach) = (bytes("leak", &["ann"]), bytes("breach", &["ann", "bob"]));
        let none = Lists::default();
        assert_eq!(on(&none, "ann"), 0);
        let both = taken(none, vec![(1, leak.clone()), (4, breach.clone())]);
        assert_eq!((on(&both, "ann"), on(&both, "bob"), on(&both, "eve")), (18, 16, 0));
        let cut = breach[..breach.len() - 1].to_vec();
        let one = taken(both, vec![(4, cut), (5, b"junk".to_vec())]);
        assert_eq!((on(&one, "ann"), on(&one, "bob")), (16, 16));
        let why = one.rejected.as_deref().expect("two are faulty");
        assert!(why.contains("lists/5.names") && why.contains("lists/6.names"), "{why}");
        let twice = taken(one, vec![(0, leak.clone()), (1, leak)]);
        assert_eq!((on(&twice, "ann"), twice.faulty), (16, true));
        let gone = taken(twice, Vec::new());
        assert_eq!((on(&gone, "ann"), gone.rejected), (0, None));
    }
}
