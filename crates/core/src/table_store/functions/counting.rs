//! A batch's lines about functions into their shares: one write a function, and where callers are named one more
//! ([`super::hearing`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use crate::access::Access;
use crate::admission::{Admission, Gate};
use crate::delivery::{Acknowledged, Record};
use crate::invocation::Invocation as Took;
use crate::limits::{FUNCTIONS_WATCHED_MAX, ITEM_BYTES_MAX};
use crate::meter::ledger::Function;
use crate::meter::panes::Pane;
use crate::sequence::{Sequence, ShardId};
use crate::signal::{Body, LogStream};
use crate::spend::course::{LATENESS, Weighing, pane_of, start};
use crate::store::StoreError;
use crate::table_store::bytes::Unreadable;
use crate::table_store::functions::callers::{Half, Heard, names};
use crate::table_store::functions::hearing::Asks;
use crate::table_store::functions::share::{FunctionShare, Point, Taken};
use crate::table_store::functions::{Closed, FunctionCounts, due};
use crate::table_store::key_bytes;
use crate::table_store::store::{Invocation, Layout};
use crate::table_store::table::{
    Attribute, Indexing, Item, ItemKey, Pace, Part, Table, TableError, Write, Written,
};
use crate::tag::RequestTag;
use crate::time::Time;

/// A function whose chronicle is closed up to less than so many panes ago is looked at by its own index entry.
const LOOKED_AT_PANES: i64 = 6;

/// A function that may run away is looked at each time its share in the pane has grown by a fifth: so many steps to
/// a doubling.
const RUNAWAY_STEPS: f64 = 4.0;

/// What a batch says of functions.
#[derive(Default)]
struct Batch<'a> {
    by_function: BTreeMap<Function, (Vec<Point<'a>>, Asks<'a>)>,
    counts: FunctionCounts,
}

/// What one batch says of one function, and its key.
pub(super) struct OfFunction<'a> {
    function: Function,
    pub(super) key: Vec<u8>,
    pub(super) points: Vec<Point<'a>>,
    pub(super) asks: Asks<'a>,
}

