//! Scenarios: cases of a detector. Lines with their pace, and what must be raised in the end.

use std::net::IpAddr;
use std::sync::Arc;

use tidewatch_core::admission::Admission;
use tidewatch_core::detector::{Detector, Severity};
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::key::KeyField;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal, SignalKind};
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::format::Said;

use super::line::Runner;
use super::{CaseError, Difference, Variation};
use crate::duration;

/// Lines a scenario may have in all.
pub const SCENARIO_LINES_MAX: u64 = 1_000_000;

/// How long a scenario may take in all.
pub const SCENARIO_SPAN_MAX: Span = Span::minutes(3_660 * 24 * 60);

/// When a scenario begins that is not varied: 2026-01-05T09:00:00Z, a Monday.
const START: Time = Time(1_767_603_600_000);

/// State of one scenario.
const MEMORY_BYTES: usize = 256 << 20;

/// What happens, and what must be raised.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The first line of the comment above it, or its first line.
    pub name: String,
    /// Where it stands in its file, from 1.
    pub at: usize,
    /// What happens, one after the other.
    pub steps: Vec<Step>,
    /// What the function of the scenario may cost, in dollars a calendar month, if that is said.
    pub budget: Option<f64>,
    /// One entry for each episode; empty for none.
    pub expected: Vec<Raised>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Lines appear.
    Lines(Lines),
    /// Time passes.
    Pause(Span),
}

/// Lines that appear together, again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// How often.
    pub times: u32,
    /// At what distance.
    pub every: Span,
    /// The lines, with placeholders.
    pub lines: Vec<String>,
}

/// An episode that must be raised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Raised {
    /// The worst it comes to.
    pub severity: Severity,
    /// Whom it is about, as findings write it, `user=NAME` for a user; `None` for anybody.
    pub key: Option<String>,
}

/// The scenarios in the text of a file.
///
/// # Errors
/// At the first line that cannot be understood.
pub fn scenarios(file: &str, text: &str) -> Result<Vec<Scenario>, CaseError> {
    let mut all: Vec<Scenario> = Vec::new();
    let (mut comment, mut open) = (None, None::<Scenario>);
    let (mut paced, mut line_of_pace) = (false, 0);
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        let error = |why: String| CaseError { file: file.to_owned(), line: at, why };
        let is_comment = line.starts_with("# ");
        if !is_comment && lacks_lines(&open) && !is_paced_line(line) {
            return Err(CaseError { line: line_of_pace, ..error(NO_LINES.to_owned()) });
        }
        line_of_pace = if is_comment || lacks_lines(&open) { line_of_pace } else { at };
        if let Some(expected) = line.strip_prefix("-> ") {
            let expected = raised(expected).map_err(error)?;
            match (open.take(), all.last_mut()) {
                (Some(scenario), _) => {
                    all.push(Scenario { expected: expected.into_iter().collect(), ..scenario });
                }
                (None, Some(last)) if comment.is_none() => match expected {
                    Some(raised) if !last.expected.is_empty() => last.expected.push(raised),
                    _ => return Err(error("`-> quiet` stands alone".to_owned())),
                },
                _ => return Err(error("`->` stands behind no line".to_owned())),
            }
            (comment, paced) = (None, false);
        } else if let Some(text) = line.strip_prefix("# ") {
            comment.get_or_insert_with(|| text.trim().to_owned());
        } else if line.trim().is_empty() {
            paced = false;
        } else {
            let named = || comment.clone().unwrap_or_else(|| line.to_owned());
            let scenario = open.get_or_insert_with(|| Scenario {
                name: named(),
                at,
                steps: Vec::new(),
                budget: None,
                expected: Vec::new(),
            });
            paced = add(scenario, line, paced).map_err(error)?;
        }
    }
    match open {
        open @ Some(_) if lacks_lines(&open) => {
            let why = NO_LINES.to_owned();
            Err(CaseError { file: file.to_owned(), line: line_of_pace, why })
        }
        Some(Scenario { at: line, .. }) => {
            let why = "this scenario lacks its `-> …`: `-> quiet`, or `-> high 192.0.2.1`";
            Err(CaseError { file: file.to_owned(), line, why: why.to_owned() })
        }
        None => Ok(all),
    }
}

/// How a pace is written.
const PACE: &str =
    "a pace is `30 times, every 10s:`, and a pause `after 20m:`, each alone on its line";

const NO_LINES: &str = "this pace has no lines below it: write there what appears at this pace";

/// Whether the last step is a pace that nothing stands below yet.
fn lacks_lines(open: &Option<Scenario>) -> bool {
    let last = open.as_ref().and_then(|scenario| scenario.steps.last());
    matches!(last, Some(Step::Lines(lines)) if lines.lines.is_empty())
}

