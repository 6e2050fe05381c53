//! What `tidewatch_core::table_store::table` promises, stated as cases that any home of it must pass, and a
//! random differential test of two homes.
//!
//! Both need an empty table without faults: nothing throttled, no answer lost. They use no clock and
//! no runtime, so that they run under the simulator's executor as under tokio. The index may lag
//! behind: it is asked again, a bounded number of times, until it shows what it must.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::table::{
    Attribute, Due, Indexing, Item, ItemKey, Part, Table, Write, Written,
};
use tidewatch_core::time::Time;

/// How often the index is asked before it counts as wrong.
const INDEX_TRIES_MAX: usize = 2_000;

/// Writers that meet at one item.
const WRITERS: u32 = 60;

/// Random writes of one run of [`agree`].
const AGREE_WRITES: usize = 150;

const LATCH: Attribute = Attribute::Latch;
const SHARE: Attribute = Attribute::Share(ShardId(7));
const OTHER: Attribute = Attribute::Share(ShardId(70));

/// A write with no conditions that changes nothing but the version.
fn touch(key: &str, part: Part) -> Write {
    Write {
        item: item_key(key, part),
        expected: Vec::new(),
        version: None,
        set: Vec::new(),
        removed: Vec::new(),
        index: Indexing::Keep,
        expires: Time(4_000_000_000_000),
    }
}

fn item_key(key: &str, part: Part) -> ItemKey {
    ItemKey { key: key.as_bytes().to_vec(), part }
}

fn set(attribute: Attribute, value: &str) -> Vec<(Attribute, Vec<u8>)> {
    vec![(attribute, value.as_bytes().to_vec())]
}

fn item(version: u64, values: &[(Attribute, &str)]) -> Item {
    let values = values.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
    Item { values, version }
}

fn applied(version: u64, values: &[(Attribute, &str)]) -> Written {
    Written::Applied(item(version, values))
}

fn refused(version: u64, values: &[(Attribute, &str)]) -> Written {
    Written::Refused(Some(item(version, values)))
}

/// Writes to one item, each with what becomes of it.
struct Case {
    /// What it shows; its writes' key, too.
    says: &'static str,
    steps: Vec<(Write, Written)>,
}

/// One step: the write `changed` from one that changes nothing.
fn step(says: &str, written: Written, changed: impl FnOnce(Write) -> Write) -> (Write, Written) {
    (changed(touch(says, Part::Main)), written)
}

fn cases() -> Vec<Case> {
    let mut cases = cases_of_values();
    cases.extend(cases_of_conditions());
    cases
}

fn cases_of_values() -> Vec<Case> {
    let says = "a write makes the item where there is none, and each adds one to its version";
    let makes = Case {
        says,
        steps: vec![
            step(says, applied(1, &[]), |write| write),
            step(says, applied(2, &[(SHARE, "a")]), |w| Write { set: set(SHARE, "a"), ..w }),
            step(says, applied(3, &[(SHARE, "a")]), |write| write),
        ],
    };
    let says = "a value replaces the one before and leaves the others; an empty one is one";
    let replaces = Case {
        says,
        steps: vec![
            step(says, applied(1, &[(SHARE, "a")]), |w| Write { set: set(SHARE, "a"), ..w }),
            step(says, applied(2, &[(SHARE, "a"), (OTHER, "b")]), |w| Write {
                set: set(OTHER, "b"),
                ..w
            }),
            step(says, applied(3, &[(SHARE, ""), (OTHER, "b")]), |w| Write {
                set: set(SHARE, ""),
                ..w
            }),
        ],
    };
    let says = "an attribute that is removed is gone, and removing what is not there is no fault";
    let removes = Case {
        says,
        steps: vec![
            step(says, applied(1, &[(SHARE, "a")]), |w| Write { set: set(SHARE, "a"), ..w }),
            step(says, applied(2, &[(LATCH, "l")]), |w| Write {
                set: set(LATCH, "l"),
                removed: vec![SHARE, OTHER],
                ..w
            }),
            step(says, applied(3, &[(LATCH, "l")]), |w| Write { removed: vec![SHARE], ..w }),
            step(says, applied(4, &[]), |w| Write { removed: vec![LATCH], ..w }),
        ],
    };
    vec![makes, replaces, removes]
}

