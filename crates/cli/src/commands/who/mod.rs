//! `tidewatch who`: which of the operator's own users are behind the account tags of findings.
//!
//! Findings hold no names, only tags under a secret key. Whoever has the names and the key can tag each name
//! and compare; that happens here, on the operator's machine, and names go nowhere but to standard output. The
//! list is streamed and only names that fit are kept, so it may have any length.

mod tags;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_core::tag::TagKey;
use tidewatch_ingest::username::{Naming, Usernames};

use crate::args::{self, Output, WhoArgs};
use crate::commands::counted;
use crate::exit::{Exit, Failure};
use crate::output::{deliver, say};
use crate::progress::Progress;
use crate::settings::{self, KEY_VARIABLE};
use crate::summary::grouped;
use crate::users::{Taken, names};
use tags::{Others, Said, Tag, Tags};

/// Findings of one name that are shown.
const FINDINGS_SHOWN_MAX: usize = 3;

/// A file with keys is no longer than this, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1_024;

/// A name of the list with a tag of the findings.
struct Hit<'a> {
    shown: String,
    tag: &'a Tag,
}

/// Everything that is told.
struct Told<'a> {
    tags: &'a Tags,
    /// By name.
    hits: BTreeMap<String, Hit<'a>>,
    taken: Taken,
    keys: usize,
}

/// Names the users.
///
/// # Errors
/// If the command line is faulty, or there is no key.
pub fn run(args: &WhoArgs) -> Result<Exit, Failure> {
    let keys = keys(args.key.as_deref())?;
    let is_uid = |argument: &&PathBuf| {
        let text = argument.to_string_lossy();
        text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) && !argument.exists()
    };
    let (uids, files): (Vec<&PathBuf>, Vec<&PathBuf>) = args.findings.iter().partition(is_uid);
    if files.is_empty() {
        return Err(anyhow!(
            "a uid alone says nothing of its tags: name the file with the finding too, or `-`"
        )
        .into());
    }
    let inputs: Vec<PathBuf> = files.iter().copied().chain(&args.users).cloned().collect();
    settings::inputs(&inputs)?;
    let uids: Vec<String> = uids.iter().map(|uid| uid.to_string_lossy().to_lowercase()).collect();
    let tags = match read(&files, &uids) {
        Ok(tags) => tags,
        Err(error) => return Ok(failed(&error)),
    };
    match compare(args, &tags, &keys) {
        Ok(told) => Ok(told.deliver(args.output)),
        Err(error) => Ok(failed(&error)),
    }
}

fn failed(error: &anyhow::Error) -> Exit {
    say(format_args!("tidewatch: {error:#}"));
    Exit::Failed
}

/// The keys that names may be tagged under: of the file, or of the environment.
fn keys(file: Option<&Path>) -> Result<Vec<TagKey>> {
    let Some(path) = file else {
        if std::env::var_os(KEY_VARIABLE).is_none() {
            return Err(anyhow!(
                "tags are compared under the key they were made with: set {KEY_VARIABLE} to what it was in \
                 that run, or name with --key a file with the stack's secret"
            ));
        }
        return Ok(vec![settings::tag_key()?]);
    };
    let named = || format!("--key {}", path.display());
    let mut text = String::new();
    let file = File::open(path).with_context(named)?;
    file.take(KEY_FILE_BYTES_MAX + 1).read_to_string(&mut text).with_context(named)?;
    let is_too_long = text.len() as u64 > KEY_FILE_BYTES_MAX;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || is_too_long {
        return Err(anyhow!("{}: it holds neither a passphrase nor a secret", named()));
    }
    let Ok(secret @ Value::Object(_)) = serde_json::from_str::<Value>(text) else {
        return Ok(vec![TagKey::from_passphrase(text)]);
    };
    // As the stack keeps it: the key in use, and while it is being replaced the one before.
    let both = [&secret, &secret["previous"]];
    let keys = both.iter().filter_map(|key| key["passphrase"].as_str());
    let keys: Vec<TagKey> = keys.map(TagKey::from_passphrase).collect();
    match keys.is_empty() {
        true => Err(anyhow!("{}: there is no `passphrase` in this secret", named())),
        false => Ok(keys),
    }
}

/// The tags of the findings in `files`, with one of `uids` if there are any.
fn read(files: &[&PathBuf], uids: &[String]) -> Result<Tags> {
    let wanted: Vec<&str> = uids.iter().map(String::as_str).collect();
    let (mut tags, mut others) = (Tags::default(), Others::default());
    for path in files {
        tags.read(path, &wanted, &mut others)?;
    }
    if let Some((count, first)) = &tags.strange {
        let lines = counted(*count, "line");
        say(format_args!(
            "tidewatch: {lines} of the findings passed over, first {}: no finding as --output json prints it",
            printable(first)
        ));
    }
    let is_there = |uid: &&&str| tags.findings.iter().any(|found| found.uid == **uid);
    if let Some(missing) = wanted.iter().find(|uid| !is_there(uid)) {
        return Err(others.instead_of(missing));
    }
    if tags.findings.is_empty() {
        return Err(anyhow!("there is no finding to look at"));
    }
    Ok(tags)
}

