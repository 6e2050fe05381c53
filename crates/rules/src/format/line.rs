//! One `[[line]]` of a format file: a kind of line, how it is taken apart, and what it means.

use tidewatch_core::signal::{Outcome, Role, SignalKind};
use tidewatch_ingest::declared::{
    Body, Choice, Condition, Glob, Pattern, Reading, TimeAs, Told, WHOLE,
};
use toml::de::DeTable;

use super::globs;
use crate::fault::{Fault, Faults, Place};
use crate::suggest;
use crate::tree::{
    Node, Placed, Text, in_file_order, one_or_more, string, table, unknown_field, wrong_type,
};

const FIELDS: [&str; 18] = [
    "text",
    "also",
    "json",
    "pairs",
    "action",
    "outcome",
    "user_known",
    "role",
    "user",
    "source",
    "agent",
    "asn",
    "time",
    "time_as",
    "attempts",
    "no_user",
    "proxies",
    "note",
];
const ACTION_FIELDS: [&str; 5] = ["field", "login", "reset", "sign-up", "otherwise"];
const OUTCOMES: [&str; 3] = ["failure", "success", "nothing"];
const OUTCOME_FIELDS: [&str; 5] = ["field", "failure", "success", "nothing", "otherwise"];
const KNOWN_FIELDS: [&str; 4] = ["field", "yes", "no", "otherwise"];

/// How many proxies may be trusted.
const PROXIES_MAX: i64 = 16;

