//! Which detectors run: the packaged ones, or the user's in the bucket, which are looked for every
//! minute and taken in without a new deployment; and whom the user allows what ([`crate::allowing`]).
//!
//! A faulty set changes nothing: the last good one stays, and every invocation says so. The last good
//! set is kept in the bucket too, so that an environment that starts while the newest set is faulty runs
//! what the others run; only where there is no such set are the packaged ones used. Who finds that the user
//! has removed all overrides forgets the kept set as well, or it would come back with the next fault.

use std::sync::Arc;

use tidewatch_aws::overrides::{Fetched, Fingerprint, OverrideSource};
use tidewatch_aws::pace::TokioPace;
use tidewatch_core::key_ring::KeyRing;
use tidewatch_core::plan::Plan;
use tidewatch_core::time::Time;
use tidewatch_rules::deployed::plan;

use crate::allowing::{self, Allowing};
use crate::log;

/// The detectors in force.
#[derive(Debug)]
pub struct Rules {
    /// What they need counted.
    pub plan: Arc<Plan>,
    /// Where they came from.
    pub origin: Origin,
    /// Why the newest overrides are not in force, if they are not.
    rejected: Option<String>,
    /// Whom the user allows what.
    allow: Allowing,
    /// The newest overrides seen, in force or not.
    seen: Option<Fingerprint>,
    /// Whether those are faulty.
    faulty: bool,
}

/// Where detectors came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The binary.
    Packaged,
    /// The bucket.
    Overrides,
    /// The bucket's copy of the last set that was good.
    LastGood,
}

impl Origin {
    /// As the summary says it.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Packaged => "packaged",
            Origin::Overrides => "overrides",
            Origin::LastGood => "last good overrides",
        }
    }
}

impl Rules {
    /// Whether something the user has put into the bucket is not in force.
    pub fn is_rejected(&self) -> bool {
        self.rejected.is_some() || self.allow.rejected.is_some()
    }

    /// Holds back what the user allows, names being tagged under `keys`; whether that has changed the plan.
    pub fn hold_back(&mut self, keys: &KeyRing) -> bool {
        let allow = self.allow.tagged(keys);
        let changed = allow != self.plan.allow;
        if changed {
            self.plan = Arc::new(Plan { allow, ..(*self.plan).clone() });
        }
        changed
    }
}

/// Looks for overrides and the allow file. `known` is what is in force, if anything is; the answer is what is
/// from now on, and whether that has changed.
pub async fn refresh(
    mut known: Option<Rules>,
    source: &OverrideSource,
    pace: &TokioPace,
    deadline: Time,
) -> (Rules, bool) {
    let allow = known.as_mut().map(|rules| std::mem::take(&mut rules.allow));
    let ((mut rules, changed), found) =
        tokio::join!(detectors(known, source, pace, deadline), source.allow(pace, deadline));
    let packaged = tidewatch_rules::shipped();
    let named = packaged.iter().map(|(name, _)| name.trim_end_matches(".toml"));
    let loaded = rules.plan.detectors.iter().map(|detector| detector.id.as_str());
    let ids: Vec<&str> = loaded.chain(named).collect();
    let (allow, allow_changed) = allowing::take(allow, found, &ids, source, (pace, deadline)).await;
    rules.allow = allow;
    (rules, changed || allow_changed)
}

