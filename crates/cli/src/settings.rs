//! The command line as it is meant: every name looked up, every file read, every number in range.
//! Nothing after this can be a usage error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tidewatch_core::admission::Admission;
use tidewatch_core::agents::AgentNames;
use tidewatch_core::key::KeyField;
use tidewatch_core::limits::{FUTURE_MAX, WINDOW_MAX, WINDOW_MIN};
use tidewatch_core::meter::ledger::{Ledger, Limits};
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::SignalKind;
use tidewatch_core::spend::budget::Budgets;
use tidewatch_core::spend::detector::SpendDetector;
use tidewatch_core::spend::watch::{Prices, Watch};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::InputKind;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::limits::SURVEYED_LINES_MAX;
use tidewatch_ingest::name_lists::NameLists;
use tidewatch_ingest::networks::Networks;
use tidewatch_ingest::username::{Naming, Usernames};

use crate::args::{self, Output, ReadArgs, ReportArgs};
use crate::commands::started;
use crate::exit::Failure;
use crate::files;
use crate::input::Copy;
use crate::lists;
use crate::pricing::Pricing;
use crate::users::FilterFile;

/// Inputs that may be open at once: all are read together, in order of time.
pub const INPUTS_MAX: usize = 500;

/// The environment variable with the secret behind tags.
pub const KEY_VARIABLE: &str = "TIDEWATCH_KEY";

/// How input is read.
#[derive(Clone, Debug)]
pub struct Reading {
    pub kind: InputKind,
    pub year: Option<i16>,
    pub zone: TimeZone,
    pub admission: Admission,
    pub naming: Naming,
    pub formats: Arc<Formats>,
    /// Who says whether an account exists where a line does not.
    pub users: Option<FilterFile>,
    /// Lists of names from elsewhere that tags tell of.
    pub lists: NameLists,
    /// Whose addresses are.
    pub networks: Option<Arc<Networks>>,
    /// What clients call themselves, kept where that matters.
    pub agents: Option<AgentNames>,
    /// Whether every line is also asked who asked for something.
    pub hears_access: bool,
    /// Whether lines that tell how many bytes were sent back are asked to whom.
    pub hears_bytes: bool,
    /// Of inputs that are read twice and can be only once.
    pub copies: BTreeMap<PathBuf, Copy>,
}

/// How results are reported.
#[derive(Clone, Debug)]
pub struct Reporting {
    pub output: Output,
    pub plan: Arc<Plan>,
    pub key: TagKey,
    pub memory_bytes: usize,
    pub stats: bool,
    pub spend_detectors: Vec<SpendDetector>,
    pub prices: Prices,
    pub budgets: Budgets,
}

impl Reporting {
    /// What watches functions; `None` where no detector does.
    pub fn watch(&self) -> Option<Watch> {
        let limits = Limits { bytes: self.memory_bytes, ..Limits::default() };
        let ledger = Ledger::new(limits, self.key);
        let detectors = self.spend_detectors.clone();
        let watch = || Watch::new(detectors, self.prices.clone(), ledger);
        let allow = Arc::new(self.plan.allow.clone());
        let is_any = !self.spend_detectors.is_empty();
        is_any.then(|| watch().budgeted(self.budgets.clone()).allowing(allow))
    }
}

/// What `--windows` asks for.
#[derive(Clone, Copy, Debug)]
pub struct Tumbling {
    pub span: Span,
    pub field: KeyField,
}

/// The secret key: from the environment, else random, so that tags of two runs cannot be compared.
pub fn tag_key() -> Result<TagKey> {
    match std::env::var(KEY_VARIABLE) {
        Ok(passphrase) if !passphrase.is_empty() => Ok(TagKey::from_passphrase(&passphrase)),
        Ok(_) => bail!("{KEY_VARIABLE} is empty: unset it for a random key, or give it a secret"),
        Err(std::env::VarError::NotPresent) => {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).context("the system has no random bytes")?;
            Ok(TagKey::new(bytes))
        }
        Err(error) => bail!("{KEY_VARIABLE}: {error}"),
    }
}

