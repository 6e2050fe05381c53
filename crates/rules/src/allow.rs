//! Allow files (TOML) to entries of an allowlist, in the way of detector files: all that is wrong is told at
//! once, each fault at the value that has to change.
//!
//! An entry must say why and until when. Its end is at most a year ahead, so that each is looked at again
//! once a year and a mistyped century is noticed; what shall stand for good must say so, `until = "never"`.
//! A network wider than a site's needs `force = true`: every address in it could attack unseen; so does a name that fits
//! every function.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tidewatch_core::allow::{Allowed, Allowlist, Who};
use tidewatch_core::glob::Glob;
use tidewatch_core::limits::ALLOWED_MAX;
use tidewatch_core::net::{Net, NetError};
use tidewatch_core::tag::{AgentTag, UserTag};
use tidewatch_core::time::{Span, Time};

use crate::FILE_BYTES_MAX;
use crate::fault::{Fault, Faults, Place, RuleError};
use crate::suggest;
use crate::tree::{
    self, Node, Placed, Text, in_file_order, one_or_more, string, table, unknown_field, wrong_type,
};
use crate::validate::prose;

/// The shortest IPv4 prefix that needs no force: 65,536 addresses, more than a site has.
pub const IPV4_PREFIX_MIN: u8 = 16;

/// The shortest IPv6 prefix that needs no force: the most a site is given (RFC 6177).
pub const IPV6_PREFIX_MIN: u8 = 48;

/// How far ahead the end of an entry may lie.
pub const AHEAD_MAX: Span = Span::minutes(366 * 24 * 60);

const FIELDS: [&str; 9] = [
    "source",
    "user",
    "user_tag",
    "user_agent",
    "function",
    "detectors",
    "reason",
    "until",
    "force",
];

/// Allow files, validated; users still have their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Allow {
    /// In the order of the files.
    pub entries: Vec<Entry>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// For whom.
    pub who: Named,
    /// See [`Allowed::detectors`].
    pub detectors: Vec<String>,
    /// See [`Allowed::reason`].
    pub reason: String,
    /// See [`Allowed::until`].
    pub until: Option<Time>,
    /// The file.
    pub file: String,
    /// Where its table begins, counted from 1.
    pub line: usize,
}

/// Who is allowed, as a file says it.
#[derive(Clone, Debug, PartialEq)]
pub enum Named {
    /// All sources of a network.
    Source(Net),
    /// A user by name.
    User(String),
    /// A user by the tag under the key that is in use.
    Tag(UserTag),
    /// Clients that call themselves this, from anywhere or from a network.
    Agent(String, Option<Net>),
    /// Lambda functions.
    Function(Glob),
}

impl Allow {
    /// The allowlist, with users tagged as in logs: under each key that is in use.
    pub fn tagged(&self, tags: impl Fn(&str) -> Vec<UserTag>) -> Allowlist {
        let who = |named: &Named| match named {
            Named::Source(net) => Who::Source(*net),
            Named::User(name) => Who::User(tags(name)),
            Named::Tag(tag) => Who::User(vec![*tag]),
            Named::Agent(agent, net) => Who::Agent(AgentTag::of(agent), *net),
            Named::Function(glob) => Who::Function(glob.clone()),
        };
        let entries = self.entries.iter().map(|entry| Allowed {
            who: who(&entry.who),
            detectors: entry.detectors.clone(),
            reason: entry.reason.clone(),
            until: entry.until,
            place: format!("{}:{}", entry.file, entry.line),
        });
        Allowlist { entries: entries.collect() }
    }

    /// Whether some entry names a user, so that its tags depend on the key.
    pub fn names_users(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.who, Named::User(_)))
    }
}

