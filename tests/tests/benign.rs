//! Every shipped format's day without an attack raises nothing, and the same format's attack is found: quiet
//! for the right reason.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use futures_util::FutureExt;
use tidewatch_core::admission::Admission;
use tidewatch_core::engine::Engine;
use tidewatch_core::finding::Finding;
use tidewatch_core::memory::MemoryStore;
use tidewatch_core::plan::Plan;
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Time;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Config, Ingest};
use tidewatch_rules::{load, shipped, shipped_cases, shipped_formats};
use tidewatch_tests::benign::{Happening, Lines, records};

/// What the shipped detectors raise: of each key which; and how many signals there were.
fn raised(happenings: &[Happening], formats: &Arc<Formats>) -> (Raised, usize) {
    let key = TagKey::new([3; 16]);
    let naming = Naming { key, usernames: Usernames::Fold };
    let formats = Arc::clone(formats);
    let ingest = Ingest::new(Config { naming, own_group: None, formats });
    let plan = Arc::new(Plan::new(load(shipped()).expect("good")).expect("few"));
    let store = MemoryStore::new(Arc::clone(&plan), 1 << 28, 0);
    let admission = Admission::until(Time(i64::MAX));
    let mut engine = Engine::new(plan, store, Vec::<Finding>::new(), key, admission);
    let mut buffers = Buffers::default();
    let mut batch = Batch::default();
    for record in records(happenings, "/a/log/group") {
        ingest.record(&record, "", &mut buffers, &mut batch);
    }
    let signals = batch.signals.len();
    for signal in batch.signals {
        let When::At(time) = signal.when else { panic!("an envelope's event has a time") };
        let observed = engine.observe(&signal.at(time)).now_or_never();
        observed.expect("memory never waits").expect("memory does not fail");
    }
    let mut raised = Raised::new();
    for finding in engine.sink() {
        raised.entry(finding.key.to_string()).or_default().insert(finding.detector.clone());
    }
    (raised, signals)
}

type Raised = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_formats_day_is_quiet_and_its_attack_is_found() {
    let formats = Arc::new(tidewatch_rules::formats(shipped_formats()).expect("good ones"));
    let attacker = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 66));
    let (mut unusable, mut unknown, mut wrong) = (Vec::new(), 0, String::new());
    for format in formats.all() {
        let file = format!("{}.toml", format.id);
        let cases = shipped_cases().into_iter().find(|(name, _)| *name == file).expect("cases").1;
        let lines = Lines::of(&format.id, &cases, &formats);
        if !lines.has_failures() {
            unusable.push(format.id.clone());
            continue;
        }
        unknown += usize::from(lines.tells_unknown());
        for seed in 0..3 {
            let day = lines.quiet_day(seed);
            let (keys, signals) = raised(&day, &formats);
            if !keys.is_empty() || signals != day.len() {
                wrong +=
                    &format!("{} seed {seed}: {keys:?}, {signals} of {}\n", format.id, day.len());
            }
        }
        let attack = lines.attack(attacker);
        let (keys, signals) = raised(&attack, &formats);
        let found: Vec<&String> = keys.keys().collect();
        if found != [&attacker.to_string()] || signals != 200 {
            wrong += &format!("{}: the attack raises {keys:?}, {signals} signals\n", format.id);
        }
    }
    println!(
        "no lines with a name and an address to vary: {unusable:?}; {unknown} tell unknown names"
    );
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(unusable.len() * 10 <= formats.all().len(), "{unusable:?}");
}
