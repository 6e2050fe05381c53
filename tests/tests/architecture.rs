//! The direction of dependencies: core depends on none of ours, and what reads bytes, files or the
//! network is kept where it belongs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use tidewatch_tests::binary::root;

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

/// Each of our packages with what it depends on outside tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    metadata()
        .packages
        .iter()
        .map(|package| {
            let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
            (package.name.to_string(), normal.map(|d| d.name.clone()).collect())
        })
        .collect()
}

#[test]
fn each_crate_depends_only_on_what_the_architecture_allows() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("tidewatch-core", &[][..]),
        ("tidewatch-ingest", &["tidewatch-core"]),
        ("tidewatch-rules", &["tidewatch-core", "tidewatch-ingest"]),
        ("tidewatch-alert", &["tidewatch-core"]),
        ("tidewatch-aws", &["tidewatch-core", "tidewatch-alert"]),
        (
            "tidewatch-lambda",
            &[
                "tidewatch-core",
                "tidewatch-ingest",
                "tidewatch-rules",
                "tidewatch-alert",
                "tidewatch-aws",
            ],
        ),
        (
            "tidewatch",
            &[
                "tidewatch-core",
                "tidewatch-ingest",
                "tidewatch-rules",
                "tidewatch-alert",
                "tidewatch-aws",
            ],
        ),
    ]);
    let found = dependencies();
    for (package, allowed) in &allowed {
        let ours: Vec<&String> =
            found[*package].iter().filter(|name| name.starts_with("tidewatch")).collect();
        let stray: Vec<_> = ours.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(stray.is_empty(), "{package} must not depend on {stray:?}");
    }
    for package in found.keys().map(String::as_str) {
        let known = allowed.contains_key(package)
            || ["tidewatch-tests", "tidewatch-benches"].contains(&package);
        assert!(known, "{package} has no place in this list");
    }
}

#[test]
fn core_and_ingest_know_no_io_no_runtime_and_no_cloud() {
    let found = dependencies();
    let banned = |name: &str| {
        ["tokio", "clap", "toml", "indicatif", "getrandom", "rand", "anyhow"].contains(&name)
            || name.starts_with("aws-")
            || name.starts_with("lambda")
    };
    for package in ["tidewatch-core", "tidewatch-ingest"] {
        let stray: Vec<&String> = found[package].iter().filter(|name| banned(name)).collect();
        assert!(stray.is_empty(), "{package} must not depend on {stray:?}");
    }
    assert!(!found["tidewatch-core"].contains("serde_json"), "core knows no file format");
}

#[test]
fn only_one_crate_knows_aws() {
    // Tests and benches reach it through crates/aws as well, so that no other place picks a TLS stack
    // or turns retries on.
    for package in metadata().packages.iter().filter(|package| *package.name != "tidewatch-aws") {
        let mut all = package.dependencies.iter().map(|dependency| &dependency.name);
        let stray = all.find(|name| name.starts_with("aws-"));
        assert_eq!(stray, None, "{} must reach AWS through tidewatch-aws", package.name);
    }
}

/// Cargo builds the tests of a workspace with the features of all its members' dependencies together:
/// one that changes what serde_json writes would test JSON that is not the shipped binary's.
#[test]
fn no_dependency_changes_what_serde_json_does() {
    let output = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--workspace", "--edges", "features"])
        .args(["--invert", "serde_json"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(tree.contains("serde_json feature \"raw_value\""), "the tree says nothing: {tree}");
    for feature in ["preserve_order", "arbitrary_precision", "float_roundtrip"] {
        assert!(!tree.contains(&format!("serde_json feature \"{feature}\"")), "{feature}: {tree}");
    }
}

/// Every source file of ours.
fn sources() -> Vec<PathBuf> {
    let mut folders = vec![root().join("crates"), root().join("tests"), root().join("benches")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 40, "found only {} source files", files.len());
    files
}

#[test]
fn no_crate_has_features_of_its_own() {
    for package in metadata().packages {
        assert!(package.features.is_empty(), "{} has features", package.name);
    }
}

#[test]
fn no_file_is_a_junk_drawer_or_too_long_to_read() {
    let junk = ["common", "utils", "util", "shared", "helpers", "misc"];
    for path in sources() {
        let inside = path.strip_prefix(root()).expect("a file of ours");
        let names = inside.components().map(|name| name.as_os_str().to_string_lossy());
        let mut names = names.map(|name| name.trim_end_matches(".rs").to_owned());
        assert!(!names.any(|name| junk.contains(&name.as_str())), "{}", path.display());
        let lines = std::fs::read_to_string(&path).expect("source").lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
    }
}

#[test]
fn every_invariant_of_the_architecture_names_a_test_that_exists() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page");
    let table = page.split("## Invariants").nth(1).expect("the section");
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains('`'));
    let named: Vec<&str> = rows
        .filter_map(|row| row.split(" | ").nth(1))
        .flat_map(|tests| tests.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() >= 20, "found only {} tests in the table", named.len());
    let code: String =
        sources().iter().map(|path| std::fs::read_to_string(path).expect("source")).collect();
    for test in named {
        assert!(code.contains(&format!("fn {test}(")), "no test is called {test}");
    }
}
