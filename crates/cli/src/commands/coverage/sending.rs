//! Whether log groups are sent to a stack, beside what they carry: what nobody can see from lines alone.

use std::fmt::Write as _;

use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_aws::log_groups::{EVENTS_MAX, SPANS};
use tidewatch_aws::subscriptions::Way;
use tidewatch_ingest::survey::Coverage;

use super::groups::{Account, Looked};
use super::verdict::Verdict;
use crate::summary::grouped;

/// Of the log groups that were asked for.
pub struct Sending<'a> {
    pub account: &'a Account,
}

impl Sending<'_> {
    fn of(&self, name: &str) -> Option<&Looked> {
        self.account.looked.iter().find(|looked| looked.name == name)
    }

    fn stack(&self) -> &str {
        self.account.stack.as_deref().unwrap_or_default()
    }

    /// What stands below a group's lines.
    pub fn lines(&self, name: &str) -> String {
        let Some(looked) = self.of(name) else { return String::new() };
        let mut text = String::new();
        let sent = match &looked.way {
            Some(Way::Filter(filter)) => {
                Some(format!("to {}, by filter {}", self.stack(), filter.name))
            }
            Some(Way::Policy(policy)) => {
                Some(format!("to {}, by the account's policy {policy}", self.stack()))
            }
            Some(Way::None) => Some(format!("not to {}", self.stack())),
            None if self.account.stack.is_some() => Some("unknown".to_owned()),
            None => None,
        };
        if let Some(sent) = sent {
            let _ = writeln!(text, "  sent       {}", printable(&sent));
        }
        if looked.is_cut {
            let events = grouped(EVENTS_MAX as u64);
            let _ = writeln!(
                text,
                "  read       {events} events at most from each of {SPANS} spans: there are more"
            );
        }
        for fault in &looked.faults {
            let _ = writeln!(text, "  unknown    {}", printable(fault));
        }
        text
    }

    /// Whether to send a group, by what it carries and whether it is sent; `None` where that is unknown.
    pub fn advice(&self, group: &Coverage) -> Option<String> {
        let way = self.of(&group.name)?.way.as_ref()?;
        let (stack, name) = (self.stack(), &group.name);
        Some(match (way, Verdict::of(group)) {
            (Way::None, Verdict::Logins) => format!(
                "logins in it are seen by nobody: tidewatch subscribe --stack {stack} '{name}'"
            ),
            (Way::None, Verdict::Costs) => {
                "it is not sent; a stack reads logins alone, and what functions cost is for `tidewatch watch` and `bill`"
                    .to_owned()
            }
            (Way::None, Verdict::Nothing) => return None,
            (_, Verdict::Logins) => "it is sent, and its logins are read".to_owned(),
            (Way::Filter(_), _) => format!(
                "it is sent, and no logins were in it in this time: if there never are, `tidewatch unsubscribe --stack \
                 {stack} '{name}'` saves what carrying it costs"
            ),
            (Way::Policy(_), _) => {
                "the account's policy sends it, and no logins were in it in this time".to_owned()
            }
        })
    }

    /// Those that carry logins and are not sent.
    fn unseen<'g>(&'g self, groups: &'g [Coverage]) -> impl Iterator<Item = &'g str> {
        let is_unseen = |group: &&Coverage| {
            let way = self.of(&group.name).and_then(|looked| looked.way.as_ref());
            Verdict::of(group) == Verdict::Logins && way == Some(&Way::None)
        };
        groups.iter().filter(is_unseen).map(|group| group.name.as_str())
    }

    /// Those in which nothing was found, and why if it is known.
    fn without_lines<'g>(&'g self, groups: &'g [Coverage]) -> impl Iterator<Item = &'g Looked> {
        let all = self.account.looked.iter().filter(|looked| !looked.is_own);
        all.filter(|looked| groups.iter().all(|group| group.name != looked.name))
    }

    /// What stands below all groups.
    pub fn further(&self, groups: &[Coverage]) -> Vec<String> {
        let mut text = Vec::new();
        for looked in self.without_lines(groups) {
            let name = printable(&looked.name).into_owned();
            text.push(match looked.faults.as_slice() {
                [] => format!("{name}: nothing was written to it in this time\n"),
                _ => format!("{name}: unknown\n{}", self.lines(&looked.name)),
            });
        }
        let unseen: Vec<&str> = self.unseen(groups).collect();
        if let Some(stack) = &self.account.stack {
            let unseen = if unseen.is_empty() { "none".to_owned() } else { unseen.join(", ") };
            text.push(format!(
                "carry logins and are not sent to {}: {}\n",
                printable(stack),
                printable(&unseen)
            ));
        }
        text
    }

    /// The same in JSON.
    pub fn add_to(&self, whole: &mut Value, groups: &[Coverage]) {
        let without: Vec<&Looked> = self.without_lines(groups).collect();
        let empty = without.iter().filter(|looked| looked.faults.is_empty());
        let unknown = without.iter().filter(|looked| !looked.faults.is_empty());
        whole["stack"] = json!(self.account.stack);
        whole["nothing_written"] = empty.map(|looked| json!(looked.name)).collect();
        whole["not_read"] = unknown
            .map(|looked| json!({ "log_group": looked.name, "why": looked.faults }))
            .collect();
        if self.account.stack.is_some() {
            whole["carry_logins_and_are_not_sent"] = self.unseen(groups).map(Value::from).collect();
        }
    }

    /// What is known of one group, in JSON.
    pub fn add_to_group(&self, object: &mut Value, name: &str) {
        let Some(looked) = self.of(name) else { return };
        object["sent_by"] = match &looked.way {
            Some(Way::Filter(filter)) => json!({ "filter": filter.name }),
            Some(Way::Policy(policy)) => json!({ "policy": policy }),
            Some(Way::None) | None => Value::Null,
        };
        object["is_sent"] = json!(looked.way.as_ref().map(|way| *way != Way::None));
        object["is_cut"] = json!(looked.is_cut);
        object["unknown"] = json!(looked.faults);
    }
}
