//! How the novelty rank stands on a corpus: by profile and category, averaged over where files begin, and with
//! each file's threshold chosen on all others.

use std::collections::BTreeMap;

use tidewatch_core::series::NAB;

use super::corpus::{Corpus, File, Profile};
use super::detector::{alerts, scores};
use super::published::sum;
use super::scoring::{normalised, raw, windows};

/// How many beginnings are averaged, each a tenth of the probation later than the one before.
pub const STARTS: usize = 6;

/// The thresholds that are tried where one is chosen: all that could be meant, a hundredth apart.
fn thresholds() -> impl Iterator<Item = f64> {
    (340..=460).map(|hundredths| f64::from(hundredths) / 100.0)
}

/// The novelty scores of all files from all beginnings.
#[derive(Debug)]
pub struct Scores<'a> {
    corpus: &'a Corpus,
    /// By file and beginning.
    of: Vec<[Vec<f64>; STARTS]>,
}

/// One profile's scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// At the files' own beginnings.
    pub score: f64,
    /// Averaged over beginnings.
    pub averaged: f64,
}

/// What a file would get if its threshold were chosen on the others.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// Which file.
    pub file: String,
    /// The threshold that is best on all others, averaged over beginnings.
    pub threshold: f64,
    /// The file's raw score at that, averaged over beginnings.
    pub raw: f64,
    /// And at the one threshold for all.
    pub raw_at_one: f64,
}

/// How a file is scored at the one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct OfFile {
    /// Which file.
    pub file: String,
    /// Its windows, and how many were found.
    pub windows: (usize, usize),
    /// Alerts outside windows, after the probation.
    pub wrong: usize,
    /// By the standard profile.
    pub raw: f64,
}

impl<'a> Scores<'a> {
    /// Runs the detector over all files from all beginnings.
    pub fn of(corpus: &'a Corpus) -> Scores<'a> {
        let from =
            |file: &File| std::array::from_fn(|start| scores(file, file.probation() * start / 10));
        Scores { corpus, of: corpus.files.iter().map(from).collect() }
    }

    /// The raw score of a file from one beginning.
    fn raw(&self, file: usize, start: usize, threshold: f64, profile: &Profile) -> f64 {
        let of = &self.corpus.files[file];
        raw(of, &alerts(of, &self.of[file][start], threshold), profile)
    }

    fn averaged(&self, file: usize, threshold: f64, profile: &Profile) -> f64 {
        let sum: f64 = (0..STARTS).map(|start| self.raw(file, start, threshold, profile)).sum();
        sum / STARTS as f64
    }

    /// The standing in a category, or all; nothing where there is no window.
    pub fn standing(
        &self,
        category: Option<&str>,
        profile: &Profile,
        threshold: f64,
    ) -> Option<Standing> {
        let file = |name: &str| self.corpus.files.iter().position(|file| file.name == name);
        let total = |raw: &dyn Fn(usize) -> f64| {
            let (sum, windows) = sum(self.corpus, category, |name| Some(raw(file(name)?)))?;
            normalised(sum, windows, profile)
        };
        Some(Standing {
            score: total(&|file| self.raw(file, 0, threshold, profile))?,
            averaged: total(&|file| self.averaged(file, threshold, profile))?,
        })
    }

    /// The raw sum of a category without windows.
    pub fn raw_sum(&self, category: &str, profile: &Profile, threshold: f64) -> f64 {
        let files = 0..self.corpus.files.len();
        let of = files.filter(|file| self.corpus.files[*file].category() == category);
        of.map(|file| self.raw(file, 0, threshold, profile)).sum()
    }

    /// How each file is scored.
    pub fn by_file(&self, profile: &Profile, threshold: f64) -> Vec<OfFile> {
        let of = |at: usize| {
            let file = &self.corpus.files[at];
            let mut alerts = alerts(file, &self.of[at][0], threshold);
            alerts.retain(|row| *row >= file.probation());
            let inside =
                |row: &usize, (first, last): &(usize, usize)| (first..=last).contains(&row);
            let found = file.windows.iter().filter(|w| alerts.iter().any(|row| inside(row, w)));
            let found = found.count();
            let wrong = alerts.iter().filter(|row| !file.windows.iter().any(|w| inside(row, w)));
            OfFile {
                file: file.name.clone(),
                windows: (windows(file), found),
                wrong: wrong.count(),
                raw: raw(file, &alerts, profile),
            }
        };
        (0..self.corpus.files.len()).map(of).collect()
    }

    /// Each file with the threshold that is best on all others.
    pub fn left_out(&self, profile: &Profile) -> Vec<LeftOut> {
        let thresholds: Vec<f64> = thresholds().collect();
        let files = 0..self.corpus.files.len();
        let by_threshold = |file: usize| -> Vec<f64> {
            thresholds.iter().map(|at| self.averaged(file, *at, profile)).collect()
        };
        let raw: Vec<Vec<f64>> = files.clone().map(by_threshold).collect();
        let all = |at: usize| raw.iter().map(|file| file[at]).sum::<f64>();
        let all: Vec<f64> = (0..thresholds.len()).map(all).collect();
        let left_out = |file: usize| {
            let others = |at: &usize| all[*at] - raw[file][*at];
            let best = (0..thresholds.len()).max_by(|a, b| others(a).total_cmp(&others(b)));
            let best = best.unwrap_or(0);
            LeftOut {
                file: self.corpus.files[file].name.clone(),
                threshold: thresholds[best],
                raw: raw[file][best],
                raw_at_one: self.averaged(file, NAB.threshold, profile),
            }
        };
        files.map(left_out).collect()
    }

    /// The score of a category, or all, where each file has the threshold that is best on all others.
    pub fn left_out_score(
        &self,
        left_out: &[LeftOut],
        category: Option<&str>,
        profile: &Profile,
    ) -> Option<f64> {
        let by_name: BTreeMap<&str, f64> =
            left_out.iter().map(|out| (out.file.as_str(), out.raw)).collect();
        let (sum, windows) = sum(self.corpus, category, |name| by_name.get(name).copied())?;
        normalised(sum, windows, profile)
    }
}
