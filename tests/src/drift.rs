//! Real serverless functions without labels, printed by `cargo run --release -p tidewatch-tests --bin drift --
//! DIR`: how often years of daily durations of the same functions are raised (lambda_perf_daily, one row a day and
//! configuration), and whether bursts of parallel invocations are (faas_parallelism_aws, one row an invocation).

use std::collections::BTreeMap;
use std::path::Path;

use tidewatch_core::series::{Gap, PAGING, PANE, Series, Settings, creep, episode, weigh};
use tidewatch_core::time::Span;

use crate::nab::corpus::{rows, text, time};

const DAY: Span = Span::minutes(24 * 60);

/// How many days a quarter has.
const QUARTER_DAYS: f64 = 365.25 / 4.0;

/// How a configuration was raised over its days.
#[derive(Clone, Debug, PartialEq)]
pub struct Drifted {
    /// Runtime, package, memory, architecture; and what was measured.
    pub name: String,
    /// How many days.
    pub days: usize,
    /// The days on which a finding opened, and whether the day itself was raised, not a creep.
    pub findings: Vec<(usize, bool)>,
}

impl Drifted {
    /// Findings in a quarter, on average.
    pub fn per_quarter(&self) -> f64 {
        self.findings.len() as f64 / (self.days as f64 / QUARTER_DAYS)
    }

    /// The most in any quarter, counted from the first day.
    pub fn most_in_a_quarter(&self) -> usize {
        let mut quarters: BTreeMap<usize, usize> = BTreeMap::new();
        for (day, _) in &self.findings {
            *quarters.entry((*day as f64 / QUARTER_DAYS) as usize).or_default() += 1;
        }
        quarters.into_values().max().unwrap_or(0)
    }
}

/// Durations and cold starts of every configuration, by paging without a floor.
pub fn daily(folder: &Path) -> Result<Vec<Drifted>, String> {
    let path = folder.join("lambda_perf_daily/lambda_perf_daily.csv");
    let mut all: BTreeMap<String, Vec<(i64, f64)>> = BTreeMap::new();
    for (line, fields) in rows(&text(&path)?) {
        let wrong = || format!("{}:{line}: not a day of a configuration", path.display());
        let [date, runtime, package, memory, arch, duration, cold, ..] = *fields else {
            return Err(wrong());
        };
        let day = time(&format!("{date} 00:00:00")).ok_or_else(wrong)?.div_euclid(DAY.0);
        for (what, value) in [("duration", duration), ("cold start", cold)] {
            let name = format!("{runtime}, {package}, {memory} MB, {arch}: {what}");
            all.entry(name).or_default().push((day, value.parse().map_err(|_| wrong())?));
        }
    }
    Ok(all.into_iter().map(|(name, days)| drifted(name, days)).collect())
}

fn drifted(name: String, mut days: Vec<(i64, f64)>) -> Drifted {
    days.sort_by_key(|(day, _)| *day);
    days.dedup_by_key(|(day, _)| *day);
    let mut series = Series::new(DAY, Gap::Absent);
    let (mut episode, mut creeping) = (None, None::<i64>);
    let mut findings = Vec::new();
    for (at, (day, value)) in days.iter().enumerate() {
        series.close(*day, Some(*value)).expect("in order");
        let Some(weighed) = weigh(&series, &PAGING) else { continue };
        if let Some((news, told)) = episode::news(episode, &weighed, DAY) {
            episode = Some(told);
            if news == episode::News::Opens {
                findings.push((at, true));
            }
        }
        if weighed.raised.creeps {
            if creeping.is_none_or(|last| day - last > creep::LASTS_DAYS) {
                findings.push((at, false));
            }
            creeping = Some(*day);
        }
    }
    Drifted { name, days: days.len(), findings }
}

/// A burst of invocations at a known time.
#[derive(Clone, Debug, PartialEq)]
pub struct Burst {
    /// The experiment.
    pub name: String,
    /// How many invocations it is.
    pub size: usize,
    /// Whether a pane of it was raised for its number of invocations.
    pub found: bool,
}

