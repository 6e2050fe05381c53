//! `tidewatch check`: validates detector, format and allow files, and warns about what is hardly meant.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_core::tag::TagKey;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::trace::Answer;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Config, Ingest};
use tidewatch_rules::warnings::{FileOfFormat, Warning, of_allow, of_detector, of_formats};
use tidewatch_rules::{RuleError, cases};

use crate::args::{CheckArgs, Output};
use crate::commands::test::formats;
use crate::commands::{counted, started};
use crate::exit::{Exit, Failure};
use crate::files::{self, Folder, RuleFile, over};
use crate::lines::Lines;
use crate::output::deliver;

/// Checks the files.
///
/// # Errors
/// If the folder cannot be read.
pub fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let folder = match &args.dir {
        Some(dir) => Folder::open(dir)?,
        None => Folder::shipped(),
    };
    let mut faults = Faults::default();
    let mut warnings: Vec<Warning> = folder.stray.iter().map(|file| stray(file)).collect();
    let own = folder.formats.iter().map(|file| (file.name.clone(), file.text.clone()));
    faults.take(tidewatch_rules::formats(own));
    let own = folder.detectors.iter().map(|file| (file.name.clone(), file.text.clone()));
    let detectors = faults.take(tidewatch_rules::load(own.clone())).unwrap_or_default();
    faults.take(tidewatch_rules::load_spending(own));
    let all = over(tidewatch_rules::shipped(), &folder.detectors);
    let all = tidewatch_rules::load(all).unwrap_or_default();
    let loaded: Vec<&str> = all.iter().map(|detector| detector.id.as_str()).collect();
    let of_logins = folder.detectors.iter().filter(|file| !file.is_about_invocations());
    for (file, detector) in of_logins.zip(&detectors) {
        warnings.extend(of_detector(&file.name, detector, &loaded));
    }
    for file in &folder.detectors {
        match &file.cases {
            None => warnings.push(no_cases(&file.name)),
            Some((name, text)) => faults.case(cases::scenarios(name, text)),
        }
    }
    let of_functions = folder.detectors.iter().filter(|file| file.is_about_invocations());
    let ids = loaded.iter().copied().chain(of_functions.map(|file| file.id()));
    let allowed = files::allowed(&folder, ids, started());
    if let Some(allow) = faults.take(allowed) {
        warnings.extend(of_allow(&allow, started()));
    }
    let files = folder.formats.iter().map(|file| of_format(file, &mut faults)).collect::<Vec<_>>();
    if faults.is_empty() {
        let formats = Arc::new(formats(&folder, args.alone)?);
        warnings.extend(of_formats(&files, &formats));
        if let Some(log) = &args.log {
            warnings.extend(in_log(log, &files, &formats)?);
        }
    }
    let checked = folder.detectors.len() + folder.formats.len() + folder.allow.len();
    let text = match args.output {
        Output::Text => text(checked, &faults, &warnings),
        Output::Json => document(checked, &faults, &warnings).to_string(),
    };
    let exit = match (faults.is_empty(), warnings.is_empty()) {
        (false, _) => Exit::Usage,
        (true, false) if args.strict => Exit::Failed,
        _ => Exit::Done,
    };
    Ok(deliver(&text, exit))
}

/// What is wrong with files.
#[derive(Default)]
struct Faults {
    rules: Vec<RuleError>,
    cases: Vec<cases::CaseError>,
}

impl Faults {
    fn take<T>(&mut self, loaded: Result<T, Vec<RuleError>>) -> Option<T> {
        loaded.map_err(|errors| self.rules.extend(errors)).ok()
    }

    fn case<T>(&mut self, parsed: Result<T, cases::CaseError>) {
        self.cases.extend(parsed.err());
    }

    fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.cases.is_empty()
    }
}

fn of_format(file: &RuleFile, faults: &mut Faults) -> FileOfFormat {
    let id = file.id().to_owned();
    let cases = file.cases.as_ref().and_then(|(name, text)| {
        let parsed = cases::parse(name, text, &id);
        parsed.map_err(|error| faults.cases.push(error)).ok()
    });
    FileOfFormat { file: file.name.clone(), id, cases }
}

