//! Which detectors run: the packaged ones, or the user's in the bucket, which are looked for every
//! minute and taken in without a new deployment; and whom the user allows what ([`crate::allowing`]).
//!
//! A faulty set changes nothing: the last good one stays, and every invocation says so. The last good
//! set is kept in the bucket too, so that an environment that starts while the newest set is faulty runs
//! what the others run; only where there is no such set are the packaged ones used. Who finds that the user
//! has removed all overrides forgets the kept set as well, or it would come back with the next fault.
//!
//! Detectors of what functions take are a set by themselves: files about them take the place of the packaged ones
//! about them, and where there are none these stay.

use std::sync::Arc;

use tidewatch_aws::overrides::{Fetched, Fingerprint, OverrideSource};
use tidewatch_aws::pace::TokioPace;
use tidewatch_core::key_ring::KeyRing;
use tidewatch_core::meter::tariff::Tariff;
use tidewatch_core::plan::Plan;
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::spend::watch::Weighing;
use tidewatch_core::time::Time;
use tidewatch_ingest::name_lists::NameLists;
use tidewatch_rules::deployed;

use crate::allowing::{self, Allowing};
use crate::log;
use crate::weighing::{self, Running};

/// The detectors in force.
#[derive(Debug)]
pub struct Rules {
    /// What they need counted.
    pub plan: Arc<Plan>,
    /// Where they came from.
    pub origin: Origin,
    /// Why the newest overrides are not in force, if they are not.
    rejected: Option<String>,
    /// What functions are weighed by, where they are.
    pub weighing: Option<Weighing>,
    /// The detectors about functions.
    spending: Arc<[SpendDetector]>,
    /// What functions run on.
    running: Running,
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
        self.rejected.is_some() || self.allow.rejected.is_some() || self.running.rejected.is_some()
    }

    /// Holds back what the user allows, names being tagged under `keys` with the lists they are on, and tells of
    /// these lists; whether that has changed the plan.
    pub fn hold_back(&mut self, keys: &KeyRing, lists: &NameLists) -> bool {
        let (allow, lists) = (self.allow.tagged(keys, lists), lists.about());
        let changed = allow != self.plan.allow || lists != self.plan.lists;
        if let Some(weighing) = self.weighing.as_mut().filter(|of| *of.allow != allow) {
            weighing.allow = Arc::new(allow.clone());
        }
        if changed {
            self.plan = Arc::new(Plan { allow, lists, ..(*self.plan).clone() });
        }
        changed
    }
}

