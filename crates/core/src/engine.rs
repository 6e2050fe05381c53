//! The pipeline from a signal to a finding, over any store and any sink.
//!
//! Embedded every signal is a batch of its own, judged at its own event time, in input order: so
//! where the input was cut into reads, records or lines changes nothing. `now` is the newest accepted
//! event time, or later where the caller's clock has run on.
//!
//! Deployed a batch is what Lambda was given of one shard. Its points are gathered by key, merged with
//! one write a key, judged as of every window end they may have changed, and acknowledged up to the
//! first record of which something was not applied, judged and published.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::admission::{Admission, Gate};
use crate::allow::{Allowed, Held, Ledger};
use crate::contribution::{Again, Contribution, Point};
use crate::counts::Counts;
use crate::delivery::{Acknowledged, Record};
use crate::fault::Fault;
use crate::finding::Finding;
use crate::gathered::{Gathered, sample};
use crate::judge::{Verdict, judge, judge_looked};
use crate::key_ring::{LiveKey, Phase};
use crate::outbox::Outbox;
use crate::plan::{DetectorPlan, Plan};
use crate::points::{LatestLog, Points, point, tried};
use crate::reading::Looked;
use crate::shape::Shape;
use crate::signal::{Auth, Body, Origin, Signal};
use crate::sink::AlertSink;
use crate::slack::Slack;
use crate::spend::watch::Watch;
use crate::store::{DueNow, Merged, Place, WindowStore};
use crate::time::Time;
use crate::umbrella::Declined;
use crate::window::Window;

/// Runs signals through detectors.
#[derive(Debug)]
pub struct Engine<S, A> {
    plan: Arc<Plan>,
    store: S,
    sink: A,
    keys: Phase,
    gate: Gate,
    now: Time,
    counts: Counts,
    declined: Declined,
    held_back: Ledger,
    /// The log of the latest signal.
    log: LatestLog,
    /// What watches functions, where somebody does.
    watch: Option<Box<Watch>>,
}

impl<S: WindowStore, A: AlertSink> Engine<S, A> {
    /// A pipeline that has seen nothing. `keys` tag source addresses, and say which tags are judged.
    pub fn new(
        plan: Arc<Plan>,
        store: S,
        sink: A,
        keys: impl Into<Phase>,
        admission: Admission,
    ) -> Self {
        let keys = keys.into();
        Engine {
            plan,
            store: store.reading(keys.reading.generation()),
            sink,
            keys,
            gate: Gate::new(admission),
            now: Time::MIN,
            counts: Counts::default(),
            declined: Declined::default(),
            held_back: Ledger::default(),
            log: LatestLog::default(),
            watch: None,
        }
    }

    /// The same, which also watches what functions take, if somebody does.
    pub fn watching(self, watch: Option<Watch>) -> Self {
        Engine { watch: watch.map(Box::new), ..self }
    }

    /// What watches functions.
    pub fn watch(&self) -> Option<&Watch> {
        self.watch.as_deref()
    }

    /// What signals are run through.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What went through so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The entries of the allowlist, and what each has held back.
    pub fn held_back(&self) -> impl Iterator<Item = (&Allowed, Held)> {
        let entries = self.plan.allow.entries.iter().enumerate();
        entries.map(|(nth, entry)| (entry, self.held_back.of(nth)))
    }

