//! What a finding about a function says besides its numbers: what is usual, what it comes to, and why.

use crate::meter::ledger::Function;
use crate::series::season::Basis;
use crate::spend::budget::Burn;
use crate::spend::callers::Caller;
use crate::spend::detector::{Number, Rule};
use crate::spend::drivers::Driver;
use crate::time::Time;

/// Hours in a month: a twelfth of a year.
pub const HOURS_A_MONTH: f64 = 730.0;

/// About the function of a finding. Dollars and counts are by the hour, durations in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Spending {
    /// Whose.
    pub function: Function,
    /// What is odd.
    pub number: Number,
    /// In what way.
    pub rule: Rule,
    /// The number.
    pub amount: f64,
    /// What it usually is at this hour.
    pub usual: Option<f64>,
    /// What `usual` is taken from.
    pub basis: Option<Basis>,
    /// The nearest that a pane of the last five weeks came to.
    pub nearest: Option<f64>,
    /// How many panes of the last five weeks were ever as far from everything before them, and of how many:
    /// where the number is raised for that.
    pub as_far: Option<(usize, usize)>,
    /// What the function cost, dollars by the hour.
    pub dollars: f64,
    /// What that is above usual.
    pub dollars_above: f64,
    /// Why it costs what it does against the hour before, in dollars by the hour; the parts sum to the change.
    pub parts: Vec<(&'static str, f64)>,
    /// Who made the pane's cost, the largest shares first; nobody where no line about a request says.
    pub drivers: Vec<Driver>,
    /// A version that was first seen shortly before.
    pub deployment: Option<(Box<str>, Time)>,
    /// How far along a budget is, where the finding is about one.
    pub budget: Option<Burn>,
    /// Which caller it is about, where it is about one: dollars are its own then, and really spent in an hour.
    pub ride: Option<Ride>,
}

/// About the caller of a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Ride {
    /// Who.
    pub caller: Caller,
    /// The functions it uses with its dollars of the last hour, the dearest first.
    pub functions: Vec<(Function, f64)>,
    /// The function it never used before, if one, and when it first did.
    pub new: Option<(Function, Time)>,
    /// When what is odd began.
    pub since: Time,
}

impl Spending {
    /// Whether it is about all functions together.
    pub(crate) fn is_of_all(&self) -> bool {
        self.budget.as_ref().is_some_and(|burn| burn.of_all)
    }

    /// Dollars above usual that a month of it would come to.
    pub fn month(&self) -> f64 {
        self.dollars_above * HOURS_A_MONTH
    }
}
