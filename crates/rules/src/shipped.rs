//! The detectors that come with the program, as files of infra/detectors.

/// Name and text of each, sorted by name.
const SHIPPED: [(&str, &str); 2] = [
    ("brute-force.toml", include_str!("../../../infra/detectors/brute-force.toml")),
    ("credential-scan.toml", include_str!("../../../infra/detectors/credential-scan.toml")),
];

/// The shipped detector files: name and text of each, as [`crate::load`] takes them.
pub fn shipped() -> Vec<(String, String)> {
    SHIPPED.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec()
}