async fn detectors(
    known: Option<Rules>,
    source: &OverrideSource,
    pace: &TokioPace,
    deadline: Time,
) -> (Rules, bool) {
    let seen = known.as_ref().and_then(|rules| rules.seen.clone());
    match source.fetch(seen.as_ref(), pace, deadline).await {
        Ok(Fetched::Unchanged) => match known {
            Some(mut rules) => {
                // Where only the bucket could not be read, that is over.
                rules.rejected = rules.rejected.filter(|_| rules.faulty);
                (rules, false)
            }
            None => (packaged(None), true),
        },
        Ok(Fetched::None) => match known {
            Some(rules) if rules.origin == Origin::Packaged && rules.rejected.is_none() => {
                (rules, false)
            }
            _ => {
                if let Err(error) = source.forget(pace, deadline).await {
                    log::error("overrides_not_forgotten", error);
                }
                log::info("detectors", "no override detectors: the packaged ones are in force");
                (packaged(None), true)
            }
        },
        Ok(Fetched::Files { files, fingerprint }) => match plan(files.clone()) {
            Ok(plan) => {
                if let Err(error) = source.remember(&files, pace, deadline).await {
                    log::error("overrides_not_remembered", error);
                }
                let number = plan.detectors.len();
                log::info("detectors", format_args!("{number} override detectors are in force"));
                let (plan, origin, seen) = (Arc::new(plan), Origin::Overrides, Some(fingerprint));
                let allow = Allowing::default();
                (Rules { plan, origin, rejected: None, allow, seen, faulty: false }, true)
            }
            Err(why) => {
                log::error("overrides_rejected", &why);
                let (rules, changed) = stay(known, why, source, pace, deadline).await;
                (Rules { seen: Some(fingerprint), faulty: true, ..rules }, changed)
            }
        },
        Err(error) => {
            let why = error.to_string();
            log::error("overrides_unreadable", &why);
            stay(known, why, source, pace, deadline).await
        }
    }
}

/// Goes on with what is in force; where nothing is, with the last good set, else the packaged one.
async fn stay(
    known: Option<Rules>,
    why: String,
    source: &OverrideSource,
    pace: &TokioPace,
    deadline: Time,
) -> (Rules, bool) {
    if let Some(rules) = known {
        return (Rules { rejected: Some(why), ..rules }, false);
    }
    let remembered = match source.last_good(pace, deadline).await {
        Ok(Some(files)) => plan(files).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    match remembered {
        Ok(Some(plan)) => {
            let (plan, origin) = (Arc::new(plan), Origin::LastGood);
            let (rejected, allow) = (Some(why), Allowing::default());
            (Rules { plan, origin, rejected, allow, seen: None, faulty: false }, true)
        }
        Ok(None) => (packaged(Some(why)), true),
        Err(error) => {
            log::error("last_good_overrides_unusable", error);
            (packaged(Some(why)), true)
        }
    }
}

/// The packaged detectors.
fn packaged(rejected: Option<String>) -> Rules {
    // A test loads them, so they are not faulty; without any the function would say so at every batch.
    let plan = plan(tidewatch_rules::shipped()).unwrap_or_else(|why| {
        log::error("packaged_detectors_unusable", why);
        Plan::default()
    });
    let (plan, origin) = (Arc::new(plan), Origin::Packaged);
    let allow = Allowing::default();
    Rules { plan, origin, rejected, allow, seen: None, faulty: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_detectors_run_in_the_shared_home() {
        // What functions take is not weighed there.
        let of_logins = tidewatch_rules::shipped()
            .into_iter()
            .filter(|(_, text)| !tidewatch_rules::spend::is_about_invocations(text));
        assert_eq!(packaged(None).plan.detectors.len(), of_logins.count());
    }

    #[test]
    fn detectors_about_invocations_alone_leave_nobody_blind() {
        let all = tidewatch_rules::shipped().into_iter();
        let spending = all.filter(|(_, text)| tidewatch_rules::spend::is_about_invocations(text));
        let why = plan(spending.collect()).expect_err("nothing would be found");
        assert!(why.contains("no detector of logins"), "{why}");
    }

    #[test]
    fn a_fault_says_where_it_is_and_what_to_do() {
        let shipped = tidewatch_rules::shipped();
        let brute_force = shipped.iter().find(|(name, _)| name == "brute-force.toml");
        let (name, text) = brute_force.expect("it is shipped");
        let broken = text.replace("window =", "windw =");
        let why = plan(vec![(name.clone(), broken)]).expect_err("a typo");
        assert!(why.contains("brute-force.toml:") && why.contains("windw"), "{why}");
        // Fit for one machine, but not for shared counts.
        let short = text.replace("window = \"10m\"", "window = \"30s\"");
        assert_ne!(&short, text, "the file has another window");
        let why = plan(vec![(name.clone(), short)]).expect_err("too short a window");
        assert!(why.contains("brute-force") && why.contains("30s"), "{why}");
    }
}