/// Validates how input is read. `usernames` is what counts where the user did not say.
pub fn reading(
    raw: &ReadArgs,
    report: &ReportArgs,
    key: TagKey,
    usernames: Usernames,
    started: Time,
) -> Result<Reading, Failure> {
    let kind = input_kind(&raw.input_kind)?;
    let latest = latest(raw.not_after.as_deref(), started)?;
    if raw.year.is_some_and(|year| !(2000..=9999).contains(&year)) {
        return Err(anyhow::anyhow!("--year: 2000 to 9999").into());
    }
    let usernames = self::usernames(report, usernames);
    Ok(Reading {
        kind,
        year: raw.year,
        zone: time_zone(&raw.tz)?,
        admission: Admission::until(latest),
        naming: Naming { key, usernames },
        formats: Arc::new(files::formats(files::Choice {
            instead: raw.formats.as_deref(),
            with: &report.with,
        })?),
        users: raw.users.as_deref().map(known_users).transpose()?,
        lists: lists::read(&raw.lists).context("--list")?,
        networks: raw.asn_db.as_deref().map(networks).transpose()?,
        agents: None,
        hears_access: raw.drivers,
        hears_bytes: false,
        copies: BTreeMap::new(),
    })
}

/// Validates how the logs of functions are read, which takes no formats, years or users.
pub fn metering(
    kind: &str,
    not_after: Option<&str>,
    key: TagKey,
    started: Time,
) -> Result<Reading> {
    Ok(Reading {
        kind: input_kind(kind)?,
        year: None,
        zone: TimeZone::UTC,
        admission: Admission::until(latest(not_after, started)?),
        naming: Naming { key, usernames: Usernames::Fold },
        formats: Arc::default(),
        users: None,
        lists: NameLists::default(),
        networks: None,
        agents: None,
        hears_access: false,
        hears_bytes: false,
        copies: BTreeMap::new(),
    })
}

/// Validates how logs are surveyed: as functions' are read, and by formats.
pub fn surveying(raw: &args::CoverageArgs, key: TagKey, started: Time) -> Result<Reading, Failure> {
    if !(1..=SURVEYED_LINES_MAX).contains(&raw.sample.unwrap_or(1)) {
        return Err(anyhow::anyhow!("--sample: 1 to {SURVEYED_LINES_MAX}").into());
    }
    let choice = files::Choice { instead: raw.formats.as_deref(), with: &raw.with };
    let formats = Arc::new(files::formats(choice)?);
    Ok(Reading { formats, ..metering(&raw.input_kind, None, key, started)? })
}

fn input_kind(name: &str) -> Result<InputKind> {
    name.parse().with_context(|| format!("--input {name}"))
}

/// The latest event time that is believed.
fn latest(not_after: Option<&str>, started: Time) -> Result<Time> {
    let Some(text) = not_after else { return Ok(started.plus(FUTURE_MAX)) };
    let time: Timestamp = text.parse().with_context(|| {
        format!("--not-after {text}: not an RFC 3339 time such as 2026-11-22T18:00:00Z")
    })?;
    Ok(Time(time.as_millisecond()))
}

/// The database that `--asn-db` names.
fn networks(path: &Path) -> Result<Arc<Networks>> {
    let named = || format!("--asn-db {}", path.display());
    let bytes = std::fs::read(path).with_context(named)?;
    Ok(Arc::new(Networks::parse(bytes).with_context(named)?))
}

/// The filter that `--users` names.
fn known_users(path: &Path) -> Result<FilterFile> {
    FilterFile::read(path).with_context(|| format!("--users {}", path.display()))
}