/// A line as it is written.
#[derive(Default)]
struct Raw {
    text: Option<Text>,
    also: Option<Placed<Vec<Text>>>,
    /// Of `json` or `pairs`: which, and the conditions.
    fields: Vec<(&'static str, Vec<Condition>)>,
    action: Option<Choice<SignalKind>>,
    outcome: Option<Choice<Told>>,
    user_known: Option<Choice<bool>>,
    /// The fields that `action`, `outcome` and `user_known` ask.
    asked: Vec<Text>,
    role: Option<Role>,
    user: Option<Placed<Vec<Text>>>,
    source: Option<Placed<Vec<Text>>>,
    agent: Option<Placed<Vec<Text>>>,
    asn: Option<Placed<Vec<Text>>>,
    time: Option<Placed<Vec<Text>>>,
    time_as: Option<TimeAs>,
    attempts: Option<Text>,
    no_user: Option<Placed<Vec<Text>>>,
    proxies: usize,
}

/// The reading that a table declares; `None`, and faults, where it is none.
pub(super) fn line(table: &DeTable<'_>, place: &Place, faults: &mut Faults) -> Option<Reading> {
    let faults_before = faults.list.len();
    let raw = read(table, faults);
    if raw.outcome.is_none() && faults.list.len() == faults_before {
        let help = "Write `outcome = \"failure\"`, `\"success\"` or `\"nothing\"`, or make it depend \
                    on a field: `outcome = { field = \"status\", failure = [\"401\"] }`.";
        faults.add(place.clone(), Fault::MissingField { field: "outcome", of: "the line" }, help);
    }
    let kinds = usize::from(raw.text.is_some()) + raw.fields.len();
    if kinds != 1 && faults.list.len() == faults_before {
        let help = "Write `text = 'a regular expression'`, or `json = { a.field = \"value\" }`, or \
                    `pairs = { field = \"value\" }`.";
        faults.add(place.clone(), Fault::LineKind, help);
    }
    let body = body(&raw, faults);
    let names = captures(&body);
    let of = |given: Option<Placed<Vec<Text>>>, usual: &str, faults: &mut Faults| match given {
        Some(given) => {
            given.value.iter().for_each(|name| must_be_taken(name, &names, faults));
            given.value.into_iter().map(|name| name.value).collect()
        }
        None if names.as_ref().is_some_and(|names| names.iter().any(|name| name == usual)) => {
            vec![usual.to_owned()]
        }
        None => Vec::new(),
    };
    raw.asked.iter().chain(&raw.attempts).for_each(|name| must_be_taken(name, &names, faults));
    let user = of(raw.user, "user", faults);
    let source = of(raw.source, "source", faults);
    let agent = of(raw.agent, "agent", faults);
    let asn = of(raw.asn, "asn", faults);
    let time = of(raw.time, "time", faults);
    let outcome = raw.outcome?;
    let counts = !matches!(outcome, Choice::Always(Told::Nothing));
    if counts && user.is_empty() && source.is_empty() && faults.list.len() == faults_before {
        let help = "Say where the source's address or the username stands: a capture \
                    `(?<source>…)` of the pattern, or `source = \"field\"`.";
        faults.add(place.clone(), Fault::MissingField { field: "source", of: "the line" }, help);
    }
    (faults.list.len() == faults_before).then_some(())?;
    Some(Reading {
        body: body?,
        action: raw.action.unwrap_or(Choice::Untold),
        outcome,
        user_known: raw.user_known.unwrap_or(Choice::Untold),
        role: raw.role.unwrap_or(Role::Attempt),
        user,
        source,
        agent,
        asn,
        time,
        time_as: raw.time_as,
        attempts: raw.attempts.map(|name| name.value),
        no_user: raw.no_user.map_or(Vec::new(), |names| globs(&names.value)),
        proxies: raw.proxies,
    })
}

fn read(table: &DeTable<'_>, faults: &mut Faults) -> Raw {
    let mut raw = Raw::default();
    for (name, node) in in_file_order(table) {
        let field = name.get_ref().as_ref();
        match field {
            "text" => raw.text = string(field, node, faults),
            "also" => raw.also = one_or_more(field, node, faults),
            "json" => raw.fields.push(("json", conditions(field, node, faults))),
            "pairs" => raw.fields.push(("pairs", conditions(field, node, faults))),
            "action" => raw.action = action(node, &mut raw.asked, faults),
            "outcome" => raw.outcome = outcome(node, &mut raw.asked, faults),
            "user_known" => raw.user_known = user_known(node, &mut raw.asked, faults),
            "role" => raw.role = string(field, node, faults).and_then(|text| role(&text, faults)),
            "user" => raw.user = one_or_more(field, node, faults),
            "source" => raw.source = one_or_more(field, node, faults),
            "agent" => raw.agent = one_or_more(field, node, faults),
            "asn" => raw.asn = one_or_more(field, node, faults),
            "time" => raw.time = one_or_more(field, node, faults),
            "time_as" => {
                if let Some(text) = string(field, node, faults) {
                    match TimeAs::new(&text.value) {
                        Ok(format) => raw.time_as = Some(format),
                        Err(why) => {
                            let help = "A format of strptime with a date and a time of day, such as \
                                        \"%m/%d/%Y, %I:%M:%S %p\" (https://docs.rs/jiff).";
                            faults.add(text.place, Fault::BadTimeFormat { why }, help);
                        }
                    }
                }
            }
            "attempts" => raw.attempts = string(field, node, faults),
            "no_user" => raw.no_user = one_or_more(field, node, faults),
            "note" => drop(string(field, node, faults)),
            "proxies" => {
                let count = node.get_ref().as_integer().and_then(|n| n.as_str().parse().ok());
                match count.filter(|count| (0..=PROXIES_MAX).contains(count)) {
                    Some(count) => raw.proxies = count as usize,
                    None => wrong_type(field, "a number from 0 to 16", node, faults),
                }
            }
            _ => unknown_field(name.span(), field, "a line", &FIELDS, faults),
        }
    }
    raw
}

fn body(raw: &Raw, faults: &mut Faults) -> Option<Body> {
    let Some(text) = &raw.text else {
        let (kind, conditions) = raw.fields.first()?;
        return Some(match *kind {
            "json" => Body::Json(conditions.clone()),
            _ => Body::Pairs(conditions.clone()),
        });
    };
    let also = raw.also.iter().flat_map(|also| &also.value);
    let also: Vec<_> = also.map(|text| pattern(text, faults)).collect();
    let pattern = pattern(text, faults)?;
    Some(Body::Text { pattern, also: also.into_iter().collect::<Option<_>>()? })
}

fn pattern(text: &Text, faults: &mut Faults) -> Option<Pattern> {
    match Pattern::new(&text.value) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            let help = "The syntax is that of the Rust crate regex (https://docs.rs/regex): linear \
                        time, so no look-around and no backreferences. Write patterns in single \
                        quotes, where TOML leaves backslashes alone.";
            faults.add(text.place.clone(), Fault::BadPattern { why: why.0 }, help);
            None
        }
    }
}

/// The names that a text's patterns take out; `None` where fields are not known beforehand.
fn captures(body: &Option<Body>) -> Option<Vec<String>> {
    let Some(Body::Text { pattern, also }) = body else { return None };
    let all = std::iter::once(pattern).chain(also).flat_map(Pattern::captures);
    Some(all.map(str::to_owned).collect())
}

fn must_be_taken(name: &Text, names: &Option<Vec<String>>, faults: &mut Faults) {
    let Some(names) = names else { return };
    if name.value != WHOLE && !names.contains(&name.value) {
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        let help = suggest::help(&name.value, "The patterns capture", &known);
        faults.add(name.place.clone(), Fault::NoCapture { name: name.value.clone() }, help);
    }
}

fn conditions(field: &str, node: Node<'_, '_>, faults: &mut Faults) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if let Some(table) = table(field, node, faults) {
        gather(table, "", &mut conditions, faults);
    }
    conditions
}

/// `a.b = "x"` is a table in a table to TOML, and a path to us.
fn gather(table: &DeTable<'_>, above: &str, to: &mut Vec<Condition>, faults: &mut Faults) {
    for (name, node) in in_file_order(table) {
        let path = format!("{above}{}", name.get_ref());
        if let Some(inner) = node.get_ref().as_table() {
            gather(inner, &format!("{path}."), to, faults);
            continue;
        }
        let values = match node.get_ref().as_bool() {
            Some(yes) => vec![Glob::new(if yes { "true" } else { "false" })],
            None => match one_or_more(&path, node, faults) {
                Some(values) => globs(&values.value),
                None => continue,
            },
        };
        to.push(Condition { field: path, values });
    }
}

