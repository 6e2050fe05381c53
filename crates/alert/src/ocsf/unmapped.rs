//! What OCSF has no attribute for: the numbers behind a decision, and when, where, who and what, as whoever
//! logs security events should say them (OWASP Logging Cheat Sheet, "Event attributes").
//!
//! Invariant: as in the whole document, each struct has its fields in the order of their names. What is not
//! known is null; only `spending`, where a finding is not about money, and what a kind of error does not
//! have are left out.

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use tidewatch_core::accounts::Account;
use tidewatch_core::finding::{Accuracy, Also, Decided, Finding, Measured, Member, SeenSince};
use tidewatch_core::key::Key;
use tidewatch_core::lists::Listed;
use tidewatch_core::signal::{EventId, Origin, Outcome};
use tidewatch_core::time::Span;

use super::spending::{Spent, spent};
use super::{activity, displayed, severity};
use crate::context::Context;
use crate::number::whole;
use crate::printable::{name, printable};

#[derive(Debug, Serialize)]
pub(super) struct Unmapped<'a> {
    tidewatch: Tidewatch<'a>,
}

/// Spans are seconds, times milliseconds since 1970, UTC.
#[derive(Debug, Serialize)]
struct Tidewatch<'a> {
    accounts: NamesTried,
    also: Vec<AlsoRaised<'a>>,
    conditions: Vec<Condition<'a>>,
    #[serde(serialize_with = "displayed")]
    key: Key,
    lists: Vec<OnList<'a>>,
    measures: Vec<Measure<'a>>,
    members: Vec<OneOfMany>,
    peak: Amount,
    quiet_s: Amount,
    samples: Vec<Sample<'a>>,
    since: Vec<Since<'a>>,
    sources_total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    spending: Option<Spent<'a>>,
    what: What<'a>,
    when: When,
    r#where: Where<'a>,
    who: Who<'a>,
    window_s: Amount,
}

/// Tags of the names that were tried, each once: whoever got in, whoever did so as ever, whose account exists,
/// whose does not, and of whom nothing is told.
#[derive(Debug, Default, Serialize)]
struct NamesTried {
    exist: Vec<Tag>,
    got_in: Vec<Tag>,
    got_in_as_ever: Vec<Tag>,
    unknown: Vec<Tag>,
    untold: Vec<Tag>,
}

/// Another detector that raises about the same key.
#[derive(Debug, Serialize)]
struct AlsoRaised<'a> {
    detector: &'a str,
    finding_uid: Option<&'a str>,
    severity: &'static str,
}

#[derive(Debug, Serialize)]
struct Condition<'a> {
    comparison: &'static str,
    condition: &'a str,
    measure: &'a str,
    threshold: Amount,
    value: Amount,
}

#[derive(Debug, Serialize)]
struct OnList<'a> {
    chance: Option<f64>,
    error: f64,
    list: Cow<'a, str>,
    names_on_it: u64,
    names_tried: u64,
    own_users: Option<f64>,
    share: f64,
}

#[derive(Debug, Serialize)]
struct Measure<'a> {
    error: MeasureError,
    name: &'a str,
    value: Amount,
}

/// How far a measure may be off: `pane` counts up to `extra_s` seconds more than the window, `sketch` has a
/// relative standard error, `at_least` is a lower bound, `at_most` an upper one.
#[derive(Debug, Default, Serialize)]
struct MeasureError {
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_s: Option<Amount>,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pane_s: Option<Amount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relative: Option<f64>,
}

/// One of the sources that a finding speaks for.
#[derive(Debug, Serialize)]
struct OneOfMany {
    failures: u64,
    raised: Option<&'static str>,
    source: IpAddr,
}

/// A log event: in CloudWatch Logs, or in a file or a pipe.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Sample<'a> {
    CloudWatch {
        account: Cow<'a, str>,
        event_id: Cow<'a, str>,
        log_group: Cow<'a, str>,
        log_stream: Cow<'a, str>,
    },
    Input {
        input: Cow<'a, str>,
        /// Bytes before its line.
        offset: u64,
    },
}

/// Since when the first of the values that a measure counts is seen.
#[derive(Debug, Serialize)]
struct Since<'a> {
    first_seen: i64,
    measure: &'a str,
    new: bool,
}

#[derive(Debug, Serialize)]
struct What<'a> {
    activity: &'static str,
    detector: &'a str,
    severity: &'static str,
    title: Cow<'a, str>,
}

#[derive(Debug, Serialize)]
struct When {
    first_seen: i64,
    last_seen: i64,
    start: i64,
}

/// Where the samples stand, each place once.
#[derive(Debug, Serialize)]
struct Where<'a> {
    accounts: Vec<Cow<'a, str>>,
    inputs: Vec<Cow<'a, str>>,
    log_groups: Vec<Cow<'a, str>>,
    log_streams: Vec<Cow<'a, str>>,
    region: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct Who<'a> {
    #[serde(serialize_with = "displayed")]
    key: Key,
    sources: &'a [IpAddr],
    sources_total: u64,
    user_agent: Option<Cow<'a, str>>,
}

/// A number, written without a decimal point where it is whole: `34`, not `34.0`.
#[derive(Debug)]
struct Amount(f64);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match whole(self.0) {
            Some(whole) => to.serialize_i64(whole),
            None => to.serialize_f64(self.0),
        }
    }
}

