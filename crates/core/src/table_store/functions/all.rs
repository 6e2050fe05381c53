//! The budget of all functions together: what each spent, in one item, by which the tick judges what one process judges
//! by too ([`crate::spend::all`]).
//!
//! A tick that has closed panes of functions takes them in: of each function those behind the one up to which it was
//! taken in before, as its series has them. So a tick that died, or came second, leaves nothing out and nothing counts twice:
//! the next pane of the function brings what is missing. The item is written under its version, with the messages that
//! follow; who is refused reads it again, and takes in what is not in it by then.
//!
//! A pane is judged once each function that told the one before has told it, or is silent for a day; [`RIDERS_WAIT_PANES`]
//! later without those that did not, which are waited for again once they have caught up.
//!
//! Invariant: what is told of a month is what chronicles have closed of it, each pane once.

use crate::fault::Fault;
use crate::finding::Finding;
use crate::limits::{FUNCTION_KEPT, PANES_A_TICK_MAX, RIDERS_WAIT_PANES};
use crate::meter::ledger::Function;
use crate::safeguards::Guard;
use crate::series::HISTORY_PANES;
use crate::sink::AlertSink;
use crate::spend::all::{all, burn, burns};
use crate::spend::budget::Month;
use crate::spend::course::{Course, IDLE_PANES, Noted, PANES_AN_HOUR, Weighing, start};
use crate::spend::detector::Number;
use crate::spend::episodes::Latch;
use crate::spend::tally::{Tally, Told};
use crate::store::StoreError;
use crate::table_store::bytes::Unreadable;
use crate::table_store::functions::all_bytes::AllChronicle;
use crate::table_store::functions::chronicle::Chronicle;
use crate::table_store::functions::{FunctionCounts, message};
use crate::table_store::key_bytes;
use crate::table_store::store::Invocation;
use crate::table_store::table::{Attribute, Indexing, ItemKey, Pace, Part, Table, Write, Written};
use crate::time::Time;

/// What is known of all functions together, as it was read.
#[derive(Debug, Default)]
pub(super) struct OfAll {
    version: Option<u64>,
    known: Option<AllChronicle>,
    /// Whether there is an item that cannot be read.
    is_lost: bool,
}

/// What a tick has closed.
pub(super) struct Closed {
    /// Of each function, what it came to.
    pub(super) told: Vec<Told>,
    /// The last pane that is over by the newest report.
    pub(super) target: i64,
    /// Whether each function that was due was looked at.
    pub(super) is_whole: bool,
}

impl OfAll {
    /// What a function tells that is not taken in yet.
    pub(super) fn untold(&self, course: &Course, chronicle: &Chronicle) -> Told {
        let Chronicle { first, last, closed, .. } = *chronicle;
        let function = course.function.clone();
        let known = self.known.as_ref().map(|known| &known.tally);
        let taken = known.and_then(|known| known.taken(&function));
        let from = taken.map_or(first, |taken| taken + 1).max(closed - HISTORY_PANES as i64);
        let series = course.series.get(&Number::Dollars);
        let is_refused =
            taken.is_none() && known.is_some_and(|known| !known.has_room_for(&function));
        // Of a function without dollars nothing is missing, and one that is refused tells nothing.
        let from = if series.is_some() || is_refused { from } else { closed + 1 };
        let told = series.filter(|_| !is_refused).into_iter();
        let dollars = told.flat_map(|series| (from..=closed).map(|pane| series.history().at(pane)));
        let dollars = dollars.collect();
        Told { function, first, last, closed, from, dollars }
    }
}

