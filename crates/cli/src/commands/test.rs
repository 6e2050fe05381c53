//! `tidewatch test`: runs the cases beside detectors and formats, as they are written and varied by seeds.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::anyhow;
use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_core::detector::Detector;
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::username::Usernames;
use tidewatch_rules::cases::{self, Difference, Runner, Variation};
use tidewatch_rules::{shipped, shipped_formats};

use crate::args::{Output, TestArgs};
use crate::commands::counted;
use crate::exit::{Exit, Failure};
use crate::files::{self, Folder, RuleFile};
use crate::output::deliver;

/// What came of the cases of one file.
struct Tested<'a> {
    file: &'a RuleFile,
    kind: &'static str,
    cases: usize,
    failures: Vec<Failed>,
}

/// A case that does not hold.
struct Failed {
    at: usize,
    what: String,
    variation: Variation,
    difference: Difference,
}

/// Runs the cases.
///
/// # Errors
/// If the command line, a file or a case is faulty.
pub async fn run(args: TestArgs) -> Result<Exit, Failure> {
    let folder = match &args.dir {
        Some(dir) => Folder::open(dir)?,
        None => Folder::shipped(),
    };
    if let Some(stray) = folder.stray.first() {
        let beside = stray.replace(".cases", ".toml");
        return Err(anyhow!("{stray} stands beside nothing: there is no {beside}").into());
    }
    let variations: Vec<Variation> = std::iter::once(Variation::None)
        .chain((0..args.vary).map(|nth| Variation::Seed(args.seed.wrapping_add(nth))))
        .collect();
    let formats = Arc::new(formats(&folder, args.alone)?);
    let others = files::over(shipped(), &folder.detectors);
    let others = tidewatch_rules::load(others).map_err(Failure::Rules)?;
    let mut tested = Vec::new();
    for file in &folder.formats {
        tested.push(of_format(file, &formats, &variations)?);
    }
    for file in &folder.detectors {
        tested.push(of_detector(file, &others, &formats, &variations).await?);
    }
    let failed = tested.iter().any(|tested| !tested.failures.is_empty());
    let text = match args.output {
        Output::Text => text(&tested, args.vary),
        Output::Json => document(&tested).to_string(),
    };
    Ok(deliver(&text, if failed { Exit::Failed } else { Exit::Done }))
}

/// The formats that lines are read with: the shipped ones and those of the folder, or the folder's alone.
pub fn formats(folder: &Folder, alone: bool) -> Result<Formats, Failure> {
    let shipped = if alone { Vec::new() } else { shipped_formats() };
    tidewatch_rules::formats(files::over(shipped, &folder.formats)).map_err(Failure::Rules)
}

fn of_format<'a>(
    file: &'a RuleFile,
    formats: &Arc<Formats>,
    variations: &[Variation],
) -> Result<Tested<'a>, Failure> {
    let runner = Runner::new(Arc::clone(formats), Usernames::Exact);
    let cases = match &file.cases {
        Some((name, text)) => cases::parse(name, text, file.id()).map_err(|e| anyhow!(e))?,
        None => Vec::new(),
    };
    let mut failures = Vec::new();
    for case in &cases {
        // Once is enough: a variation of what fails as it is written says nothing new.
        let failed = variations.iter().find_map(|v| Some((*v, runner.run(case, *v)?)));
        failures.extend(failed.map(|(variation, difference)| Failed {
            at: case.at,
            what: case.line.clone(),
            variation,
            difference,
        }));
    }
    Ok(Tested { file, kind: "format", cases: cases.len(), failures })
}

/// Who plays in a scenario.
enum Cast {
    /// The detector, and all others it may name.
    Logins(Vec<Detector>),
    /// One about what functions take.
    Spending(SpendDetector),
}

impl Cast {
    fn of(file: &RuleFile, others: &[Detector]) -> Result<Cast, Failure> {
        if file.is_about_invocations() {
            return Ok(Cast::Spending(file.spend_detector()?));
        }
        let detector = file.detector()?;
        let others = others.iter().filter(|other| other.id != detector.id).cloned();
        Ok(Cast::Logins(std::iter::once(detector.clone()).chain(others).collect()))
    }
}

async fn of_detector<'a>(
    file: &'a RuleFile,
    others: &[Detector],
    formats: &Arc<Formats>,
    variations: &[Variation],
) -> Result<Tested<'a>, Failure> {
    let cast = Cast::of(file, others)?;
    let runner = Runner::new(Arc::clone(formats), Usernames::Fold);
    let scenarios = match &file.cases {
        Some((name, text)) => cases::scenarios(name, text).map_err(|e| anyhow!(e))?,
        None => Vec::new(),
    };
    let mut failures = Vec::new();
    for scenario in &scenarios {
        for variation in variations {
            let difference = match &cast {
                Cast::Logins(all) => runner.rehearse(scenario, all, *variation).await,
                Cast::Spending(rule) => runner.rehearse_spending(scenario, rule, *variation),
            };
            if let Some(difference) = difference {
                let (at, what) = (scenario.at, scenario.name.clone());
                failures.push(Failed { at, what, variation: *variation, difference });
                break;
            }
        }
    }
    Ok(Tested { file, kind: "detector", cases: scenarios.len(), failures })
}

fn text(tested: &[Tested<'_>], vary: u64) -> String {
    let mut text = String::new();
    for tested in tested {
        let name = &tested.file.name;
        let said = match (tested.cases, tested.failures.len()) {
            (0, _) => "no cases".to_owned(),
            (cases, 0) => format!("{cases} hold"),
            (cases, failed) => format!("{} hold, {failed} FAILED", cases - failed),
        };
        let _ = writeln!(text, "{:<8} {name}: {said}", tested.kind);
    }
    for tested in tested {
        let name = tested.file.cases.as_ref().map_or("", |(name, _)| name);
        for failed in &tested.failures {
            let varied = match failed.variation {
                Variation::None => String::new(),
                Variation::Seed(seed) => {
                    format!("\n    varied    holds as written, not with --vary 1 --seed {seed}")
                }
            };
            let _ = write!(
                text,
                "\nFAILED {name}:{}\n    {}\n    expected  {}\n    found     {}{varied}\n",
                failed.at,
                printable(&failed.what),
                printable(&failed.difference.expected),
                printable(&failed.difference.found),
            );
        }
    }
    let cases: usize = tested.iter().map(|tested| tested.cases).sum();
    let failed: usize = tested.iter().map(|tested| tested.failures.len()).sum();
    let varied =
        if vary == 0 { String::new() } else { format!(", each varied {}", counted(vary, "time")) };
    let _ = write!(
        text,
        "\n{} of {}{varied}: {} hold, {failed} failed",
        counted(cases as u64, "case"),
        counted(tested.len() as u64, "file"),
        cases - failed
    );
    text
}

fn document(tested: &[Tested<'_>]) -> Value {
    let files = tested.iter().map(|tested| {
        let failures = tested.failures.iter().map(|failed| {
            let seed = match failed.variation {
                Variation::None => Value::Null,
                Variation::Seed(seed) => json!(seed),
            };
            json!({
                "line": failed.at, "case": failed.what, "seed": seed,
                "expected": failed.difference.expected, "found": failed.difference.found,
            })
        });
        json!({
            "file": tested.file.name, "kind": tested.kind, "cases": tested.cases,
            "failures": failures.collect::<Vec<_>>(),
        })
    });
    let failed: usize = tested.iter().map(|tested| tested.failures.len()).sum();
    let cases: usize = tested.iter().map(|tested| tested.cases).sum();
    json!({ "cases": cases, "failed": failed, "files": files.collect::<Vec<_>>() })
}