fn role(text: &Text, faults: &mut Faults) -> Option<Role> {
    match text.value.as_str() {
        "attempt" => Some(Role::Attempt),
        "mention" => Some(Role::Mention),
        _ => unknown_value("role", "role", text, &["attempt", "mention"], faults),
    }
}

fn tried(text: &Text, faults: &mut Faults) -> Option<SignalKind> {
    let named = SignalKind::TRIED.into_iter().find(|kind| kind.action() == text.value);
    let actions = SignalKind::TRIED.map(SignalKind::action);
    named.or_else(|| unknown_value("action", "action", text, &actions, faults))
}

fn told(text: &Text, faults: &mut Faults) -> Option<Told> {
    match text.value.as_str() {
        "failure" => Some(Told::Outcome(Outcome::Failure)),
        "success" => Some(Told::Outcome(Outcome::Success)),
        "nothing" => Some(Told::Nothing),
        _ => unknown_value("outcome", "outcome", text, &OUTCOMES, faults),
    }
}

fn unknown_value<T>(
    field: &str,
    what: &'static str,
    text: &Text,
    allowed: &[&str],
    faults: &mut Faults,
) -> Option<T> {
    let fault = Fault::UnknownValue { field: field.to_owned(), what, value: text.value.clone() };
    faults.add(text.place.clone(), fault, suggest::help(&text.value, "Allowed", allowed));
    None
}

fn action(
    node: Node<'_, '_>,
    asked: &mut Vec<Text>,
    faults: &mut Faults,
) -> Option<Choice<SignalKind>> {
    if node.get_ref().is_str() {
        return Some(Choice::Always(tried(&string("action", node, faults)?, faults)?));
    }
    let meanings = SignalKind::TRIED.map(|kind| (kind.action(), kind));
    by("action", node, &ACTION_FIELDS, &meanings, asked, faults, |node, faults| {
        tried(&string("otherwise", node, faults)?, faults)
    })
}

fn outcome(node: Node<'_, '_>, asked: &mut Vec<Text>, faults: &mut Faults) -> Option<Choice<Told>> {
    if node.get_ref().is_str() {
        return Some(Choice::Always(told(&string("outcome", node, faults)?, faults)?));
    }
    let meanings = [
        ("failure", Told::Outcome(Outcome::Failure)),
        ("success", Told::Outcome(Outcome::Success)),
        ("nothing", Told::Nothing),
    ];
    by("outcome", node, &OUTCOME_FIELDS, &meanings, asked, faults, |node, faults| {
        told(&string("otherwise", node, faults)?, faults)
    })
}

fn user_known(
    node: Node<'_, '_>,
    asked: &mut Vec<Text>,
    faults: &mut Faults,
) -> Option<Choice<bool>> {
    if let Some(known) = node.get_ref().as_bool() {
        return Some(Choice::Always(known));
    }
    let meanings = [("yes", true), ("no", false)];
    by("user_known", node, &KNOWN_FIELDS, &meanings, asked, faults, |node, faults| {
        let known = node.get_ref().as_bool();
        if known.is_none() {
            wrong_type("otherwise", "true or false", node, faults);
        }
        known
    })
}

/// `{ field = "…", MEANING = ["value", …], otherwise = … }`.
fn by<T: Copy>(
    field: &'static str,
    node: Node<'_, '_>,
    allowed: &[&str],
    meanings: &[(&str, T)],
    asked: &mut Vec<Text>,
    faults: &mut Faults,
    otherwise: impl Fn(Node<'_, '_>, &mut Faults) -> Option<T>,
) -> Option<Choice<T>> {
    let table = table(field, node, faults)?;
    let (mut fields, mut entries, mut other) = (Vec::new(), Vec::new(), None);
    for (name, node) in in_file_order(table) {
        let key = name.get_ref().as_ref();
        match key {
            "field" => fields = one_or_more(key, node, faults)?.value,
            "otherwise" => other = Some(otherwise(node, faults)?),
            _ => match meanings.iter().find(|(word, _)| *word == key) {
                Some((_, meaning)) => {
                    entries.push((globs(&one_or_more(key, node, faults)?.value), *meaning));
                }
                None => unknown_field(name.span(), key, field, allowed, faults),
            },
        }
    }
    if fields.is_empty() {
        let help = format!("Say which field decides: `{field} = {{ field = \"reason\", … }}`.");
        faults.add(node.span(), Fault::MissingField { field: "field", of: field }, help);
        return None;
    }
    asked.extend(fields.iter().cloned());
    let fields = fields.into_iter().map(|field| field.value).collect();
    Some(Choice::By { fields, entries, otherwise: other })
}
