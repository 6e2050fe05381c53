//! Conditions: `measure op number`, `measure op factor * measure`, `measure op measure`.
//!
//! So small a grammar needs no parser generator: an operator splits the text, a `*` splits its right
//! side. Invariant: the measures of a [`Condition`] are indices into the detector's own.

use tidewatch_core::detector::{Comparison, Condition, Operand};

use crate::fault::{Fault, Faults, Place};
use crate::suggest;
use crate::tree::Text;

/// The comparisons, by symbol.
const COMPARISONS: [Comparison; 4] =
    [Comparison::AtLeast, Comparison::MoreThan, Comparison::AtMost, Comparison::LessThan];

const FORM: &str = "Write `measure >= number`, `measure >= factor * measure` or `measure >= measure`, \
                    for example \"unknown_users >= 0.5 * users\".";

/// The condition `text` states over the measures called `names`; its faults go to `faults`.
pub(crate) fn parse(text: &Text, names: &[&str], faults: &mut Faults) -> Option<Condition> {
    let written = Written { whole: text.value.as_str(), place: inside_of_quotes(text, faults) };
    let bad_form = Fault::BadCondition { condition: written.whole.to_owned() };
    let is_operator = |c: char| matches!(c, '<' | '>' | '=' | '!');
    let Some(op_at) = written.whole.find(is_operator) else {
        faults.add(text.place.clone(), bad_form, FORM);
        return None;
    };
    let (left, rest) = written.whole.split_at(op_at);
    let op = &rest[..rest.find(|c| !is_operator(c)).unwrap_or(rest.len())];
    let right = &rest[op.len()..];
    if left.trim().is_empty() || right.trim().is_empty() || right.contains(is_operator) {
        faults.add(text.place.clone(), bad_form, FORM);
        return None;
    }
    // All three parts are looked at before any is given up, to report all their faults.
    let comparison = comparison(op, &written, faults);
    let measure = measure(left.trim(), &written, names, faults);
    let operand = operand(right, &written, names, faults);
    let condition = Condition { measure: measure?, comparison: comparison?, operand: operand? };
    if condition.comparison == Comparison::LessThan && condition.operand == Operand::Number(0.0) {
        let fault = Fault::NeverHolds { condition: written.whole.to_owned() };
        faults.add(text.place.clone(), fault, "Compare with a number above 0.");
        return None;
    }
    Some(condition)
}

/// Whether the condition holds where every measure is 0.
pub(crate) fn holds_on_silence(condition: &Condition) -> bool {
    let threshold = match condition.operand {
        Operand::Number(number) => number,
        Operand::Scaled { .. } => 0.0,
    };
    match condition.comparison {
        Comparison::AtLeast => 0.0 >= threshold,
        Comparison::MoreThan => 0.0 > threshold,
        Comparison::AtMost => 0.0 <= threshold,
        Comparison::LessThan => 0.0 < threshold,
    }
}

/// A condition's text and where it starts in the file, where its parts can be pointed at.
struct Written<'a> {
    whole: &'a str,
    place: Result<usize, Place>,
}

impl Written<'_> {
    /// The place of `part`, which must be a slice of the whole text.
    fn place_of(&self, part: &str) -> Place {
        match &self.place {
            Ok(start) => {
                let offset = part.as_ptr().addr().saturating_sub(self.whole.as_ptr().addr());
                start + offset..start + offset + part.len()
            }
            Err(everything) => everything.clone(),
        }
    }
}

/// Where the text starts behind its quote; the place of all of it where it is written with escapes
/// or over several lines, so that offsets in the value are no offsets in the file.
fn inside_of_quotes(text: &Text, faults: &Faults) -> Result<usize, Place> {
    let start = text.place.start + 1;
    let same = faults.text().get(start..start + text.value.len()) == Some(text.value.as_str());
    if same { Ok(start) } else { Err(text.place.clone()) }
}

fn comparison(op: &str, written: &Written<'_>, faults: &mut Faults) -> Option<Comparison> {
    let found = COMPARISONS.into_iter().find(|comparison| comparison.symbol() == op);
    if found.is_none() {
        let help = match op {
            "=>" => "Did you mean `>=`? ",
            "=<" => "Did you mean `<=`? ",
            "=" | "==" => "A count can pass a value between two judgements. Did you mean `>=`? ",
            _ => "",
        };
        let fault = Fault::UnknownOp { op: op.to_owned() };
        let help = format!("{help}Comparisons: `>=`, `>`, `<=`, `<`.");
        faults.add(written.place_of(op), fault, help);
    }
    found
}

fn measure(
    name: &str,
    written: &Written<'_>,
    names: &[&str],
    faults: &mut Faults,
) -> Option<usize> {
    let found = names.iter().position(|known| *known == name);
    // Without any measure that is the fault, and it is reported.
    if found.is_none() && !names.is_empty() {
        let fault = Fault::UnknownMeasure { name: name.to_owned() };
        let help = if name.parse::<f64>().is_ok() {
            format!("Put the measure on the left. {FORM}")
        } else {
            suggest::help(name, "Measures of this detector", names)
        };
        faults.add(written.place_of(name), fault, help);
    }
    found
}

fn operand(
    right: &str,
    written: &Written<'_>,
    names: &[&str],
    faults: &mut Faults,
) -> Option<Operand> {
    let Some((first, second)) = right.split_once('*') else {
        let right = right.trim();
        return if is_number(right, names) {
            number(right, written, faults).map(Operand::Number)
        } else {
            let measure = measure(right, written, names, faults)?;
            Some(Operand::Scaled { factor: 1.0, measure })
        };
    };
    let (first, second) = (first.trim(), second.trim());
    let (factor, name) = if is_number(second, names) { (second, first) } else { (first, second) };
    let factor_number = number(factor, written, faults);
    let measure = measure(name, written, names, faults);
    let (factor_number, measure) = (factor_number?, measure?);
    if factor_number == 0.0 {
        let fault = Fault::BadNumber { number: factor.to_owned() };
        let help = "A factor must be above 0; to compare with 0, write the 0 alone.";
        faults.add(written.place_of(factor), fault, help);
        return None;
    }
    Some(Operand::Scaled { factor: factor_number, measure })
}

fn is_number(word: &str, names: &[&str]) -> bool {
    let starts_like_one = word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    !names.contains(&word) && (starts_like_one || word.parse::<f64>().is_ok())
}

fn number(word: &str, written: &Written<'_>, faults: &mut Faults) -> Option<f64> {
    match word.parse::<f64>() {
        Ok(number) if number.is_finite() && number.is_sign_positive() => Some(number),
        _ => {
            let fault = Fault::BadNumber { number: word.to_owned() };
            let help = "Write a finite decimal number, 0 or above, like `30` or `0.5`.";
            faults.add(written.place_of(word), fault, help);
            None
        }
    }
}