/// Whether a line is one that can appear, and no pace, pause, expectation or blank.
fn is_paced_line(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with("-> ") && !begins_like_a_pace(line)
}

/// Whether a line begins as a pace or a pause does: `30 times`, `every 10s`, `after 20m`.
fn begins_like_a_pace(line: &str) -> bool {
    let (first, rest) = line.trim_start().split_once(' ').unwrap_or((line.trim_start(), ""));
    let rest = rest.trim_start();
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    let times = rest.split(|c: char| !c.is_ascii_alphabetic()).next();
    let is_number_next = rest.starts_with(|c: char| c.is_ascii_digit());
    match first {
        "after" => is_number_next || rest.ends_with(':'),
        "every" => {
            duration::parse(rest.split([',', ':', ' ']).next().unwrap_or_default()).is_some()
        }
        _ => is_number && matches!(times, Some("time" | "times")),
    }
}

/// Adds a line of the file, and says whether a pace is in force for the next.
fn add(scenario: &mut Scenario, line: &str, paced: bool) -> Result<bool, String> {
    let span = |text: &str| {
        duration::parse(text).ok_or_else(|| format!("`{text}` is no duration. {}", duration::HELP))
    };
    if let Some(dollars) = line.strip_prefix("budget ").and_then(|rest| rest.strip_suffix(':')) {
        let budget = crate::functions::budget(dollars);
        scenario.budget = Some(budget.map_err(|why| format!("`{line}`: {why}"))?);
        return Ok(false);
    }
    if let Some(pause) = line.strip_prefix("after ").and_then(|rest| rest.strip_suffix(':')) {
        span_in_all(scenario, span(pause)?.0)?;
        scenario.steps.push(Step::Pause(span(pause)?));
        return Ok(false);
    }
    if let Some((times, every)) = pace(line) {
        let every = span(every)?;
        let times = times.parse().ok().filter(|times| *times > 0);
        let times: u32 = times.ok_or_else(|| format!("`{line}`: from 1 to {} times", u32::MAX))?;
        span_in_all(scenario, every.0.saturating_mul(i64::from(times)))?;
        scenario.steps.push(Step::Lines(Lines { times, every, lines: Vec::new() }));
        return Ok(true);
    }
    if begins_like_a_pace(line) {
        return Err(format!("`{line}`: {PACE}"));
    }
    match scenario.steps.last_mut() {
        Some(Step::Lines(lines)) if paced => lines.lines.push(line.to_owned()),
        _ => {
            let lines = vec![line.to_owned()];
            scenario.steps.push(Step::Lines(Lines { times: 1, every: Span::seconds(1), lines }));
        }
    }
    let of = |step: &Step| match step {
        Step::Lines(lines) => u64::from(lines.times) * lines.lines.len() as u64,
        Step::Pause(_) => 0,
    };
    if scenario.steps.iter().map(of).sum::<u64>() > SCENARIO_LINES_MAX {
        return Err(format!("a scenario has at most {SCENARIO_LINES_MAX} lines"));
    }
    Ok(paced)
}

/// Whether `more` milliseconds fit behind what the scenario has so far.
fn span_in_all(scenario: &Scenario, more: i64) -> Result<(), String> {
    let lasting = scenario.steps.iter().map(|step| step.lasts().0);
    let before = lasting.fold(0, i64::saturating_add);
    if before.saturating_add(more) > SCENARIO_SPAN_MAX.0 {
        return Err(format!("a scenario takes at most {} days", SCENARIO_SPAN_MAX.0 / 86_400_000));
    }
    Ok(())
}

/// `30 times, every 10s:`
fn pace(line: &str) -> Option<(&str, &str)> {
    let (times, every) = line.strip_suffix(':')?.split_once(" times, every ")?;
    let number = !times.is_empty() && times.bytes().all(|byte| byte.is_ascii_digit());
    number.then_some((times, every))
}

fn raised(text: &str) -> Result<Option<Raised>, String> {
    let (word, key) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let key = Some(key.trim().to_owned()).filter(|key| !key.is_empty());
    if word == "quiet" && key.is_none() {
        return Ok(None);
    }
    let known = Severity::ALL.into_iter().find(|severity| severity.name() == word);
    let severity = known.ok_or_else(|| {
        let names = Severity::ALL.map(Severity::name).join(", ");
        format!("`{text}`: write `quiet`, or a severity ({names}) and the key")
    })?;
    Ok(Some(Raised { severity, key }))
}

