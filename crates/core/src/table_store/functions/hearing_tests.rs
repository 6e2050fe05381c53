//! Who asks: what shards keep of it is what one process says, wherever batches are cut; what there is no room for is
//! laid to nobody and told; and hostile lines cost bounded bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::callers::{Asked, CallerShare, Half, Heard};
use super::named::Named;
use crate::access::Access;
use crate::limits::{ASKS_WAITING_MAX, COSTS_WAITING_MAX};
use crate::meter::attribution::{Attribution, DriverKind, DriverName};
use crate::meter::money::{Money, PICO, Price};
use crate::safeguards::Safeguards;
use crate::sequence::Sequence;
use crate::spend::course::pane_of;
use crate::spend::drivers::{Driver, Laid, WHO, drivers};
use crate::table_store::bytes::Unreadable;
use crate::tag::{EventTag, RequestTag, UserTag};
use crate::time::{Span, Time};

const START: Time = Time(1_760_000_100_000);

/// A line about a request: who asked, or what it cost; and when.
#[derive(Clone, Debug)]
struct Line {
    request: u64,
    asked: Option<Access>,
    cost: u64,
    second: i64,
}

fn request(nth: u64) -> RequestTag {
    // As spread as tags are.
    RequestTag(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn access(caller: u64, kinds: u8) -> Access {
    let v4 = IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + caller as u32));
    let v6 = IpAddr::V6(Ipv6Addr::from_bits(u128::from(caller) << 64));
    Access {
        principal: (kinds & 1 > 0).then_some(UserTag(caller)),
        api_key: (kinds & 2 > 0).then_some(UserTag(caller / 2)),
        source: (kinds & 4 > 0).then_some(if caller.is_multiple_of(3) { v6 } else { v4 }),
        ..Access::default()
    }
}

fn dollars(millis: u64) -> Money {
    Money::of(millis, Price(PICO / 1_000))
}

fn asked(nth: u64, caller: u64, second: i64) -> Line {
    Line { request: nth, asked: Some(access(caller, 1)), cost: 0, second }
}

fn paid(nth: u64, cost: u64, second: i64) -> Line {
    Line { request: nth, asked: None, cost, second }
}

/// Each request with a line and a report, in any order, one or the other left out.
fn lines() -> impl Strategy<Value = Vec<Line>> {
    let one = (0u64..20, 1u8..8, 1u64..9, 0i64..900, 0i64..30, 0u8..8);
    prop::collection::vec(one, 1..30).prop_map(|all| {
        let mut lines = Vec::new();
        for (nth, (caller, kinds, cost, second, later, left_out)) in all.into_iter().enumerate() {
            let nth = nth as u64;
            let asked = Line { asked: Some(access(caller, kinds)), ..asked(nth, caller, second) };
            lines.extend((left_out != 0).then_some(asked));
            let early = if left_out == 2 { -later } else { later };
            lines.extend((left_out != 1).then_some(paid(nth, cost, second + early)));
        }
        lines.sort_by_key(|line| line.second);
        lines
    })
}

fn take(share: &mut CallerShare, lines: &[Line], from: usize, until: usize) -> bool {
    let heard: Vec<Heard<'_>> = lines
        .iter()
        .enumerate()
        .map(|(nth, line)| Heard {
            sequence: Sequence::of(nth as u64 / 3 + 1),
            time: START.plus(Span::seconds(line.second)),
            event: EventTag((nth as u64 + 1) << 40),
            request: request(line.request),
            what: match &line.asked {
                Some(access) => Half::Asked(access),
                None => Half::Cost(dollars(line.cost)),
            },
        })
        .collect();
    share.take(&heard[from..until], None, &Safeguards::default())
}

/// The first line behind the record of `at`.
fn record_end(at: usize, lines: usize) -> usize {
    (at.div_ceil(3) * 3).min(lines)
}

fn whole(lines: &[Line]) -> CallerShare {
    let mut share = CallerShare::default();
    take(&mut share, lines, 0, lines.len());
    share
}

/// What one process says of a pane, that begins to hear with the first line that names somebody.
fn embedded(lines: &[Line], pane: i64) -> Attribution {
    let mut attribution = Attribution::default();
    for line in lines.iter().skip_while(|line| line.asked.is_none()) {
        if pane_of(START.plus(Span::seconds(line.second))) != pane {
            continue;
        }
        match &line.asked {
            Some(access) => {
                attribution.ask(&Access { request: Some(request(line.request)), ..access.clone() })
            }
            None => attribution.pay(request(line.request), dollars(line.cost)),
        }
    }
    attribution
}

fn drivers_of(of: &Attribution, cost: Money) -> Vec<Driver> {
    let laid = |kind| {
        let of_kind = of.of(kind);
        Laid { kind, costs: of_kind.costs(), error: of_kind.error() }
    };
    drivers(WHO.into_iter().map(laid), cost)
}

