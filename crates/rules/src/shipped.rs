//! The detectors and formats that come with the program, as files of infra/detectors and infra/formats.

/// Names and texts of files in a folder of infra, sorted by name.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../infra/", $folder, "/", $name)))),*]
    };
}

const DETECTORS: &[(&str, &str)] = files!("detectors": "brute-force.toml" "credential-scan.toml");

const FORMATS: &[(&str, &str)] = files!("formats":
    "gitea.toml"
);

/// The shipped detector files: name and text of each, as [`crate::load`] takes them.
pub fn shipped() -> Vec<(String, String)> {
    owned(DETECTORS)
}

/// The shipped format files: name and text of each, as [`crate::formats`] takes them.
pub fn shipped_formats() -> Vec<(String, String)> {
    owned(FORMATS)
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
