//! The scan that `prove` writes: how large it has to be for the stack's rules to raise, which is tried here
//! before anything is made, and its lines.
//!
//! A scan comes from an address of 2001:db8::/32, which is for documentation (RFC 3849) and nobody's. Such a
//! source is counted as its /64, and there are so many that each scan has one of its own, drawn by chance: an
//! earlier proof's open finding takes none of its events. Its names are its own as well, so that no name is
//! tried from many sources.

use std::net::Ipv6Addr;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use serde_json::json;
use tidewatch_core::admission::Admission;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::{Activity, Finding};
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::signal::{Body, EventId, LogStream, Origin, Signal};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Time;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Config, Ingest};

use crate::in_force::InForce;

/// How many names are tried, from the least to the most. The packaged `credential-scan` raises at ten; two more
/// than that, because known users of the stack may take a name for one of theirs.
const SIZES: [usize; 6] = [12, 25, 50, 100, 250, 1_000];

/// State of a trial.
const MEMORY_BYTES: usize = 16 << 20;

/// The network a source is counted as.
pub fn network(source: Ipv6Addr) -> String {
    format!("{}/64", Ipv6Addr::from_bits(source.to_bits() >> 64 << 64))
}

/// A source that nobody has had.
///
/// # Errors
/// If the system has no random bytes.
pub fn source() -> Result<Ipv6Addr> {
    let chance = getrandom::u32().map_err(|error| anyhow!("no random bytes: {error}"))?;
    let (high, low) = ((chance >> 16) as u16, chance as u16);
    Ok(Ipv6Addr::new(0x2001, 0xdb8, high, low, 0, 0, 0, 1))
}

/// Whether a finding about `key`, as findings write it, is about the scan from `network`.
pub fn is_about(key: &str, network: &str) -> bool {
    key.split(" + ").any(|part| part == network)
}

/// The lines of a scan by `names` names; `id` tells them from all others'.
pub fn lines(names: usize, source: Ipv6Addr, id: &str) -> Vec<String> {
    let line = |nth| {
        json!({
            "event": "login_failed", "reason": "unknown_user", "user": format!("tidewatch-{id}-{nth}"),
            "src_ip": source.to_string(), "simulated": true, "by": "tidewatch prove",
        })
        .to_string()
    };
    (1..=names).map(line).collect()
}

/// The least scan that the rules raise at, and by which detector; `None` if they raise at none.
///
/// # Errors
/// If the rules cannot be run here.
pub async fn least(rules: &InForce, now: Time) -> Result<Option<(usize, String)>> {
    let formats = tidewatch_rules::formats(tidewatch_rules::shipped_formats());
    let formats = Arc::new(formats.map_err(|_| anyhow!("the packaged formats cannot be read"))?);
    for names in SIZES {
        if let Some(detector) = tried(rules, &formats, names, now).await? {
            return Ok(Some((names, detector)));
        }
    }
    Ok(None)
}

/// The detector that raises at a scan by `names` names.
async fn tried(
    rules: &InForce,
    formats: &Arc<Formats>,
    names: usize,
    now: Time,
) -> Result<Option<String>> {
    let key = TagKey::new([0; 16]);
    let naming = Naming { key, usernames: Usernames::Fold };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Arc::clone(formats) });
    let plan = Plan::new(rules.plan.detectors.clone()).map_err(|error| anyhow!("{error}"))?;
    let plan = Plan { allow: rules.allow.tagged(|name| vec![naming.tag(name)]), ..plan.folding() };
    let plan = Arc::new(plan);
    let store = MemoryStore::new(Arc::clone(&plan), MEMORY_BYTES, 0);
    let admission = Admission::until(Time(i64::MAX));
    let mut engine = Engine::new(plan, store, Vec::<Finding>::new(), key, admission);
    let source = source()?;
    let stream = Arc::new(LogStream::default());
    for (nth, line) in lines(names, source, "trial").iter().enumerate() {
        let Said::Signal { auth, .. } = ingest.hear(line, "").0 else { continue };
        let origin = Origin { stream: Arc::clone(&stream), id: EventId::Offset(nth as u64) };
        let event = key.event(0, &nth.to_be_bytes());
        let signal = Signal { time: now, event, origin, body: Body::Auth(auth) };
        engine.observe(&signal).await.map_err(|error| anyhow!("{error}"))?;
    }
    let network = network(source);
    let raised = engine.sink().iter().find(|finding| {
        finding.activity == Activity::Create && is_about(&finding.key.to_string(), &network)
    });
    Ok(raised.map(|finding| finding.detector.to_string()))
}

#[cfg(test)]
mod tests {
    use tidewatch_rules::deployed::plan;

    use super::*;
    use crate::in_force::packaged;

    const NOW: Time = Time(1_795_608_000_000);

    fn least_of(plan: Plan, allow: &str) -> Option<(usize, String)> {
        let files = [("allow.toml".to_owned(), allow.to_owned())];
        let allow = tidewatch_rules::allow::allow(files, &[], NOW).expect("a good one");
        let spending = Vec::new();
        let rules = InForce { plan, spending, origin: "overrides", allow, faults: Vec::new() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(least(&rules, NOW)).expect("they run")
    }

    fn changed(id: &str, from: &str, to: &str) -> Plan {
        let shipped = tidewatch_rules::shipped();
        let name = format!("{id}.toml");
        let (_, text) = shipped.iter().find(|(known, _)| *known == name).expect("it is shipped");
        let text = text.replace(from, to);
        assert!(text.contains(to), "{id}");
        plan(vec![(name, text)]).expect("a good one")
    }

    #[test]
    fn the_least_scan_is_found_that_the_rules_raise_at() {
        assert_eq!(least_of(packaged().0, ""), Some((12, "first-contacts".to_owned())));
        let scan = |from: &str, to: &str| least_of(changed("credential-scan", from, to), "");
        let raised = |names| Some((names, "credential-scan".to_owned()));
        assert_eq!(scan("unknown_users >= 10\"", "unknown_users >= 10\""), raised(12));
        assert_eq!(scan("unknown_users >= 10\"", "unknown_users >= 29\""), raised(50));
        // What counts by user, or is allowed, raises at no scan of one source.
        assert_eq!(least_of(changed("account-under-attack", "window", "window"), ""), None);
        let allowed = "[[allow]]\nsource = \"2001:db8::/32\"\nreason = \"ours\"\nuntil = \"2026-12-31\"\nforce = true\n";
        assert_eq!(least_of(packaged().0, allowed), None);
    }

    #[test]
    fn each_scan_has_a_source_and_names_of_its_own() {
        let (one, two) = (source().expect("chance"), source().expect("chance"));
        for source in [one, two] {
            assert!(source.to_string().starts_with("2001:db8:"), "{source}");
        }
        let (first, second) = (lines(12, one, "a1-1"), lines(12, two, "a1-2"));
        let all: std::collections::BTreeSet<&String> = first.iter().chain(&second).collect();
        assert_eq!(all.len(), 24);
        assert!(is_about(
            "2001:db8:1:2::/64 + user:7",
            &network(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, 1))
        ));
        assert!(!is_about(
            "2001:db8:1:2::/64",
            &network(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1))
        ));
    }
}