/// What bursts come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Bursts {
    /// All of at least [`BURST_MIN`] invocations.
    pub bursts: Vec<Burst>,
    /// Panes raised in which no burst is.
    pub wrong: usize,
    /// How many panes after the invocations became seven times as long that was raised.
    pub longer_after_panes: Option<usize>,
}

/// Fewer invocations are no burst, and the floor.
pub const BURST_MIN: usize = 50;

/// Bursts are seconds apart, and so are panes of durations.
const SHORT: Span = Span::seconds(10);

/// When invocations began, in milliseconds, and how long they took.
type Invocations = BTreeMap<String, Vec<(i64, f64)>>;

/// The bursts, after two days without an invocation.
pub fn bursts(folder: &Path) -> Result<Bursts, String> {
    let path = folder.join("faas_parallelism_aws/invocations.csv");
    let mut all = Invocations::new();
    for (line, fields) in rows(&text(&path)?) {
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
        let (Some(start), Some(duration)) = (number(2), number(4)) else {
            return Err(format!("{}:{line}: not an invocation", path.display()));
        };
        all.entry(fields[0].to_owned()).or_default().push((start as i64, duration));
    }
    let raised = raised_counts(&all);
    let pane = |start: &i64| start.div_euclid(PANE.0);
    let is_burst = |starts: &&Vec<(i64, f64)>| starts.len() >= BURST_MIN;
    let bursts = all.iter().filter(|(_, starts)| is_burst(starts)).map(|(name, starts)| Burst {
        name: name.clone(),
        size: starts.len(),
        found: starts.iter().any(|(start, _)| raised.contains(&pane(start))),
    });
    let of_burst =
        |at: &&i64| all.values().filter(is_burst).flatten().any(|(start, _)| pane(start) == **at);
    let wrong = raised.iter().filter(|at| !of_burst(at)).count();
    Ok(Bursts { bursts: bursts.collect(), wrong, longer_after_panes: longer_after(&all) })
}

/// The panes of five minutes whose number of invocations is raised.
fn raised_counts(all: &Invocations) -> Vec<i64> {
    let mut counts: BTreeMap<i64, f64> = BTreeMap::new();
    for (start, _) in all.values().flatten() {
        *counts.entry(start.div_euclid(PANE.0)).or_default() += 1.0;
    }
    let quiet = counts.keys().next().map(|first| (first - 2 * DAY.0 / PANE.0, Some(0.0)));
    let floor = BURST_MIN as f64 / 2.0;
    let counts = counts.into_iter().map(|(pane, count)| (pane, Some(count)));
    let numbers = quiet.into_iter().chain(counts);
    raised(PANE, numbers, Gap::Zero, &PAGING.with_floors(floor, floor))
}

/// How many measured panes after invocations began to take seven times as long the first was raised.
fn longer_after(all: &Invocations) -> Option<usize> {
    let mut panes: BTreeMap<i64, (f64, usize)> = BTreeMap::new();
    for (start, duration) in all.values().flatten() {
        let pane = panes.entry(start.div_euclid(SHORT.0)).or_default();
        *pane = (pane.0 + duration, pane.1 + 1);
    }
    let long = all.iter().filter(|(name, _)| name.starts_with("work_"));
    let began =
        long.flat_map(|(_, starts)| starts).map(|(start, _)| start.div_euclid(SHORT.0)).min()?;
    let means = panes.iter().map(|(pane, (sum, count))| (*pane, Some(sum / *count as f64)));
    let raised = raised(SHORT, means, Gap::Absent, &PAGING);
    let first = raised.into_iter().find(|pane| *pane >= began)?;
    Some(panes.range(began..first).count())
}

/// The panes that are raised.
fn raised(
    width: Span,
    numbers: impl Iterator<Item = (i64, Option<f64>)>,
    gap: Gap,
    settings: &Settings,
) -> Vec<i64> {
    let mut series = Series::new(width, gap);
    let raised = numbers.filter(|(pane, number)| {
        series.close(*pane, *number).expect("in order");
        weigh(&series, settings).is_some_and(|weighed| weighed.raised.at_once())
    });
    raised.map(|(pane, _)| pane).collect()
}