proptest! {
    #[test]
    fn a_share_comes_back_and_does_not_depend_on_where_batches_were_cut(
        lines in lines(),
        cuts in prop::collection::vec((0usize..60, 0usize..60), 0..8),
    ) {
        let whole = whole(&lines);
        let bytes = whole.encode();
        let (mut share, mut done) = (CallerShare::default(), 0);
        for (back, more) in cuts {
            let from = done - done.min(back) / 3 * 3;
            done = record_end((done + more).min(lines.len()), lines.len());
            if take(&mut share, &lines, from / 3 * 3, done) {
                share = CallerShare::decode(&share.encode()).expect("its own bytes");
            }
        }
        take(&mut share, &lines, done / 3 * 3, lines.len());
        prop_assert_eq!(share.encode(), bytes);
    }

    #[test]
    fn shards_together_say_what_one_process_says(lines in lines(), shards in 1usize..4) {
        // One stream of a function goes to one shard; here a request's two lines may even come by two.
        let by_shard = |shard: usize| -> Vec<Line> {
            let of = lines.iter().filter(|line| line.request as usize % shards == shard);
            of.cloned().collect()
        };
        for pane in pane_of(START)..pane_of(START) + 4 {
            let begun = (0..shards).all(|shard| {
                by_shard(shard).first().is_none_or(|line| line.asked.is_some())
            });
            if !begun {
                continue;
            }
            let shares: Vec<CallerShare> = (0..shards).map(|shard| whole(&by_shard(shard))).collect();
            let named = Named::of(shares.iter().filter_map(|share| share.panes.get(&pane)));
            let (total, said) = (dollars(100), embedded(&lines, pane));
            prop_assert_eq!(named.drivers(total), drivers_of(&said, total));
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = CallerShare::decode(&[&[1], bytes.as_slice()].concat());
    }

    #[test]
    fn damaged_bytes_are_read_or_refused(lines in lines(), at: prop::sample::Index, byte: u8) {
        let share = whole(&lines);
        let mut bytes = share.encode();
        let at = at.index(bytes.len());
        prop_assert!(CallerShare::decode(&bytes[..at]).is_err());
        bytes[at] = byte;
        if let Ok(mut share) = CallerShare::decode(&bytes) {
            take(&mut share, &lines, 0, lines.len());
            let _ = share.encode();
        }
    }
}

#[test]
fn two_halves_that_come_by_two_shards_are_brought_together() {
    let [mut asks, mut reports] = [CallerShare::default(), CallerShare::default()];
    let lines = [asked(1, 7, 0), asked(2, 8, 1), paid(2, 30, 2), paid(1, 50, 3)];
    take(&mut asks, &lines[..2], 0, 2);
    // The second shard has begun to hear, too.
    let own = [&[asked(9, 9, 0)], &lines[2..]].concat();
    take(&mut reports, &own, 0, own.len());
    let pane = pane_of(START);
    let drivers =
        Named::of([&asks.panes[&pane], &reports.panes[&pane]].into_iter()).drivers(dollars(100));
    let told: Vec<_> = drivers.iter().map(|of| (of.kind, &of.name, of.share, of.error)).collect();
    let tag = |caller| DriverName::Tag(UserTag(caller));
    assert_eq!(
        told,
        [(DriverKind::Principal, &tag(7), 0.5, 0.0), (DriverKind::Principal, &tag(8), 0.3, 0.0),]
    );
}

#[test]
fn a_request_is_laid_once_however_often_and_in_which_order_it_is_told() {
    let pane = pane_of(START);
    let laid = |lines: &[Line]| {
        let share = whole(lines);
        let drivers = Named::of(share.panes.get(&pane).into_iter()).drivers(dollars(100));
        drivers.iter().map(|driver| (driver.share * 100.0).round() as u64).collect::<Vec<_>>()
    };
    let begun = |lines: &[Line]| [&[asked(99, 1, 0)], lines].concat();
    assert_eq!(laid(&begun(&[asked(1, 7, 1), paid(1, 50, 2)])), [50]);
    assert_eq!(laid(&begun(&[paid(1, 50, 1), asked(1, 7, 2)])), [50]);
    assert_eq!(laid(&begun(&[asked(1, 7, 1), asked(1, 8, 1), paid(1, 50, 2)])), [50]);
    assert_eq!(laid(&begun(&[asked(1, 7, 1), paid(1, 50, 2), asked(1, 7, 3)])), [50]);
    // Tried again, with its line again; and a report without any line.
    let again = [asked(1, 7, 1), paid(1, 20, 2), asked(1, 7, 3), paid(1, 30, 4), paid(2, 40, 5)];
    assert_eq!(laid(&begun(&again)), [50]);
    // Neither half alone is anybody's; nor is what was reported before anybody was named.
    assert_eq!(laid(&begun(&[asked(1, 7, 1)])), [0; 0]);
    assert_eq!(laid(&[paid(1, 50, 1)]), [0; 0]);
    assert_eq!(laid(&[paid(1, 50, 1), asked(1, 7, 2)]), [0; 0]);
}

fn of_pane(share: &CallerShare) -> &Asked {
    &share.panes[&pane_of(START)]
}

#[test]
fn what_there_is_no_room_for_is_laid_to_nobody_and_its_bound_is_told() {
    // More requests run than are waited for: of the first few only the reports are known in the end.
    let more = 3;
    let running = ASKS_WAITING_MAX as u64 + more;
    let asks = (0..running).map(|nth| asked(nth, 7, 1));
    let reports = (0..running).map(|nth| paid(nth, 1, 2));
    let lines: Vec<Line> = asks.chain(reports).collect();
    let share = whole(&lines);
    assert_eq!(of_pane(&share).asks_given_up, more);
    let drivers = Named::of([of_pane(&share)].into_iter()).drivers(dollars(running));
    let [driver] = drivers.as_slice() else { panic!("{drivers:?}") };
    let truth = 1.0;
    assert!((driver.share - ASKS_WAITING_MAX as f64 / running as f64).abs() < 1e-9, "{driver:?}");
    assert!((driver.share + driver.error - truth).abs() < 1e-9, "{driver:?}");

    // Reports that come long before their lines.
    let early = COSTS_WAITING_MAX as u64 + more;
    let reports = (0..early).map(|nth| paid(nth, 1 + nth % 2, 1));
    let asks = (0..early).map(|nth| asked(nth, 7, 2));
    let lines: Vec<Line> = [asked(99, 8, 0)].into_iter().chain(reports).chain(asks).collect();
    let share = whole(&lines);
    assert_eq!((of_pane(&share).unlaid.count, of_pane(&share).asks_given_up), (more, 0));
    let total: u64 = (0..early).map(|nth| 1 + nth % 2).sum();
    let drivers = Named::of([of_pane(&share)].into_iter()).drivers(dollars(total));
    assert!(drivers[0].share + drivers[0].error >= truth, "{drivers:?}");

    // A log that names few of those who ask is no reason for any doubt.
    let lines: Vec<Line> = [asked(0, 7, 0), paid(0, 60, 1)]
        .into_iter()
        .chain((1..100).map(|nth| paid(nth, 1, 2)))
        .collect();
    let share = whole(&lines);
    let drivers = Named::of([of_pane(&share)].into_iter()).drivers(dollars(159));
    assert_eq!(drivers.iter().map(|driver| driver.error).collect::<Vec<_>>(), [0.0]);
}

#[test]
fn a_million_callers_and_forged_lines_cost_bounded_bytes_and_hide_nobody_who_makes_half() {
    let mut share = CallerShare::default();
    let (mut largest, mut nth) = (0, 0);
    for round in 0..1_000 {
        let mut lines = Vec::new();
        for of_round in 0..500 {
            nth += 1;
            // Forged lines of requests that there are none of, each with a name of its own.
            lines.push(Line { asked: Some(access(nth, 7)), ..asked(nth << 32, nth, 1) });
            let who = if of_round % 2 == 0 { 3 } else { 1_000 + nth };
            lines.push(Line { asked: Some(access(who, 7)), ..asked(nth, who, 1) });
            lines.push(paid(nth, 1, 1));
        }
        let heard: Vec<Heard<'_>> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| Heard {
                sequence: Sequence::of(round + 1),
                time: START,
                event: EventTag((round * 2_000 + at as u64 + 1) << 40),
                request: request(line.request),
                what: match &line.asked {
                    Some(access) => Half::Asked(access),
                    None => Half::Cost(dollars(line.cost)),
                },
            })
            .collect();
        assert!(share.take(&heard, None, &Safeguards::default()));
        largest = largest.max(share.encode().len());
        share = CallerShare::decode(&share.encode()).expect("its own bytes");
    }
    assert!(largest < 8_192, "{largest} bytes");
    let drivers = Named::of([of_pane(&share)].into_iter()).drivers(dollars(500_000));
    let first = &drivers[0];
    assert_eq!(first.name, DriverName::Tag(UserTag(3)));
    assert!(first.share <= 0.5 && first.share + first.error >= 0.5, "{first:?}");
    assert!(first.error < 0.05, "{first:?}");
    println!("{largest} bytes of one pane at most, error {:.4}", first.error);
}

#[test]
fn what_a_later_version_wrote_is_left_alone() {
    for version in [2, 200] {
        let newer = Err(Unreadable::Newer(version));
        assert_eq!(CallerShare::decode(&[version, 0, 0, 0]).map(drop), newer);
    }
}
