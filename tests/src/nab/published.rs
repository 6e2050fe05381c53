//! What others scored, where a folder says: published_scores_per_file.csv with raw scores of single files, and
//! published_scores_this_split.json with what they come to. The first must give the second, and what of the
//! first follows from the files themselves must follow: else our scorer is not that of the benchmark.

use std::collections::BTreeMap;
use std::path::Path;

use super::corpus::{Corpus, Profile, json, rows, text};
use super::scoring::{normalised, windows};

/// How far a total may be from what was published with two digits.
const ROUNDING: f64 = 0.005_001;

/// The raw scores of one detector and profile by file.
pub type Raw = BTreeMap<String, f64>;

/// Scores of others.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// By detector and profile; only those that scored every file of the folder.
    pub raw: BTreeMap<(String, String), Raw>,
    /// How many totals were reproduced.
    pub totals: usize,
    /// How many raw scores of single files.
    pub single: usize,
}

impl Published {
    /// Reads what the folder holds, and reproduces it; nothing where it holds none.
    pub fn read(folder: &Path, corpus: &Corpus) -> Result<Published, String> {
        let path = folder.join("published_scores_per_file.csv");
        if !path.exists() {
            return Ok(Published::default());
        }
        let mut published = Published::default();
        for (line, fields) in rows(&text(&path)?) {
            let row =
                row(&fields).ok_or_else(|| format!("{}:{line}: not a score", path.display()))?;
            published.single += reproduce(&row, corpus)
                .map_err(|wrong| format!("{}:{line}: {wrong}", path.display()))?;
            let of = published.raw.entry((row.detector.to_owned(), row.profile.to_owned()));
            of.or_default().insert(row.file.to_owned(), row.raw);
        }
        let names = || corpus.files.iter().map(|file| &file.name);
        published.raw.retain(|_, raw| names().all(|name| raw.contains_key(name)));
        let path = folder.join("published_scores_this_split.json");
        if path.exists() {
            published.totals = published.reproduce_totals(corpus, &json(&path)?["scores"])?;
        }
        Ok(published)
    }

    /// The total of a category, or of all, as the scorer puts it together.
    pub fn total(&self, corpus: &Corpus, of: (&str, &str), category: Option<&str>) -> Option<f64> {
        let raw = self.raw.get(&(of.0.to_owned(), of.1.to_owned()))?;
        let profile = corpus.profiles.get(of.1)?;
        let (sum, windows) = sum(corpus, category, |name| raw.get(name).copied())?;
        normalised(sum, windows, profile)
    }

    /// The detectors.
    pub fn detectors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.raw.keys().map(|(detector, _)| detector.as_str()).collect();
        names.dedup();
        names
    }

    fn reproduce_totals(&self, corpus: &Corpus, said: &serde_json::Value) -> Result<usize, String> {
        let mut reproduced = 0;
        for (detector, profile) in self.raw.keys() {
            let all = corpus.categories().into_iter().map(Some).chain([None]);
            for category in all {
                let ours = self.total(corpus, (detector, profile), category);
                let said = said[detector][category.unwrap_or("ALL")][profile].as_f64();
                let (Some(ours), Some(said)) = (ours, said) else { continue };
                if (ours - said).abs() > ROUNDING {
                    return Err(format!(
                        "{detector}, {profile}, {}: {said} was published, and the scorer makes it {ours:.4}",
                        category.unwrap_or("all")
                    ));
                }
                reproduced += 1;
            }
        }
        match reproduced {
            0 => Err(
                "published_scores_this_split.json: no total of a detector that scored all files"
                    .to_owned(),
            ),
            _ => Ok(reproduced),
        }
    }
}

/// The sum of raw scores over the files of a category, or all, and their windows.
pub fn sum(
    corpus: &Corpus,
    category: Option<&str>,
    raw: impl Fn(&str) -> Option<f64>,
) -> Option<(f64, usize)> {
    let files = corpus.files.iter().filter(|file| category.is_none_or(|of| file.category() == of));
    let mut total = (0.0, 0);
    for file in files {
        total.0 += raw(&file.name)?;
        total.1 += windows(file);
    }
    Some(total)
}

struct Row<'a> {
    detector: &'a str,
    profile: &'a str,
    file: &'a str,
    raw: f64,
    inside: usize,
    outside: usize,
    rows: usize,
    windows: usize,
}

fn row<'a>(fields: &[&'a str]) -> Option<Row<'a>> {
    // The column of rows counts the probation with some detectors, the four counts before it never do.
    let [detector, profile, _, file, raw, tp, tn, fp, missed, _, windows] = *fields else {
        return None;
    };
    let count = |field: &str| field.parse::<f64>().ok().map(|count| count as usize);
    let (inside, outside) = (count(tp)?, count(fp)?);
    let rows = inside + outside + count(tn)? + count(missed)?;
    Some(Row {
        detector,
        profile,
        file,
        raw: raw.parse().ok()?,
        inside,
        outside,
        rows,
        windows: count(windows)?,
    })
}

/// What of a published row follows from the file: how many rows and windows are scored, and the raw score where
/// there was no alert, or no window. 1 if the score did follow.
fn reproduce(row: &Row, corpus: &Corpus) -> Result<usize, String> {
    let Some(file) = corpus.files.iter().find(|file| file.name == row.file) else { return Ok(0) };
    let Some(profile) = corpus.profiles.get(row.profile) else { return Ok(0) };
    let ours = (file.values.len() - file.probation(), windows(file));
    if ours != (row.rows, row.windows) {
        return Err(format!(
            "it has {:?} rows and windows, ours {ours:?}",
            (row.rows, row.windows)
        ));
    }
    let Profile { missed, wrong, .. } = *profile;
    let follows = match (row.inside, row.outside) {
        (0, 0) => -missed * row.windows as f64,
        (0, outside) if row.windows == 0 => -wrong * outside as f64,
        _ => return Ok(0),
    };
    match (row.raw - follows).abs() < 1e-9 {
        true => Ok(1),
        false => Err(format!("a raw score of {}, and the scorer makes it {follows}", row.raw)),
    }
}
