//! What the items of callers hold comes back from their bytes, and damaged bytes are refused.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::rider_bytes::{OfFunction, RiderChronicle, RiderPast};
use crate::detector::Severity;
use crate::finding::Also;
use crate::key::FunctionTag;
use crate::meter::attribution::DriverName;
use crate::meter::book::FINE;
use crate::meter::ledger::Function;
use crate::meter::money::{Money, PICO, Price};
use crate::series::{Gap, Series};
use crate::spend::callers::Caller;
use crate::spend::drivers::WHO;
use crate::spend::episodes::{Episode, Latch};
use crate::table_store::bytes::Unreadable;
use crate::tag::UserTag;
use crate::time::Time;

fn function() -> Function {
    Function { account: "123456789012".into(), name: "checkout".into() }
}

fn caller(kind: usize, nth: u32) -> Caller {
    let name = match kind {
        2 if nth.is_multiple_of(2) => {
            DriverName::Address(std::net::Ipv4Addr::from_bits(nth).into())
        }
        2 => DriverName::Address(std::net::Ipv6Addr::from_bits(u128::from(nth) << 64).into()),
        _ => DriverName::Tag(UserTag(u64::from(nth) << 32 | 7)),
    };
    Caller { kind: WHO[kind], name }
}

fn money(units: u64) -> Money {
    Money::of(units, Price(PICO / 1_000_000))
}

fn chronicle(all: &[(usize, u32, i64)]) -> RiderChronicle {
    let closed = 5_866_702;
    let mut chronicle = RiderChronicle { closed, ..RiderChronicle::default() };
    for (kind, nth, ago) in all {
        let tag = FunctionTag(u64::from(*nth) << 7);
        chronicle.heard.insert((tag, *kind), closed - ago);
        chronicle.told_of.insert(tag, caller(*kind, *nth));
        let episode = Episode {
            start: Time((closed - ago) * FINE.0),
            severity: Severity::High,
            peak: 1.25,
            opened: closed - ago,
            last: closed,
            told_excess: 0.5,
            told: true,
            closed: nth.is_multiple_of(2),
        };
        let latch = Latch { episode: Some(episode) };
        chronicle.latches.insert((caller(*kind, *nth), "free-rider".into()), latch);
        chronicle.pending.push((function(), nth.to_be_bytes().to_vec()));
    }
    chronicle
}

proptest! {
    #[test]
    fn what_is_known_of_callers_comes_back(
        all in prop::collection::vec((0usize..3, any::<u32>(), 0i64..10_000), 0..20),
    ) {
        let chronicle = chronicle(&all);
        let bytes = chronicle.encode();
        let again = RiderChronicle::decode(&bytes);
        prop_assert_eq!(again.as_ref(), Ok(&chronicle));
        for cut in 0..bytes.len() {
            prop_assert!(RiderChronicle::decode(&bytes[..cut]).is_err());
        }
    }

    #[test]
    fn what_callers_cost_comes_back(
        kind in prop::option::of(0usize..3),
        costs in prop::collection::vec((any::<u32>(), any::<u32>()), 0..70),
    ) {
        let costs = costs.into_iter().filter(|_| kind.is_some());
        let name = |nth| caller(kind.unwrap_or_default(), nth).name;
        let costs = costs.map(|(nth, units)| (name(nth), money(u64::from(units)))).collect();
        let also =
            Also { detector: "cost-spike".into(), severity: Severity::Low, uid: Some("ab".into()) };
        let of = OfFunction { function: function(), kind, costs, telling: vec![also], sample: None };
        let again = OfFunction::decode(&of.encode());
        prop_assert_eq!(again.as_ref(), Ok(&of));
    }

    #[test]
    fn a_callers_past_comes_back(
        kind in 0usize..3,
        nth: u32,
        panes in prop::collection::vec(0.0f64..10.0, 1..600),
        used in prop::collection::btree_map(any::<u64>(), 0i64..10_000, 0..20),
    ) {
        let mut series = Series::new(FINE, Gap::Zero);
        let first = 5_866_702;
        for (pane, dollars) in (first..).zip(&panes) {
            series.close(pane, Some(*dollars)).expect("in order");
        }
        let last = first + panes.len() as i64 + 3;
        let used: BTreeMap<FunctionTag, i64> =
            used.into_iter().map(|(tag, ago)| (FunctionTag(tag), last - ago)).collect();
        let past = RiderPast { caller: caller(kind, nth), last, first, weight: 1.5, used, series };
        let again = RiderPast::decode(&past.encode()).expect("its own bytes");
        prop_assert_eq!((&again.caller, again.last, again.first), (&past.caller, last, first));
        prop_assert_eq!((again.weight, &again.used), (1.5, &past.used));
        prop_assert_eq!(again.series.to_bytes(), past.series.to_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let bytes = [&[1], bytes.as_slice()].concat();
        let _ = OfFunction::decode(&bytes);
        let _ = RiderChronicle::decode(&bytes);
        let _ = RiderPast::decode(&bytes).map(drop);
    }
}

#[test]
fn what_a_later_version_wrote_is_left_alone() {
    let newer = Unreadable::Newer(2);
    assert_eq!(OfFunction::decode(&[2, 0, 0]), Err(newer));
    assert_eq!(RiderChronicle::decode(&[2, 0, 0]), Err(newer));
    assert_eq!(RiderPast::decode(&[2, 0, 0]).map(drop), Err(newer));
}
