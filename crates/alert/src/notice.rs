//! A finding as a letter: for somebody who reads it on a phone, at night, and has to decide.

use tidewatch_core::finding::{Activity, Finding};

use crate::context::Context;
use crate::insights::insights_link;
use crate::printable::printable;
use crate::sentence::sentence;
use crate::text::text;

/// Characters of a subject: SNS takes fewer than 100, of ASCII
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>).
pub const SUBJECT_CHARS_MAX: usize = 99;

/// A letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// At most [`SUBJECT_CHARS_MAX`] characters of printable ASCII; what matters most comes first.
    pub subject: String,
    /// Plain text, each line ended by a newline.
    pub body: String,
}

/// The letter about a finding.
pub fn notice(finding: &Finding, context: &Context) -> Notice {
    let severity = finding.severity.name().to_uppercase();
    let news = match finding.activity {
        Activity::Create => severity,
        Activity::Update => format!("{severity}, goes on"),
        Activity::Close => format!("over, was {severity}"),
    };
    let made_up = if context.is_simulated(finding) { "SIMULATED " } else { "" };
    let subject = format!("{made_up}{news}: {} - {}", finding.key, finding.title);
    let ascii = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
    let subject = subject.chars().map(ascii).take(SUBJECT_CHARS_MAX).collect();
    let mut body = format!("{}\n\n{}", printable(&sentence(finding)), text(finding));
    if finding.activity != Activity::Create && !finding.advice.is_empty() {
        body.push_str(&format!("    advice     {}\n", printable(&finding.advice)));
    }
    let link = context.region.as_deref().and_then(|region| insights_link(finding, region));
    if let Some(link) = link {
        body.push_str(&format!("\nThese log events in CloudWatch Logs Insights:\n{link}\n"));
    }
    if context.is_simulated(finding) {
        body.push_str("\nThis is a rehearsal: the log events were made up.\n");
    }
    Notice { subject, body }
}