impl OfFunction<'_> {
    /// The first record that says something of it.
    fn first(&self) -> Sequence {
        let first = self.points.first().map(|point| point.sequence);
        let asked = self.asks.first().map(|(_, ask)| ask.sequence);
        first.into_iter().chain(asked).min().unwrap_or(Sequence::ZERO)
    }
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Counts what a batch of one shard says of functions, and says how far it came; lines of anything else are
    /// passed over. Nothing is judged here, but that a function may run away.
    pub async fn count_functions(
        &self,
        weighing: &Weighing,
        records: &[Record],
    ) -> (Acknowledged, FunctionCounts) {
        let Batch { by_function, mut counts } = gather(records);
        let mut all = Vec::new();
        for (function, (points, asks)) in by_function {
            match key_bytes::of_function(&function) {
                Some(key) => all.push(OfFunction { function, key, points, asks }),
                None => counts.refused += points.len() as u64,
            }
        }
        // In the order of records: what there is no time for is then the end of the batch.
        all.sort_by_key(OfFunction::first);
        let (patience, end) = (&self.patience(), self.patience().turns_end());
        let one = |at: usize| {
            let of = &all[at];
            async move {
                match patience.begin_before(end) {
                    Ok(()) => (of.first(), self.deal_with_function(weighing, of).await),
                    Err(late) => (of.first(), Err(late)),
                }
            }
        };
        let concurrency = self.store.settings.concurrency.max(1);
        let mut done =
            std::pin::pin!(stream::iter(0..all.len()).map(one).buffer_unordered(concurrency));
        let mut acknowledged = Acknowledged::default();
        while let Some((first, counted)) = done.next().await {
            match counted {
                Ok(counted) => counts.add(&counted),
                Err(error) => acknowledged.ask_again(Some(first), error.into()),
            }
        }
        (acknowledged, counts)
    }

    async fn deal_with_function(
        &self,
        weighing: &Weighing,
        of: &OfFunction<'_>,
    ) -> Result<FunctionCounts, StoreError> {
        let part = match self.store.settings.layout {
            Layout::Together => Part::Main,
            Layout::Apart => Part::Share(self.shard),
        };
        let item = ItemKey { key: of.key.clone(), part };
        let (mut counts, image) = self.count_function(weighing, of, &item).await?;
        let (tariff, terms) = (&weighing.prices.tariff, (weighing.prices.terms)(&of.function.name));
        let cost = |point: &Point<'_>| tariff.cost_of(point.invocation, terms);
        counts.add(&self.hear_callers(of, (&item, image), cost).await?);
        Ok(counts)
    }

    /// Counts reports; gives the item with the shares as it was last seen.
    async fn count_function(
        &self,
        weighing: &Weighing,
        of: &OfFunction<'_>,
        item: &ItemKey,
    ) -> Result<(FunctionCounts, Option<Item>), StoreError> {
        let own = Attribute::Share(self.shard);
        let mut counts = FunctionCounts::default();
        let mut image = self.store.cache.get(item);
        let mut patience = self.patience();
        loop {
            let before = image.as_ref().and_then(|image| image.values.get(&own)).cloned();
            let (known, unreadable) = read(&of.function, before.as_deref())?;
            let closed = Closed::of(image.as_ref());
            let mut share = known.clone();
            let floor = closed.as_ref().map(|closed| closed.pane);
            let taken = share.take(&of.points, floor, &self.store.settings.safeguards);
            if !taken.fresh {
                // Somebody has applied it, or there is none: what is remembered only ever lags behind.
                return Ok((counts, image));
            }
            let mut set = vec![(own, share.encode())];
            if let (true, Some(bytes)) = (unreadable, &before) {
                set.push((Attribute::Unreadable(self.shard), bytes.clone()));
            }
            let blind = !self.store.settings.safeguards.compare_and_set;
            let growth = Growth { own: self.shard, before: &known, after: &share };
            let write = Write {
                item: item.clone(),
                expected: if blind { Vec::new() } else { vec![(own, before)] },
                version: None,
                set,
                removed: Vec::new(),
                index: index(weighing, of, image.as_ref(), closed.as_ref(), &growth),
                expires: self.function_expires(),
            };
            let written = match write.bytes_after(image.as_ref()) <= ITEM_BYTES_MAX {
                true => self.write(&write).await,
                false => Err(TableError::TooLarge("the shares of a function".to_owned())),
            };
            match written {
                Ok(Written::Applied(item)) => {
                    counts.lost += u64::from(unreadable);
                    counts.repeated += taken.repeated;
                    counts.late += late(of, &known, &taken, &item);
                    return Ok((counts, Some(item)));
                }
                Ok(Written::Refused(item)) => {
                    image = item;
                    patience.after_refusal().await?;
                }
                // They cannot be counted, now or later: better said than tried for ever.
                Err(TableError::TooLarge(_) | TableError::Unusable(_)) => {
                    counts.refused += of.points.len() as u64;
                    return Ok((counts, image));
                }
                Err(error) => patience.after(error).await?,
            }
        }
    }
}

/// What a line says of a request.
enum Said<'a> {
    Took(&'a Took),
    Asked(RequestTag, &'a Access),
}

/// A batch by function, as event times are believed by each record's arrival.
fn gather(records: &[Record]) -> Batch<'_> {
    let mut gate = Gate::new(Admission::until(Time::MIN));
    let mut batch = Batch::default();
    let mut latest: Option<(&Arc<LogStream>, Function)> = None;
    for record in records {
        for signal in &record.signals {
            let half = match &signal.body {
                Body::Invocation(invocation) => Said::Took(invocation),
                Body::Access(access) if names(access).iter().any(Option::is_some) => {
                    let Some(request) = access.request else { continue };
                    Said::Asked(request, access)
                }
                Body::Access(_) | Body::Auth(_) => continue,
            };
            let stream = &signal.origin.stream;
            if latest.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, stream)) {
                let Some(name) = stream.function() else { continue };
                let account = stream.account.as_str().into();
                latest = Some((stream, Function { account, name: name.into() }));
            }
            let Some((_, function)) = &latest else { continue };
            let Some(time) = gate.lets_in_live(signal, record.arrival) else {
                batch.counts.rejected += 1;
                continue;
            };
            let (sequence, event, origin) = (record.sequence, signal.event, &signal.origin);
            let is_full = batch.by_function.len() >= FUNCTIONS_WATCHED_MAX;
            let known = match batch.by_function.get_mut(function) {
                None if is_full => None,
                None => Some(batch.by_function.entry(function.clone()).or_default()),
                known => known,
            };
            match (half, known) {
                (Said::Took(invocation), Some((points, _))) => {
                    batch.counts.lines += 1;
                    points.push(Point { sequence, time, event, invocation, origin });
                }
                (Said::Took(_), None) => {
                    batch.counts.lines += 1;
                    batch.counts.unwatched += 1;
                    batch.counts.refused += 1;
                }
                (Said::Asked(request, access), Some((points, asks))) => {
                    let what = Half::Asked(access);
                    asks.push((points.len(), Heard { sequence, time, event, request, what }));
                }
                (Said::Asked(..), None) => batch.counts.unheard += 1,
            }
        }
    }
    batch
}