/// Looks for overrides, the allow file and, where functions are weighed by `tariff`, what they run on. `known` is
/// what is in force, if anything is; the answer is what is from now on, and whether that has changed.
pub async fn refresh(
    mut known: Option<Rules>,
    tariff: Option<&Tariff>,
    source: &OverrideSource,
    pace: &TokioPace,
    deadline: Time,
) -> (Rules, bool) {
    let allow = known.as_mut().map(|rules| std::mem::take(&mut rules.allow));
    let running = known.as_mut().map(|rules| std::mem::take(&mut rules.running));
    let functions = async {
        match tariff {
            Some(_) => source.functions(pace, deadline).await,
            None => Ok(None),
        }
    };
    let ((mut rules, changed), found, said) = tokio::join!(
        detectors(known, source, pace, deadline),
        source.allow(pace, deadline),
        functions
    );
    rules.running = match tariff {
        Some(_) => weighing::refresh(running, said, source, (pace, deadline)).await,
        None => Running::default(),
    };
    rules.weighing =
        tariff.map(|tariff| weighing::weighing(&rules.spending, tariff, &rules.running));
    let packaged = tidewatch_rules::shipped();
    let named = packaged.iter().map(|(name, _)| name.trim_end_matches(".toml"));
    let loaded = rules.plan.detectors.iter().map(|detector| detector.id.as_str());
    let of_functions = rules.spending.iter().map(|detector| detector.id.as_str());
    let ids: Vec<&str> = loaded.chain(of_functions).chain(named).collect();
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
        Ok(Fetched::Files { files, fingerprint }) => match loaded(files.clone()) {
            Ok((plan, spending)) => {
                if let Err(error) = source.remember(&files, pace, deadline).await {
                    log::error("overrides_not_remembered", error);
                }
                let number = plan.detectors.len();
                log::info("detectors", format_args!("{number} override detectors are in force"));
                let seen = Some(fingerprint);
                (Rules { seen, ..in_force(plan, spending, Origin::Overrides, None) }, true)
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
        Ok(Some(files)) => loaded(files).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    match remembered {
        Ok(Some((plan, spending))) => (in_force(plan, spending, Origin::LastGood, Some(why)), true),
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
    let (plan, spending) = loaded(tidewatch_rules::packaged()).unwrap_or_else(|why| {
        log::error("packaged_detectors_unusable", why);
        Default::default()
    });
    in_force(plan, spending, Origin::Packaged, rejected)
}

fn in_force(
    plan: Plan,
    spending: Vec<SpendDetector>,
    origin: Origin,
    rejected: Option<String>,
) -> Rules {
    Rules {
        plan: Arc::new(plan),
        origin,
        rejected,
        weighing: None,
        spending: spending.into(),
        running: Running::default(),
        allow: Allowing::default(),
        seen: None,
        faulty: false,
    }
}

/// The plan of detector files and the detectors about functions, or all that is wrong with them.
fn loaded(files: Vec<(String, String)>) -> Result<(Plan, Vec<SpendDetector>), String> {
    let spending = deployed::spending(files.clone())?;
    Ok((deployed::plan(files)?, spending))
}

#[cfg(test)]
mod tests {
    use tidewatch_core::signal::SignalKind;

    use super::*;

    #[test]
    fn the_packaged_detectors_run_in_the_shared_home() {
        let rules = packaged(None);
        let all = rules.plan.detectors.len() + rules.spending.len();
        assert_eq!(all, tidewatch_rules::packaged().len());
        // Those about accesses run where they are put into the bucket.
        assert!(!rules.plan.counts(SignalKind::Access));
        let (plan, _) = loaded(tidewatch_rules::shipped()).expect("sound");
        assert!(plan.counts(SignalKind::Access));
        assert!(!rules.spending.is_empty());
    }

    #[test]
    fn files_about_functions_take_the_place_of_the_packaged_ones_about_functions() {
        let shipped = |wanted: &[&str]| {
            let all = tidewatch_rules::shipped().into_iter();
            all.filter(|(name, _)| wanted.contains(&name.as_str())).collect::<Vec<_>>()
        };
        let (plan, spending) = loaded(shipped(&["brute-force.toml"])).expect("sound");
        assert_eq!((plan.detectors.len(), spending.len()), (1, packaged(None).spending.len()));
        let both = shipped(&["brute-force.toml", "cost-spike.toml"]);
        let (_, spending) = loaded(both.clone()).expect("sound");
        assert_eq!(spending.iter().map(|of| of.id.as_str()).collect::<Vec<_>>(), ["cost-spike"]);
        let broken = both.into_iter().map(|(name, text)| (name, text.replace("is = ", "si = ")));
        let why = loaded(broken.collect()).expect_err("a typo");
        assert!(why.contains("cost-spike.toml:") && why.contains("si"), "{why}");
    }

    #[test]
    fn detectors_about_invocations_alone_leave_nobody_blind() {
        let all = tidewatch_rules::shipped().into_iter();
        let spending = all.filter(|(_, text)| tidewatch_rules::spend::is_about_invocations(text));
        let why = loaded(spending.collect()).expect_err("nothing would be found");
        assert!(why.contains("no detector of logins"), "{why}");
    }

    #[test]
    fn a_fault_says_where_it_is_and_what_to_do() {
        let shipped = tidewatch_rules::shipped();
        let brute_force = shipped.iter().find(|(name, _)| name == "brute-force.toml");
        let (name, text) = brute_force.expect("it is shipped");
        let broken = text.replace("window =", "windw =");
        let why = loaded(vec![(name.clone(), broken)]).expect_err("a typo");
        assert!(why.contains("brute-force.toml:") && why.contains("windw"), "{why}");
        // Fit for one machine, but not for shared counts.
        let short = text.replace("window = \"10m\"", "window = \"30s\"");
        assert_ne!(&short, text, "the file has another window");
        let why = loaded(vec![(name.clone(), short)]).expect_err("too short a window");
        assert!(why.contains("brute-force") && why.contains("30s"), "{why}");
    }
}