fn cases_of_conditions() -> Vec<Case> {
    let says = "what must be absent refuses what is there, and the refusal shows the item";
    let absent = Case {
        says,
        steps: vec![
            step(says, applied(1, &[(LATCH, "l")]), |w| Write {
                expected: vec![(LATCH, None)],
                set: set(LATCH, "l"),
                ..w
            }),
            step(says, refused(1, &[(LATCH, "l")]), |w| Write {
                expected: vec![(LATCH, None)],
                set: set(LATCH, "m"),
                ..w
            }),
        ],
    };
    let says = "bytes must be the same to the last, and all conditions must hold";
    let bytes = Case {
        says,
        steps: vec![
            step(says, Written::Refused(None), |w| Write { expected: expect(SHARE, "a"), ..w }),
            step(says, applied(1, &[(SHARE, "ab")]), |w| Write { set: set(SHARE, "ab"), ..w }),
            step(says, refused(1, &[(SHARE, "ab")]), |w| Write {
                expected: expect(SHARE, "a"),
                ..w
            }),
            step(says, refused(1, &[(SHARE, "ab")]), |w| Write {
                expected: expect(SHARE, ""),
                ..w
            }),
            step(says, refused(1, &[(SHARE, "ab")]), |w| Write {
                expected: [expect(SHARE, "ab"), expect(LATCH, "l")].concat(),
                set: set(SHARE, "c"),
                ..w
            }),
            step(says, applied(2, &[(SHARE, "c")]), |w| Write {
                expected: [expect(SHARE, "ab"), vec![(LATCH, None)]].concat(),
                set: set(SHARE, "c"),
                ..w
            }),
        ],
    };
    let says = "the version is a condition like the others, and no item has none";
    let version = Case {
        says,
        steps: vec![
            step(says, Written::Refused(None), |w| Write { version: Some(1), ..w }),
            step(says, applied(1, &[(SHARE, "a")]), |w| Write { set: set(SHARE, "a"), ..w }),
            step(says, refused(1, &[(SHARE, "a")]), |w| Write { version: Some(2), ..w }),
            step(says, refused(1, &[(SHARE, "a")]), |w| Write {
                version: Some(1),
                expected: expect(SHARE, "b"),
                ..w
            }),
            step(says, applied(2, &[(SHARE, "b")]), |w| Write {
                version: Some(1),
                expected: expect(SHARE, "a"),
                set: set(SHARE, "b"),
                ..w
            }),
        ],
    };
    vec![absent, bytes, version]
}

fn expect(attribute: Attribute, value: &str) -> Vec<(Attribute, Option<Vec<u8>>)> {
    vec![(attribute, Some(value.as_bytes().to_vec()))]
}

/// Runs every case against `table`, which must be empty.
///
/// # Panics
/// If the table breaks a promise.
pub async fn contract(table: &impl Table) {
    for Case { says, steps } in cases() {
        let mut is = None;
        for (index, (write, expected)) in steps.into_iter().enumerate() {
            let written = table.write(&write).await.expect("an answer");
            assert_eq!(written, expected, "{says}, step {index}");
            if let Written::Applied(item) = written {
                is = Some(item);
            }
            assert_eq!(table.get(&write.item).await, Ok(is.clone()), "{says}, step {index}");
        }
    }
    unknown_items_are_no_items(table).await;
    a_query_finds_all_items_of_its_key(table).await;
    the_index_keeps_its_entries(table).await;
    the_index_is_in_order_and_limited(table).await;
    no_writer_is_lost(table).await;
    writers_of_different_attributes_do_not_meet(table).await;
}

async fn unknown_items_are_no_items(table: &impl Table) {
    assert_eq!(table.get(&item_key("nobody", Part::Main)).await, Ok(None));
    assert_eq!(table.query(b"nobody").await, Ok(Vec::new()));
}

/// The order of a query's items is not promised.
async fn a_query_finds_all_items_of_its_key(table: &impl Table) {
    let parts = [
        Part::Sketches,
        Part::Share(ShardId(0)),
        Part::Main,
        Part::Share(ShardId(256)),
        Part::Share(ShardId::TICK),
    ];
    // Large enough that DynamoDB needs several pages of 1 MB.
    let large = "x".repeat(300_000);
    for part in parts {
        let write = Write { set: set(SHARE, &large), ..touch("parts", part) };
        assert_eq!(table.write(&write).await, Ok(applied(1, &[(SHARE, &large)])));
    }
    for near in ["part", "partss", "parts\0"] {
        table.write(&touch(near, Part::Main)).await.expect("an answer");
    }
    let mut found = table.query(b"parts").await.expect("an answer");
    found.sort_by_key(|(part, _)| *part);
    let expected = [
        Part::Main,
        Part::Share(ShardId(0)),
        Part::Share(ShardId(256)),
        Part::Share(ShardId::TICK),
        Part::Sketches,
    ];
    assert_eq!(found, expected.map(|part| (part, item(1, &[(SHARE, &large)]))));
}

/// Asks the index until it shows `expected`.
async fn becomes_due(
    table: &impl Table,
    (partition, until, limit): (u8, i64, usize),
    expected: &[ItemKey],
) {
    let mut found = Vec::new();
    for _ in 0..INDEX_TRIES_MAX {
        found = table.due(partition, Time(until), limit).await.expect("an answer");
        if found == expected {
            return;
        }
    }
    assert_eq!(found, expected, "partition {partition} until {until}, at most {limit}");
}

