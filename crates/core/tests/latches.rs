//! Episodes as bytes, and how many of them are kept.

mod world;

use proptest::prelude::*;
use tidewatch_core::detector::Severity;
use tidewatch_core::episode::{Episode, Episodes};
use tidewatch_core::limits::{EPISODES_MAX, TICK_LEASE};
use tidewatch_core::plan::{DetectorId, KeyPlanId, Plan};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::bytes::Unreadable;
use tidewatch_core::table_store::latches::Latches;
use tidewatch_core::time::{Span, Time};
use world::*;

fn episode(start_s: i64) -> Episode {
    let start = Time(at(start_s * 1_000).0);
    Episode {
        start,
        first_seen: start.minus(Span::seconds(9)),
        last: start.plus(Span(1_234)),
        severity: Severity::High,
        reported: 30.0,
        peak: 31.0,
        next_report: start.plus(Span(1_234)).plus(Span::minutes(1)),
        claimed: 2,
        published: 2,
        closed: false,
        claimant: ShardId(3),
        claimed_at: start.plus(Span::seconds(5)),
        samples: Default::default(),
    }
}

fn closed(start_s: i64) -> Episode {
    Episode { closed: true, ..episode(start_s) }
}

fn scans(ids: &[&str]) -> Plan {
    let of = |id: &&str| tidewatch_core::detector::Detector {
        id: (*id).to_owned(),
        ..scan(600, 1_800, 10)
    };
    Plan::shared(ids.iter().map(of).collect()).expect("the shared home takes them")
}

fn any_episode() -> impl Strategy<Value = Episode> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let times = (-1_000i64..1_000_000, 0i64..90_000, 0i64..9_000_000);
    (times, severity, 0u32..9, 0u32..9, any::<bool>(), 0u32..5, 0u32..100_000).prop_map(
        |((start_s, seen_s, last), severity, claimed, back, closed, shard, peak)| {
            let of = episode(start_s);
            Episode {
                first_seen: of.start.minus(Span::seconds(seen_s)),
                last: of.start.plus(Span(last)),
                next_report: of.start.plus(Span(last)).plus(Span::minutes(1)),
                severity,
                claimed,
                published: claimed.saturating_sub(back),
                closed,
                claimant: if shard == 0 { ShardId::TICK } else { ShardId(shard) },
                peak: f64::from(peak),
                ..of
            }
        },
    )
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn episodes_come_back(all in prop::collection::vec((0u16..2, any_episode()), 0..8)) {
        let plan = scans(&["a", "b"]);
        let mut episodes = Episodes::default();
        for (detector, episode) in all {
            // Refused where all that are kept are pending.
            let _ = episodes.put(DetectorId(detector), episode);
        }
        let latches = Latches::new(episodes);
        let read = Latches::decode(&plan, plan.key(KeyPlanId(0)), &latches.encode(&plan));
        prop_assert_eq!(read, Ok(latches));
    }

    #[test]
    fn any_bytes_are_refused_or_read(mut bytes in prop::collection::vec(any::<u8>(), 1..120)) {
        bytes[0] = 1;
        let plan = scans(&["a"]);
        if let Ok(read) = Latches::decode(&plan, plan.key(KeyPlanId(0)), &bytes) {
            let again = Latches::decode(&plan, plan.key(KeyPlanId(0)), &read.encode(&plan));
            prop_assert_eq!(again, Ok(read));
        }
    }
}

#[test]
fn episodes_of_detectors_that_are_not_loaded_outlast_those_who_do_not_know_them() {
    let (both, one) = (scans(&["a", "b"]), scans(&["b"]));
    let mut episodes = Episodes::default();
    episodes.put(DetectorId(0), episode(0)).unwrap();
    episodes.put(DetectorId(1), closed(100)).unwrap();
    let bytes = Latches::new(episodes.clone()).encode(&both);
    let read = Latches::decode(&one, one.key(KeyPlanId(0)), &bytes).unwrap();
    assert_eq!(read.episodes.of(DetectorId(0)).collect::<Vec<_>>(), [&closed(100)]);
    // It has nothing to do with what it does not know.
    assert_eq!(read.due(&one, Span::minutes(60)), None);
    let again = Latches::decode(&both, both.key(KeyPlanId(0)), &read.encode(&one)).unwrap();
    assert_eq!(again.episodes, episodes);
}

#[test]
fn what_version_1_wrote_is_read_for_ever() {
    let plan = scans(&["credential-scan"]);
    let mut episodes = Episodes::default();
    episodes.put(DetectorId(0), closed(0)).unwrap();
    episodes.put(DetectorId(0), Episode { claimed: 3, ..episode(5_000) }).unwrap();
    let latches = Latches::new(episodes);
    let golden = include_str!("golden/latches-1.hex").trim();
    let hex: String = latches.encode(&plan).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden);
    let bytes: Vec<u8> = (0..golden.len() / 2)
        .map(|at| u8::from_str_radix(&golden[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
        .collect();
    assert_eq!(Latches::decode(&plan, plan.key(KeyPlanId(0)), &bytes), Ok(latches));
}

#[test]
fn bytes_of_a_later_version_are_told_from_damaged_ones() {
    let plan = scans(&["a"]);
    let read = |bytes: &[u8]| Latches::decode(&plan, plan.key(KeyPlanId(0)), bytes);
    assert_eq!(read(&[2, 0]), Err(Unreadable::Newer(2)));
    assert_eq!(read(&[1, 1, 0]), Err(Unreadable::Damaged("detector")));
    assert_eq!(read(&[1, 0, 0]), Err(Unreadable::Damaged("end")));
}

#[test]
fn the_oldest_that_is_done_with_goes_and_one_that_is_not_never_does() {
    let id = DetectorId(0);
    let mut episodes = Episodes::default();
    episodes.put(id, episode(0)).unwrap();
    for start_s in 1..20 {
        episodes.put(id, closed(start_s * 10_000)).unwrap();
        assert!(episodes.of(id).count() <= EPISODES_MAX);
        assert_eq!(episodes.of(id).next(), Some(&episode(0)), "it is open still");
    }
    // What is older than all that is remembered is told by nobody again.
    let quiet = Span::minutes(30);
    assert!(!episodes.is_before_memory(id, at(0), quiet), "it belongs to the first");
    assert!(episodes.is_before_memory(id, at(-1_800_000), quiet));
    for start_s in [300_000, 310_000, 320_000] {
        episodes.put(id, episode(start_s)).unwrap();
    }
    assert!(episodes.put(id, episode(400_000)).is_err(), "all four are pending");
    assert!(episodes.put(id, closed(320_000)).is_ok(), "but any of them may change");
}

#[test]
fn a_key_is_looked_at_when_an_episode_may_be_over_or_a_claim_is_free() {
    let plan = scans(&["a"]);
    let lease = Span::minutes(60);
    let due = |episode: Episode| {
        let mut episodes = Episodes::default();
        episodes.put(DetectorId(0), episode).unwrap();
        Latches::new(episodes).due(&plan, lease)
    };
    let of = episode(0);
    assert_eq!(due(of.clone()), Some(of.last.plus(Span::minutes(30))));
    assert_eq!(due(closed(0)), None);
    let unconfirmed = Episode { claimed: 3, ..closed(0) };
    assert_eq!(due(unconfirmed.clone()), Some(of.claimed_at.plus(lease)));
    let by_tick = Episode { claimant: ShardId::TICK, ..unconfirmed };
    assert_eq!(due(by_tick), Some(of.claimed_at.plus(TICK_LEASE)));
}
