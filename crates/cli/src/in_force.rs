//! Which rules a deployed stack runs: worked out from its bucket as the function does, so that what is wrong
//! with them is said with its place, and what they would make of a log can be tried here.

use tidewatch_aws::TokioPace;
use tidewatch_aws::failure::Failure;
use tidewatch_aws::overrides::{ALLOW, FUNCTIONS, Fetched, OverrideError, OverrideSource};
use tidewatch_core::plan::Plan;
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};
use tidewatch_rules::allow::Allow;
use tidewatch_rules::deployed::{plan, spending, told};
use tidewatch_rules::functions::{Functions, functions};

/// How long is asked for them.
const PATIENCE: Span = Span::seconds(60);

/// The rules of a stack.
#[derive(Debug)]
pub struct InForce {
    /// What its detectors need counted.
    pub plan: Plan,
    /// Its detectors of what functions take.
    pub spending: Vec<SpendDetector>,
    /// Where they come from: `packaged`, `overrides` or `last good overrides`.
    pub origin: &'static str,
    /// Whom the user allows what.
    pub allow: Allow,
    /// Why something of what is in the bucket is not in force, a sentence each.
    pub faults: Vec<String>,
}

/// The rules in force.
///
/// # Errors
/// If the bucket does not tell.
pub async fn in_force(source: &OverrideSource, pace: &TokioPace) -> Result<InForce, Failure> {
    let deadline = pace.now().plus(PATIENCE);
    let mut faults = Vec::new();
    let (plan, spending, origin) = detectors(source, pace, deadline, &mut faults).await?;
    let packaged = tidewatch_rules::shipped();
    let named = packaged.iter().map(|(name, _)| name.trim_end_matches(".toml"));
    let loaded = plan.detectors.iter().map(|detector| detector.id.as_str());
    let of_functions = spending.iter().map(|detector| detector.id.as_str());
    let ids: Vec<&str> = loaded.chain(of_functions).chain(named).collect();
    let allow = allow(source, pace, deadline, &ids, &mut faults).await?;
    Ok(InForce { plan, spending, origin, allow, faults })
}

/// What is said of functions, as a stack goes by it.
#[derive(Debug)]
pub struct OfFunctions {
    /// What is in force: `functions.toml`, `last good functions.toml`, or `none`.
    pub origin: &'static str,
    /// What it says.
    pub functions: Functions,
    /// Why the file in the bucket is not in force, if it is not.
    pub fault: Option<String>,
}

/// What is said of functions; a deployed function that knew an earlier file goes on with that one.
///
/// # Errors
/// If the bucket does not tell.
pub async fn of_functions(
    source: &OverrideSource,
    pace: &TokioPace,
) -> Result<OfFunctions, Failure> {
    let deadline = pace.now().plus(PATIENCE);
    let loaded = |text: &str| functions(FUNCTIONS, text).map_err(|faults| told(&faults));
    let none = || OfFunctions { origin: "none", functions: Functions::default(), fault: None };
    let fault = match source.functions(pace, deadline).await {
        Ok(None) => return Ok(none()),
        Ok(Some(text)) => match loaded(&text) {
            Ok(functions) => return Ok(OfFunctions { origin: FUNCTIONS, functions, ..none() }),
            Err(why) => why,
        },
        Err(error) => of_the_files(error)?,
    };
    let kept = match source.last_good_functions(pace, deadline).await {
        Ok(text) => text.filter(|text| !text.is_empty()).and_then(|text| loaded(&text).ok()),
        Err(error) => of_the_files(error).map(|_| None)?,
    };
    let origin = if kept.is_some() { "last good functions.toml" } else { "none" };
    Ok(OfFunctions { origin, functions: kept.unwrap_or_default(), fault: Some(fault) })
}

async fn detectors(
    source: &OverrideSource,
    pace: &TokioPace,
    deadline: Time,
    faults: &mut Vec<String>,
) -> Result<(Plan, Vec<SpendDetector>, &'static str), Failure> {
    // A set is in force as a whole: what functions are weighed by is faulty where the plan is.
    let both = |files: Vec<(String, String)>| Ok((plan(files.clone())?, spending(files)?));
    let packaged = || {
        let (plan, origin) = packaged();
        (plan, spending(Vec::new()).unwrap_or_default(), origin)
    };
    match source.fetch(None, pace, deadline).await {
        Ok(Fetched::None | Fetched::Unchanged) => return Ok(packaged()),
        Ok(Fetched::Files { files, .. }) => match both(files) {
            Ok((plan, spending)) => return Ok((plan, spending, "overrides")),
            Err(why) => faults.push(why),
        },
        Err(error) => faults.push(of_the_files(error)?),
    }
    match source.last_good(pace, deadline).await {
        Ok(None) => {}
        Ok(Some(files)) => match both(files) {
            Ok((plan, spending)) => return Ok((plan, spending, "last good overrides")),
            Err::<_, String>(why) => faults.push(format!("the last good overrides: {why}")),
        },
        Err(error) => faults.push(of_the_files(error)?),
    }
    Ok(packaged())
}

async fn allow(
    source: &OverrideSource,
    pace: &TokioPace,
    deadline: Time,
    ids: &[&str],
    faults: &mut Vec<String>,
) -> Result<Allow, Failure> {
    let loaded = |text: String| {
        let files = [(ALLOW.to_owned(), text)];
        tidewatch_rules::allow::allow(files, ids, pace.now()).map_err(|faults| told(&faults))
    };
    match source.allow(pace, deadline).await {
        Ok(None) => return Ok(Allow::default()),
        Ok(Some(text)) => match loaded(text) {
            Ok(allow) => return Ok(allow),
            Err(why) => faults.push(why),
        },
        Err(error) => faults.push(of_the_files(error)?),
    }
    match source.last_good_allow(pace, deadline).await {
        Ok(text) => Ok(loaded(text.unwrap_or_default()).unwrap_or_default()),
        Err(error) => {
            faults.push(of_the_files(error)?);
            Ok(Allow::default())
        }
    }
}

/// A fault of what is in the bucket; what the bucket does not tell is none.
fn of_the_files(error: OverrideError) -> Result<String, Failure> {
    match error {
        OverrideError::Storage(failure) => Err(failure),
        error => Ok(error.to_string()),
    }
}

/// The detectors that come with the program. The stack's may be an older or a newer version's.
pub fn packaged() -> (Plan, &'static str) {
    // A test of the function loads them.
    (plan(tidewatch_rules::packaged()).unwrap_or_default(), "packaged")
}
