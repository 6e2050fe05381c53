//! Callers across functions: what each cost in all of them, weighed against its own past.
//!
//! Whoever closes a pane of a function whose log names callers writes down first, in an item for each function and pane,
//! what they cost there ([`OfFunction`]). Once a tick has closed a pane of all functions it could look at, it reads these
//! together, takes them in, and judges by what one process judges by too ([`crate::spend::riding`]). What follows is
//! written with the chronicle of callers, under its version, and published after that, as messages about functions are.
//!
//! The items of panes are all that callers' pasts are made of, and stay for some days; each caller's past is stored
//! by itself once a day, at a time of its own. So an environment that begins reads these, and the panes since, and goes on.
//!
//! Invariant: a pane is taken in once, by whoever wins the chronicle; and what is laid to a caller is no more than what
//! shards have laid to it.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::key::FunctionTag;
use crate::limits::{
    COSTS_KEPT, FUNCTION_KEPT, PANES_A_TICK_MAX, RIDER_MESSAGES_BYTES_MAX, RIDERS_WAIT_PANES,
};
use crate::meter::ledger::Function;
use crate::signal::Origin;
use crate::sink::AlertSink;
use crate::spend::callers::{Callers, DAY_PANES, Kept};
use crate::spend::course::{Course, PANES_AN_HOUR, Weighing};
use crate::spend::drivers::WHO;
use crate::spend::riding::{Riding, Rode, rides, telling};
use crate::store::StoreError;
use crate::table_store::bytes::Unreadable;
use crate::table_store::functions::callers::CallerShare;
use crate::table_store::functions::named::Named;
use crate::table_store::functions::remembered_riders::{Known, Riders, number_of};
use crate::table_store::functions::rider_bytes::{
    MESSAGES_MAX, OfFunction, RiderChronicle, RiderPast,
};
use crate::table_store::functions::{FunctionCounts, message};
use crate::table_store::key_bytes;
use crate::table_store::store::Invocation;
use crate::table_store::table::{
    Attribute, Indexing, Item, ItemKey, Pace, Part, Table, Write, Written,
};
use crate::time::Time;

/// Panes that an environment reads that begins: in them each caller's past was stored, or it is new.
const READ_PANES: i64 = 3 * DAY_PANES / 2;