/// The entries of several files: name and text of each. `known` are the ids of all detectors there are, and
/// `now` is the wall clock.
///
/// # Errors
/// The faults of all files; at least one.
pub fn allow(
    files: impl IntoIterator<Item = (String, String)>,
    known: &[&str],
    now: Time,
) -> Result<Allow, Vec<RuleError>> {
    let mut all = Allow::default();
    let mut errors = Vec::new();
    for (name, text) in files {
        let mut faults = Faults::new(&name, &text);
        for (entry, place) in entries(&text, &Terms { known, now }, &mut faults) {
            if all.entries.len() == ALLOWED_MAX {
                let help = "Each is asked of every log event: join networks, remove what ran out.";
                faults.add(place, Fault::TooManyAllowed, help);
                break;
            }
            let line = text[..place.start].matches('\n').count() + 1;
            all.entries.push(Entry { file: name.clone(), line, ..entry });
        }
        faults.list.sort_by_key(|error| error.span.offset());
        errors.extend(faults.list);
    }
    if errors.is_empty() { Ok(all) } else { Err(errors) }
}

/// What entries are validated against.
struct Terms<'a> {
    known: &'a [&'a str],
    now: Time,
}

/// The entries of a file, each with its place; those with a fault are left out.
fn entries(text: &str, terms: &Terms<'_>, faults: &mut Faults) -> Vec<(Entry, Place)> {
    if text.len() > FILE_BYTES_MAX {
        let help = "Join networks, or remove what ran out.";
        faults.add(0..0, Fault::TooLong { bytes: text.len() }, help);
        return Vec::new();
    }
    let Some(tree) = tree::parse(text, faults) else { return Vec::new() };
    let mut all = Vec::new();
    for (name, node) in in_file_order(tree.get_ref()) {
        let field = name.get_ref().as_ref();
        if field != "allow" {
            unknown_field(name.span(), field, "an allow file", &["allow"], faults);
            continue;
        }
        let Some(list) = node.get_ref().as_array() else {
            wrong_type(field, "a list of tables, each headed [[allow]]", node, faults);
            continue;
        };
        for node in list.iter() {
            all.extend(entry(node, terms, faults).map(|entry| (entry, node.span())));
        }
    }
    all
}

/// An entry as it is written.
#[derive(Default)]
struct Raw {
    source: Option<Text>,
    user: Option<Text>,
    user_tag: Option<Text>,
    user_agent: Option<Text>,
    function: Option<Text>,
    detectors: Option<Placed<Vec<Text>>>,
    reason: Option<Text>,
    until: Option<Text>,
    force: bool,
}

