//! Links of the documents lead somewhere: each file and each heading that is linked to is there.

use std::fs;
use std::path::{Path, PathBuf};

use tidewatch_tests::binary::root;

/// Every document of the repository.
fn documents() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "SHARED-STATE.md"].map(|name| root().join(name)).into();
    let docs = fs::read_dir(root().join("docs")).expect("a folder");
    all.extend(docs.map(|entry| entry.expect("an entry").path()));
    all
}

/// The targets of links between documents, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        for (at, _) in line.match_indices("](") {
            let target = &line[at + 2..];
            let target = &target[..target.find(')').unwrap_or(target.len())];
            if !target.contains("://") {
                links.push(target.to_owned());
            }
        }
    }
    links
}

/// A heading as the anchor that GitHub makes of it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_heading(path: &Path, wanted: &str) -> bool {
    let text = fs::read_to_string(path).expect("a document");
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).any(|anchor| anchor == wanted)
}

#[test]
fn every_link_leads_somewhere() {
    let mut seen = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("a document");
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().expect("a folder").join(file),
            };
            let shown = document.display();
            assert!(target.exists(), "{shown}: {link} leads nowhere");
            assert!(
                heading.is_empty() || has_heading(&target, heading),
                "{shown}: there is no heading for {link}"
            );
            seen += 1;
        }
    }
    assert!(seen > 30, "only {seen} links were found");
}

#[test]
fn a_heading_is_found_by_its_anchor() {
    assert_eq!(anchor(" What your logs carry"), "what-your-logs-carry");
    assert_eq!(anchor(" Can I trust the counts?"), "can-i-trust-the-counts");
    assert_eq!(links("see [a](b.md#c), [d](https://e) and\n    [no](f)"), ["b.md#c"]);
}
