//! What is printed: as text, and as one JSON document.

use std::fmt::Write;

use serde_json::{Value, json};
use tidewatch_core::series::{NAB, PAGING};

use super::clean::{KINDS, Raised};
use super::corpus::Corpus;
use super::published::Published;
use super::standing::{LeftOut, OfFile, STARTS, Scores, Standing};

/// The profile that thresholds are chosen by.
pub const STANDARD: &str = "standard";

/// Everything that is told.
pub struct Report {
    /// The totals: profile, category or all, and the standing, or the raw sum where there is no window.
    pub totals: Vec<(String, Option<String>, Result<Standing, f64>)>,
    /// By the standard profile.
    pub by_file: Vec<OfFile>,
    /// Each file with a threshold chosen on the others.
    pub left_out: Vec<LeftOut>,
    /// What that comes to, by category or all.
    pub left_out_totals: Vec<(Option<String>, f64)>,
    /// By kind of series and setting, both named.
    pub clean: Vec<[Raised; 2]>,
    /// Totals of others by detector, in the order of `totals`.
    pub others: Vec<(String, Vec<Option<f64>>)>,
    /// How many published totals, and raw scores of files, the scorer reproduces.
    pub reproduced: (usize, usize),
}

impl Report {
    /// Scores a corpus, beside what was published about it.
    pub fn of(
        corpus: &Corpus,
        published: &Published,
        clean: Vec<[Raised; 2]>,
    ) -> Result<Report, String> {
        let scores = Scores::of(corpus);
        let standard = corpus.profiles.get(STANDARD);
        let standard = standard.ok_or("config_profiles.json: no profile called standard")?;
        let categories = || {
            let names = corpus.categories().into_iter().map(|name| Some(name.to_owned()));
            std::iter::once(None).chain(names)
        };
        let mut totals = Vec::new();
        for (name, profile) in &corpus.profiles {
            for category in categories() {
                let standing = scores.standing(category.as_deref(), profile, NAB.threshold);
                let raw = || {
                    let category = category.as_deref().unwrap_or_default();
                    scores.raw_sum(category, profile, NAB.threshold)
                };
                totals.push((name.clone(), category.clone(), standing.ok_or_else(raw)));
            }
        }
        let left_out = scores.left_out(standard);
        let left_out_totals = categories().filter_map(|category| {
            let score = scores.left_out_score(&left_out, category.as_deref(), standard)?;
            Some((category, score))
        });
        let other = |detector: &str| {
            let total = |(profile, category, _): &(String, Option<String>, _)| {
                published.total(corpus, (detector, profile), category.as_deref())
            };
            (detector.to_owned(), totals.iter().map(total).collect())
        };
        Ok(Report {
            others: published.detectors().into_iter().map(other).collect(),
            by_file: scores.by_file(standard, NAB.threshold),
            left_out_totals: left_out_totals.collect(),
            left_out,
            clean,
            reproduced: (published.totals, published.single),
            totals,
        })
    }

    /// The standing by the standard profile in a category, or all.
    pub fn standard(&self, category: Option<&str>) -> Option<&Standing> {
        let of = |(profile, of, _): &&(String, Option<String>, _)| {
            profile == STANDARD && of.as_deref() == category
        };
        self.totals.iter().find(of).and_then(|(_, _, standing)| standing.as_ref().ok())
    }