/// `None` where there is a fault.
fn entry(node: Node<'_, '_>, terms: &Terms<'_>, faults: &mut Faults) -> Option<Entry> {
    let faults_before = faults.list.len();
    let table = table("allow", node, faults)?;
    let mut raw = Raw::default();
    for (name, node) in in_file_order(table) {
        let field = name.get_ref().as_ref();
        match field {
            "source" => raw.source = string(field, node, faults),
            "user" => raw.user = string(field, node, faults),
            "user_tag" => raw.user_tag = string(field, node, faults),
            "user_agent" => raw.user_agent = string(field, node, faults),
            "function" => raw.function = string(field, node, faults),
            "detectors" => raw.detectors = one_or_more(field, node, faults),
            "reason" => raw.reason = string(field, node, faults),
            "until" => raw.until = text_or_time(field, node, faults),
            "force" => match node.get_ref().as_bool() {
                Some(force) => raw.force = force,
                None => wrong_type(field, "true or false", node, faults),
            },
            _ => unknown_field(name.span(), field, "an entry", &FIELDS, faults),
        }
    }
    let is_sound = faults.list.len() == faults_before;
    // A network may narrow a user agent.
    let alone = raw.source.as_ref().filter(|_| raw.user_agent.is_none());
    let others = [&raw.user, &raw.user_tag, &raw.user_agent, &raw.function];
    let given = others.into_iter().flatten().chain(alone).count();
    if given != 1 && is_sound {
        let help = "Name one: `source = \"198.51.100.0/24\"`, `user = \"healthcheck\"`, the tag of a \
                    finding, `user_tag = \"0123456789abcdef\"`, `user_agent = \"scanner/2\"`, with a \
                    `source` beside it, or `function = \"load-test-*\"`. Write an entry for each.";
        faults.add(node.span(), Fault::AllowedWho, help);
    }
    for (field, example, there) in [
        ("reason", "reason = \"penetration test, ticket 4711\"", raw.reason.is_some()),
        ("until", "until = \"2027-01-31\"", raw.until.is_some()),
    ] {
        if !there && is_sound {
            let fault = Fault::MissingField { field, of: "the entry" };
            faults.add(node.span(), fault, format!("Add a line like `{example}`."));
        }
    }
    let who = match raw {
        Raw { user_agent: Some(agent), source: from, force, .. } => {
            user_agent(&agent, from.as_ref(), force, faults)
        }
        Raw { source: Some(text), force, .. } => source(&text, force, faults).map(Named::Source),
        Raw { user: Some(text), .. } => user(&text, faults).map(Named::User),
        Raw { user_tag: Some(text), .. } => user_tag(&text, faults).map(Named::Tag),
        Raw { function: Some(text), force, .. } => {
            function(&text, force, faults).map(Named::Function)
        }
        _ => None,
    };
    let reason = raw.reason.and_then(|text| prose("reason", &text, faults));
    let until = raw.until.and_then(|text| until(&text, terms.now, faults));
    let detectors = raw.detectors.map(|list| detectors(&list, terms.known, faults));
    let entry = Entry {
        who: who?,
        detectors: detectors.unwrap_or_default(),
        reason: reason?,
        until: until?,
        file: String::new(),
        line: 0,
    };
    (faults.list.len() == faults_before).then_some(entry)
}