impl Runner {
    /// What is different from what the scenario says of the first of `detectors`, which runs with those of the
    /// others that it names; `None` if it holds.
    pub async fn rehearse(
        &self,
        scenario: &Scenario,
        detectors: &[Detector],
        variation: Variation,
    ) -> Option<Difference> {
        let play = self.play(scenario, detectors, variation).await;
        self.compare_play(scenario, play, variation)
    }

    /// What is different from what a scenario says in what came of it.
    pub(super) fn compare_play(
        &self,
        scenario: &Scenario,
        play: Result<Play, String>,
        variation: Variation,
    ) -> Option<Difference> {
        let written = written(scenario, variation);
        let expected: Vec<Raised> = written.iter().map(|raised| self.tagged(raised)).collect();
        let play = match play {
            Ok(play) => play,
            Err(why) => return Some(Difference { expected: shown(&written), found: why }),
        };
        let silent = format!("; {} of {} lines say something", play.heard, play.lines);
        if play.heard == 0 {
            // Quiet for want of anything to hear is no proof.
            return Some(Difference {
                expected: shown(&written),
                found: format!("nothing{silent}"),
            });
        }
        let mut left = play.raised.clone();
        // Those with a key take their pick first.
        let mut wanted = expected;
        wanted.sort_by_key(|raised| raised.key.is_none());
        let all = wanted.iter().all(|wanted| {
            let fits = |found: &Raised| {
                found.severity == wanted.severity
                    && (wanted.key.is_none() || found.key == wanted.key)
            };
            left.iter().position(fits).map(|at| left.remove(at)).is_some()
        });
        if all && left.is_empty() {
            return None;
        }
        let found = shown(&self.named(&play.raised, scenario, variation)) + &silent;
        Some(Difference { expected: shown(&written), found })
    }

    /// What a case expects as findings write it.
    fn tagged(&self, raised: &Raised) -> Raised {
        let tag = |part: &str| match part.strip_prefix("user=") {
            Some(name) => format!("user:{:016x}", self.naming.tag(name).0),
            None => part.to_owned(),
        };
        raised.with_key(|key| key.split(" + ").map(tag).collect::<Vec<_>>().join(" + "))
    }

    async fn play(
        &self,
        scenario: &Scenario,
        detectors: &[Detector],
        variation: Variation,
    ) -> Result<Play, String> {
        let Some(detector) = detectors.first() else { return Err("no detector".to_owned()) };
        let cast = cast(detectors);
        let plan = Plan::new(cast).map_err(|error| error.to_string())?;
        let counts_accesses = plan.counts(SignalKind::Access);
        let plan = Arc::new(plan.folding());
        let store = MemoryStore::new(Arc::clone(&plan), MEMORY_BYTES, 0);
        let admission = Admission::until(Time(i64::MAX));
        let mut engine =
            Engine::new(plan, store, Vec::<Finding>::new(), self.naming.key, admission);
        let stream = Arc::new(LogStream { stream: "case".to_owned(), ..LogStream::default() });
        let mut play = Play::default();
        for (clock, line) in paced(scenario, variation) {
            play.lines += 1;
            let sent = || self.ingest.hear_sent(&line, "").filter(|_| counts_accesses);
            let tried = match self.ingest.hear(&line, "").0 {
                Said::Signal { auth, .. } => Some(Body::Auth(auth)),
                _ => None,
            };
            let bodies = tried.into_iter().chain(sent().map(|access| Body::Access(access.into())));
            for body in bodies {
                play.heard += 1;
                let id = EventId::Offset(play.lines);
                let origin = Origin { stream: Arc::clone(&stream), id };
                let event = self.naming.key.event(0, &play.lines.to_be_bytes());
                let signal = Signal { time: clock, event, origin, body };
                engine.observe(&signal).await.map_err(|error| error.to_string())?;
            }
        }
        let own = |finding: &&Finding| finding.detector == detector.id;
        play.raised = episodes(engine.sink().iter().filter(own));
        Ok(play)
    }
}

/// The first of the detectors with all that what it says hangs on.
fn cast(detectors: &[Detector]) -> Vec<Detector> {
    let Some(detector) = detectors.first() else { return Vec::new() };
    let mut cast = vec![detector.clone()];
    let mut met = 0;
    while let Some(known) = cast.get(met).cloned() {
        met += 1;
        let related = |other: &&Detector| {
            let named = known.after.iter().chain(&known.unless).any(|id| *id == other.id);
            // Whose attack it is, if one source's, is known by what counts by source.
            let counts_sources = other.key.as_slice() == [KeyField::SourceIp];
            named || !known.covers.is_empty() && counts_sources && known.id == detector.id
        };
        for other in detectors.iter().filter(related) {
            if !cast.iter().any(|known| known.id == other.id) {
                cast.push(other.clone());
            }
        }
    }
    cast
}

