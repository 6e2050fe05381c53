//! What lines are read with: an [`Ingest`], with known users of a file that may be replaced while a run is
//! live.
//!
//! The file is looked at as a chunk of lines is about to be read, at most once a second: so the lines behind
//! a replacement that is a second old are read with it. A new file that cannot be used leaves the old filter
//! in force, and that is said once, until one can be used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidewatch_alert::printable;
use tidewatch_ingest::{Config, Ingest};

use crate::commands::counted;
use crate::output::say;
use crate::settings::Reading;
use crate::users::{FilterFile, Version};

/// How often the file is looked at, at most.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// An [`Ingest`] that follows its file of known users.
pub struct Hearing {
    ingest: Ingest,
    followed: Option<Followed>,
}

struct Followed {
    file: FilterFile,
    looked: Instant,
    /// The version that was tried and cannot be used; of no file at all, `None` within.
    refused: Option<Option<Version>>,
    is_told: bool,
}

impl Hearing {
    /// What `reading` says; a live run follows the file of known users.
    pub fn new(reading: &Reading, is_live: bool) -> Hearing {
        let followed = reading.users.clone().filter(|_| is_live).map(|file| Followed {
            file,
            looked: Instant::now(),
            refused: None,
            is_told: false,
        });
        Hearing { ingest: ingest(reading), followed }
    }

    /// What the next lines are read with.
    pub fn now(&mut self) -> &Ingest {
        if let Some(followed) = &mut self.followed
            && followed.looked.elapsed() >= LOOKED_AT_EVERY
        {
            followed.looked = Instant::now();
            if followed.look() {
                self.ingest.know(Some(Arc::clone(&followed.file.users)));
            }
        }
        &self.ingest
    }
}

/// A reader of lines as the run reads them, so that a name has one tag wherever it is shown.
pub fn ingest(reading: &Reading) -> Ingest {
    let formats = Arc::clone(&reading.formats);
    let mut ingest = Ingest::new(Config { naming: reading.naming, own_group: None, formats });
    ingest.hear_invocations();
    if reading.hears_access {
        ingest.hear_access();
    }
    if reading.hears_bytes {
        ingest.hear_bytes();
    }
    ingest.mark(reading.lists.clone());
    if let Some(agents) = &reading.agents {
        ingest.hear_agents(agents.clone());
    }
    if let Some(networks) = &reading.networks {
        ingest.locate(Arc::clone(networks));
    }
    ingest.know(reading.users.as_ref().map(|file| Arc::clone(&file.users)));
    ingest
}

impl Followed {
    /// Takes the file as it is now; whether that is another filter.
    fn look(&mut self) -> bool {
        let version = Version::of(&self.file.path);
        let seen = version.as_ref().ok();
        if seen == Some(&self.file.version)
            || self.refused.as_ref().is_some_and(|of| of.as_ref() == seen)
        {
            return false;
        }
        let path = self.file.path.display().to_string();
        let path = printable(&path);
        match FilterFile::read(&self.file.path) {
            Ok(file) => {
                let users = counted(file.users.names(), "user");
                say(format_args!("tidewatch: {path} was replaced: from now on it knows {users}"));
                (self.file, self.refused, self.is_told) = (file, None, false);
                true
            }
            Err(why) => {
                if !self.is_told {
                    say(format_args!(
                        "tidewatch: {path} was replaced, and the new one cannot be used: {why:#}; the old \
                         one is still in force"
                    ));
                }
                (self.refused, self.is_told) = (Some(version.ok()), true);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tidewatch_ingest::known_users::{Hashing, KnownUsers};
    use tidewatch_ingest::username::Usernames;

    use super::*;

    fn filter(names: &[&str]) -> Vec<u8> {
        let hashing = Hashing { salt: [3; 16], usernames: Usernames::Fold };
        let hashes = names.iter().map(|name| hashing.hash(name)).collect();
        KnownUsers::build(hashing, hashes).expect("names").to_bytes()
    }

    #[test]
    fn a_new_file_is_taken_in_once_and_a_faulty_one_never() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("known.users");
        fs::write(&path, filter(&["ann"])).expect("a filter");
        let mut followed = Followed {
            file: FilterFile::read(&path).expect("a filter"),
            looked: Instant::now(),
            refused: None,
            is_told: false,
        };
        let mut check = |takes: bool, name: &str, is_told: bool| {
            assert_eq!(followed.look(), takes);
            assert!(followed.file.users.knows(name));
            assert_eq!(followed.is_told, is_told);
        };
        let replace = |bytes: &[u8]| {
            let new = folder.path().join("new");
            fs::write(&new, bytes).expect("a file");
            fs::rename(&new, &path).expect("replaced");
        };
        check(false, "ann", false);
        replace(&filter(&["bob", "carl"]));
        check(true, "bob", false);
        check(false, "bob", false);
        replace(b"junk");
        check(false, "bob", true);
        fs::write(&path, b"more junk").expect("a file");
        check(false, "bob", true);
        fs::remove_file(&path).expect("removed");
        check(false, "bob", true);
        replace(&filter(&["dora"]));
        check(true, "dora", false);
    }
}
