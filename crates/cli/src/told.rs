//! Findings as they were told, read back: the OCSF documents that `--output json` prints and the alert topic
//! carries, one a line.
//!
//! Invariant: what is not such a document is no finding, whatever it holds; nothing of it is guessed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;
use tidewatch_core::detector::Severity;
use tidewatch_core::net::{IPV6_PREFIX_MAX, Net};
use tidewatch_core::time::Time;

/// OCSF's class of detection findings.
const CLASS_UID: i64 = 2004;

/// OCSF's activity of a finding that is over.
const CLOSE: i64 = 3;

/// One message about a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub uid: String,
    pub detector: String,
    pub severity: Severity,
    /// Whether it is over.
    pub closed: bool,
    /// Whether its log events were made up.
    pub simulated: bool,
    /// The event time of the latest line that kept it going.
    pub last: Time,
    /// When the message was made.
    pub made: Time,
    /// The source it is about; `None` where it is about something else.
    pub source: Option<Net>,
    /// The sources it names.
    pub sources: Vec<IpAddr>,
}

impl Told {
    /// The message in a line; `None` where it is none.
    pub fn read(line: &str) -> Option<Told> {
        let document: Value = serde_json::from_str(line).ok()?;
        let info = &document["finding_info"];
        let about = &document["unmapped"]["tidewatch"];
        let time = |value: &Value| value.as_i64().map(Time);
        let severity = document["severity_id"].as_i64()?;
        let labels = document["metadata"]["labels"].as_array();
        let sources = about["who"]["sources"].as_array()?.iter();
        let sources = sources.map(|source| source.as_str()?.parse().ok());
        (document["class_uid"].as_i64() == Some(CLASS_UID)).then_some(())?;
        Some(Told {
            uid: info["uid"].as_str().filter(|uid| !uid.is_empty())?.to_owned(),
            detector: info["analytic"]["uid"].as_str()?.to_owned(),
            severity: Severity::ALL.into_iter().find(|known| *known as i64 == severity)?,
            closed: match document["activity_id"].as_i64()? {
                CLOSE => true,
                1 | 2 => false,
                _ => return None,
            },
            simulated: labels.is_some_and(|all| all.iter().any(|label| label == "simulated")),
            last: time(&info["last_seen_time"])?,
            made: time(&info["modified_time"])?,
            source: about["key"].as_str()?.split(" + ").find_map(source),
            sources: sources.collect::<Option<_>>()?,
        })
    }
}

/// The source that a part of a key is: an IPv4 address or an IPv6 /64. A /24 is none, many share it.
fn source(part: &str) -> Option<Net> {
    let net: Net = part.parse().ok()?;
    let whole = if net.is_ipv4() { 32 } else { IPV6_PREFIX_MAX };
    (net.length() == whole).then_some(net)
}

/// The last message about each finding.
#[derive(Debug, Default)]
pub struct Latest {
    by_uid: BTreeMap<String, Told>,
}

impl Latest {
    /// Takes a message. A topic may deliver them in another order than they were made; of two that were
    /// made at one time the one that comes later counts.
    pub fn take(&mut self, told: Told) {
        match self.by_uid.get(&told.uid) {
            Some(known) if known.made > told.made => {}
            _ => drop(self.by_uid.insert(told.uid.clone(), told)),
        }
    }

    /// All of them, by uid.
    pub fn all(&self) -> impl Iterator<Item = &Told> {
        self.by_uid.values()
    }
}