/// The tag of a name, as 16 hexadecimal digits.
#[derive(Debug)]
struct Tag(u64);

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:016x}", self.0))
    }
}

pub(super) fn unmapped<'a>(finding: &'a Finding, context: &'a Context) -> Unmapped<'a> {
    let tidewatch = Tidewatch {
        accounts: names_tried(finding),
        also: finding.also.iter().map(also).collect(),
        conditions: finding.decided.iter().map(condition).collect(),
        key: finding.key,
        lists: finding.listed.iter().map(on_list).collect(),
        measures: finding.measures.iter().map(measure).collect(),
        members: finding.members.iter().map(member).collect(),
        peak: Amount(finding.peak),
        quiet_s: seconds(finding.quiet),
        samples: finding.samples.iter().map(sample).collect(),
        since: finding.since.iter().map(since).collect(),
        sources_total: finding.sources_total,
        spending: finding.spending.as_deref().map(spent),
        what: What {
            activity: activity(finding.activity).1,
            detector: &finding.detector,
            severity: severity(finding.severity),
            title: printable(&finding.title),
        },
        when: When {
            first_seen: finding.first_seen.0,
            last_seen: finding.last.0,
            start: finding.start.0,
        },
        r#where: places(finding, context),
        who: Who {
            key: finding.key,
            sources: &finding.sources,
            sources_total: finding.sources_total,
            user_agent: finding.agent.as_deref().map(printable),
        },
        window_s: seconds(finding.window),
    };
    Unmapped { tidewatch }
}

fn names_tried(finding: &Finding) -> NamesTried {
    let mut tried = NamesTried::default();
    for Account { tag, outcome, known, as_ever, .. } in &finding.accounts {
        let those = match (outcome, known) {
            (Some(Outcome::Success), _) if *as_ever => &mut tried.got_in_as_ever,
            (Some(Outcome::Success), _) => &mut tried.got_in,
            (_, Some(true)) => &mut tried.exist,
            (_, Some(false)) => &mut tried.unknown,
            (_, None) => &mut tried.untold,
        };
        those.push(Tag(*tag));
    }
    tried
}

fn also(also: &Also) -> AlsoRaised<'_> {
    AlsoRaised {
        detector: &also.detector,
        finding_uid: also.uid.as_deref(),
        severity: severity(also.severity),
    }
}

fn condition(decided: &Decided) -> Condition<'_> {
    Condition {
        comparison: decided.comparison.symbol(),
        condition: &decided.condition,
        measure: &decided.measure,
        threshold: Amount(decided.threshold),
        value: Amount(decided.amount),
    }
}

fn on_list(listed: &Listed) -> OnList<'_> {
    OnList {
        chance: listed.chance,
        error: listed.error(),
        list: printable(&listed.list),
        names_on_it: listed.on,
        names_tried: listed.of,
        own_users: listed.usual,
        share: listed.share(),
    }
}

fn measure(measured: &Measured) -> Measure<'_> {
    let of_kind = |kind| MeasureError { kind, ..MeasureError::default() };
    let error = match measured.value.error {
        Accuracy::Exact => of_kind("exact"),
        Accuracy::Pane(pane) => MeasureError { extra_s: Some(seconds(pane)), ..of_kind("pane") },
        Accuracy::Sketch { relative, pane } => MeasureError {
            pane_s: Some(seconds(pane)),
            relative: Some(relative),
            ..of_kind("sketch")
        },
        Accuracy::AtLeast => of_kind("at_least"),
        Accuracy::AtMost => of_kind("at_most"),
    };
    Measure { error, name: &measured.name, value: Amount(measured.value.amount) }
}

fn member(member: &Member) -> OneOfMany {
    OneOfMany {
        failures: member.failures,
        raised: member.raised.map(severity),
        source: member.source,
    }
}

fn sample(origin: &Origin) -> Sample<'_> {
    let stream = &*origin.stream;
    match &origin.id {
        EventId::CloudWatch(id) => Sample::CloudWatch {
            account: name(&stream.account),
            event_id: name(id),
            log_group: name(&stream.group),
            log_stream: name(&stream.stream),
        },
        EventId::Offset(offset) => Sample::Input { input: name(&stream.stream), offset: *offset },
    }
}

fn since(since: &SeenSince) -> Since<'_> {
    Since { first_seen: since.first.0, measure: &since.measure, new: since.is_new }
}

fn places<'a>(finding: &'a Finding, context: &'a Context) -> Where<'a> {
    let (mut accounts, mut inputs) = (Vec::new(), Vec::new());
    let (mut log_groups, mut log_streams) = (Vec::new(), Vec::new());
    for origin in &finding.samples {
        let stream = &*origin.stream;
        let is_input = matches!(origin.id, EventId::Offset(_));
        let found = [
            (&mut accounts, &stream.account),
            (&mut log_groups, &stream.group),
            (if is_input { &mut inputs } else { &mut log_streams }, &stream.stream),
        ];
        for (all, text) in found {
            let name = name(text);
            if !name.is_empty() && !all.contains(&name) {
                all.push(name);
            }
        }
    }
    Where { accounts, inputs, log_groups, log_streams, region: context.region.as_deref() }
}

fn seconds(span: Span) -> Amount {
    Amount(span.0 as f64 / 1_000.0)
}
