//! Whom the user allows what: `allow.toml` in the bucket, looked for together with the override detectors
//! and in force without a new deployment.
//!
//! As with these, a faulty file changes nothing and every invocation says so; the last good one is kept in
//! the bucket for environments that start meanwhile; and one that the user has removed is forgotten. A file
//! is in force as a whole or not at all.

use tidewatch_aws::overrides::{ALLOW, OverrideError, OverrideSource};
use tidewatch_aws::pace::TokioPace;
use tidewatch_core::allow::Allowlist;
use tidewatch_core::key_ring::KeyRing;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Time;
use tidewatch_ingest::name_lists::NameLists;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_rules::allow::Allow;
use tidewatch_rules::deployed::told;

use crate::log;

/// The allow file in force.
#[derive(Debug, Default)]
pub struct Allowing {
    /// What it says.
    allow: Allow,
    /// Why the newest one is not in force, if it is not.
    pub rejected: Option<String>,
    /// The newest one seen, in force or not.
    seen: Option<String>,
}

impl Allowing {
    /// The allowlist, with users tagged as the signals that `keys` and `lists` are used for.
    pub fn tagged(&self, keys: &KeyRing, lists: &NameLists) -> Allowlist {
        let keys = std::iter::once(&keys.current).chain(&keys.previous);
        let naming = |key| Naming { key, usernames: Usernames::Fold };
        let namings: Vec<Naming> = keys.map(|live| naming(live.key)).collect();
        let tag = |naming: &Naming, name: &str| lists.mark(naming.tag(name), name);
        self.allow.tagged(|name| namings.iter().map(|naming| tag(naming, name)).collect())
    }
}

/// Takes what a look for the file brought. `known` is what is in force, if anything is; `detectors` are
/// the ids of the loaded ones. The answer is what is in force from now on, and whether that has changed.
pub async fn take(
    known: Option<Allowing>,
    found: Result<Option<String>, OverrideError>,
    detectors: &[&str],
    source: &OverrideSource,
    (pace, deadline): (&TokioPace, Time),
) -> (Allowing, bool) {
    match (found, known) {
        (Ok(None), Some(known)) if known.seen.is_none() && known.rejected.is_none() => {
            (known, false)
        }
        (Ok(None), known) => {
            forget(source, pace, deadline).await;
            if known.is_some() {
                log::info("allowlist", "there is none any more: nothing is held back");
            }
            (Allowing::default(), true)
        }
        (Ok(Some(text)), Some(known))
            if known.seen.as_ref() == Some(&text) && known.rejected.is_none() =>
        {
            (known, false)
        }
        // One at fault is looked at again each time: it may name a detector that has come since.
        (Ok(Some(text)), known) => match loaded(&text, detectors, pace.now()) {
            Ok(allow) => {
                if let Err(error) = source.remember_allow(&text, pace, deadline).await {
                    log::error("allowlist_not_remembered", error);
                }
                let entries = allow.entries.len();
                log::info("allowlist", format_args!("{entries} entries are in force"));
                (Allowing { allow, rejected: None, seen: Some(text) }, true)
            }
            Err(why) => {
                let rejected = known.as_ref().and_then(|known| known.rejected.as_ref());
                if rejected != Some(&why) {
                    log::error("allowlist_rejected", &why);
                }
                let (known, changed) = stay(known, why, detectors, source, (pace, deadline)).await;
                (Allowing { seen: Some(text), ..known }, changed)
            }
        },
        (Err(error), known) => {
            let why = error.to_string();
            log::error("allowlist_unreadable", &why);
            stay(known, why, detectors, source, (pace, deadline)).await
        }
    }
}

/// Goes on with what is in force; where nothing is, with the last good file, else without any.
async fn stay(
    known: Option<Allowing>,
    why: String,
    detectors: &[&str],
    source: &OverrideSource,
    (pace, deadline): (&TokioPace, Time),
) -> (Allowing, bool) {
    if let Some(known) = known {
        return (Allowing { rejected: Some(why), ..known }, false);
    }
    let remembered = match source.last_good_allow(pace, deadline).await {
        Ok(text) => loaded(&text.unwrap_or_default(), detectors, pace.now()),
        Err(error) => Err(error.to_string()),
    };
    let allow = remembered.unwrap_or_else(|error| {
        log::error("last_good_allowlist_unusable", error);
        Allow::default()
    });
    (Allowing { allow, rejected: Some(why), seen: None }, true)
}

/// Sees to it that a file the user has removed does not come back with the next fault.
async fn forget(source: &OverrideSource, pace: &TokioPace, deadline: Time) {
    let forgotten = match source.last_good_allow(pace, deadline).await {
        Ok(text) if text.as_deref().unwrap_or_default().is_empty() => Ok(()),
        Err(error @ OverrideError::Storage(_)) => Err(error),
        Ok(_) | Err(_) => source.remember_allow("", pace, deadline).await,
    };
    if let Err(error) = forgotten {
        log::error("allowlist_not_forgotten", error);
    }
}

/// What a file says, or all that is wrong with it.
fn loaded(text: &str, detectors: &[&str], now: Time) -> Result<Allow, String> {
    let files = [(ALLOW.to_owned(), text.to_owned())];
    tidewatch_rules::allow::allow(files, detectors, now).map_err(|faults| told(&faults))
}
