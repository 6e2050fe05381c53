//! What cfn-lint says of the templates. It does not look into SAM's own resources, so what it reads is
//! the translated template, and the template as well for what a translation hides.

use std::path::{Path, PathBuf};

use tidewatch_tests::binary::root;
use tidewatch_tests::cloud::{REGION, python};

use crate::translated;

/// Everything it has to say of `template`, warnings and remarks included; no rule is left out.
fn lint(template: &Path) -> String {
    let output = python()
        .args(["-c", "from cfnlint.runner import main; main()"])
        .args(["--include-checks", "I", "--regions", REGION, "--"])
        .arg(template)
        .output()
        .expect("TIDEWATCH_PYTHON starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_linter_has_nothing_to_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("translated.json");
    std::fs::write(&whole, translated().to_string()).expect("written");
    let sources = ["infra/template.yaml", "infra/account-subscription.yaml"];
    let all: Vec<PathBuf> = sources.iter().map(|source| root().join(source)).collect();
    for template in all.iter().chain([&whole]) {
        let said = lint(template);
        assert!(said.is_empty(), "{}:\n{said}", template.display());
    }
}

/// What would be overlooked here would prove nothing above.
#[test]
fn the_linter_sees_a_typo_within_a_function() {
    let folder = tempfile::tempdir().expect("a folder");
    let template = folder.path().join("translated.json");
    let mut broken = translated().clone();
    broken["Resources"]["Detector"]["Properties"]["MemorySise"] = 512.into();
    std::fs::write(&template, broken.to_string()).expect("written");
    assert!(lint(&template).contains("MemorySise"));
}