/// The lines of a scenario with when each appears. Varied it begins up to a week later and not by whole panes, so
/// that no case rests on where a pane begins.
pub(super) fn paced(
    scenario: &Scenario,
    variation: Variation,
) -> impl Iterator<Item = (Time, String)> {
    let shift = match variation {
        Variation::None => 0,
        Variation::Seed(_) => (variation.draw("start", 0) % 604_800_000) as i64,
    };
    let mut clock = START.plus(Span(shift));
    scenario.steps.iter().flat_map(move |step| {
        let begun = clock;
        let lines = match step {
            Step::Pause(_) => None,
            Step::Lines(lines) => Some(lines),
        };
        clock = begun.plus(step.lasts());
        lines.into_iter().flat_map(move |lines| {
            (1..=u64::from(lines.times)).flat_map(move |n| {
                let at = begun.plus(Span(lines.every.0 * (n as i64 - 1)));
                let line = move |line| (at, variation.addresses(&filled(line, n, variation)));
                lines.lines.iter().map(|text| text.as_str()).map(line)
            })
        })
    })
}

impl Step {
    /// How long it takes.
    pub(super) fn lasts(&self) -> Span {
        match self {
            Step::Pause(span) => *span,
            Step::Lines(lines) => Span(lines.every.0.saturating_mul(i64::from(lines.times))),
        }
    }
}

/// What must be raised, with addresses and names as the variation has them.
fn written(scenario: &Scenario, variation: Variation) -> Vec<Raised> {
    let key = |key: &str| variation.addresses(&filled(key, 1, variation));
    scenario.expected.iter().map(|raised| raised.with_key(key)).collect()
}

impl Raised {
    /// The same about another key.
    pub(super) fn with_key(&self, key: impl FnOnce(&str) -> String) -> Raised {
        Raised { severity: self.severity, key: self.key.as_deref().map(key) }
    }
}

/// What came of a scenario.
#[derive(Default)]
pub(super) struct Play {
    pub(super) lines: u64,
    pub(super) heard: u64,
    pub(super) raised: Vec<Raised>,
}

/// One entry for each episode, with the worst it came to.
pub(super) fn episodes<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<Raised> {
    let mut episodes: Vec<(&str, Raised)> = Vec::new();
    for finding in findings {
        let key = match &finding.spending {
            Some(spending) => match &spending.budget {
                _ if spending.ride.is_some() => finding.key.to_string(),
                Some(burn) if burn.of_all => finding.key.to_string(),
                _ => spending.function.name.to_string(),
            },
            None => finding.key.to_string(),
        };
        let raised = Raised { severity: finding.severity, key: Some(key) };
        match episodes.iter_mut().find(|(uid, _)| *uid == finding.uid) {
            Some((_, known)) => known.severity = known.severity.max(raised.severity),
            None => episodes.push((&finding.uid, raised)),
        }
    }
    episodes.into_iter().map(|(_, raised)| raised).collect()
}

fn shown(raised: &[Raised]) -> String {
    if raised.is_empty() {
        return "quiet".to_owned();
    }
    let each = raised.iter().map(|raised| match &raised.key {
        Some(key) => format!("{} {key}", raised.severity.name()),
        None => raised.severity.name().to_owned(),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// A line with its placeholders filled for the `n`-th time.
pub(super) fn filled(line: &str, n: u64, variation: Variation) -> String {
    let mut filled = String::new();
    let mut rest = line;
    while let Some(open) = rest.find('{') {
        filled += &rest[..open];
        let close = rest[open..].find('}').map_or(rest.len(), |close| open + close + 1);
        let inner = rest[open..close].trim_start_matches('{').trim_end_matches('}');
        match placeholder(inner, n, variation) {
            Some(value) if rest[open..close].starts_with('{') => {
                filled += &value;
                rest = &rest[close..];
            }
            _ => {
                filled.push('{');
                rest = &rest[open + 1..];
            }
        }
    }
    filled + rest
}

fn placeholder(inner: &str, n: u64, variation: Variation) -> Option<String> {
    let (what, of) = match inner.split_once(':') {
        None => (inner, None),
        Some((what, of)) => (what, Some(of.parse::<u64>().ok().filter(|of| *of > 0)?)),
    };
    // Those of a turn are not among those that are new each time.
    let nth = of.map_or(n, |of| 1_000_000 + (n - 1) % of);
    match what {
        "n" => Some(n.to_string()),
        "user" => Some(variation.user(nth)),
        "address" => {
            let address: IpAddr = variation.address(nth);
            Some(address.to_string())
        }
        _ => None,
    }
}
