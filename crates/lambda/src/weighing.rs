//! What functions are weighed by: prices of the function's own Region, and what functions run on, which no log says:
//! `functions.toml` in the bucket, looked for together with the override detectors.
//!
//! A faulty file changes nothing and every invocation says so; the last good one is kept in the bucket for environments
//! that start meanwhile. Where there is none either all functions are taken for what they are by default, x86-64 with the
//! storage that costs nothing.

use std::sync::Arc;

use tidewatch_aws::overrides::{FUNCTIONS, OverrideError, OverrideSource};
use tidewatch_aws::pace::TokioPace;
use tidewatch_core::meter::tariff::{Tariff, Terms};
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::spend::watch::{Prices, Weighing};
use tidewatch_core::time::Time;
use tidewatch_rules::deployed::told;
use tidewatch_rules::functions::{Functions, functions};
use tidewatch_rules::prices::{prices, shipped_prices};

use crate::log;

/// What is said of functions.
#[derive(Debug, Default)]
pub struct Running {
    functions: Arc<Functions>,
    /// Why the newest file is not in force, if it is not.
    pub rejected: Option<String>,
    /// The newest one seen, in force or not.
    seen: Option<String>,
}

/// Takes what a look for the file brought, and sees to it that the last good one is at hand. `known` is what is in force,
/// if anything is.
pub async fn refresh(
    known: Option<Running>,
    found: Result<Option<String>, OverrideError>,
    source: &OverrideSource,
    (pace, deadline): (&TokioPace, Time),
) -> Running {
    let before = known.as_ref().map(|known| known.seen.clone());
    let is_first = known.is_none();
    let taken = take(known, found);
    match (&taken.rejected, is_first) {
        (Some(_), true) => {
            let functions = match source.last_good_functions(pace, deadline).await {
                Ok(text) => loaded(&text.unwrap_or_default()),
                Err(error) => Err(error.to_string()),
            };
            let functions = functions.unwrap_or_else(|why| {
                log::error("last_good_functions_unusable", why);
                Functions::default()
            });
            return Running { functions: Arc::new(functions), ..taken };
        }
        // What the user has removed must not come back with the next fault.
        (None, _) if before.as_ref() != Some(&taken.seen) => {
            let text = taken.seen.as_deref().unwrap_or_default();
            let kept = match text.is_empty() {
                true => source.last_good_functions(pace, deadline).await.unwrap_or_default(),
                false => None,
            };
            if !(text.is_empty() && kept.is_none_or(|kept| kept.is_empty()))
                && let Err(error) = source.remember_functions(text, pace, deadline).await
            {
                log::error("functions_not_remembered", error);
            }
        }
        _ => {}
    }
    taken
}

/// What a file says, or all that is wrong with it.
fn loaded(text: &str) -> Result<Functions, String> {
    functions(FUNCTIONS, text).map_err(|faults| told(&faults))
}

/// Takes what a look for the file brought. `known` is what is in force, if anything is.
fn take(known: Option<Running>, found: Result<Option<String>, OverrideError>) -> Running {
    let known = known.unwrap_or_default();
    let text = match found {
        Ok(text) => text,
        Err(error) => {
            let why = error.to_string();
            log::error("functions_unreadable", &why);
            return Running { rejected: Some(why), ..known };
        }
    };
    if text == known.seen {
        // Where only the bucket could not be read, that is over; a faulty file still is one.
        let is_faulty = || text.as_deref().and_then(|text| loaded(text).err());
        let rejected = known.rejected.as_ref().and_then(|_| is_faulty());
        return Running { rejected, ..known };
    }
    match loaded(text.as_deref().unwrap_or_default()) {
        Ok(functions) => Running { functions: Arc::new(functions), rejected: None, seen: text },
        Err(why) => {
            log::error("functions_rejected", &why);
            Running { rejected: Some(why), seen: text, ..known }
        }
    }
}

/// The packaged prices of a Region; where there are none nothing can be weighed, and that is said.
pub fn tariff(region: Option<&str>) -> Option<Tariff> {
    let (file, text) = shipped_prices();
    let prices = prices(&file, &text).map_err(|faults| told(&faults));
    let tariff = prices.and_then(|prices| {
        let region = region.unwrap_or_default();
        prices.region(region).cloned().map_err(|error| error.to_string())
    });
    tariff.inspect_err(|why| log::error("no_prices", why)).ok()
}

/// What functions are weighed by.
pub fn weighing(detectors: &Arc<[SpendDetector]>, tariff: &Tariff, running: &Running) -> Weighing {
    let functions = Arc::clone(&running.functions);
    let terms = Arc::new(move |name: &str| functions.terms(name, Terms::default()));
    let prices = Prices { tariff: tariff.clone(), terms };
    let functions = Arc::clone(&running.functions);
    let all = functions.budget;
    let budgets = Budgets { of: Arc::new(move |name: &str| functions.budget_of(name)), all };
    Weighing { detectors: Arc::clone(detectors), prices, budgets, allow: Arc::default() }
}

#[cfg(test)]
mod tests {
    use tidewatch_core::meter::tariff::Architecture;

    use super::*;

    fn architecture(running: &Running) -> Architecture {
        running.functions.terms("checkout-api", Terms::default()).architecture
    }

    #[test]
    fn a_faulty_file_changes_nothing_and_says_so_until_it_is_sound() {
        let arm = "[[function]]\nname = \"checkout-*\"\narchitecture = \"arm64\"\n".to_owned();
        let faulty = arm.replace("arm64", "arm65");
        let unreadable = || Err(OverrideError::FunctionsTooLarge { bucket: "b".to_owned() });
        let none = take(None, Ok(None));
        assert_eq!((architecture(&none), &none.rejected), (Architecture::X86_64, &None));
        let known = take(Some(none), Ok(Some(arm.clone())));
        assert_eq!((architecture(&known), &known.rejected), (Architecture::Arm64, &None));
        let mut known = take(Some(known), Ok(Some(faulty.clone())));
        for found in [Ok(Some(faulty.clone())), unreadable(), Ok(Some(faulty))] {
            known = take(Some(known), found);
            assert_eq!(architecture(&known), Architecture::Arm64);
            assert!(known.rejected.is_some());
        }
        let why = known.rejected.as_deref().expect("faulty");
        assert!(why.contains("functions.toml:3") && why.contains("arm65"), "{why}");
        let known = take(Some(known), Ok(Some(arm)));
        assert_eq!((architecture(&known), &known.rejected), (Architecture::Arm64, &None));
        let known = take(take(Some(known), unreadable()).into(), Ok(None));
        assert_eq!((architecture(&known), &known.rejected), (Architecture::X86_64, &None));
    }

    #[test]
    fn a_region_without_prices_weighs_nothing() {
        assert_eq!(
            tariff(Some("eu-west-1")).map(|tariff| tariff.region),
            Some("eu-west-1".to_owned())
        );
        assert_eq!(tariff(Some("moon-dark-1")), None);
        assert_eq!(tariff(None), None);
    }
}
