//! What is hardly meant in formats: needles in everyday lines, lines of a file that come too late, and
//! formats that others shadow, as their own cases show.

use std::sync::Arc;

use tidewatch_core::tag::TagKey;
use tidewatch_ingest::declared::{Body, Choice, Declared, Formats, Reading, Told};
use tidewatch_ingest::trace::Answer;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Config, Ingest};

use super::Warning;
use super::everyday::LINES;
use crate::cases::Case;

/// A format's file and the cases beside it.
#[derive(Clone, Debug)]
pub struct FileOfFormat {
    /// The file's name.
    pub file: String,
    /// The format's id.
    pub id: String,
    /// Its cases, where there is such a file.
    pub cases: Option<Vec<Case>>,
}

/// What is hardly meant in `formats`, which are loaded together from `files`.
pub fn of_formats(files: &[FileOfFormat], formats: &Arc<Formats>) -> Vec<Warning> {
    let naming = Naming { key: TagKey::new([0; 16]), usernames: Usernames::Exact };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Arc::clone(formats) });
    let mut warnings = Vec::new();
    for of in files {
        let Some(format) = formats.all().iter().find(|format| format.id == of.id) else { continue };
        let mut warn = |(what, help): (String, String)| {
            warnings.push(Warning { file: of.file.clone(), what, help });
        };
        format.needles.iter().filter_map(|n| common(format, n, &ingest)).for_each(&mut warn);
        late(format).into_iter().for_each(&mut warn);
        match &of.cases {
            None => warn((
                "has no cases".to_owned(),
                "Write some lines and what each must be read as into a `.cases` file beside it."
                    .to_owned(),
            )),
            Some(cases) => cases.iter().filter_map(|c| rival(c, &ingest)).for_each(&mut warn),
        }
    }
    warnings
}

/// A needle in lines that are none of the format's.
fn common(format: &Declared, needle: &str, ingest: &Ingest) -> Option<(String, String)> {
    let held = LINES.iter().filter(|line| line.contains(needle));
    let first = held.clone().find(|line| {
        let trace = ingest.trace(line, "");
        let own = trace.asked.iter().find(|asked| asked.format == format.id);
        own.is_some_and(|own| own.answer == Answer::CannotRead)
    })?;
    let what = format!(
        "the needle `{needle}` is in everyday lines, {} of {} we know, as `{first}`",
        held.count(),
        LINES.len()
    );
    let help = "Every line with a needle is taken apart. Choose a longer part of the line that never \
                changes, or several.";
    Some((what, help.to_owned()))
}

/// Lines of a file behind one that takes all that they could.
fn late(format: &Declared) -> Vec<(String, String)> {
    let total = |reading: &Reading| match &reading.outcome {
        Choice::Always(_) => true,
        Choice::By { otherwise, .. } => otherwise.is_some(),
        Choice::Untold => false,
    };
    let body = |reading: &Reading| match &reading.body {
        Body::Text { pattern, .. } => format!("{pattern:?}"),
        other => format!("{other:?}"),
    };
    let mut late = Vec::new();
    for (nth, reading) in format.readings.iter().enumerate() {
        let earlier = &format.readings[..nth];
        let taken = |other: &&Reading| total(other) && body(other) == body(reading);
        if let Some(first) = earlier.iter().position(|other| taken(&other)) {
            let (nth, first) = (nth + 1, first + 1);
            late.push((
                format!("line {nth} is never asked: line {first} takes all that it could read"),
                "Make their conditions differ, or put the narrower one first.".to_owned(),
            ));
        }
    }
    let silent = |reading: &Reading| matches!(reading.outcome, Choice::Always(Told::Nothing));
    if format.readings.iter().all(silent) {
        late.push((
            "says nothing about any line".to_owned(),
            "Give one of its lines an `outcome`.".to_owned(),
        ));
    }
    late
}

/// A case that another format takes.
fn rival(case: &Case, ingest: &Ingest) -> Option<(String, String)> {
    case.expected.as_ref()?;
    let trace = ingest.trace(&case.line, &case.group);
    let own = trace.asked.iter().find(|asked| asked.format == case.format)?;
    let at = case.at;
    let other = match (own.answer, trace.by) {
        (Answer::ReadsToo, Some(by)) => trace.asked.iter().find(|asked| asked.format == by)?,
        _ => return None,
    };
    let (id, needle) = (other.format, other.needle);
    Some((
        format!("the case at line {at} is read by `{id}`, which is asked before (`{needle}`)"),
        "The format with the longest needle in a line is asked first; sshd before all, general ones last."
            .to_owned(),
    ))
}
