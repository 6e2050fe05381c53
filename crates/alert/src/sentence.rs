//! The one sentence of a finding: who, how many, over what window, against which threshold.
//!
//! It is put together from the detector's own words and numbers, so that it fits any detector, also
//! one that a user wrote.

use tidewatch_core::finding::{Activity, Decided, Finding, Value};
use tidewatch_core::key::{Key, KeyPart};

use crate::number::{is_bytes, of_measure, short};
use crate::spending;

/// The number a finding is about.
pub(crate) struct Leading<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Value,
    /// What it was compared with; `None` where no condition is known.
    pub(crate) threshold: Option<f64>,
}

/// The first condition against a plain number, because that is how much happened; else the first
/// condition, else the first measure.
pub(crate) fn leading(finding: &Finding) -> Option<Leading<'_>> {
    let decided = finding.decided.iter().find(|decided| is_plain(decided));
    if let Some(decided) = decided.or(finding.decided.first()) {
        let measured = finding.measures.iter().find(|measured| measured.name == decided.measure);
        let error = measured.map_or(tidewatch_core::finding::Accuracy::Exact, |m| m.value.error);
        return Some(Leading {
            name: &decided.measure,
            value: Value { amount: decided.amount, error },
            threshold: Some(decided.threshold),
        });
    }
    let measured = finding.measures.first()?;
    Some(Leading { name: &measured.name, value: measured.value, threshold: None })
}

/// Whether the condition compares with a number, and not with another measure.
pub(crate) fn is_plain(decided: &Decided) -> bool {
    let right = decided.condition.rsplit(['<', '>', '=']).next().unwrap_or_default();
    right.trim().parse::<f64>().is_ok()
}

/// The sentence.
pub(crate) fn sentence(finding: &Finding) -> String {
    if let Some(spending) = &finding.spending {
        return spending::sentence(finding, spending);
    }
    let (title, who) = (finding.title.trim_end_matches('.'), who(&finding.key));
    let how_many = match leading(finding) {
        None => format!("raised in {}", finding.window),
        Some(leading) => {
            let threshold = match leading.threshold {
                Some(threshold) => {
                    format!(" (threshold {})", of_measure(leading.name, threshold))
                }
                None => String::new(),
            };
            let amount = short(leading.name, &leading.value);
            match is_bytes(leading.name) {
                true => format!("{amount} in {}{threshold}", finding.window),
                false => {
                    let name = leading.name.replace('_', " ");
                    format!("{amount} {name} in {}{threshold}", finding.window)
                }
            }
        }
    };
    match finding.activity {
        Activity::Create => format!("{title}: {who} reached {how_many}."),
        Activity::Update => format!("{title}: {who} goes on, {how_many}."),
        Activity::Close => {
            format!("{title}: {who} has been quiet for {} after {how_many}.", finding.quiet)
        }
    }
}

fn who(key: &Key) -> String {
    match key {
        Key { first: KeyPart::Global, second: None } => "all traffic together".to_owned(),
        key => key.to_string(),
    }
}