/// Up to which pane all are over without a word, and up to which they are judged.
///
/// Where no budget was stated for a while, or no tick ran, nobody wants to hear of a day ago. But what was told of is over
/// when it would have been: with its month, or after a day of silence, and not before all functions have told what they spent
/// until then, of which a tick closes some panes only, and some functions may fail: for those it waits while all are less than
/// two days behind.
fn goes_on(tally: &Tally, latches: &[Latch], closed: &Closed) -> (i64, i64) {
    let Closed { target, told, .. } = closed;
    if tally.is_idle() || target - tally.over <= IDLE_PANES {
        return (tally.over, *target);
    }
    let passed = target - PANES_AN_HOUR;
    let Some(open) = latches.iter().filter_map(Latch::open).map(|open| open.start).min() else {
        return (passed, *target);
    };
    let waits = tally.over > target - 2 * IDLE_PANES;
    if !closed.is_whole && waits {
        return (tally.over, tally.over);
    }
    let is_done = |of: &Told| of.closed >= (of.last + IDLE_PANES).min(*target);
    let until = told.iter().map(|of| if is_done(of) { *target } else { of.closed }).min();
    // Where nothing is told, and nobody failed, there is nothing to wait for.
    let until = until.unwrap_or(*target);
    let (_, month_end) = Month::of(open).panes();
    let is_over = month_end.min(tally.last + IDLE_PANES);
    (passed.min(is_over - 1).min(until), until)
}

/// Takes in what was told, and judges the panes that are over by it; what follows, and what is to be counted.
fn go_on(
    known: &mut AllChronicle,
    weighing: &Weighing,
    (budget, is_guarded): (f64, bool),
    (closed, now): (&Closed, Time),
) -> (Vec<Finding>, FunctionCounts) {
    let (mut counts, mut findings) = (FunctionCounts::default(), Vec::new());
    let AllChronicle { tally, latches, .. } = known;
    counts.unbudgeted = closed.told.iter().map(|told| tally.take(told, is_guarded)).sum();
    let of_rule = weighing.detectors.iter();
    let mut of_all: Vec<Latch> =
        of_rule.map(|rule| latches.get(rule.id.as_str()).cloned().unwrap_or_default()).collect();
    for _ in 0..PANES_A_TICK_MAX {
        let (passed, until) = goes_on(tally, &of_all, closed);
        if passed > tally.over {
            tally.pass_to(passed);
        }
        if tally.over >= until || tally.is_idle() {
            break;
        }
        if !closed.is_whole || tally.is_waiting() {
            if tally.over + 1 > closed.target - RIDERS_WAIT_PANES {
                break;
            }
            counts.incomplete_panes += 1;
        }
        let noted = (None, &Noted::default());
        findings.extend(burn(tally, &mut of_all, weighing, (budget, now), noted));
    }
    for (rule, latch) in weighing.detectors.iter().zip(of_all) {
        if latch.episode.is_some() {
            latches.insert(rule.id.as_str().into(), latch);
        }
    }
    let month = Month::of(start(tally.over)).start();
    latches.retain(|_, latch| latch.episode.is_some_and(|of| !of.closed || of.start >= month));
    (findings, counts)
}

