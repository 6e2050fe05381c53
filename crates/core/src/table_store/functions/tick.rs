//! The tick: panes that are over are closed and judged, and what follows is told.
//!
//! A pane is over once reports have come, of any function that is looked at, from [`LATENESS`] after its end on: so
//! while the stream lags nothing looks silent. But an hour by the clock is waited at most
//! ([`CLOSED_AFTER_MAX`]), for where nothing is invoked at all nothing newer comes.
//!
//! What follows from a pane is written with the chronicle that takes it in, and published after that; whoever finds
//! messages in a chronicle publishes them again. Of two ticks at once one loses the chronicle, and tells nothing.

use futures_util::stream::{self, StreamExt};

use crate::fault::Fault;
use crate::finding::Finding;
use crate::limits::{CLOSED_AFTER_MAX, FUNCTIONS_WATCHED_MAX, PANES_A_TICK_MAX};
use crate::meter::ledger::Function;
use crate::meter::money::Money;
use crate::meter::sums::Sums;
use crate::sequence::ShardId;
use crate::series::HISTORY_PANES;
use crate::signal::Origin;
use crate::sink::AlertSink;
use crate::spend::course::{
    Around, Course, LATENESS, Look, Noted, PANES_AN_HOUR, Weighing, last_over, start,
};
use crate::spend::detector::{Number, Rule};
use crate::spend::drivers::Driver;
use crate::spend::judged::runs_from;
use crate::spend::tally::Told;
use crate::store::{StoreError, WindowStore};
use crate::table_store::bytes::Unreadable;
use crate::table_store::functions::all::{self, OfAll};
use crate::table_store::functions::callers::CallerShare;
use crate::table_store::functions::chronicle::Chronicle;
use crate::table_store::functions::known::Known;
use crate::table_store::functions::named::Named;
use crate::table_store::functions::{Closed, FunctionCounts, due, message, riders};
use crate::table_store::store::Invocation;
use crate::table_store::table::{Attribute, Indexing, ItemKey, Pace, Part, Table, Write, Written};
use crate::time::Time;

/// A chronicle that was written, of which messages are to leave.
struct Pending {
    key: Vec<u8>,
    function: Function,
    version: u64,
    chronicle: Chronicle,
}

/// What became of one function.
#[derive(Default)]
struct Moved {
    counts: FunctionCounts,
    pending: Option<Pending>,
    /// What it is to tell of what it spent.
    told: Option<Told>,
    /// Whether all of it that was due is done.
    is_whole: bool,
}

/// What became of all of them.
#[derive(Default)]
struct AllMoved {
    counts: FunctionCounts,
    pending: Vec<Pending>,
    told: Vec<Told>,
    /// Whether each of those that did not fail is done.
    is_whole: bool,
    /// The first.
    fault: Option<Fault>,
}

/// What the tick knows of a pane.
struct Shown<'a> {
    chronicle: &'a Chronicle,
    callers: &'a [CallerShare],
}

