//! Scores a folder laid out like CrowdSec's hub tests: a folder a test, with a log and `expected.json`, which
//! says what its parsers took out of the log (`parsed_events`) and which scenarios overflowed.
//!
//! Extraction: of each event about authentication that a test expects, whether ingest makes a signal with the
//! same source, and the same user where one is expected. Detection: of each overflow that an address of six events or more
//! caused, whether the detectors of tests/profiles/crowdsec raise for that address.

pub mod detection;
pub mod expected;
pub mod extraction;

use std::path::{Path, PathBuf};

use expected::Expected;

/// A test of the folder.
#[derive(Debug)]
pub struct Test {
    /// Its folder's name.
    pub name: String,
    /// Its log.
    pub log: PathBuf,
    /// What it expects.
    pub expected: Expected,
}

/// The tests of `folder`, by name; those without a readable expectation are left out.
///
/// # Errors
/// If the folder cannot be read, or an expectation is no JSON; says which.
pub fn tests(folder: &Path) -> Result<Vec<Test>, String> {
    let shown = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| shown(folder, &error))?;
    let mut tests = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| shown(folder, &error))?.path();
        let file = path.join("expected.json");
        if !file.is_file() {
            continue;
        }
        let text = std::fs::read_to_string(&file).map_err(|error| shown(&file, &error))?;
        let json = serde_json::from_str(&text).map_err(|error| shown(&file, &error))?;
        let Some((log, expected)) = Expected::of(&json) else { continue };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        tests.push(Test { name, log: path.join(log), expected });
    }
    tests.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(tests)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_folder_without_an_expectation_is_no_test() {
        let folder = tempfile::tempdir().expect("a folder");
        let scored = r#"{"log": "b.log", "parsed_events": [{"meta": {"source_ip": "192.0.2.1", "log_type": "x_login"}}]}"#;
        let null = r#"{"log": "c.log", "parsed_events": null, "overflows": null}"#;
        for (name, json) in [("b", Some(scored)), ("c", Some(null)), ("a", None)] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a folder");
            if let Some(json) = json {
                std::fs::write(path.join("expected.json"), json).expect("an expectation");
            }
        }
        let found = tests(folder.path()).expect("a folder of tests");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].expected.events.len()), ("b", 1));
        std::fs::write(folder.path().join("b/expected.json"), "{").expect("an expectation");
        assert!(tests(folder.path()).expect_err("no JSON").contains("expected.json"));
    }
}
