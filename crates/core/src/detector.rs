//! A validated detector: signal × key × measures × window × raise. Files become these in
//! crates/rules; nothing here can be malformed.

use crate::change::{Change, HISTORY};
use crate::first_seen::Since;
use crate::key::KeyFields;
use crate::signal::{Outcome, Role, SignalKind};
use crate::time::Span;
use crate::walk::Rates;

/// One rule, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub struct Detector {
    /// Unique, kebab-case, stable: it is part of a finding's uid.
    pub id: String,
    /// One sentence.
    pub title: String,
    /// Why it matters, for the person who gets the alert.
    pub description: String,
    /// What to do next.
    pub advice: String,
    /// ATT&CK techniques, at least none.
    pub attacks: Vec<Attack>,
    /// Which signals it reads.
    pub signal: SignalKind,
    /// What it counts by.
    pub key: KeyFields,
    /// How far back it counts: (t − window, t].
    pub window: Span,
    /// How long a key must stay below every threshold before its finding closes.
    pub quiet: Span,
    /// What it counts, each with the name its conditions use; at least one, names unique.
    pub measures: Vec<NamedMeasure>,
    /// When it raises, at least one, by severity from high to low.
    pub raises: Vec<Raise>,
    /// It raises only where one of these detectors raises for the same key too, or has an open finding
    /// about it; none: wherever its conditions hold. Ids of detectors with the same signals and key; of accesses also
    /// of others on the same key, whose findings must be open or count still.
    pub after: Vec<String>,
    /// For how long after its last raise a finding of those in [`Detector::after`] counts for that, though it is closed;
    /// zero: as long as it is open. A source that attacked is no other one some hours later.
    pub after_within: Span,
    /// It is quiet where one of these raises as badly or worse, or has an open finding that is: they tell the
    /// same better.
    pub unless: Vec<String>,
    /// It raises only where a measure makes this share of the same measure over everything: see
    /// [`crate::grounds`].
    pub share: Option<Share>,
    /// It raises only where the log that the newest event stands in holds successes: see [`crate::grounds`].
    pub log_holds_successes: bool,
    /// While a finding of this detector is open, findings by these keys, from the same signals, that lie
    /// within its key and are no worse are told by it: see [`crate::umbrella`].
    pub covers: KeyFields,
}

/// How much of everything one key must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Of which measure, an index into [`Detector::measures`].
    pub measure: usize,
    /// At least this, in thousandths, 1 to 1,000.
    pub thousandths: u16,
}

/// A technique of MITRE ATT&CK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attack {
    /// `T1110.004`.
    pub technique: String,
    /// `Credential Stuffing`.
    pub name: String,
}

/// A measure under the name its detector gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedMeasure {
    /// The name in conditions and findings, e.g. `unknown_users`.
    pub name: String,
    /// What is counted.
    pub measure: Measure,
}

/// What is counted over a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// How many attempts, or how many mentions, satisfy the filter. Never both in one: a try that is
    /// decided may be mentioned as often as its source likes.
    Count(Role, Filter),
    /// The sum of a number over the attempts that satisfy the filter.
    Sum(NumberField, Filter),
    /// How many different values a field has over the attempts and mentions that satisfy the filter.
    Distinct(DistinctField, Filter),
    /// How many of these values are new in the window, or known besides, by when they were seen first; its filter
    /// takes successes only: see [`crate::first_seen`].
    FirstSeen(DistinctField, Filter, Since),
    /// How much likelier the outcomes of the users' first contacts are an attacker's than people's, in
    /// powers of ten: see [`crate::walk`].
    Sequential(Rates),
    /// How sure it is that the share of the attempts that satisfy its filter among all has risen, in powers
    /// of ten: see [`crate::change`].
    Change(Change),
    /// The largest sum of a number over what satisfies the filter in any span as long as the window, of the day
    /// before it.
    Busiest(NumberField, Filter),
}

/// A number a signal carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NumberField {
    /// `attempts`: how many tries a line stands for; of accesses each is one.
    Attempts,
    /// `bytes`: how many were sent back; of accesses only.
    Bytes,
}