/// What callers cost in a pane of a function, if its log names any.
pub(super) fn of_function(
    shares: &[CallerShare],
    pane: i64,
    (course, sample): (&Course, Option<&Origin>),
    weighing: &Weighing,
) -> Option<OfFunction> {
    let named = |kind: &usize| shares.iter().any(|share| share.since[*kind].is_some());
    let kind = (0..WHO.len()).find(named).filter(|_| rides(&weighing.detectors))?;
    let of_pane = shares.iter().filter_map(|share| share.panes.get(&pane));
    Some(OfFunction {
        function: course.function.clone(),
        kind: Some(kind),
        costs: Named::of(of_pane).of_kind(kind),
        telling: telling(course, &weighing.detectors),
        sample: sample.cloned(),
    })
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Writes down what callers cost in a pane of a function.
    pub(super) async fn lay_costs(&self, pane: i64, of: &OfFunction) -> Result<(), StoreError> {
        let FunctionTag(tag) = FunctionTag::of(&of.function);
        let item = ItemKey { key: key_bytes::of_costs(pane), part: Part::Costs(tag) };
        let expires = self.store.pace.now().plus(COSTS_KEPT);
        // Whoever was first has said it: what has been read must not change.
        let first = self.store.settings.safeguards.compare_and_set;
        let expected = first.then_some((Attribute::Costs, None)).into_iter().collect();
        let write = Write { expected, ..plain(item, Attribute::Costs, of.encode(), expires) };
        self.put(&write).await.map(drop)
    }

    /// Judges callers by the panes up to `target`, and publishes what follows. `is_whole` is whether each function that
    /// was due was looked at, and `laid` whether any has laid costs to anybody.
    pub(super) async fn ride<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        (target, is_whole, laid): (i64, bool, bool),
        now: Time,
    ) -> Result<FunctionCounts, Fault> {
        let mut counts = FunctionCounts::default();
        if !rides(&weighing.detectors) {
            return Ok(counts);
        }
        let known = self.store.riders.take();
        let is_idle = match &known {
            Known::Nothing => false,
            Known::Nobody => !laid,
            Known::Riders(riders) => riders.closed >= target,
        };
        if is_idle {
            self.store.riders.put(known);
            return Ok(counts);
        }
        let Some((mut version, mut chronicle)) =
            self.rider_chronicle((laid.then_some(target - 1), now), &mut counts).await?
        else {
            self.store.riders.put(Known::Nobody);
            return Ok(counts);
        };
        if !chronicle.pending.is_empty() {
            // First what is known to be untold.
            let state = (version, &mut chronicle);
            version = match self.tell_riders(weighing, sink, state, &mut counts).await {
                Ok(Some(version)) => Some(version),
                ended => {
                    self.store.riders.put(known);
                    return ended.map(|_| counts);
                }
            };
        }
        let mut riders = match known {
            Known::Riders(riders) if riders.closed <= chronicle.closed => *riders,
            _ => self.riders(weighing, (version, &chronicle), &mut counts).await?,
        };
        if let Err(error) = self.catch_up(weighing, &mut riders, &chronicle, &mut counts).await {
            // The next tick goes on from here: a table that is slow would never let anybody begin.
            self.store.riders.put(Known::Riders(Box::new(riders)));
            return Err(error.into());
        }
        let mut findings = Vec::new();
        for pane in (chronicle.closed + 1..=target).take(PANES_A_TICK_MAX) {
            if !is_whole && pane > target - RIDERS_WAIT_PANES {
                break;
            }
            counts.incomplete_panes += u64::from(!is_whole);
            findings
                .extend(self.judge_riders(weighing, &mut riders, (pane, now), &mut counts).await?);
        }
        if riders.closed == chronicle.closed {
            self.store.riders.put(Known::Riders(Box::new(riders)));
            return Ok(counts);
        }
        riders.write_down(weighing, &mut chronicle);
        let (messages, left_out) = within(findings.iter().filter_map(encoded).collect());
        counts.refused += left_out;
        if self.store.settings.safeguards.publish_before_confirm {
            chronicle.pending = messages.clone();
        }
        let write = self.riders_write(version, &chronicle);
        let written = match self.put(&write).await? {
            Written::Applied(written) => written,
            // By this write, whose answer was lost.
            Written::Refused(Some(item)) if is_as_written(&item, &write) => item,
            // Somebody else has judged these panes, and what is remembered is ahead of that.
            Written::Refused(_) => return Ok(counts),
        };
        chronicle.pending = messages;
        self.store_riders(&mut riders).await?;
        self.store.riders.put(Known::Riders(Box::new(riders)));
        let state = (Some(written.version), &mut chronicle);
        if !state.1.pending.is_empty() {
            self.tell_riders(weighing, sink, state, &mut counts).await?;
        }
        Ok(counts)
    }

    fn riders_write(&self, version: Option<u64>, chronicle: &RiderChronicle) -> Write {
        let item = ItemKey { key: key_bytes::RIDERS.to_vec(), part: Part::Chronicle };
        let expires = self.store.pace.now().plus(FUNCTION_KEPT);
        let blind = !self.store.settings.safeguards.compare_and_set;
        let absent = version.is_none() && !blind;
        Write {
            expected: absent.then_some((Attribute::Chronicle, None)).into_iter().collect(),
            version: version.filter(|_| !blind),
            ..plain(item, Attribute::Chronicle, chronicle.encode(), expires)
        }
    }

    /// Publishes the messages of the chronicle, and writes it without them; its version then, unless another tick has
    /// found them too, and was faster.
    async fn tell_riders<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        (version, chronicle): (Option<u64>, &mut RiderChronicle),
        counts: &mut FunctionCounts,
    ) -> Result<Option<u64>, Fault> {
        for (function, bytes) in std::mem::take(&mut chronicle.pending) {
            self.publish(weighing, sink, (&function, &bytes), counts).await?;
        }
        if !self.store.settings.safeguards.publish_before_confirm {
            return Ok(version);
        }
        match self.put(&self.riders_write(version, chronicle)).await? {
            Written::Applied(item) => Ok(Some(item.version)),
            Written::Refused(_) => Ok(None),
        }
    }

    /// What is known of callers, with its version; where nothing is, all is to begin behind `from`, if at all.
    async fn rider_chronicle(
        &self,
        (from, now): (Option<i64>, Time),
        counts: &mut FunctionCounts,
    ) -> Result<Option<(Option<u64>, RiderChronicle)>, StoreError> {
        let item = self.look(&key_bytes::RIDERS, Part::Chronicle).await?;
        let bytes = item.as_ref().and_then(|item| item.values.get(&Attribute::Chronicle));
        let known = bytes.map(|bytes| RiderChronicle::decode(bytes)?.believed(now));
        let known = match known {
            Some(Ok(chronicle)) => Some(chronicle),
            Some(Err(why @ Unreadable::Newer(_))) => {
                return Err(StoreError::Retryable(format!("what is known of callers has {why}")));
            }
            damaged => {
                // Once it is begun anew.
                counts.lost += u64::from(damaged.is_some() && from.is_some());
                from.map(|closed| RiderChronicle { closed, ..RiderChronicle::default() })
            }
        };
        Ok(known.map(|chronicle| (item.map(|item| item.version), chronicle)))
    }

    /// Takes in what callers cost in a pane, as functions have laid it, and tells what follows.
    async fn judge_riders(
        &self,
        weighing: &Weighing,
        riders: &mut Riders,
        (pane, now): (i64, Time),
        counts: &mut FunctionCounts,
    ) -> Result<Vec<Finding>, StoreError> {
        let costs = riders.costs(pane, self.read_costs(pane).await?, counts);
        let (Riders { callers, functions, .. }, mut rode) = (&mut *riders, Rode::default());
        let riding = Riding { weighing, functions, now };
        let findings = riding.close(callers, &costs, pane, &mut rode);
        riders.closed = pane;
        for (_, _, entry) in rode.held {
            *counts.held_back.entry(entry).or_default() += 1;
        }
        Ok(findings)
    }

    async fn read_costs(&self, pane: i64) -> Result<BTreeMap<FunctionTag, Vec<u8>>, StoreError> {
        let mut found = BTreeMap::new();
        for (part, mut item) in self.query(&key_bytes::of_costs(pane)).await? {
            if let (Part::Costs(tag), Some(bytes)) = (part, item.values.remove(&Attribute::Costs)) {
                found.insert(FunctionTag(tag), bytes);
            }
        }
        Ok(found)
    }

    /// Callers as their stored pasts say, before the panes since. There are none before the first function named any.
    async fn riders(
        &self,
        weighing: &Weighing,
        (version, chronicle): (Option<u64>, &RiderChronicle),
        counts: &mut FunctionCounts,
    ) -> Result<Riders, StoreError> {
        let first = chronicle.heard.values().min().map_or(i64::MIN, |first| first - 1);
        let mut riders = Riders {
            closed: match version {
                None => chronicle.closed,
                Some(_) => first.max(chronicle.closed - READ_PANES).min(chronicle.closed),
            },
            callers: Callers::default(),
            functions: Vec::new(),
            by_tag: BTreeMap::new(),
            stored: BTreeMap::new(),
        };
        let day = (riders.closed + 1).div_euclid(DAY_PANES);
        riders.callers.day = day;
        for (_, item) in self.query(&key_bytes::RIDERS_PAST).await? {
            let Some(bytes) = item.values.get(&Attribute::Past) else { continue };
            let past = match RiderPast::decode(bytes) {
                Ok(past) => past,
                Err(why @ Unreadable::Newer(_)) => {
                    let why = format!("the past of a caller has {why}");
                    return Err(StoreError::Retryable(why));
                }
                Err(Unreadable::Damaged(_)) => {
                    counts.lost += 1;
                    continue;
                }
            };
            if past.last < riders.closed {
                // It was given up since, or it would have been stored again.
                continue;
            }
            let mut kept = Kept::new(past.first, weighing.detectors.len());
            // What it is by the day that is begun with.
            let days = past.last.div_euclid(DAY_PANES) - day;
            kept.weight = past.weight * 2f64.powi(i32::try_from(days).unwrap_or(i32::MIN));
            kept.used =
                past.used.iter().map(|(tag, first)| (riders.at(*tag, None), *first)).collect();
            kept.series = past.series;
            riders.stored.insert(past.caller.clone(), past.last);
            riders.callers.kept.insert(past.caller, kept);
        }
        Ok(riders)
    }

    /// Takes in the panes that others have judged by, and what they have written down. What was taken in before a fault
    /// stays so.
    async fn catch_up(
        &self,
        weighing: &Weighing,
        riders: &mut Riders,
        chronicle: &RiderChronicle,
        counts: &mut FunctionCounts,
    ) -> Result<(), StoreError> {
        let concurrency = self.store.settings.concurrency.max(1);
        let (patience, end) = (&self.patience(), self.patience().turns_end());
        // Whom findings are about must not be forgotten meanwhile.
        riders.take_up(weighing, chronicle);
        let reads = (riders.closed + 1..=chronicle.closed).map(|pane| async move {
            patience.begin_before(end)?;
            Ok::<_, StoreError>((pane, self.read_costs(pane).await?))
        });
        let reads = reads.collect::<Vec<_>>();
        let mut reads = std::pin::pin!(stream::iter(reads).buffered(concurrency));
        while let Some(read) = reads.next().await {
            let (pane, read) = read?;
            let mut costs = riders.costs(pane, read, counts);
            costs.retain(|caller, _| riders.stored.get(caller).is_none_or(|last| *last < pane));
            let Riders { callers, functions, .. } = &mut *riders;
            let is_recent = pane > chronicle.closed - PANES_AN_HOUR;
            let riding = Riding { weighing, functions, now: Time::MIN };
            riding.catch_up(callers, &costs, (pane, is_recent));
            riders.closed = pane;
        }
        riders.closed = chronicle.closed;
        riders.take_up(weighing, chronicle);
        Ok(())
    }

    /// Stores the pasts that are due.
    async fn store_riders(&self, riders: &mut Riders) -> Result<(), StoreError> {
        let expires = self.store.pace.now().plus(FUNCTION_KEPT);
        for caller in riders.to_store() {
            let past = riders.past(&caller);
            let Some(past) = past else { continue };
            let item = ItemKey {
                key: key_bytes::RIDERS_PAST.to_vec(),
                part: Part::Caller(number_of(&caller)),
            };
            self.put(&plain(item, Attribute::Past, past.encode(), expires)).await?;
            riders.stored.insert(caller, past.last);
        }
        Ok(())
    }
}

