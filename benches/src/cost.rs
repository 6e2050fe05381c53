//! What counting and judging one (key, batch) costs the processor: the whole of a merge as a store does it
//! that remembers the item, and its steps by themselves as far as they can be called.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::{Context, Result};
use tidewatch_core::contribution::{Again, Amount, Contribution, Part as Points, Point};
use tidewatch_core::judge::judge;
use tidewatch_core::key::Key;
use tidewatch_core::key_ring::{LiveKey, Phase};
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::safeguards::Safeguards;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::shape::Shape;
use tidewatch_core::signal::Signal;
use tidewatch_core::slack::Slack;
use tidewatch_core::store::WindowStore;
use tidewatch_core::table_store::share::Share;
use tidewatch_core::table_store::store::{Settings, SharedStore};
use tidewatch_core::table_store::table::{
    Attribute, Item, ItemKey, Part, Table, TableError, Write, Written,
};
use tidewatch_core::table_store::view::View;
use tidewatch_core::time::{Span, Time};

use crate::clock::{median, timed};
use crate::dynamo::Clock;
use crate::fleet;
use crate::load::{self, Try};

/// The steps, in the order of [`Cost::steps_ns`].
pub const STEPS: [&str; 7] = [
    "decode own",
    "copy and count",
    "decode and merge others",
    "trim",
    "encode",
    "merge own",
    "judge",
];

/// Calls of one run of a step.
const TIMES: u32 = 2_000;

/// What one (key, batch) takes.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Bytes of the own share.
    pub share_bytes: usize,
    /// By step.
    pub steps_ns: [f64; STEPS.len()],
    /// Window ends that are judged.
    pub ends: usize,
    /// The whole of it.
    pub whole_ns: f64,
}

/// The cost of one more failure on a new name, at shard 0 of the key of `source`, 5 s after everything in
/// `item` or `late` before that.
///
/// # Errors
/// If the item has no share of shard 0, or one that cannot be read.
///
/// # Panics
/// If what could be read once cannot be read again.
pub fn of(
    plan: &Arc<Plan>,
    item: &Item,
    source: Ipv4Addr,
    late: Span,
    keys: &Phase,
    runs: usize,
) -> Result<Cost> {
    let place = (KeyPlanId(0), Key::source_ip(source.into()));
    let key_plan = plan.key(place.0);
    let own = Attribute::Share(ShardId(0));
    let bytes = item.values.get(&own).context("shard 0 has no share")?;
    let others = || View::of(plan, place, [item], Some(ShardId(0)));
    let around = others()?;
    let at = View::of(plan, place, [item], None)?.state.head.plus(Span::seconds(5)).minus(late);
    let share = Share::decode(key_plan, bytes)?;
    let contribution = newer(place.1, at, keys)?;
    let mut counted = share.clone();
    counted.take(key_plan, &contribution, &Safeguards::default());
    let mut next = item.clone();
    next.values.insert(own, counted.encode());
    let after = View::of(plan, place, [&next], None)?;

    let read = || others().expect("it was read before");
    let decode = ns(runs, || Share::decode(key_plan, bytes).expect("it was read before"));
    let count = ns(runs, || {
        let mut share = share.clone();
        share.take(key_plan, &contribution, &Safeguards::default());
        share
    });
    let read_others = ns(runs, read);
    let copy = ns(runs, || counted.clone());
    let copy_and_trim = ns(runs, || {
        let mut share = counted.clone();
        share.trim(key_plan, &around.state, &Safeguards::default());
        share
    });
    let encode = ns(runs, || counted.encode());
    let copy_view = ns(runs, || around.clone());
    let copy_and_join =
        ns(runs, || around.clone().with(plan, place, &counted, &next).expect("it was read before"));
    let judged = ns(runs, || {
        let mut verdicts = 0;
        after.show(plan, place, contribution.earliest(), |window| {
            verdicts += judge(plan, window).len();
        });
        verdicts
    });
    let trim = (copy_and_trim - copy).max(0.0);
    let join = (copy_and_join - copy_view).max(0.0);
    Ok(Cost {
        share_bytes: bytes.len(),
        steps_ns: [decode, count, read_others, trim, encode, join, judged],
        ends: after.state.ends_since(key_plan, contribution.earliest()).len(),
        whole_ns: merged(plan, item, contribution, runs)?,
    })
}

/// A table that always answers with the same item and forgets what is written, so that a merge can be
/// repeated.
struct Still(Item);

impl Table for Still {
    async fn write(&self, _: &Write) -> Result<Written, TableError> {
        Ok(Written::Applied(self.0.clone()))
    }

    async fn get(&self, _: &ItemKey) -> Result<Option<Item>, TableError> {
        Ok(Some(self.0.clone()))
    }

    async fn query(&self, _: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        Ok(vec![(Part::Main, self.0.clone())])
    }

    async fn due(&self, _: u8, _: Time, _: usize) -> Result<Vec<ItemKey>, TableError> {
        Ok(Vec::new())
    }
}

/// The whole of it: ns a (key, batch).
fn merged(plan: &Arc<Plan>, item: &Item, new: Contribution, runs: usize) -> Result<f64> {
    let clock = Clock::default();
    let still = Still(item.clone());
    let store = SharedStore::new(Arc::clone(plan), still, &clock, Settings::default());
    let invocation = store.invocation(ShardId(0), Time(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let contributions = [new];
    Ok(ns(runs, || {
        let mut verdicts = 0;
        let merged = invocation.merge(&contributions, Time(0), |_, window| {
            verdicts += judge(plan, window).len();
            Slack::NONE
        });
        let merged = runtime.block_on(merged).expect("nothing can fail here");
        assert_eq!(merged.unapplied, [], "nothing can fail here");
        verdicts
    }))
}

/// A batch of one failure on a new name, newer than all records.
fn newer(key: Key, at: Time, keys: &Phase) -> Result<Contribution> {
    let t = Try { at, name: u64::MAX, ..load::three_failures().tries[0] };
    let record = fleet::record(keys, 0, u64::MAX / 2, &t);
    let point = |signal: &Signal, key: &LiveKey| {
        let auth = *signal.body.auth().expect("a try");
        Point {
            time: at,
            generation: key.generation(),
            event: signal.event,
            shape: Shape::of(&auth),
            amount: Amount::of(1),
            user: auth.user,
            source: None,
        }
    };
    let again = record.again.iter().zip(&keys.other);
    let again = again.map(|(signal, key)| Again::of(&point(signal, key))).collect();
    let signal = record.signals.first().context("a record has a signal")?;
    let points = [point(signal, &keys.reading)].into_iter().collect();
    let parts = vec![Points { sequence: Sequence::parse(&"9".repeat(56))?, end: 1 }];
    Ok(Contribution { points, again, parts, ..Contribution::to(KeyPlanId(0), key) })
}

/// CPU ns of `work`, the median of some runs of [`TIMES`] calls.
fn ns<T>(runs: usize, mut work: impl FnMut() -> T) -> f64 {
    let mut run = || {
        let (seconds, ()) = timed(|| {
            for _ in 0..TIMES {
                black_box(work());
            }
        });
        seconds / f64::from(TIMES) * 1e9
    };
    run();
    median((0..runs).map(|_| run()).collect())
}