/// Validates how results are reported, and loads the detectors and whom the user allows what. What these
/// need to be read is added to `reading`.
pub fn reporting(
    raw: &ReportArgs,
    key: TagKey,
    reading: Option<&mut Reading>,
) -> Result<Reporting, Failure> {
    let memory_bytes = memory_bytes(&raw.memory)?;
    let choice = files::Choice { instead: raw.detectors.as_deref(), with: &raw.with };
    let mut plan = files::detectors(choice, "--detectors")?;
    let usernames = usernames(raw, Usernames::Fold);
    let spend_detectors = files::spend_detectors(choice, "--detectors")?;
    let ids = plan.detectors.iter().map(|detector| &detector.id);
    let ids = ids.chain(spend_detectors.iter().map(|detector| &detector.id));
    let allow = files::allow(&raw.with, ids.map(String::as_str), started())?;
    let naming = Naming { key, usernames };
    let lists = reading.as_ref().map(|reading| reading.lists.clone()).unwrap_or_default();
    plan.allow = allow.tagged(|name| vec![lists.mark(naming.tag(name), name)]);
    plan.lists = lists.about();
    if let Some(reading) = reading {
        reading.hears_bytes = plan.counts(SignalKind::Access);
        reading.agents = plan.needs_agents().then(|| plan.agents.clone());
    }
    let pricing = Pricing::asked_for(&raw.pricing)?;
    Ok(Reporting {
        output: raw.output,
        plan: Arc::new(plan),
        key,
        memory_bytes,
        stats: raw.stats,
        spend_detectors,
        prices: pricing.prices(),
        budgets: pricing.budgets(),
    })
}

/// Validates `--memory`.
pub fn memory_bytes(memory: &str) -> Result<usize> {
    let size = memory.parse::<bytesize::ByteSize>().map_err(|error| {
        anyhow::anyhow!("--memory {memory}: not a size such as 512MiB ({error})")
    })?;
    let bytes = usize::try_from(size.as_u64()).unwrap_or(usize::MAX);
    if bytes < MEMORY_BYTES_MIN {
        bail!("--memory {memory}: at least {}", bytesize::ByteSize(MEMORY_BYTES_MIN as u64));
    }
    Ok(bytes)
}

/// Which spellings are one name; `otherwise` is what counts where the user did not say.
fn usernames(raw: &ReportArgs, otherwise: Usernames) -> Usernames {
    match raw.usernames {
        None => otherwise,
        Some(args::Usernames::Fold) => Usernames::Fold,
        Some(args::Usernames::Exact) => Usernames::Exact,
    }
}

/// The least memory for state.
const MEMORY_BYTES_MIN: usize = 1 << 20;

/// Validates `--windows` and `--key`.
pub fn tumbling(windows: &str, key: &str) -> Result<Tumbling> {
    let span = match tidewatch_rules::duration::parse(windows) {
        Some(span) if (WINDOW_MIN..=WINDOW_MAX).contains(&span) => span,
        Some(_) => bail!("--windows {windows}: from {WINDOW_MIN} to {WINDOW_MAX}"),
        None => bail!("--windows {windows}: not a span. {}", tidewatch_rules::duration::HELP),
    };
    let names: Vec<&str> = KeyField::ALL.iter().map(|field| field.name()).collect();
    let Some(field) = KeyField::ALL.into_iter().find(|field| field.name() == key) else {
        bail!("--key {key}: no such field; there are {}", names.join(", "));
    };
    Ok(Tumbling { span, field })
}

/// The inputs, if they are not too many, and standard input at most once.
pub fn inputs(files: &[PathBuf]) -> Result<&[PathBuf]> {
    if files.len() > INPUTS_MAX {
        bail!(
            "{} inputs: at most {INPUTS_MAX} at once, because all are read together in order of \
             time; join some of them first (zcat, cat)",
            files.len()
        );
    }
    if files.iter().filter(|file| file.as_path() == Path::new("-")).count() > 1 {
        bail!("`-` (standard input) can be read only once");
    }
    Ok(files)
}

fn time_zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name)
        .with_context(|| format!("--tz {name}: not a time zone such as UTC or Europe/Berlin"))
}