/// Whether an item is as a write would have it that was not seen to be applied.
fn is_as_written(item: &Item, write: &Write) -> bool {
    write.set.iter().all(|(attribute, bytes)| item.values.get(attribute) == Some(bytes))
}

/// A write of one attribute without any condition.
fn plain(item: ItemKey, attribute: Attribute, bytes: Vec<u8>, expires: Time) -> Write {
    Write {
        item,
        expected: Vec::new(),
        version: None,
        set: vec![(attribute, bytes)],
        removed: Vec::new(),
        index: Indexing::Keep,
        expires,
    }
}

/// A message with the function that it needs to be read.
fn encoded(finding: &Finding) -> Option<(Function, Vec<u8>)> {
    let spending = finding.spending.as_deref()?;
    Some((spending.function.clone(), message::encode(finding, spending)))
}

/// The first messages, as many as an item has room for, and how many are left out.
fn within(mut messages: Vec<(Function, Vec<u8>)>) -> (Vec<(Function, Vec<u8>)>, u64) {
    let (all, mut bytes) = (messages.len(), 0);
    messages.retain(|(Function { account, name }, message)| {
        bytes += account.len() + name.len() + message.len() + 8;
        bytes <= RIDER_MESSAGES_BYTES_MAX
    });
    messages.truncate(MESSAGES_MAX);
    let left_out = (all - messages.len()) as u64;
    (messages, left_out)
}

/// Panes of an hour lie within those that are read.
const _: () = assert!(READ_PANES > DAY_PANES + PANES_AN_HOUR);