/// A shard's share, and whether it could not be read and is begun anew.
fn read(function: &Function, bytes: Option<&[u8]>) -> Result<(FunctionShare, bool), StoreError> {
    let Some(bytes) = bytes else { return Ok((FunctionShare::default(), false)) };
    match FunctionShare::decode(function, bytes) {
        Ok(share) => Ok((share, false)),
        Err(why @ Unreadable::Newer(_)) => {
            Err(StoreError::Retryable(format!("the share of a function has {why}")))
        }
        Err(Unreadable::Damaged(_)) => Ok((FunctionShare::default(), true)),
    }
}

/// The new points of panes that were closed when they were written, and reports of panes that nobody has closed and
/// nobody will.
fn late(of: &OfFunction<'_>, known: &FunctionShare, taken: &Taken, item: &Item) -> u64 {
    let closed = Closed::of(Some(item)).map_or(i64::MIN, |closed| closed.pane);
    let fresh = of.points.iter().filter(|point| point.sequence > known.applied);
    let late = fresh.filter(|point| pane_of(point.time) <= closed).count() as u64;
    let dropped = taken.dropped.iter().filter(|(pane, _)| *pane > closed);
    late.max(taken.late) + dropped.map(|(_, reports)| reports).sum::<u64>()
}

/// How one shard's share changes.
struct Growth<'a> {
    own: ShardId,
    before: &'a FunctionShare,
    after: &'a FunctionShare,
}

/// When somebody should look at the function: by and by the tick sees to that itself, once it knows the function.
fn index(
    weighing: &Weighing,
    of: &OfFunction<'_>,
    image: Option<&Item>,
    closed: Option<&Closed>,
    growth: &Growth<'_>,
) -> Indexing {
    if let Some(closed) = closed
        && pane_of(growth.after.head) - closed.pane < LOOKED_AT_PANES
    {
        return match runs_away(weighing, of, image, closed, growth) {
            true => Indexing::Set(due(&of.key, Time(0))),
            false => Indexing::Keep,
        };
    }
    match growth.after.panes.keys().next() {
        Some(oldest) => Indexing::Set(due(&of.key, start(oldest + 1).plus(LATENESS))),
        None => Indexing::Keep,
    }
}

/// Whether the newest pane has come to what is a runaway's, as far as `image` shows the other shards, and this
/// shard's part in it has grown by much.
fn runs_away(
    weighing: &Weighing,
    of: &OfFunction<'_>,
    image: Option<&Item>,
    closed: &Closed,
    growth: &Growth<'_>,
) -> bool {
    let Some((pane, after)) = growth.after.panes.last_key_value() else { return false };
    let terms = (weighing.prices.terms)(&of.function.name);
    closed.runs_from.iter().any(|(number, from)| {
        let amount = |pane: &Pane| {
            let dollars = weighing.prices.tariff.cost(&pane.sums, terms).dollars();
            number.of(pane, dollars).unwrap_or(0.0)
        };
        let step = |pane: Option<&Pane>| {
            // A cast of minus infinity saturates.
            (RUNAWAY_STEPS * pane.map_or(0.0, amount).log2()).floor() as i64
        };
        if step(growth.before.panes.get(pane)) >= step(Some(after)) {
            return false;
        }
        let mut all = after.clone();
        for (attribute, bytes) in image.iter().flat_map(|image| &image.values) {
            let other = matches!(attribute, Attribute::Share(shard) if *shard != growth.own);
            let share = FunctionShare::decode(&of.function, bytes).ok().filter(|_| other);
            if let Some(pane) = share.as_ref().and_then(|share| share.panes.get(pane)) {
                all.add(pane);
            }
        }
        amount(&all) >= *from
    })
}