/// A string, or one of TOML's own dates and times.
fn text_or_time(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Option<Text> {
    let value = match node.get_ref().as_datetime() {
        Some(time) => time.to_string(),
        None => return string(field, node, faults),
    };
    Some(Placed { value, place: node.span() })
}

fn source(text: &Text, force: bool, faults: &mut Faults) -> Option<Net> {
    let value = text.value.clone();
    let net = match value.parse::<Net>() {
        Ok(net) => net,
        Err(why) => {
            let help = match why {
                NetError::Malformed => {
                    "Write an address or a network, like \"198.51.100.7\", \"198.51.100.0/24\" or \
                     \"2001:db8:0:1::/64\"."
                        .to_owned()
                }
                NetError::BitsBehind(net) | NetError::TooFine(net) => {
                    format!("Write \"{net}\" if all of it is meant.")
                }
            };
            faults.add(text.place.clone(), Fault::BadNetwork { value, why: why.to_string() }, help);
            return None;
        }
    };
    let min = if net.is_ipv4() { IPV4_PREFIX_MIN } else { IPV6_PREFIX_MIN };
    if net.length() < min && !force {
        let help = "Whoever attacks from there is not told of. Name the networks that are meant, or \
                    say `force = true` beside it.";
        faults.add(text.place.clone(), Fault::TooWide { value, min }, help);
        return None;
    }
    Some(net)
}

fn user(text: &Text, faults: &mut Faults) -> Option<String> {
    let name = text.value.trim();
    if name.is_empty() {
        let help = "Name the user; an empty name would allow every try without one.";
        faults.add(text.place.clone(), Fault::EmptyText { field: "user" }, help);
        return None;
    }
    Some(text.value.clone())
}

/// A user agent, of a network or, by force, of anywhere.
fn user_agent(text: &Text, from: Option<&Text>, force: bool, faults: &mut Faults) -> Option<Named> {
    if text.value.trim().is_empty() {
        let help = "Write what the client sends, as it stands in the log.";
        faults.add(text.place.clone(), Fault::EmptyText { field: "user_agent" }, help);
        return None;
    }
    let net = match from {
        Some(from) => Some(source(from, force, faults)?),
        None if force => None,
        None => {
            let value = text.value.clone();
            let help = "Whoever attacks can send it too, and is not told of then. Say from where it comes, \
                        `source = \"198.51.100.0/24\"`, or `force = true` beside it.";
            faults.add(text.place.clone(), Fault::AgentOfAnywhere { value }, help);
            return None;
        }
    };
    Some(Named::Agent(text.value.clone(), net))
}

/// Functions by their names; all of them only by force.
fn function(text: &Text, force: bool, faults: &mut Faults) -> Option<Glob> {
    let (name, value) = (text.value.trim(), text.value.clone());
    let glob = Glob::new(name);
    if name.is_empty() {
        let help = "Name functions, like \"load-test-*\"; `*` stands for any text.";
        faults.add(text.place.clone(), Fault::EmptyText { field: "function" }, help);
        return None;
    }
    if glob.fits_all() && !force {
        let help = "Whatever a function costs or does is not told of then. Name those that are meant, or say \
                    `force = true` beside it.";
        faults.add(text.place.clone(), Fault::EveryFunction { value }, help);
        return None;
    }
    Some(glob)
}

fn user_tag(text: &Text, faults: &mut Faults) -> Option<UserTag> {
    let digits = text.value.strip_prefix("user:").unwrap_or(&text.value);
    let is_hex = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let tag = u64::from_str_radix(digits, 16).ok().filter(|_| is_hex);
    if tag.is_none() {
        let help = "Copy the 16 hexadecimal digits behind `user:` in a finding. They are another \
                    user's, or nobody's, under another TIDEWATCH_KEY.";
        faults.add(text.place.clone(), Fault::BadTag { value: text.value.clone() }, help);
    }
    tag.map(UserTag)
}

/// The first time that is not allowed any more; `Some(None)` where there is none. A date counts to its end,
/// UTC.
fn until(text: &Text, now: Time, faults: &mut Faults) -> Option<Option<Time>> {
    if text.value == "never" {
        return Some(None);
    }
    let is_date = text.value.len() == "2026-12-24".len();
    let end = match is_date {
        true => text.value.parse::<Date>().and_then(|day| {
            Ok(day.tomorrow()?.to_zoned(TimeZone::UTC)?.timestamp().as_millisecond())
        }),
        false => text.value.parse::<Timestamp>().map(|time| time.as_millisecond()),
    };
    let Ok(end) = end.map(Time) else {
        let help = "Write a date, which counts to its end (UTC), like \"2026-12-24\", a time with its \
                    zone, like \"2026-12-24T18:00:00Z\", or \"never\".";
        faults.add(text.place.clone(), Fault::BadEnd { value: text.value.clone() }, help);
        return None;
    };
    if end > now.plus(AHEAD_MAX) {
        let help = "An exception is looked at again once a year. Choose a nearer end, or \"never\" \
                    for what shall stand for good.";
        faults.add(text.place.clone(), Fault::EndTooFar { value: text.value.clone() }, help);
        return None;
    }
    Some(Some(end))
}

fn detectors(list: &Placed<Vec<Text>>, known: &[&str], faults: &mut Faults) -> Vec<String> {
    if list.value.is_empty() {
        let help = "Name detectors by their ids, or leave `detectors` out for all of them.";
        faults.add(list.place.clone(), Fault::EmptyText { field: "detectors" }, help);
    }
    for id in list.value.iter().filter(|id| !known.contains(&id.value.as_str())) {
        let help = suggest::help(&id.value, "Detectors", known);
        let (field, value) = ("detectors".to_owned(), id.value.clone());
        let fault = Fault::UnknownValue { field, what: "detector", value };
        faults.add(id.place.clone(), fault, help);
    }
    list.value.iter().map(|id| id.value.clone()).collect()
}