    /// As text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("a string takes everything");
        text
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        match self.reproduced {
            (0, 0) => writeln!(text, "No published scores in this folder.\n")?,
            (totals, single) => writeln!(
                text,
                "The scorer reproduces {totals} published totals, and {single} raw scores of files.\n"
            )?,
        }
        writeln!(text, "One threshold, {}; averaged over {STARTS} beginnings:\n", NAB.threshold)?;
        let head = format!("{:<20} {:<22}", "profile", "category");
        writeln!(text, "{head} {:>8} {:>8}  best of others", "score", "averaged")?;
        for (at, (profile, category, standing)) in self.totals.iter().enumerate() {
            write!(text, "{profile:<20} {:<22} ", name(category))?;
            match standing {
                Ok(Standing { score, averaged }) => write!(text, "{score:>8.2} {averaged:>8.2}")?,
                Err(raw) => write!(text, "{:>8}", format!("({raw:.2})"))?,
            }
            for (detector, score) in self.best_others(at) {
                write!(text, "  {detector} {score:.1}")?;
            }
            writeln!(text)?;
        }
        self.write_files(text)?;
        self.write_clean(text)
    }

    /// The best three of others for a total.
    fn best_others(&self, total: usize) -> Vec<(&str, f64)> {
        let scored = self.others.iter();
        let scored = scored.filter_map(|(detector, of)| Some((detector.as_str(), of[total]?)));
        let mut all: Vec<(&str, f64)> = scored.collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(3);
        all
    }

    fn write_files(&self, text: &mut String) -> std::fmt::Result {
        writeln!(
            text,
            "\nBy the standard profile; and with the threshold that is best on all others,"
        )?;
        writeln!(text, "averaged over beginnings:\n")?;
        writeln!(
            text,
            "{:<52} {:>5} {:>5} {:>7}  {:>9} {:>7} {:>10}",
            "file", "found", "wrong", "raw", "threshold", "raw", "raw at one"
        )?;
        for (file, out) in self.by_file.iter().zip(&self.left_out) {
            let found = format!("{}/{}", file.windows.1, file.windows.0);
            writeln!(
                text,
                "{:<52} {found:>5} {:>5} {:>7.3}  {:>9.2} {:>7.3} {:>10.3}",
                file.file, file.wrong, file.raw, out.threshold, out.raw, out.raw_at_one
            )?;
        }
        for (category, score) in &self.left_out_totals {
            writeln!(text, "left out one by one, {}: {score:.2}", name(category))?;
        }
        Ok(())
    }

    fn write_clean(&self, text: &mut String) -> std::fmt::Result {
        if self.clean.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "\nEpisodes a series and week on clean synthetic series: by the score alone in both"
        )?;
        writeln!(text, "directions, and with all that paging asks for but a floor:\n")?;
        let thresholds = [NAB.threshold, PAGING.threshold];
        writeln!(
            text,
            "{:<24} {:>8.2} {:>8.2} {:>8}",
            "kind", thresholds[0], thresholds[1], "paging"
        )?;
        for (kind, [nab, paging]) in KINDS.iter().zip(&self.clean) {
            writeln!(
                text,
                "{kind:<24} {:>8.2} {:>8.2} {:>8.2}",
                nab.novel, paging.novel, paging.told
            )?;
        }
        Ok(())
    }

    /// As JSON.
    pub fn document(&self) -> Value {
        let totals = self.totals.iter().enumerate().map(|(at, (profile, category, standing))| {
            let others: serde_json::Map<String, Value> = self
                .others
                .iter()
                .filter_map(|(detector, scores)| Some((detector.clone(), json!(scores[at]?))))
                .collect();
            let (score, averaged) = standing
                .as_ref()
                .map_or((None, None), |standing| (Some(standing.score), Some(standing.averaged)));
            json!({
                "profile": profile, "category": category, "score": score, "averaged": averaged,
                "raw_without_windows": standing.as_ref().err(), "published": others,
            })
        });
        let files = self.by_file.iter().zip(&self.left_out).map(|(file, out)| {
            json!({
                "file": file.file, "windows": file.windows.0, "found": file.windows.1,
                "wrong": file.wrong, "raw": file.raw, "left_out_threshold": out.threshold,
                "left_out_raw": out.raw, "averaged_raw": out.raw_at_one,
            })
        });
        let clean = KINDS.iter().zip(&self.clean).map(|(kind, [nab, paging])| {
            json!({
                "kind": kind, "nab_threshold": nab.novel, "paging_threshold": paging.novel,
                "paging": paging.told,
            })
        });
        let left_out = self.left_out_totals.iter();
        let left_out = left_out.map(|(of, score)| json!({ "category": of, "score": score }));
        json!({
            "threshold": NAB.threshold,
            "paging_threshold": PAGING.threshold,
            "reproduced": { "totals": self.reproduced.0, "files": self.reproduced.1 },
            "totals": totals.collect::<Vec<_>>(),
            "files": files.collect::<Vec<_>>(),
            "left_out": left_out.collect::<Vec<_>>(),
            "clean_episodes_a_series_and_week": clean.collect::<Vec<_>>(),
        })
    }
}

fn name(category: &Option<String>) -> &str {
    category.as_deref().unwrap_or("all")
}