impl<T: Table, P: Pace> Invocation<'_, T, P> {
    /// What is known of all functions together; nothing where they have no budget.
    pub(super) async fn of_all(
        &self,
        weighing: &Weighing,
        now: Time,
    ) -> Result<Option<OfAll>, StoreError> {
        if weighing.budgets.all.is_none() || !burns(&weighing.detectors) {
            return Ok(None);
        }
        let item = self.look(&key_bytes::ALL, Part::Chronicle).await?;
        let bytes = item.as_ref().and_then(|item| item.values.get(&Attribute::Chronicle));
        let known = bytes.map(|bytes| AllChronicle::decode(bytes)?.believed(now));
        let is_lost = matches!(known, Some(Err(Unreadable::Damaged(_))));
        let known = match known {
            Some(Ok(known)) => Some(known),
            Some(Err(why @ Unreadable::Newer(_))) => {
                let why = format!("what is known of all functions together has {why}");
                return Err(StoreError::Retryable(why));
            }
            Some(Err(Unreadable::Damaged(_))) | None => None,
        };
        Ok(Some(OfAll { version: item.map(|item| item.version), known, is_lost }))
    }

    /// Takes in what functions spent in the panes that were closed, judges all together, and publishes what follows.
    pub(super) async fn burn_all<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        (mut of_all, closed): (OfAll, Closed),
        now: Time,
        counts: &mut FunctionCounts,
    ) -> Result<(), Fault> {
        let Some(budget) = weighing.budgets.all else { return Ok(()) };
        let guard = self.store.settings.safeguards.guard != Guard::None;
        let mut patience = self.patience();
        loop {
            let is_told = match &mut of_all.known {
                // First what is known to be untold.
                Some(known) if !known.pending.is_empty() => {
                    let state = (&mut of_all.version, known);
                    self.tell_all(weighing, sink, state, counts).await?
                }
                _ => true,
            };
            if is_told {
                let Some(mut known) = of_all.known.clone().or_else(|| begun(&closed)) else {
                    return Ok(());
                };
                let (findings, counted) =
                    go_on(&mut known, weighing, (budget, guard), (&closed, now));
                if of_all.known.as_ref() == Some(&known) {
                    counts.unbudgeted += counted.unbudgeted;
                    return Ok(());
                }
                let messages = encoded(&findings);
                if self.store.settings.safeguards.publish_before_confirm {
                    known.pending = messages.clone();
                }
                if let Written::Applied(item) =
                    self.put(&self.all_write(of_all.version, &known)).await?
                {
                    counts.add(&counted);
                    counts.lost += u64::from(of_all.is_lost);
                    known.pending = messages;
                    if !known.pending.is_empty() {
                        let state = (&mut Some(item.version), &mut known);
                        self.tell_all(weighing, sink, state, counts).await?;
                    }
                    return Ok(());
                }
            }
            patience.after_refusal().await?;
            let Some(again) = self.of_all(weighing, now).await? else { return Ok(()) };
            of_all = again;
        }
    }

    /// Publishes the messages that wait, and writes what is known without them; whether nobody else has written since.
    async fn tell_all<A: AlertSink>(
        &self,
        weighing: &Weighing,
        sink: &mut A,
        (version, known): (&mut Option<u64>, &mut AllChronicle),
        counts: &mut FunctionCounts,
    ) -> Result<bool, Fault> {
        let function: Function = all();
        for bytes in std::mem::take(&mut known.pending) {
            self.publish(weighing, sink, (&function, &bytes), counts).await?;
        }
        if !self.store.settings.safeguards.publish_before_confirm {
            return Ok(true);
        }
        match self.put(&self.all_write(*version, known)).await? {
            Written::Applied(item) => {
                *version = Some(item.version);
                Ok(true)
            }
            Written::Refused(_) => Ok(false),
        }
    }

    fn all_write(&self, version: Option<u64>, known: &AllChronicle) -> Write {
        let blind = !self.store.settings.safeguards.compare_and_set;
        let absent = version.is_none() && !blind;
        Write {
            item: ItemKey { key: key_bytes::ALL.to_vec(), part: Part::Chronicle },
            expected: absent.then_some((Attribute::Chronicle, None)).into_iter().collect(),
            version: version.filter(|_| !blind),
            set: vec![(Attribute::Chronicle, known.encode())],
            removed: Vec::new(),
            index: Indexing::Keep,
            expires: self.store.pace.now().plus(FUNCTION_KEPT),
        }
    }
}

/// What is known where nothing was: from the first panes of functions on, and of what is older than an hour without
/// judging it; nor, where some function could not be looked at, of what it is still waited for.
fn begun(closed: &Closed) -> Option<AllChronicle> {
    let first = closed.told.iter().map(|told| told.first).min()?;
    let passed = if closed.is_whole { PANES_AN_HOUR } else { RIDERS_WAIT_PANES };
    let tally = Tally::new((first - 1).max(closed.target - passed));
    Some(AllChronicle { tally, latches: Default::default(), pending: Vec::new() })
}

fn encoded(findings: &[Finding]) -> Vec<Vec<u8>> {
    let encode = |finding: &Finding| Some(message::encode(finding, finding.spending.as_deref()?));
    findings.iter().filter_map(encode).collect()
}
