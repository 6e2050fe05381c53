//! What a group is worth to Tidewatch, and what to do about it: a pure function of what was counted in it.

use tidewatch_ingest::secrets::Secret;
use tidewatch_ingest::survey::{Attribute, Coverage};

/// What a group carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Authentication signals, whatever else.
    Logins,
    /// Reports of invocations, or who asked for something.
    Costs,
    /// Nothing that is read.
    Nothing,
}

impl Verdict {
    /// Of a group.
    pub fn of(group: &Coverage) -> Verdict {
        match () {
            () if group.auth_lines() > 0 => Verdict::Logins,
            () if group.invocations + group.access > 0 => Verdict::Costs,
            () => Verdict::Nothing,
        }
    }

    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Logins => "carries logins",
            Verdict::Costs => "carries costs only",
            Verdict::Nothing => "nothing Tidewatch reads",
        }
    }
}

/// What to do about a group, a sentence each, the first about whether to send it.
pub fn advice(group: &Coverage) -> Vec<String> {
    let mut advice = vec![sending(group).to_owned()];
    if group.undecided > 0 {
        advice.push(
            "log how each login ended: lines that name a login and no outcome are not counted"
                .to_owned(),
        );
    }
    let events = group.auth_lines();
    for attribute in Attribute::ALL {
        // What is missing now and then is an odd line; what is missing often is how this is logged.
        let lacks = group.lacks[attribute as usize];
        if lacks > 0 && lacks * 10 >= events {
            advice.extend(missing(attribute).map(str::to_owned));
        }
    }
    if let Some((format, _)) = group.unread.iter().max_by_key(|(_, lines)| **lines) {
        let what = "lines look like ones that are read and are not";
        advice.push(format!("{what}, most for {format}: see `tidewatch explain FILE`"));
    }
    let spilled: Vec<&str> =
        group.secrets.keys().filter(|it| !is_expected(**it)).map(|it| it.noun()).collect();
    if !spilled.is_empty() {
        advice.push(format!(
            "stop logging {}: mask them where the line is written, replace those that are still valid, and \
             delete or mask the old lines (CloudWatch Logs: a data protection policy masks new ones)",
            spilled.join(", ")
        ));
    }
    advice
}

/// Whether logins need it to tell who is attacked: it is told, and not to be repaired.
fn is_expected(kind: Secret) -> bool {
    matches!(kind, Secret::EmailAsUser | Secret::AwsAccessKeyId)
}

fn sending(group: &Coverage) -> &'static str {
    match Verdict::of(group) {
        Verdict::Logins if group.invocations > 0 => {
            "subscribe it: findings about logins and about what the function costs come from it"
        }
        Verdict::Logins => "subscribe it: findings about logins come from it",
        Verdict::Costs if group.invocations > 0 => {
            "subscribe it if what the function costs matters; no finding about logins can come from it"
        }
        Verdict::Costs => {
            "it says who asks, and takes the reports of the functions behind it to say what that costs: subscribe \
             it where --drivers is of use"
        }
        Verdict::Nothing => {
            "do not subscribe it; if logins are logged there, give it a format (`tidewatch explain FILE` shows why \
             a line is not read)"
        }
    }
}

fn missing(attribute: Attribute) -> Option<&'static str> {
    match attribute {
        Attribute::Time => Some(
            "log the time of each login: without one, and outside CloudWatch, it is not counted",
        ),
        Attribute::Source => Some(
            "log the client's address with each login: without it nobody's attack can be told from another's",
        ),
        Attribute::User => {
            Some("log which name was tried: without it neither scans nor sprays can be seen")
        }
        // Said already.
        Attribute::Outcome => None,
        Attribute::Account => Some(
            "log whether the account exists when a login fails, or give --users a filter of known users: scans \
             are found by names that do not exist",
        ),
    }
}
