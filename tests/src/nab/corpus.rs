//! A folder laid out like the Numenta Anomaly Benchmark: data/CATEGORY/FILE.csv with the columns timestamp and
//! value, labels/combined_windows.json with the windows of each file, config_profiles.json with what errors
//! cost.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::DateTime;

/// One series and the windows in which somebody who knew said that something was wrong.
#[derive(Clone, Debug)]
pub struct File {
    /// CATEGORY/FILE.csv.
    pub name: String,
    /// When each row was, in milliseconds.
    pub times: Vec<i64>,
    /// Its value.
    pub values: Vec<f64>,
    /// First and last row of each window, in order.
    pub windows: Vec<(usize, usize)>,
}

/// What each outcome counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Profile {
    /// A window found at its very start.
    pub found: f64,
    /// A window missed, taken off.
    pub missed: f64,
    /// A row far from any window, taken off.
    pub wrong: f64,
}

/// All files, and the profiles by name.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// In order of their names.
    pub files: Vec<File>,
    /// By name.
    pub profiles: BTreeMap<String, Profile>,
}

impl File {
    /// The folder it is in.
    pub fn category(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// The rows at its beginning that are not scored: 15 %, at most 750.
    pub fn probation(&self) -> usize {
        (self.values.len() * 15 / 100).min(750)
    }
}

impl Corpus {
    /// Reads a folder; says what is wrong with it and where.
    pub fn read(folder: &Path) -> Result<Corpus, String> {
        let labels = json(&folder.join("labels/combined_windows.json"))?;
        let mut files = Vec::new();
        for category in entries(&folder.join("data"))? {
            if !category.is_dir() {
                continue;
            }
            for path in entries(&category)? {
                if path.extension().is_some_and(|ending| ending == "csv") {
                    files.push(file(&category, &path, &labels)?);
                }
            }
        }
        if files.is_empty() {
            return Err(format!("{}: no data/CATEGORY/FILE.csv", folder.display()));
        }
        Ok(Corpus { files, profiles: profiles(&folder.join("config_profiles.json"))? })
    }

    /// The categories, in order.
    pub fn categories(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.iter().map(File::category).collect();
        names.dedup();
        names
    }
}

/// What is in a folder, in order.
pub fn entries(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    let all: Result<Vec<_>, _> =
        std::fs::read_dir(folder).map_err(wrong)?.map(|entry| Ok(entry?.path())).collect();
    let mut all = all.map_err(wrong)?;
    all.sort();
    Ok(all)
}

/// A text file, or what is wrong with it.
pub fn text(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// A JSON file, or what is wrong with it.
pub fn json(path: &Path) -> Result<serde_json::Value, String> {
    serde_json::from_str(&text(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// The milliseconds of a time like `2014-02-14 14:30:00` or `2018-03-15T00:00:00Z`, taken as UTC.
pub fn time(text: &str) -> Option<i64> {
    let civil: DateTime = text.trim_end_matches('Z').parse().ok()?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// The rows of a file of comma-separated fields without its head, each with its number and its fields.
pub fn rows(text: &str) -> impl Iterator<Item = (usize, Vec<&str>)> {
    let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(at, line)| {
        (at + 1, line.trim_end().split(',').map(|f| f.trim_matches('"')).collect())
    })
}

/// The times and values in the first two columns.
pub fn times_and_values(path: &Path) -> Result<(Vec<i64>, Vec<f64>), String> {
    let text = text(path)?;
    let (mut times, mut values) = (Vec::new(), Vec::new());
    for (line, fields) in rows(&text) {
        let time = fields.first().and_then(|field| time(field));
        let value = fields.get(1).and_then(|field| field.parse::<f64>().ok());
        let (Some(time), Some(value)) = (time, value) else {
            return Err(format!("{}:{line}: not a time and a number", path.display()));
        };
        times.push(time);
        values.push(value);
    }
    Ok((times, values))
}

fn file(category: &Path, path: &Path, labels: &serde_json::Value) -> Result<File, String> {
    let part = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = format!("{}/{}", part(category), part(path));
    let (times, values) = times_and_values(path)?;
    let of_file = labels.get(&name).and_then(|windows| windows.as_array());
    let of_file = of_file.ok_or_else(|| format!("combined_windows.json: nothing about {name}"))?;
    let windows: Option<Vec<_>> = of_file.iter().map(|window| rows_of(window, &times)).collect();
    let windows =
        windows.ok_or_else(|| format!("combined_windows.json: a faulty window of {name}"))?;
    Ok(File { name, times, values, windows })
}

/// The first and the last row of a window.
fn rows_of(window: &serde_json::Value, times: &[i64]) -> Option<(usize, usize)> {
    let end = |at: usize| time(window.get(at)?.as_str()?);
    let (first, last) = (end(0)?, end(1)?);
    let from = times.iter().position(|time| *time >= first)?;
    let exact = times.iter().position(|time| *time == last);
    let to = exact.or_else(|| times.iter().rposition(|time| *time <= last))?;
    (from <= to).then_some((from, to))
}

fn profiles(path: &Path) -> Result<BTreeMap<String, Profile>, String> {
    let profiles = json(path)?;
    let profiles = profiles.as_object().ok_or_else(|| format!("{}: no object", path.display()))?;
    let profile = |(name, value): (&String, &serde_json::Value)| {
        let weight = |of: &str| value["CostMatrix"][of].as_f64();
        let profile = Profile {
            found: weight("tpWeight")?,
            missed: weight("fnWeight")?,
            wrong: weight("fpWeight")?,
        };
        Some((name.clone(), profile))
    };
    let all: Option<BTreeMap<_, _>> = profiles.iter().map(profile).collect();
    all.ok_or_else(|| format!("{}: a profile without weights", path.display()))
}