fn no_cases(file: &str) -> Warning {
    Warning {
        file: file.to_owned(),
        what: "has no cases".to_owned(),
        help: "Write what must raise it, and what must not, into a `.cases` file beside it."
            .to_owned(),
    }
}

fn stray(file: &str) -> Warning {
    Warning {
        file: file.to_owned(),
        what: "stands beside no file of its name".to_owned(),
        help: "Its cases are never run. Name it like the `.toml` it belongs to.".to_owned(),
    }
}

/// Lines a needle may be in without its format reading them, in a user's own log, as a share.
const UNREAD_SHARE_MAX: f64 = 0.01;

/// Formats that many lines of a log are held out to in vain.
fn in_log(
    log: &std::path::Path,
    files: &[FileOfFormat],
    formats: &Arc<Formats>,
) -> Result<Vec<Warning>, Failure> {
    let named = || format!("--log {}", log.display());
    let mut read = Lines::open(log).with_context(named)?;
    let mut lines = 0u64;
    let mut passed_over = vec![0usize; formats.all().len()];
    // No tag is shown, so any key will do.
    let naming = Naming { key: TagKey::new([0; 16]), usernames: Usernames::Fold };
    let formats_too = Arc::clone(formats);
    let ingest = Ingest::new(Config { naming, own_group: None, formats: formats_too });
    while let Some(line) = read.next().with_context(named)? {
        lines += 1;
        let Some(trace) = ingest.trace_line(&line) else { continue };
        for asked in trace.asked.iter().filter(|asked| asked.answer == Answer::CannotRead) {
            if let Some(at) = formats.all().iter().position(|format| format.id == asked.format) {
                passed_over[at] += 1;
            }
        }
    }
    if lines == 0 {
        return Err(anyhow!("--log {}: no line in it", log.display()).into());
    }
    let of = |file: &FileOfFormat| {
        let at = formats.all().iter().position(|format| format.id == file.id)?;
        let share = passed_over[at] as f64 / lines as f64;
        (share > UNREAD_SHARE_MAX).then(|| Warning {
            file: file.file.clone(),
            what: format!(
                "{} of {} of {} hold a needle of it and are not its own",
                passed_over[at],
                counted(lines, "line"),
                log.display()
            ),
            help: "Each of them is taken apart in vain. Choose longer needles.".to_owned(),
        })
    };
    Ok(files.iter().filter_map(of).collect())
}

fn text(checked: usize, faults: &Faults, warnings: &[Warning]) -> String {
    let mut text = String::new();
    for error in &faults.rules {
        let _ = writeln!(text, "{:?}", miette::Report::new(error.clone()));
    }
    for error in &faults.cases {
        let _ = writeln!(text, "error: {}", printable(&error.to_string()));
    }
    for Warning { file, what, help } in warnings {
        let _ = writeln!(text, "warning: {file}: {}\n    help: {help}", printable(what));
    }
    let errors = counted((faults.rules.len() + faults.cases.len()) as u64, "error");
    let warnings = counted(warnings.len() as u64, "warning");
    text + &format!("{}: {errors}, {warnings}", counted(checked as u64, "file"))
}

fn document(checked: usize, faults: &Faults, warnings: &[Warning]) -> Value {
    let rules = faults.rules.iter().map(|error| {
        json!({
            "file": error.file, "line": error.line, "column": error.column,
            "what": error.fault.to_string(), "help": error.help,
        })
    });
    let cases = faults.cases.iter().map(
        |error| json!({ "file": error.file, "line": error.line, "what": error.why, "help": null }),
    );
    let warnings = warnings
        .iter()
        .map(|warning| json!({ "file": warning.file, "what": warning.what, "help": warning.help }));
    json!({
        "files": checked,
        "errors": rules.chain(cases).collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
    })
}