async fn the_index_keeps_its_entries(table: &impl Table) {
    let indexed = |partition, at| Indexing::Set(Due { partition, at: Time(at) });
    let key = "indexed";
    let here = [item_key(key, Part::Main)];
    let refused_first = Write { version: Some(9), index: indexed(1, 50), ..touch(key, Part::Main) };
    let written = table.write(&refused_first).await;
    assert_eq!(written, Ok(Written::Refused(None)), "a refused write indexes nothing");
    let steps = [
        (indexed(1, 100), 1, 100),
        (Indexing::Keep, 1, 100),
        (indexed(1, 90), 1, 90),
        (indexed(7, 95), 7, 95),
    ];
    for (index, partition, at) in steps {
        let write = Write { index, ..touch(key, Part::Main) };
        table.write(&write).await.expect("an answer");
        becomes_due(table, (partition, at, 10), &here).await;
        becomes_due(table, (partition, at - 1, 10), &[]).await;
    }
    becomes_due(table, (1, 1_000, 10), &[]).await;
    let ignored = Write { version: Some(999), index: Indexing::Clear, ..touch(key, Part::Main) };
    assert_eq!(table.write(&ignored).await, Ok(refused(4, &[])));
    becomes_due(table, (7, 95, 10), &here).await;
    let clear = Write { index: Indexing::Clear, ..touch(key, Part::Main) };
    assert_eq!(table.write(&clear).await, Ok(applied(5, &[])));
    becomes_due(table, (7, 1_000, 10), &[]).await;
    assert_eq!(table.write(&clear).await, Ok(applied(6, &[])), "cleared twice is no fault");
}

async fn the_index_is_in_order_and_limited(table: &impl Table) {
    let mut keys = Vec::new();
    // Digits sort as numbers, not as text; the times before 1970 are only there for the sign.
    for (at, part) in [
        (1_000, Part::Share(ShardId(3))),
        (-1, Part::Main),
        (9, Part::Sketches),
        (-20, Part::Main),
        (1_700_000_000_000, Part::Main),
        (80, Part::Main),
    ] {
        let key = format!("due at {at}");
        let index = Indexing::Set(Due { partition: 3, at: Time(at) });
        table.write(&Write { index, ..touch(&key, part) }).await.expect("an answer");
        keys.push((at, item_key(&key, part)));
    }
    keys.sort_by_key(|(at, _)| *at);
    let all: Vec<ItemKey> = keys.into_iter().map(|(_, key)| key).collect();
    becomes_due(table, (3, i64::MAX / 4, 10), &all).await;
    becomes_due(table, (3, i64::MAX / 4, 6), &all).await;
    becomes_due(table, (3, i64::MAX / 4, 2), &all[..2]).await;
    becomes_due(table, (3, 999, 10), &all[..4]).await;
    becomes_due(table, (3, 1_000, 10), &all[..5]).await;
    becomes_due(table, (3, -21, 10), &[]).await;
    becomes_due(table, (3, 1_000, 0), &[]).await;
    becomes_due(table, (4, i64::MAX / 4, 10), &[]).await;
}

/// Sixty writers add to one number, each from what it last saw; none of their sums is lost.
async fn no_writer_is_lost(table: &impl Table) {
    let writers = (0..WRITERS).map(|_| async {
        let mut seen = None;
        // Somebody is applied in each round of refusals, so nobody is refused more often than this.
        for _ in 0..=WRITERS {
            let sum = seen.as_deref().map_or(0, sum_of);
            let write = Write {
                expected: vec![(LATCH, seen)],
                set: set(LATCH, &(sum + 1).to_string()),
                ..touch("sum", Part::Main)
            };
            match table.write(&write).await.expect("an answer") {
                Written::Applied(item) => {
                    assert_eq!(item.values.get(&LATCH), write.set.first().map(|(_, new)| new));
                    return;
                }
                Written::Refused(item) => {
                    let mut item = item.expect("somebody wrote it");
                    seen = item.values.remove(&LATCH);
                    assert_ne!(write.expected, [(LATCH, seen.clone())], "refused without reason");
                }
            }
        }
        panic!("refused {WRITERS} times");
    });
    join_all(writers).await;
    let sum = WRITERS.to_string();
    let found = table.get(&item_key("sum", Part::Main)).await;
    assert_eq!(found, Ok(Some(item(u64::from(WRITERS), &[(LATCH, &sum)]))));
}

fn sum_of(value: &[u8]) -> u32 {
    std::str::from_utf8(value).expect("digits").parse().expect("a number")
}

