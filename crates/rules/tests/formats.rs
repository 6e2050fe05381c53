//! The formats that come with the program: each file is good, has cases, and every case holds.

use std::sync::Arc;

use tidewatch_rules::cases::{Runner, parse};
use tidewatch_rules::{formats, shipped_formats};

#[test]
fn every_case_of_every_shipped_format_holds() {
    let files = shipped_formats();
    let formats = formats(files.clone()).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors.iter().map(|error| format!("{error}\n  {}\n", error.help)).collect::<String>()
        )
    });
    let formats = Arc::new(formats);
    assert_eq!(formats.all().len(), files.len());
    let runner = Runner::new(Arc::clone(&formats));
    let mut wrong = String::new();
    for (name, _) in &files {
        let id = name.trim_end_matches(".toml");
        assert!(formats.all().iter().any(|format| format.id == id), "{name} declares {id}");
        let path = format!("{}/../../infra/formats/{id}.cases", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let cases = parse(&path, &text, id).unwrap_or_else(|error| panic!("{error}"));
        assert!(cases.iter().any(|case| case.expected.is_some()), "{path} has no signal");
        for case in &cases {
            if let Some(difference) = runner.run(case) {
                wrong += &format!(
                    "{id}.cases:{}: {}\n  expected {}\n  found    {}\n",
                    case.at, case.line, difference.expected, difference.found
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
