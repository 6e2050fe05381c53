//! The score on a folder laid out like Microsoft's cloud-monitoring-dataset, printed by
//! `cargo run --release -p tidewatch-tests --bin monitoring -- DIR`: series of rates, latencies and crashes, each
//! row of which experts labelled.
//!
//! Events are scored, not points. A run of labelled rows is found if a row in it is raised: it then opens an
//! episode, or is told within one. An episode is right if the row that opens it is labelled, and false otherwise.
//! Rows are panes as wide as the time between the first two.

use std::path::Path;

use tidewatch_core::series::{Gap, NAB, PAGING, Series, Settings, episode, weigh};
use tidewatch_core::time::Span;

use crate::nab::corpus::{entries, rows, text, time};

/// A labelled series.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// FOLDER/FILE.csv.
    pub name: String,
    /// The time between its first two rows.
    pub width: Span,
    /// Its values, where there is one, and whether each is labelled.
    pub rows: Vec<(Option<f64>, bool)>,
}

/// What alerts come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Rows.
    pub rows: usize,
    /// Labelled segments.
    pub segments: usize,
    /// Of them found.
    pub found: usize,
    /// Rows from the beginning of each found segment to the first row raised in it.
    pub delays: Vec<usize>,
    /// Episodes that a labelled row opened.
    pub right: usize,
    /// Episodes that another row opened.
    pub wrong: usize,
}

/// The two settings by name; the second without a floor.
pub const SETTINGS: [(&str, Settings); 2] = [("nab", NAB), ("paging", PAGING)];

/// Reads all series of a folder.
pub fn read(folder: &Path) -> Result<Vec<Labelled>, String> {
    let mut all = Vec::new();
    for inner in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
        for path in entries(&inner)? {
            if path.extension().is_some_and(|ending| ending == "csv") {
                let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
                all.push(labelled(&path, name)?);
            }
        }
    }
    match all.is_empty() {
        true => Err(format!("{}: no FOLDER/FILE.csv", folder.display())),
        false => Ok(all),
    }
}

fn labelled(path: &Path, name: String) -> Result<Labelled, String> {
    let text = text(path)?;
    let (mut times, mut all) = (Vec::new(), Vec::new());
    for (line, fields) in rows(&text) {
        let time = fields.first().and_then(|field| time(field));
        let value = fields.get(1).and_then(|field| match field.is_empty() {
            true => Some(None),
            false => field.parse().ok().map(Some),
        });
        let label = fields.get(2).and_then(|field| field.parse::<f64>().ok());
        let (Some(time), Some(value), Some(label)) = (time, value, label) else {
            return Err(format!("{name}:{line}: not a time, a number and a label"));
        };
        times.push(time);
        all.push((value, label > 0.0));
    }
    let width = times.get(1).map_or(0, |second| second - times[0]);
    match width > 0 {
        true => Ok(Labelled { name, width: Span(width), rows: all }),
        false => Err(format!("{name}: its first two rows are not in order")),
    }
}

/// Scores one series.
pub fn score(series: &Labelled, settings: &Settings) -> Outcome {
    let raised = raised(series, settings);
    let mut outcome = Outcome { rows: series.rows.len(), ..Outcome::default() };
    let mut opened: Option<i64> = None;
    for row in (0..raised.len()).filter(|row| raised[*row]) {
        if opened.is_none_or(|opened| !episode::lasts(opened, row as i64, series.width)) {
            opened = Some(row as i64);
            let right = series.rows[row].1;
            outcome.right += usize::from(right);
            outcome.wrong += usize::from(!right);
        }
    }
    let mut row = 0;
    for run in series.rows.chunk_by(|a, b| a.1 == b.1) {
        if run[0].1 {
            outcome.segments += 1;
            let first = raised[row..row + run.len()].iter().position(|raised| *raised);
            outcome.found += usize::from(first.is_some());
            outcome.delays.extend(first);
        }
        row += run.len();
    }
    outcome
}

/// Whether each row is raised.
fn raised(labelled: &Labelled, settings: &Settings) -> Vec<bool> {
    let mut series = Series::new(labelled.width, Gap::Absent);
    let row = |(row, (value, _)): (usize, &(Option<f64>, bool))| {
        series.close(row as i64, *value).expect("rows are in order");
        weigh(&series, settings).is_some_and(|weighed| weighed.raised.at_once())
    };
    labelled.rows.iter().enumerate().map(row).collect()
}

impl Outcome {
    /// Two outcomes together.
    pub fn and(mut self, other: &Outcome) -> Outcome {
        self.rows += other.rows;
        self.segments += other.segments;
        self.found += other.found;
        self.delays.extend(&other.delays);
        self.right += other.right;
        self.wrong += other.wrong;
        self
    }

    /// Found of labelled segments.
    pub fn recall(&self) -> f64 {
        share(self.found, self.segments)
    }

    /// Right of all episodes.
    pub fn precision(&self) -> f64 {
        share(self.right, self.right + self.wrong)
    }

    /// Their harmonic mean.
    pub fn f1(&self) -> f64 {
        let (recall, precision) = (self.recall(), self.precision());
        if recall + precision > 0.0 { 2.0 * recall * precision / (recall + precision) } else { 0.0 }
    }

    /// False episodes in a thousand rows.
    pub fn wrong_per_1000(&self) -> f64 {
        1_000.0 * share(self.wrong, self.rows)
    }

    /// The middle delay, in rows.
    pub fn delay(&self) -> Option<usize> {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays.get(delays.len() / 2).copied()
    }
}

fn share(some: usize, all: usize) -> f64 {
    if all > 0 { some as f64 / all as f64 } else { 0.0 }
}