async fn writers_of_different_attributes_do_not_meet(table: &impl Table) {
    let writers = (0..WRITERS).map(|shard| async move {
        let own = Attribute::Share(ShardId(shard));
        let write = Write {
            expected: vec![(own, None)],
            set: set(own, &shard.to_string()),
            ..touch("shares", Part::Main)
        };
        let Written::Applied(item) = table.write(&write).await.expect("an answer") else {
            panic!("shard {shard} is refused");
        };
        assert!(item.values.contains_key(&own));
        item.version
    });
    let mut versions = join_all(writers).await;
    versions.sort_unstable();
    assert!(versions.into_iter().eq(1..=u64::from(WRITERS)), "each write saw a version of its own");
    let found = table.get(&item_key("shares", Part::Main)).await.expect("an answer");
    let shares = (0..WRITERS).map(|shard| (Attribute::Share(ShardId(shard)), shard.to_string()));
    let values = shares.map(|(name, value)| (name, value.into_bytes())).collect();
    assert_eq!(found, Some(Item { values, version: u64::from(WRITERS) }));
}

/// The same random writes and reads on both, every answer compared. Both must be empty.
///
/// # Panics
/// If they differ; the message holds the seed and the step.
pub async fn agree(a: &impl Table, b: &impl Table, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut seen: BTreeMap<ItemKey, Item> = BTreeMap::new();
    for step in 0..AGREE_WRITES {
        let told = format!("seed {seed}, step {step}");
        let write = random_write(&mut random, step, &seen);
        let (left, right) = (a.write(&write).await, b.write(&write).await);
        assert_eq!(left, right, "{told}: {write:?}");
        match left.expect("an answer") {
            Written::Applied(item) | Written::Refused(Some(item)) => {
                seen.insert(write.item.clone(), item);
            }
            Written::Refused(None) => {}
        }
        match random.random_range(0..4) {
            0 => assert_eq!(a.get(&write.item).await, b.get(&write.item).await, "{told}"),
            1 => {
                let found = (all(a, &write.item.key).await, all(b, &write.item.key).await);
                assert_eq!(found.0, found.1, "{told}");
            }
            2 => {
                let until = random.random_range(0..2 * AGREE_WRITES as i64);
                let limit = random.random_range(0..5);
                same_due(a, b, (partition(&mut random), until, limit), &told).await;
            }
            _ => {}
        }
    }
}

async fn all(table: &impl Table, key: &[u8]) -> Vec<(Part, Item)> {
    let mut found = table.query(key).await.expect("an answer");
    found.sort_by_key(|(part, _)| *part);
    found
}

/// Both may lag behind, so both are asked again until they agree.
async fn same_due(
    a: &impl Table,
    b: &impl Table,
    (partition, until, limit): (u8, i64, usize),
    told: &str,
) {
    let mut found = (Ok(Vec::new()), Ok(Vec::new()));
    for _ in 0..INDEX_TRIES_MAX {
        found.0 = a.due(partition, Time(until), limit).await;
        found.1 = b.due(partition, Time(until), limit).await;
        if found.0 == found.1 {
            return;
        }
    }
    assert_eq!(found.0, found.1, "{told}: partition {partition} until {until}, at most {limit}");
}

fn partition(random: &mut ChaCha8Rng) -> u8 {
    random.random_range(0..2)
}

fn random_write(random: &mut ChaCha8Rng, step: usize, seen: &BTreeMap<ItemKey, Item>) -> Write {
    let parts = [Part::Main, Part::Share(ShardId(0)), Part::Share(ShardId(1)), Part::Sketches];
    let part = *parts.choose(random).expect("a part");
    let key = format!("key {}", random.random_range(0..3));
    let mut write = touch(&key, part);
    let known = seen.get(&write.item).cloned().unwrap_or_default();
    let attributes = [SHARE, OTHER, LATCH, Attribute::Unreadable(ShardId(7)), Attribute::Sketch(0)];
    for attribute in attributes {
        let value = vec![random.random::<u8>(); *[0, 1, 5, 1_500].choose(random).expect("one")];
        match random.random_range(0..6) {
            0 | 1 => write.set.push((attribute, value)),
            2 => write.removed.push(attribute),
            _ => {}
        }
        // What was last seen holds; anything else almost never does.
        match random.random_range(0..10) {
            0..=3 => write.expected.push((attribute, known.values.get(&attribute).cloned())),
            4 => write.expected.push((attribute, random.random::<bool>().then(|| vec![1]))),
            _ => {}
        }
    }
    write.version = match random.random_range(0..8) {
        0 | 1 if known.version > 0 => Some(known.version),
        2 => Some(known.version + 1),
        _ => None,
    };
    // Each step has a time of its own, because the order of equal times is not promised.
    let due = Due { partition: partition(random), at: Time(2 * step as i64 % 211) };
    write.index = match random.random_range(0..4) {
        0 => Indexing::Set(due),
        1 => Indexing::Clear,
        _ => Indexing::Keep,
    };
    write
}
