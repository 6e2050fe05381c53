//! From a batch's bytes to signals: what is wrong with a record costs that record, every record is
//! accounted for, memory is bounded, and two keys read the same.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tidewatch_core::key_ring::{Generation, KeyRing, LiveKey, Phase};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::{Span, Time};
use tidewatch_lambda::event::{Data, Record};
use tidewatch_lambda::reading::{Read, Reader};
use tidewatch_lambda::settings::{BATCH_INFLATED_BYTES_MAX, BATCH_SIGNALS_MAX};
use tidewatch_tests::containers::{envelope, gzip, gzip_zeros};
use tidewatch_tests::events::{Event, START_MS, Said};

const NOW: Time = Time(START_MS + 60_000);

fn live(id: u32, from: Time) -> LiveKey {
    LiveKey { id, key: TagKey::new([id as u8; 16]), from }
}

fn one_key() -> Phase {
    KeyRing { current: live(1, Time::MIN), previous: None }.phase(NOW)
}

fn two_keys() -> Phase {
    let (current, previous) = (live(2, NOW.minus(Span::minutes(1))), Some(live(1, Time::MIN)));
    KeyRing { current, previous }.phase(NOW)
}

/// An envelope with failures of `sources` sources.
fn failures(nth: usize, sources: usize) -> Vec<u8> {
    let event = |source: usize| Event {
        ms: START_MS + nth as i64,
        source: std::net::Ipv4Addr::from(0x0b00_0000 + source as u32).to_string(),
        user: format!("nobody{source}"),
        said: Said::UnknownUser,
    };
    let events: Vec<Event> = (0..sources).map(event).collect();
    gzip(envelope(nth, &events, Event::json).as_bytes())
}

/// Records of one shard with these data.
fn records(data: Vec<Data>) -> Vec<Record> {
    let record = |(nth, data): (usize, Data)| Record {
        event_id: format!("shardId-000000000000:{nth:056}"),
        sequence: format!("{nth:056}"),
        partition_key: "a".to_owned(),
        arrival: Some(NOW),
        data,
    };
    data.into_iter().enumerate().map(record).collect()
}

fn read(phase: &Phase, records: &[Record]) -> Read {
    Reader::new(phase, None, &Default::default(), false).read(records)
}

#[test]
fn what_is_wrong_with_a_record_costs_that_record_and_is_named() {
    let good = || Data::Bytes(failures(3, 2));
    let mut all = records(vec![
        good(),
        Data::Undecoded("no base64!".to_owned()),
        Data::Bytes(failures(4, 2)[..40].to_vec()),
        Data::Bytes(gzip_zeros(17 << 20)),
        good(),
        good(),
        good(),
    ]);
    all[4].sequence = "12x".to_owned();
    all[5].arrival = None;
    let read = read(&one_key(), &all);
    let expected = [
        (1, "base64"),
        (2, "gzip_truncated"),
        (3, "inflate_cap"),
        (4, "sequence_number"),
        (5, "arrival"),
    ];
    assert_eq!(read.rotten, expected);
    assert_eq!((read.tally.records, read.deferred), (7, None));
    let said: Vec<usize> = read.records.iter().map(|record| record.signals.len()).collect();
    // The two that inflate in part stand among the good ones, with whatever they say.
    assert_eq!((said.len(), said[0], said[3]), (4, 2, 2));
}

#[test]
fn what_would_fill_memory_is_left_for_the_next_batch() {
    // By bytes: a record of 15 MiB, five of which are too many.
    let line = vec![b'x'; 15 << 20];
    let fat = gzip(&line);
    let all = records((0..8).map(|_| Data::Bytes(fat.clone())).collect());
    let by_bytes = read(&one_key(), &all);
    let expected = (BATCH_INFLATED_BYTES_MAX as usize).div_ceil(line.len());
    assert_eq!(by_bytes.deferred, Some(expected));
    assert_eq!(by_bytes.tally.records, expected as u64);
    // By signals, of which two keys read twice as many.
    let per = 5_000;
    let one = failures(0, per);
    let all = records((0..30).map(|_| Data::Bytes(one.clone())).collect());
    let full = BATCH_SIGNALS_MAX / per;
    assert_eq!(read(&one_key(), &all).deferred, Some(full));
    assert_eq!(read(&two_keys(), &all).deferred, Some(full / 2));
    // One alone is always read.
    assert_eq!(read(&one_key(), &records(vec![Data::Bytes(failures(0, 60_000))])).deferred, None);
}

#[test]
fn under_two_keys_each_signal_is_there_twice_and_differs_in_its_tags() {
    let all = records(vec![Data::Bytes(failures(0, 9)), Data::Bytes(failures(1, 4))]);
    let (one, two) = (read(&one_key(), &all), read(&two_keys(), &all));
    assert_eq!(two_keys().reading.generation(), Generation::Odd);
    for (one, two) in one.records.iter().zip(&two.records) {
        // The older key is judged, alone or not.
        assert_eq!(one.signals, two.signals);
        assert_eq!(two.signals.len(), two.again.len());
        for (signal, again) in two.signals.iter().zip(&two.again) {
            assert_ne!(signal.event, again.event);
            assert_eq!((signal.time, &signal.origin), (again.time, &again.origin));
        }
    }
}

#[test]
fn a_reader_is_for_its_own_keys_and_not_for_others_of_the_same_numbers() {
    let other_words = |live: LiveKey| LiveKey { key: TagKey::new([9; 16]), ..live };
    let (one, two) = (one_key(), two_keys());
    let changed = [
        Phase { reading: other_words(one.reading), ..one },
        Phase { reading: other_words(two.reading), ..two },
        Phase { other: two.other.map(other_words), ..two },
    ];
    let reader = |phase: &Phase| Reader::new(phase, None, &Default::default(), false);
    for phase in [&one, &two].into_iter().chain(&changed) {
        assert!(reader(phase).is_for(phase));
    }
    assert!(!reader(&one).is_for(&two) && !reader(&two).is_for(&one));
    for phase in &changed {
        assert!(!reader(&one).is_for(phase) && !reader(&two).is_for(phase), "{phase:?}");
    }
}

proptest! {
    /// The invariant of the module, whatever the records hold.
    #[test]
    fn every_record_is_read_or_named(
        data in prop::collection::vec(
            prop_oneof![
                (1usize..4, 0usize..200).prop_map(|(sources, cut)| {
                    let whole = failures(0, sources);
                    let to = whole.len().saturating_sub(cut);
                    Data::Bytes(whole[..to].to_vec())
                }),
                prop::collection::vec(any::<u8>(), 0..64).prop_map(Data::Bytes),
                ".{0,16}".prop_map(Data::Undecoded),
            ],
            0..8,
        ),
    ) {
        let all = records(data);
        let read = read(&two_keys(), &all);
        prop_assert_eq!(read.tally.records, all.len() as u64);
        prop_assert_eq!(read.deferred, None);
        let known: BTreeSet<usize> = read.rotten.iter().map(|(at, _)| *at).collect();
        let readable: BTreeSet<usize> =
            (0..all.len()).filter(|at| matches!(all[*at].data, Data::Bytes(_))).collect();
        prop_assert_eq!(read.records.len(), readable.len());
        for at in 0..all.len() {
            prop_assert!(readable.contains(&at) || known.contains(&at));
        }
    }
}
