//! The detectors and formats of a run: those shipped in the binary, or the user's own folder instead.

use std::path::Path;

use anyhow::{Context, anyhow};
use tidewatch_core::plan::Plan;
use tidewatch_ingest::declared::Formats;

use crate::exit::Failure;

/// Loads and plans the detectors of `folder`, or the shipped ones.
///
/// # Errors
/// If the folder cannot be read or holds no detector file, or if a file is faulty.
pub fn detectors(folder: Option<&Path>) -> Result<Plan, Failure> {
    let files = match folder {
        None => tidewatch_rules::shipped(),
        Some(folder) => read(folder, "--detectors")?,
    };
    let detectors = tidewatch_rules::load(files).map_err(Failure::Rules)?;
    Plan::new(detectors).map_err(|error| Failure::Usage(error.into()))
}

/// Loads the formats of `folder`, or the shipped ones.
///
/// # Errors
/// As [`detectors`].
pub fn formats(folder: Option<&Path>) -> Result<Formats, Failure> {
    let files = match folder {
        None => tidewatch_rules::shipped_formats(),
        Some(folder) => read(folder, "--formats")?,
    };
    tidewatch_rules::formats(files).map_err(Failure::Rules)
}

/// Name and text of each TOML file of `folder`, by name; `option` is what named the folder.
fn read(folder: &Path, option: &str) -> Result<Vec<(String, String)>, anyhow::Error> {
    let shown = folder.display();
    let entries = std::fs::read_dir(folder).with_context(|| format!("{option} {shown}"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("{option} {shown}"))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        return Err(anyhow!("{option} {shown}: no file (*.toml) in it"));
    }
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{option}: {}", path.display()))?;
            Ok((path.display().to_string(), text))
        })
        .collect()
}
