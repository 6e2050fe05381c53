//! What a bill of log groups leaves out or has to assume, said before anything else: a bill that is not whole is none.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use tidewatch_alert::{printable, rfc3339};
use tidewatch_core::time::Time;

use crate::commands::counted;
use crate::pricing::Pricing;

/// Names in a sentence; the JSON document has them all.
const NAMES_SHOWN: usize = 5;

/// What is not known about log groups and functions.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// Of how many functions Lambda says what they run on.
    pub functions_told: usize,
    /// Whether reading was ended before it was done.
    pub is_interrupted: bool,
    not_read: BTreeMap<String, String>,
    cut: BTreeMap<String, Time>,
    runs_on_unknown: BTreeMap<String, String>,
}

impl Untold {
    /// A log group was not read, or not to its end, and why.
    pub(super) fn not_read(&mut self, group: &str, why: String) {
        self.not_read.insert(group.to_owned(), why);
    }

    /// A log group has more events than may be read, and was read until then.
    pub(super) fn cut(&mut self, group: &str, until: Time) {
        self.cut.insert(group.to_owned(), until);
    }

    /// It is not known what a function runs on, and why.
    pub(super) fn runs_on_unknown(&mut self, function: &str, why: String) {
        self.runs_on_unknown.insert(function.to_owned(), why);
    }

    /// Whether nothing is left out; what is assumed is not.
    pub(super) fn is_whole(&self) -> bool {
        !self.is_interrupted && self.not_read.is_empty() && self.cut.is_empty()
    }

    /// For a person.
    pub(super) fn text(&self, pricing: &Pricing) -> String {
        let mut text = String::new();
        if self.is_interrupted {
            text += "PARTIAL: interrupted; what was not read until then is not billed\n";
        }
        for (group, until) in &self.cut {
            let (group, until) = (printable(group), rfc3339(*until));
            let _ = writeln!(
                text,
                "PARTIAL: {group} has more events than --events allows and is billed until {until} only"
            );
        }
        for (group, why) in &self.not_read {
            let (group, why) = (printable(group), printable(why));
            let _ = writeln!(text, "PARTIAL: {group} is not billed, or not to its end: {why}");
        }
        if self.functions_told > 0 {
            let functions = counted(self.functions_told as u64, "function");
            let _ = writeln!(text, "what {functions} run on: as Lambda says now");
        }
        if let Some(why) = self.runs_on_unknown.values().next() {
            let names: Vec<&str> =
                self.runs_on_unknown.keys().take(NAMES_SHOWN).map(String::as_str).collect();
            let others = self.runs_on_unknown.len() - names.len();
            let more = if others > 0 { format!(" and {others} more") } else { String::new() };
            let _ = writeln!(
                text,
                "what Lambda does not say: {}{more} are billed by --functions, else as {} ({})",
                printable(&names.join(", ")),
                pricing.otherwise.architecture.name(),
                printable(why),
            );
        }
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let cut = self.cut.iter();
        let cut = cut.map(|(group, until)| json!({"log_group": group, "until": rfc3339(*until)}));
        let not_read = self.not_read.iter();
        let not_read = not_read.map(|(group, why)| json!({"log_group": group, "why": why}));
        let unknown = self.runs_on_unknown.iter();
        let unknown = unknown.map(|(function, why)| json!({"function": function, "why": why}));
        json!({
            "is_whole": self.is_whole(),
            "is_interrupted": self.is_interrupted,
            "cut": cut.collect::<Vec<Value>>(),
            "not_read": not_read.collect::<Vec<Value>>(),
            "functions_told_by_lambda": self.functions_told,
            "functions_not_told_by_lambda": unknown.collect::<Vec<Value>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::PricingArgs;

    #[test]
    fn whatever_is_left_out_makes_a_bill_partial_and_what_is_assumed_does_not() {
        let args = PricingArgs { architecture: "x86_64".to_owned(), ..PricingArgs::default() };
        let Ok(pricing) = Pricing::asked_for(&args) else { panic!("the shipped prices") };
        let check = |tell: fn(&mut Untold), whole: bool, says: &str| {
            let mut untold = Untold::default();
            tell(&mut untold);
            let text = untold.text(&pricing);
            assert_eq!((untold.is_whole(), text.as_str()), (whole, says));
            assert_eq!(untold.json()["is_whole"], whole);
        };
        check(|_| {}, true, "");
        check(
            |of| of.is_interrupted = true,
            false,
            "PARTIAL: interrupted; what was not read until then is not billed\n",
        );
        check(
            |of| of.cut("/aws/lambda/a", Time(1_000)),
            false,
            "PARTIAL: /aws/lambda/a has more events than --events allows and is billed until \
             1970-01-01T00:00:01Z only\n",
        );
        check(
            |of| of.not_read("/aws/lambda/a", "no\nright".to_owned()),
            false,
            "PARTIAL: /aws/lambda/a is not billed, or not to its end: no\\u{a}right\n",
        );
        check(
            |of| {
                of.functions_told = 2;
                (0..7).for_each(|nth| of.runs_on_unknown(&format!("f{nth}"), "gone".to_owned()));
            },
            true,
            "what 2 functions run on: as Lambda says now\n\
             what Lambda does not say: f0, f1, f2, f3, f4 and 2 more are billed by --functions, else as x86_64 \
             (gone)\n",
        );
    }
}