impl Around for Shown<'_> {
    fn hour_before(&self, pane: i64) -> Sums {
        let mut hour = Sums::default();
        self.chronicle.hour.range(pane - PANES_AN_HOUR..pane).for_each(|(_, sums)| hour.add(sums));
        hour
    }

    fn versions(&self) -> Vec<(Box<str>, Time)> {
        let mut all: Vec<_> =
            self.chronicle.versions.iter().map(|(n, first)| (n.clone(), *first)).collect();
        all.sort_by(|(a, first), (b, other)| (first, a).cmp(&(other, b)));
        all
    }

    fn drivers(&self, pane: i64, cost: Money) -> Vec<Driver> {
        let of_pane = self.callers.iter().filter_map(|share| share.panes.get(&pane));
        Named::of(of_pane).drivers(cost)
    }

    fn sample(&self) -> Option<Origin> {
        self.chronicle.sample.clone()
    }
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// Closes the panes of functions that are over at `now`, judges them, and publishes what follows. What fails
    /// about one function keeps no other from being dealt with, and is due again; the first such fault is told.
    pub async fn weigh_functions<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        now: Time,
    ) -> (FunctionCounts, Option<Fault>) {
        let (mut counts, mut fault) = (FunctionCounts::default(), None);
        let due = match self.due_functions(now).await {
            Ok(due) => due,
            Err(error) => return (counts, Some(error.into())),
        };
        counts.unwatched += due.len().saturating_sub(FUNCTIONS_WATCHED_MAX) as u64;
        let concurrency = self.store.settings.concurrency.max(1);
        let looks = due.into_iter().take(FUNCTIONS_WATCHED_MAX);
        let looks = looks.map(|(key, marked)| self.known(key, marked, now)).collect::<Vec<_>>();
        let mut looks = std::pin::pin!(stream::iter(looks).buffered(concurrency));
        let mut all = Vec::new();
        while let Some(look) = looks.next().await {
            match look {
                Ok(known) => all.extend(known),
                Err(error) => fault = fault.or(Some(error.into())),
            }
        }
        counts.looked_at += all.len() as u64;
        let is_looked_at = fault.is_none();
        let of_all = match self.of_all(weighing, now).await {
            Ok(of_all) => of_all,
            Err(error) => {
                // Functions are judged without: what they spend is taken in with their next panes.
                fault = fault.or(Some(error.into()));
                None
            }
        };
        let newest = all.iter().map(|known| known.head).max().unwrap_or(Time::MIN);
        let target = last_over(newest.max(now.minus(CLOSED_AFTER_MAX)));
        let moved = self.move_all(weighing, all, (target, now), of_all.as_ref()).await;
        counts.add(&moved.counts);
        let is_whole = is_looked_at && moved.fault.is_none() && moved.is_whole;
        fault = fault.or(moved.fault);
        for told in moved.pending {
            if let Err(error) = self.tell(weighing, sink, told, &mut counts).await {
                fault = fault.or(Some(error));
            }
        }
        if let Some(of_all) = of_all {
            let closed = all::Closed { told: moved.told, target, is_whole };
            let burnt = self.burn_all(weighing, sink, (of_all, closed), now, &mut counts).await;
            fault = fault.or(burnt.err());
        }
        let closed = (target, is_whole, counts.laid_panes > 0);
        match self.ride(weighing, sink, closed, now).await {
            Ok(counted) => counts.add(&counted),
            Err(error) => fault = fault.or(Some(error)),
        }
        (counts, fault)
    }

    /// Closes the panes of functions that are over, each by itself.
    async fn move_all(
        &self,
        weighing: &Weighing,
        all: Vec<Known>,
        to: (i64, Time),
        of_all: Option<&OfAll>,
    ) -> AllMoved {
        // Half of the time is for telling what was found: what is not reached stays due.
        let (patience, end) = (&self.patience(), self.patience().turns_end());
        let moves = all.into_iter().map(|known| async move {
            patience.begin_before(end)?;
            self.move_on(weighing, known, to, of_all).await
        });
        let moves = moves.collect::<Vec<_>>();
        let concurrency = self.store.settings.concurrency.max(1);
        let mut moves = std::pin::pin!(stream::iter(moves).buffered(concurrency));
        let mut all = AllMoved { is_whole: true, ..AllMoved::default() };
        while let Some(moved) = moves.next().await {
            match moved {
                Ok(moved) => {
                    all.counts.add(&moved.counts);
                    all.pending.extend(moved.pending);
                    all.told.extend(moved.told);
                    all.is_whole &= moved.is_whole;
                }
                Err(error) => all.fault = all.fault.or(Some(error.into())),
            }
        }
        all
    }

    /// Closes the panes of a function that are over, up to `target`; gives what is to be told.
    async fn move_on(
        &self,
        weighing: &Weighing,
        mut known: Known,
        (target, now): (i64, Time),
        of_all: Option<&OfAll>,
    ) -> Result<Moved, StoreError> {
        let mut counts = FunctionCounts { lost: known.lost, ..FunctionCounts::default() };
        let first_open = known.open.keys().next().copied();
        let chronicle = match (known.chronicle.take(), known.version) {
            (Some(chronicle), Some(version)) if !chronicle.pending.is_empty() => {
                // First what is known to be untold.
                let Known { key, function, .. } = known;
                let pending = Some(Pending { key, function, version, chronicle });
                return Ok(Moved { counts, pending, ..Moved::default() });
            }
            (Some(chronicle), _) => Some(chronicle),
            (None, _) => first_open.map(Chronicle::new),
        };
        let Some(mut chronicle) = chronicle else {
            return Ok(Moved { counts, is_whole: true, ..Moved::default() });
        };
        if first_open.is_some_and(|open| open - chronicle.closed > HISTORY_PANES as i64) {
            // Nothing of it reaches back so far.
            let latches = chronicle.latches;
            chronicle = Chronicle { latches, ..Chronicle::new(first_open.unwrap_or_default()) };
        }
        let next = chronicle.next(first_open);
        let newest = known.open.keys().next_back().copied();
        chronicle.last = chronicle.last.max(newest.unwrap_or(i64::MIN));
        let panes = next..=target.min(chronicle.until());
        let mut runs = known.runs_away(weighing);
        runs.retain(|pane| !panes.contains(pane));
        if panes.is_empty() && runs.is_empty() {
            if known.version.is_some() {
                self.unmark(&known).await?;
            }
            return Ok(Moved { counts, is_whole: true, ..Moved::default() });
        }
        let of = (known.key.as_slice(), &known.function);
        let (mut course, lost) = self.course(of, weighing, &mut chronicle).await?;
        counts.lost += lost;
        chronicle.see(&known.versions);
        chronicle.sample = known.sample.take().or(chronicle.sample);
        let (mut findings, noted) = (Vec::new(), Noted::default());
        for pane in panes.take(PANES_A_TICK_MAX) {
            let of_pane = known.open.remove(&pane).unwrap_or_default();
            let of_pane = chronicle.pool.measure(pane, of_pane);
            let around = Shown { chronicle: &chronicle, callers: &known.callers };
            let look = Look { pane, of_pane: &of_pane, around: &around, now, noted: &noted };
            let cost = weighing.prices.tariff.cost(&of_pane.sums, course.terms);
            findings.extend(course.close(weighing, &Number::ALL.into(), look));
            let told_by = (&course, chronicle.sample.as_ref());
            if let Some(laid) = riders::of_function(&known.callers, pane, told_by, weighing) {
                self.lay_costs(pane, &laid).await?;
                counts.laid_panes += 1;
            }
            chronicle.note(pane, &of_pane, cost.dollars());
            counts.closed_panes += 1;
        }
        for pane in runs.into_iter().filter(|pane| *pane > chronicle.closed) {
            let Some(of_pane) = known.open.get(&pane) else { continue };
            let around = Shown { chronicle: &chronicle, callers: &known.callers };
            let look = Look { pane, of_pane, around: &around, now, noted: &noted };
            findings.extend(course.judge_open(weighing, look));
        }
        for (entry, _) in noted.held.into_inner() {
            *counts.held_back.entry(entry).or_default() += 1;
        }
        let told = of_all.map(|of_all| of_all.untold(&course, &chronicle));
        let committed = self.commit(weighing, known, (chronicle, course), findings).await?;
        // Who was beaten leaves it to the other.
        let is_whole = committed.is_some();
        let (pending, told) = (committed.flatten(), told.filter(|_| is_whole));
        Ok(Moved { counts, pending, told, is_whole })
    }

    /// Writes the chronicle with what is to be told, if nobody else has written one meanwhile, then tells shards
    /// what is closed; what is to be published, if anything is. Nothing where somebody else has.
    async fn commit(
        &self,
        weighing: &Weighing,
        known: Known,
        (mut chronicle, course): (Chronicle, Course),
        findings: Vec<Finding>,
    ) -> Result<Option<Option<Pending>>, StoreError> {
        for (detector, latch) in weighing.detectors.iter().zip(&course.latches) {
            if latch.episode.is_some() {
                chronicle.latches.insert(detector.id.as_str().into(), latch.clone());
            }
        }
        let encode = |finding: &Finding| {
            let spending = finding.spending.as_deref()?;
            Some(message::encode(finding, spending))
        };
        let messages: Vec<Vec<u8>> = findings.iter().filter_map(encode).collect();
        if self.store.settings.safeguards.publish_before_confirm {
            chronicle.pending = messages.clone();
        }
        let write =
            self.chronicle_write(&known.key, known.version, &chronicle, known.unreadable.clone());
        let Written::Applied(written) = self.put(&write).await? else { return Ok(None) };
        let levels = weighing.detectors.iter().filter(|rule| rule.rule == Rule::Runaway);
        let levels = levels.filter_map(|rule| {
            let (from, _) = runs_from(rule, &course, chronicle.closed + 1)?;
            Some((rule.of, from))
        });
        let closed = Closed { pane: chronicle.closed, runs_from: levels.collect() };
        self.store.functions.put(&known.key, &chronicle, course);
        self.tell_shards(&known, &closed).await?;
        chronicle.pending = messages;
        let Known { key, function, .. } = known;
        let pending = Pending { key, function, version: written.version, chronicle };
        Ok(Some(Some(pending).filter(|pending| !pending.chronicle.pending.is_empty())))
    }

    fn chronicle_write(
        &self,
        key: &[u8],
        version: Option<u64>,
        chronicle: &Chronicle,
        unreadable: Option<Vec<u8>>,
    ) -> Write {
        let index = match chronicle.pending.is_empty() {
            false => Indexing::Set(due(key, Time(0))),
            true if chronicle.closed < chronicle.until() => {
                Indexing::Set(due(key, start(chronicle.closed + 2).plus(LATENESS)))
            }
            // It has been silent for a day: the next report asks for a look.
            true => Indexing::Clear,
        };
        let mut set = vec![(Attribute::Chronicle, chronicle.encode())];
        set.extend(unreadable.map(|bytes| (Attribute::Unreadable(ShardId::TICK), bytes)));
        let blind = !self.store.settings.safeguards.compare_and_set;
        let absent = version.is_none() && !blind;
        Write {
            item: ItemKey { key: key.to_vec(), part: Part::Chronicle },
            expected: absent.then_some((Attribute::Chronicle, None)).into_iter().collect(),
            version: version.filter(|_| !blind),
            set,
            removed: Vec::new(),
            index,
            expires: self.function_expires(),
        }
    }

    /// Says in each item with shares what is closed, and takes the mark away of one that is as it was found.
    async fn tell_shards(&self, known: &Known, closed: &Closed) -> Result<(), StoreError> {
        for (part, item) in &known.shares {
            let old = item.values.get(&Attribute::Closed).cloned();
            let is_marked = known.marked.contains(part);
            let write = Write {
                item: ItemKey { key: known.key.clone(), part: *part },
                expected: vec![(Attribute::Closed, old)],
                version: is_marked.then_some(item.version),
                set: vec![(Attribute::Closed, closed.encode())],
                removed: Vec::new(),
                index: if is_marked { Indexing::Clear } else { Indexing::Keep },
                expires: self.function_expires(),
            };
            if let (Written::Refused(_), true) = (self.put(&write).await?, is_marked) {
                // It was written meanwhile, and stays marked.
                let write = Write { version: None, index: Indexing::Keep, ..write };
                self.put(&write).await?;
            }
        }
        Ok(())
    }

    /// Takes the marks away of items that are as they were found.
    async fn unmark(&self, known: &Known) -> Result<(), StoreError> {
        for (part, item) in known.shares.iter().filter(|(part, _)| known.marked.contains(part)) {
            let write = Write {
                item: ItemKey { key: known.key.clone(), part: *part },
                expected: Vec::new(),
                version: Some(item.version),
                set: Vec::new(),
                removed: Vec::new(),
                index: Indexing::Clear,
                expires: self.function_expires(),
            };
            self.put(&write).await?;
        }
        Ok(())
    }

    /// Publishes a message that was written down, if there is time.
    pub(super) async fn publish<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        (function, bytes): (&Function, &[u8]),
        counts: &mut FunctionCounts,
    ) -> Result<(), Fault> {
        let finding = match message::decode(function, &weighing.detectors, bytes) {
            Ok(finding) => finding,
            Err(why @ Unreadable::Newer(_)) => {
                let why = format!("a message about a function has {why}");
                return Err(StoreError::Retryable(why).into());
            }
            Err(Unreadable::Damaged(_)) => {
                counts.lost += 1;
                return Ok(());
            }
        };
        if !self.has_time() {
            let why = "no time is left to publish what is claimed".to_owned();
            return Err(StoreError::Retryable(why).into());
        }
        sink.publish(&finding).await?;
        counts.told(finding.activity);
        Ok(())
    }

    /// Publishes the messages of a chronicle, and writes it without them.
    async fn tell<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        mut told: Pending,
        counts: &mut FunctionCounts,
    ) -> Result<(), Fault> {
        for bytes in std::mem::take(&mut told.chronicle.pending) {
            self.publish(weighing, sink, (&told.function, &bytes), counts).await?;
        }
        if self.store.settings.safeguards.publish_before_confirm {
            let write = self.chronicle_write(&told.key, Some(told.version), &told.chronicle, None);
            // Refused: another tick has found the messages too, and was faster.
            self.put(&write).await?;
        }
        Ok(())
    }
}