/// Tags each name of the list, and keeps those that fit.
fn compare<'a>(args: &WhoArgs, tags: &'a Tags, keys: &[TagKey]) -> Result<Told<'a>> {
    let usernames = match args.usernames {
        args::Usernames::Fold => Usernames::Fold,
        args::Usernames::Exact => Usernames::Exact,
    };
    let namings: Vec<Naming> = keys.iter().map(|key| Naming { key: *key, usernames }).collect();
    let progress = Progress::new(true);
    let (mut hits, mut taken) = (BTreeMap::new(), Taken::default());
    for path in &args.users {
        let mut take = |name: &str| {
            for naming in &namings {
                if let Some((shown, tag)) = tags.of(naming.tag(name).0) {
                    hits.insert(name.to_owned(), Hit { shown, tag });
                }
            }
        };
        names(path, args.column.as_deref(), &progress, &mut taken, &mut take)?;
    }
    progress.finish();
    Ok(Told { tags, hits, taken, keys: keys.len() })
}

impl Told<'_> {
    fn deliver(&self, output: Output) -> Exit {
        for (why, (count, first)) in &self.taken.refused {
            let lines = counted(*count, "line");
            let first = printable(first);
            say(format_args!("tidewatch: not taken: {lines}, first {first}: {}", why.why()));
        }
        let all = self.tags.all();
        let none_fits = self.hits.is_empty() && !all.is_empty();
        if none_fits {
            say(format_args!(
                "tidewatch: none of the {} belongs to any of your {}: another key, or rotated since?",
                counted(all.len() as u64, "tag"),
                names_of(self.taken.names)
            ));
        }
        // Where the findings themselves say that nobody exists, that is a good end.
        let nobody_exists = all.values().all(|said| *said == Said::Unknown);
        let exit = if none_fits && !nobody_exists { Exit::Failed } else { Exit::Done };
        let text = match output {
            Output::Text => self.text(&all),
            Output::Json => self.document(&all).to_string(),
        };
        deliver(&text, exit)
    }

    fn with(&self, got_in: bool) -> impl Iterator<Item = (&String, &Hit<'_>)> {
        self.hits.iter().filter(move |(_, hit)| (hit.tag.said == Said::GotIn) == got_in)
    }

    fn text(&self, all: &BTreeMap<String, Said>) -> String {
        let mut text = String::new();
        let width = self.hits.keys().map(|name| printable(name).chars().count());
        let width = width.max().unwrap_or_default().min(60);
        for (got_in, title) in [
            (true, "got in: reset these first, and end their sessions"),
            (false, "tried, and exist"),
        ] {
            let mut rows = self.with(got_in).peekable();
            if rows.peek().is_some() {
                let _ = writeln!(text, "{title}");
            }
            for (name, hit) in rows {
                let name = printable(name);
                let _ = writeln!(text, "    {name:<width$}  {}", self.findings(hit.tag));
            }
        }
        text + &self.summary(all)
    }

    /// The first findings of a tag.
    fn findings(&self, tag: &Tag) -> String {
        let of = |place: &usize| {
            let found = &self.tags.findings[*place];
            match found.key.starts_with("user:") {
                true => found.detector.clone(),
                false => format!("{} of {}", found.detector, found.key),
            }
        };
        let shown: Vec<String> = tag.findings.iter().take(FINDINGS_SHOWN_MAX).map(of).collect();
        let more = tag.findings.len() - shown.len();
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        shown.join(", ") + &more
    }

    fn summary(&self, all: &BTreeMap<String, Said>) -> String {
        let left = self.left(all);
        let unknown = left.get(&Said::Unknown).copied().unwrap_or_default();
        let without: usize = left.values().sum();
        let mut text = format!(
            "{} of {} on the list; of {} in {}, {without} belong to none of them",
            counted(self.hits.len() as u64, "name"),
            grouped(self.taken.names),
            counted(all.len() as u64, "tag"),
            counted(self.tags.findings.len() as u64, "finding"),
        );
        if unknown > 0 {
            let _ = write!(text, " ({unknown} have no account, as the findings say)");
        }
        text.push('\n');
        let chance = self.chance();
        if chance >= 0.005 {
            let _ = writeln!(
                text,
                "{} are short, as the shared table keeps them: {chance:.2} names fit one by chance",
                counted(self.tags.count().1 as u64, "tag")
            );
        }
        text
    }

    /// How many names are expected to fit a short tag by chance.
    fn chance(&self) -> f64 {
        let tried = self.taken.names as f64 * self.keys as f64;
        tried * self.tags.count().1 as f64 / 4_294_967_296.0
    }

    /// Tags that are of no name on the list, by what findings say.
    fn left(&self, all: &BTreeMap<String, Said>) -> BTreeMap<Said, usize> {
        let mut left = BTreeMap::new();
        let is_hit = |tag: &str| self.hits.values().any(|hit| hit.shown == tag);
        for (_, said) in all.iter().filter(|(tag, _)| !is_hit(tag)) {
            *left.entry(*said).or_insert(0) += 1;
        }
        left
    }

    fn document(&self, all: &BTreeMap<String, Said>) -> Value {
        let rows = |got_in: bool| {
            let rows = self.with(got_in).map(|(name, hit)| {
                let uids = hit.tag.findings.iter().map(|place| &self.tags.findings[*place].uid);
                json!({ "name": name, "tag": hit.shown, "findings": uids.collect::<Vec<_>>() })
            });
            rows.collect::<Vec<_>>()
        };
        let left = self.left(all);
        let of = |said| left.get(&said).copied().unwrap_or_default();
        json!({
            "got_in": rows(true),
            "tried": rows(false),
            "findings": self.tags.findings.len(),
            "names": self.taken.names,
            "tags": all.len(),
            "not_listed": {
                "got_in": of(Said::GotIn), "exist": of(Said::Exists),
                "unknown": of(Said::Unknown), "untold": of(Said::Untold),
            },
            "expected_by_chance": self.chance(),
        })
    }
}

fn names_of(count: u64) -> String {
    format!("{} name{}", grouped(count), if count == 1 { "" } else { "s" })
}
