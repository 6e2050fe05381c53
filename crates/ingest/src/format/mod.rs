//! STUB, to be overwritten by the format half of ingest: just enough of the two formats to test with.
#![allow(missing_docs, dead_code)]
use crate::problem::Problem;
use crate::username::Naming;
use crate::when::When;
use tidewatch_core::signal::{Auth, Outcome, Role};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Sshd,
    JsonAuth,
}
impl Format {
    pub const ALL: [Format; 2] = [Format::Sshd, Format::JsonAuth];
    pub fn needles(self) -> &'static [&'static str] {
        match self {
            Format::Sshd => &["sshd["],
            Format::JsonAuth => &["src_ip", "sourceIp", "login"],
        }
    }
}
pub enum Said {
    Nothing,
    Signal { when: Option<When>, time_unreadable: bool, auth: Auth },
    HostnameSource,
    Unreadable(Problem),
}

fn auth(naming: &Naming, outcome: Outcome, user: &str, source: &str) -> Auth {
    Auth {
        role: Role::Attempt,
        outcome,
        user_known: None,
        user: Some(naming.key.user(user.as_bytes())),
        source: source.parse().ok(),
        attempts: 1,
    }
}

pub fn read(format: Format, message: &str, naming: &Naming) -> Said {
    match format {
        Format::Sshd => {
            let (when, rest) = if let Some((civil, at)) = crate::stamp::syslog(message.as_bytes()) {
                (When::Civil(civil), &message[at..])
            } else if let Some((when, at)) = crate::stamp::rfc3339(message.as_bytes()) {
                (when, &message[at..])
            } else {
                return Said::Nothing;
            };
            let mut words = rest.split_ascii_whitespace();
            words.next();
            if !words.next().is_some_and(|w| w.starts_with("sshd[")) {
                return Said::Nothing;
            }
            let Some((_, tail)) = rest.split_once("Failed password for ") else {
                return Said::Nothing;
            };
            let tail = tail.strip_prefix("invalid user ").unwrap_or(tail);
            let Some((user, tail)) = tail.rsplit_once(" from ") else { return Said::Nothing };
            let source = tail.split(' ').next().unwrap_or("");
            Said::Signal {
                when: Some(when),
                time_unreadable: false,
                auth: auth(naming, Outcome::Failure, user, source),
            }
        }
        Format::JsonAuth => {
            let json = match message.as_bytes().first() {
                Some(b'{') => message,
                _ => match message.rsplit_once("\t{") {
                    Some((_, _)) => &message[message.find("\t{").unwrap_or(0) + 1..],
                    None => return Said::Nothing,
                },
            };
            let Ok(value) = serde_json::from_str::<serde_json::Value>(json) else {
                return Said::Unreadable(Problem::Json);
            };
            let text = |key: &str| value[key].as_str();
            let (Some(event), Some(user), Some(source)) =
                (text("event"), text("user"), text("src_ip"))
            else {
                return Said::Nothing;
            };
            let outcome =
                if event == "login_success" { Outcome::Success } else { Outcome::Failure };
            let when = text("timestamp").and_then(|t| crate::stamp::rfc3339(t.as_bytes()));
            Said::Signal {
                when: when.map(|w| w.0),
                time_unreadable: false,
                auth: auth(naming, outcome, user, source),
            }
        }
    }
}