    /// Which signals were not believed.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Believes event times up to `latest` from now on, if that is later than before.
    pub fn believe_until(&mut self, latest: Time) {
        self.gate.extend_to(latest);
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The sink.
    pub fn sink(&mut self) -> &mut A {
        &mut self.sink
    }

    /// The newest accepted event time, or what [`Engine::tick`] was told, whichever is later.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Counts a signal, judges every key it belongs to, and publishes what follows from it.
    ///
    /// # Errors
    /// If the store or the sink fails; the signal may then have been counted.
    pub async fn observe(&mut self, signal: &Signal) -> Result<(), Fault> {
        if !self.gate.lets_in(signal) {
            return Ok(());
        }
        self.counts.note(signal);
        if !matches!(signal.body, Body::Auth(_)) {
            let told = self.watch.as_mut().map(|watch| watch.observe(signal));
            self.publish(told.unwrap_or_default()).await?;
        }
        let Some(auth) = &tried(&self.plan, signal) else { return Ok(()) };
        let allowed = self.plan.allow.of_signal(auth, signal.time);
        match allowed {
            Some(entry) => self.held_back.note_signal(entry),
            // Whoever is allowed does not even move the clock: others' findings are as without them.
            None if signal.time > self.now => self.tick(signal.time).await?,
            None => {}
        }
        let (mut late, mut repeated) = (false, false);
        let mut points = Points::of(signal, auth, &self.keys.reading.key);
        while let Some(place) = self.put_down(&mut points, allowed.is_some()) {
            let counted = self.contribute(place, points.point, &signal.origin).await?;
            late |= counted.late;
            repeated |= counted.repeated;
        }
        self.counts.late += u64::from(late);
        self.counts.repeated += u64::from(repeated);
        Ok(())
    }

    /// Moves `now` forward, judges what is judged at the tick only, and closes the episodes that have
    /// been quiet.
    ///
    /// # Errors
    /// If the store or the sink fails; what fails about one key keeps no other from being dealt with,
    /// and is due again at the next tick.
    pub async fn tick(&mut self, now: Time) -> Result<(), Fault> {
        self.now = self.now.max(now);
        if let Some(watch) = &mut self.watch {
            let told = watch.advance(now);
            self.publish(told).await?;
        }
        if !self.store.may_be_due(self.now) {
            return Ok(());
        }
        let plan = Arc::clone(&self.plan);
        let mut shown: Vec<(Place, Vec<Verdict>)> = Vec::new();
        let due = self.store.due(self.now, |place, window| {
            let said = judge(&plan, window);
            // The windows of a key come one after the other.
            match shown.last_mut().filter(|(last, _)| *last == place) {
                Some((_, verdicts)) => verdicts.extend(said),
                None => shown.push((place, said.into_vec())),
            }
        });
        let DueNow { due, failed, shares_lost } = due.await?;
        self.counts.shares_lost += shares_lost.len() as u64;
        if due.is_empty() && failed.is_empty() && shown.is_empty() {
            return Ok(());
        }
        let mut first = failed.into_iter().next().map(Fault::from);
        for (place, verdicts) in shown {
            match self.settle_shown(&plan, place, verdicts).await {
                Ok(()) => {}
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        for due in due {
            let now = self.now;
            match self.outbox(&plan).close(&due, now).await {
                // Where somebody else has changed the episode meanwhile, it is theirs to close.
                Ok(_slots) => {}
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Says that the input is at its end: tells what follows from the last panes of functions.
    ///
    /// # Errors
    /// If the sink fails.
    pub async fn ended(&mut self) -> Result<(), Fault> {
        let told = self.watch.as_mut().map(|watch| watch.ended());
        self.publish(told.unwrap_or_default()).await
    }

    /// Publishes findings about functions.
    async fn publish(&mut self, findings: Vec<Finding>) -> Result<(), Fault> {
        for finding in &findings {
            self.sink.publish(finding).await?;
            self.counts.published(finding.activity);
        }
        Ok(())
    }

    async fn settle_shown(
        &mut self,
        plan: &Plan,
        place: Place,
        mut verdicts: Vec<Verdict>,
    ) -> Result<(), Fault> {
        for told in by_detector(&mut verdicts) {
            if !self.holds_back(place, told) {
                self.outbox(plan).settle(place, told, |_| None).await?;
            }
        }
        Ok(self.store.dealt_with(place).await?)
    }

    /// Deals with a batch of one shard: counts, judges, publishes, and says how far it came. `now` is
    /// the wall clock; event times are believed by each record's arrival. However often a record is
    /// delivered, and with whichever others, the outcome is the same. While there are two keys, over the
    /// shared home only.
    pub async fn deliver(&mut self, records: &[Record], now: Time) -> Acknowledged {
        self.now = self.now.max(now);
        let plan = Arc::clone(&self.plan);
        let (contributions, origins) = self.gather(&plan, records).finish();
        let mut acknowledged = Acknowledged::default();
        if contributions.is_empty() {
            return acknowledged;
        }
        let mut verdicts: Vec<Vec<Verdict>> = vec![Vec::new(); contributions.len()];
        let merged = self.store.merge(&contributions, self.now, |at, window| {
            verdicts[at].extend(judge(&plan, window));
            Slack::NONE
        });
        let mut given_back = vec![false; contributions.len()];
        match merged.await {
            Ok(merged) => {
                self.counts.add(&merged);
                self.counts.repeated += merged.repeated;
                for (at, error) in merged.unapplied {
                    given_back[at] = true;
                    acknowledged.give_back(&contributions[at], error.into());
                }
            }
            Err(error) => {
                given_back.fill(true);
                for contribution in &contributions {
                    acknowledged.give_back(contribution, error.clone().into());
                }
            }
        }
        for (at, (contribution, origins)) in contributions.iter().zip(&origins).enumerate() {
            let created = self.counts.created;
            let from = (contribution, origins.as_slice());
            // Boxed, since most batches raise nothing, and a future within futures is as large as all of them.
            let mut settled = match verdicts[at].as_mut_slice() {
                [] => Ok(()),
                verdicts => Box::pin(self.settle_batch(&plan, from, verdicts)).await,
            };
            if settled.is_ok() && self.counts.created > created {
                settled = Box::pin(self.settle_followers(&plan, from)).await;
            }
            if let Err(fault) = settled {
                given_back[at] = true;
                acknowledged.give_back(contribution, fault);
            }
        }
        if !self.store.claimant().safeguards.partial_acknowledgement {
            acknowledged.first_unapplied = None;
        }
        let done = contributions.iter().zip(&given_back).filter(|(_, given_back)| !**given_back);
        let done: Vec<&Contribution> = done.map(|(contribution, _)| contribution).collect();
        self.store.ended(&done, acknowledged.first_unapplied.is_some());
        acknowledged
    }

    /// Tells what the verdicts about one key of a batch say; of the faults the first.
    async fn settle_batch(
        &mut self,
        plan: &Plan,
        (contribution, origins): (&Contribution, &[&Origin]),
        verdicts: &mut [Verdict],
    ) -> Result<(), Fault> {
        let place = (contribution.plan, contribution.key);
        let mut first = None;
        for told in by_detector(verdicts) {
            if self.holds_back(place, told) {
                continue;
            }
            let sample = |time| sample(contribution, origins, time);
            let settled = self.outbox(plan).settle(place, told, sample).await;
            first = first.or(settled.err());
        }
        first.map_or(Ok(()), Err)
    }

    /// Judges a key once more where a finding has opened that others come after: what raises nothing but behind it may
    /// have come in the same batch, or in another shard's before.
    async fn settle_followers(
        &mut self,
        plan: &Plan,
        from: (&Contribution, &[&Origin]),
    ) -> Result<(), Fault> {
        let place = (from.0.plan, from.0.key);
        let key_plan = plan.key(place.0);
        let follows = |detector: &DetectorPlan| !detector.after.is_empty();
        if !key_plan.detectors.iter().any(follows) {
            return Ok(());
        }
        let (earliest, mut verdicts) = (from.0.earliest(), Vec::new());
        let view = |window: &Window<'_>| {
            verdicts.extend(window.changed_since(earliest).flat_map(|window| judge(plan, &window)));
        };
        self.store.read(&[place], view).await?;
        verdicts.retain(|verdict| key_plan.detector(verdict.detector).is_some_and(follows));
        self.settle_batch(plan, from, &mut verdicts).await
    }

    /// A batch by key: each signal under the key that is judged, and under the other one where there is
    /// one.
    fn gather<'a>(&mut self, plan: &Plan, records: &'a [Record]) -> Gathered<'a> {
        let Phase { reading, other, .. } = self.keys;
        let writing = self.keys.writing(self.now);
        let mut batch = Gathered::default();
        for record in records {
            let again = if other.is_some() { record.signals.len() } else { 0 };
            assert_eq!(record.again.len(), again, "its signals are under both keys or one");
            for (nth, signal) in record.signals.iter().enumerate() {
                let Some(time) = self.gate.lets_in_live(signal, record.arrival) else { continue };
                self.counts.note(signal);
                let again = record.again.get(nth);
                let event = self.keys.event(signal, again);
                let Some(auth) = tried(plan, signal) else { continue };
                let shape = Shape::of(&auth);
                let allowed = plan.allow.of_signal(&auth, time);
                if let Some(entry) = allowed {
                    self.held_back.note_signal(entry);
                }
                // What the other key makes of it, where there is one.
                let theirs = writing
                    .zip(again)
                    .and_then(|(key, again)| Some((key, again, tried(plan, again)?)));
                for id in plan.selecting(auth.action, shape) {
                    let (id, key_plan) = (*id, plan.key(*id));
                    // Under another key it is another name's tag.
                    let mut of = |key: &LiveKey, said: (&Signal, &Auth)| {
                        let tags = (|address| key.key.source(address), key.generation());
                        let (signal, auth) = said;
                        let said = (signal, auth, shape);
                        let (key, point) = point(key_plan, tags, said, &mut self.log)?;
                        Some(((id, key), Point { time, event, ..point }))
                    };
                    let Some((place, point)) = of(&reading, (signal, &auth)) else { continue };
                    if allowed.is_some() && !plan.allow.counts(&place.1, time) {
                        continue;
                    }
                    let theirs =
                        theirs.as_ref().and_then(|(key, signal, auth)| of(key, (signal, auth)));
                    let from = (record.sequence, &signal.origin);
                    match theirs {
                        // A user's state under the other tag is a state of its own.
                        Some((theirs, again)) if key_plan.names_users() => {
                            batch.add(place, (point, None), true, from);
                            batch.add(theirs, (again, None), false, from);
                        }
                        theirs => {
                            let again = theirs.map(|(_, point)| Again::of(&point));
                            batch.add(place, (point, again), true, from);
                        }
                    }
                }
            }
        }
        batch
    }

    /// The next of a signal's keys whose point has to be merged: those before it are put down.
    fn put_down(&mut self, points: &mut Points<'_>, is_allowed: bool) -> Option<Place> {
        let Engine { plan, store, log, .. } = self;
        let mut merged = Merged::default();
        let next = loop {
            let Some(place) = points.next(plan, log) else { break None };
            if is_allowed && !plan.allow.counts(&place.1, points.signal.time) {
                continue;
            }
            if !store.put_down(&place, &points.point, &mut merged) {
                break Some(place);
            }
        };
        self.counts.add(&merged);
        next
    }

    /// Merges one point and settles what its windows say.
    async fn contribute(
        &mut self,
        place: Place,
        point: Point,
        origin: &Origin,
    ) -> Result<Counted, Fault> {
        let (of_plan, key) = place;
        let points = smallvec![point];
        let contribution = Contribution { points, ..Contribution::to(of_plan, key) };
        let mut verdicts: SmallVec<[Verdict; 1]> = SmallVec::new();
        let plan = &self.plan;
        let mut merged = self
            .store
            .merge(std::slice::from_ref(&contribution), self.now, |_, window| {
                let looked = &mut Looked::new(window.plan);
                let slack = Slack::of(plan, window, looked);
                if slack.is_none() {
                    verdicts.extend(judge_looked(plan, window, looked));
                }
                slack
            })
            .await?;
        self.counts.add(&merged);
        if !verdicts.is_empty() {
            let plan = Arc::clone(&self.plan);
            // A late event is judged twice, and both verdicts of a detector are told as one.
            for told in by_detector(&mut verdicts) {
                if !self.holds_back(place, told) {
                    self.outbox(&plan).settle(place, told, |_| Some(origin.clone())).await?;
                }
            }
        }
        match merged.unapplied.pop() {
            Some((_, error)) => Err(error.into()),
            None => Ok(Counted { late: merged.late > 0, repeated: merged.repeated > 0 }),
        }
    }

    /// Whether verdicts of one detector are held back; then they are counted, and neither latched nor told.
    fn holds_back(&mut self, place: Place, verdicts: &[Verdict]) -> bool {
        let mut any = false;
        for verdict in verdicts {
            let Some(entry) = verdict.held_back else { continue };
            let of = (place, verdict.detector);
            let quiet = self.plan.detector(verdict.detector).quiet;
            let is_new = self.held_back.note(of, quiet, verdict.at, entry);
            self.counts.suppressed += u64::from(is_new);
            any = true;
        }
        any
    }

    fn outbox<'a>(&'a mut self, plan: &'a Plan) -> Outbox<'a, S, A> {
        let Engine { store, sink, now, counts, declined, .. } = self;
        Outbox { plan, store, sink, now: *now, counts, declined }
    }
}

/// The verdicts about one key, those of each detector together and in the order of their times; those that
/// are held back come apart from the others.
fn by_detector(verdicts: &mut [Verdict]) -> impl Iterator<Item = &[Verdict]> {
    let of = |verdict: &Verdict| (verdict.detector, verdict.held_back.is_some());
    verdicts.sort_by_key(|verdict| (of(verdict), verdict.at));
    verdicts.chunk_by(move |a, b| of(a) == of(b))
}

/// How one point was counted.
#[derive(Clone, Copy)]
struct Counted {
    late: bool,
    repeated: bool,
}