/// A field whose different values can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DistinctField {
    /// `user`: hidden names are no value.
    User,
    /// `source.ip`: whole addresses, IPv6 too.
    SourceIp,
    /// `resource`: what was asked for; of accesses only.
    Resource,
}

/// Which signals a measure takes; an empty filter takes all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only where the source says whether the account exists, and says this.
    pub user_known: Option<bool>,
}

/// A severity and the conditions that must all hold for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Raise {
    /// How bad it is.
    pub severity: Severity,
    /// How sure it is, where its author says so.
    pub confidence: Option<Confidence>,
    /// At least one; all must hold.
    pub when: Vec<Condition>,
}

/// OCSF 1.6.0 `confidence_id`, 1 to 3: how sure a finding is, by what kind of evidence raises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// 1.
    Low = 1,
    /// 2.
    Medium = 2,
    /// 3.
    High = 3,
}

/// OCSF 1.6.0 `severity_id`, 1 to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// 1.
    Informational = 1,
    /// 2.
    Low = 2,
    /// 3.
    Medium = 3,
    /// 4.
    High = 4,
    /// 5.
    Critical = 5,
}

/// `measure op operand`.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Index into [`Detector::measures`].
    pub measure: usize,
    /// How they compare.
    pub comparison: Comparison,
    /// What it is compared with.
    pub operand: Operand,
}

/// The comparisons a condition may use. Equality is missing on purpose: counts pass through a value
/// between two judgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `>`
    MoreThan,
    /// `<=`
    AtMost,
    /// `<`
    LessThan,
}

/// The right side of a condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// A number.
    Number(f64),
    /// `factor * measure`, the measure an index into [`Detector::measures`].
    Scaled {
        /// The factor, positive and finite.
        factor: f64,
        /// The measure.
        measure: usize,
    },
}

impl Detector {
    /// Whether it asks for more than a window of its key can tell.
    pub(crate) fn asks_of_others(&self) -> bool {
        self.share.is_some() || self.log_holds_successes
    }

    /// How far before its windows it looks, for what is usual: a day, and of accesses two windows more, so that what is
    /// fetched at the same time each day is found there whole, also when it begins a little later.
    pub fn history(&self) -> Option<Span> {
        let looks_back = |named: &NamedMeasure| {
            matches!(named.measure, Measure::Change(_) | Measure::Busiest(..))
        };
        let longer = if self.signal == SignalKind::Access { 2 * self.window.0 } else { 0 };
        let looks_back = self.share.is_some() || self.measures.iter().any(looks_back);
        looks_back.then_some(Span(HISTORY.0 + longer))
    }

    /// Whether it asks since when values are seen.
    pub(crate) fn asks_since(&self) -> bool {
        self.measures.iter().any(|named| matches!(named.measure, Measure::FirstSeen(..)))
    }

    /// A condition as its file writes it, e.g. `unknown_users >= 0.5 * users`.
    pub fn describe(&self, condition: &Condition) -> String {
        let name = |measure: usize| self.measures[measure].name.as_str();
        let (left, symbol) = (name(condition.measure), condition.comparison.symbol());
        match condition.operand {
            Operand::Number(number) => format!("{left} {symbol} {number}"),
            Operand::Scaled { factor: 1.0, measure } => {
                format!("{left} {symbol} {}", name(measure))
            }
            Operand::Scaled { factor, measure } => {
                format!("{left} {symbol} {factor} * {}", name(measure))
            }
        }
    }
}

impl Severity {
    /// All of them, low to high.
    pub const ALL: [Severity; 5] = [
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// The name in detector files and alerts.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Informational => "informational",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl Confidence {
    /// All of them, low to high.
    pub const ALL: [Confidence; 3] = [Confidence::Low, Confidence::Medium, Confidence::High];

    /// The name in detector files and alerts.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

impl Comparison {
    /// How a detector file writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::AtLeast => ">=",
            Comparison::MoreThan => ">",
            Comparison::AtMost => "<=",
            Comparison::LessThan => "<",
        }
    }
}
