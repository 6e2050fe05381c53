//! The account tags of findings, and what each finding says of them.
//!
//! Tags are as findings print them: 16 hexadecimal digits. The shared table keeps the upper 32 bits of those in
//! lists only; such a tag ends in eight zeros, and fits one name in four thousand million by chance. What tags say
//! of leaked lists is left out of the comparison, where they are whole: the names are here, the lists need not be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use tidewatch_alert::printable;
use tidewatch_core::lists::unmarked;

use crate::lines::Lines;

/// Findings that are named where the wanted one is not among them.
const OTHERS_SHOWN_MAX: usize = 10;

/// What a finding says of a name that was tried; what tells most comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// There is no such account.
    Unknown,
    /// Nothing.
    Untold,
    /// There is such an account.
    Exists,
    /// It got in.
    GotIn,
}

/// The lists of a finding's `accounts`.
const LISTS: [(&str, Said); 5] = [
    ("unknown", Said::Unknown),
    ("untold", Said::Untold),
    ("exist", Said::Exists),
    // Nobody has taken these over, as far as their finding tells.
    ("got_in_as_ever", Said::Exists),
    ("got_in", Said::GotIn),
];

/// One tag over all findings.
#[derive(Clone, Debug)]
pub struct Tag {
    /// As findings print it.
    shown: u64,
    pub said: Said,
    /// The findings that name it, by their place in [`Tags::findings`].
    pub findings: BTreeSet<usize>,
}

impl Tag {
    fn print(&self) -> String {
        format!("{:016x}", self.shown)
    }
}

/// A finding, as far as it must be told from others.
#[derive(Clone, Debug)]
pub struct Found {
    pub uid: String,
    pub detector: String,
    pub key: String,
}

/// The tags of findings.
#[derive(Debug, Default)]
pub struct Tags {
    pub findings: Vec<Found>,
    places: HashMap<String, usize>,
    whole: HashMap<u64, Tag>,
    /// Those of which only the upper 32 bits are kept, by them.
    short: HashMap<u32, Tag>,
    /// Lines that are no findings, and where the first is.
    pub strange: Option<(u64, String)>,
}

impl Tags {
    /// Adds those of the findings in the file at `path`, one JSON object a line: all, or those with a uid of
    /// `wanted`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&mut self, path: &Path, wanted: &[&str], others: &mut Others) -> Result<()> {
        let shown = path.display().to_string();
        let mut lines = Lines::open(path).with_context(|| format!("cannot open {shown}"))?;
        for nth in 1_u64.. {
            let line = lines.next().with_context(|| format!("cannot read {shown}"))?;
            let Some(line) = line else { break };
            if line.trim().is_empty() {
                continue;
            }
            let Some(finding) = finding(&line) else {
                self.strange.get_or_insert_with(|| (0, format!("{shown}:{nth}"))).0 += 1;
                continue;
            };
            let uid = text(&finding["finding_info"]["uid"]);
            if wanted.is_empty() || wanted.contains(&uid.as_str()) {
                self.add(&finding, uid);
            } else {
                others.add(&finding, uid);
            }
        }
        Ok(())
    }

    fn add(&mut self, finding: &Value, uid: String) {
        let about = &finding["unmapped"]["tidewatch"];
        let key = text(&about["key"]);
        let detector = text(&finding["finding_info"]["analytic"]["uid"]);
        let (places, findings) = (&mut self.places, &mut self.findings);
        let place = *places.entry(uid.clone()).or_insert_with(|| {
            findings.push(Found { uid, detector, key: key.clone() });
            findings.len() - 1
        });
        for (list, said) in LISTS {
            for tag in about["accounts"][list].as_array().into_iter().flatten() {
                if let Some(tag) = tag.as_str().and_then(|tag| u64::from_str_radix(tag, 16).ok()) {
                    self.note(tag, said, place);
                }
            }
        }
        // A finding about a user names it by its key.
        for part in key.split(" + ").filter_map(|part| part.strip_prefix("user:")) {
            if let Ok(tag) = u64::from_str_radix(part, 16) {
                self.note(tag, Said::Untold, place);
            }
        }
    }

    fn note(&mut self, tag: u64, said: Said, place: usize) {
        let new = || Tag { shown: tag, said, findings: BTreeSet::new() };
        let noted = match tag as u32 {
            0 => self.short.entry((tag >> 32) as u32).or_insert_with(new),
            _ => self.whole.entry(unmarked(tag)).or_insert_with(new),
        };
        noted.said = noted.said.max(said);
        noted.findings.insert(place);
    }

    /// What findings say of the name with this tag, as they print it.
    pub fn of(&self, tag: u64) -> Option<(String, &Tag)> {
        let whole = self.whole.get(&unmarked(tag));
        let of = whole.or_else(|| self.short.get(&((tag >> 32) as u32)))?;
        Some((of.print(), of))
    }

    /// How many there are, whole and short.
    pub fn count(&self) -> (usize, usize) {
        (self.whole.len(), self.short.len())
    }

    /// All of them, with how findings print them.
    pub fn all(&self) -> BTreeMap<String, Said> {
        self.whole.values().chain(self.short.values()).map(|of| (of.print(), of.said)).collect()
    }
}

/// Findings that were not asked for.
#[derive(Debug, Default)]
pub struct Others {
    shown: BTreeMap<String, String>,
}

impl Others {
    fn add(&mut self, finding: &Value, uid: String) {
        if self.shown.len() < OTHERS_SHOWN_MAX {
            let key = text(&finding["unmapped"]["tidewatch"]["key"]);
            let detector = text(&finding["finding_info"]["analytic"]["uid"]);
            self.shown.insert(uid, format!("{detector} {key}"));
        }
    }

    /// That there is no finding `uid`, but there are these.
    pub fn instead_of(&self, uid: &str) -> anyhow::Error {
        let all = self.shown.iter().map(|(uid, what)| format!("\n  {uid} {what}"));
        let all: String = all.collect();
        match all.is_empty() {
            true => anyhow!("no finding {uid} there, and no other"),
            false => anyhow!("no finding {uid} there; there are:{all}"),
        }
    }
}

/// A finding of this program's, by itself or in the envelope that SNS puts around a message.
fn finding(line: &str) -> Option<Value> {
    let document: Value = serde_json::from_str(line).ok()?;
    let inner = document["Message"].as_str().and_then(|inner| serde_json::from_str(inner).ok());
    let finding: Value = inner.unwrap_or(document);
    finding["unmapped"]["tidewatch"].is_object().then_some(finding)
}

fn text(value: &Value) -> String {
    printable(value.as_str().unwrap_or_default()).into_owned()
}
