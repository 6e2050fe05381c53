//! The pipeline from a signal to a finding, over any store and any sink.
//!
//! Embedded every signal is a batch of its own, judged at its own event time, in input order: so
//! where the input was cut into reads, records or lines changes nothing. `now` is the newest accepted
//! event time, or later where the caller's clock has run on.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::admission::{Admission, Gate};
use crate::contribution::{Contribution, Point, Source};
use crate::detector::{Detector, Raise, Severity};
use crate::episode::{self, Episode};
use crate::finding::{Activity, Finding};
use crate::judge::{Report, Verdict, judge, report};
use crate::key::Key;
use crate::limits::SAMPLES_MAX;
use crate::plan::{DetectorId, KeyPlan, KeyPlanId, Plan, Shape};
use crate::signal::{Auth, Body, Origin, Role, Signal};
use crate::sink::{AlertSink, SinkError};
use crate::store::{Due, Latched, StoreError, WindowStore};
use crate::tag::TagKey;
use crate::time::{Span, Time};
use crate::window::Window;

/// Runs signals through detectors.
#[derive(Debug)]
pub struct Engine<S, A> {
    plan: Arc<Plan>,
    store: S,
    sink: A,
    key: TagKey,
    gate: Gate,
    now: Time,
    counts: Counts,
}

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Signals that decide a try.
    pub attempts: u64,
    /// Signals that mention one.
    pub mentions: u64,
    /// Signals that came too late for a key they belong to.
    pub late: u64,
    /// Findings opened.
    pub created: u64,
    /// Findings updated.
    pub updated: u64,
    /// Findings closed.
    pub closed: u64,
    /// Signals that were not counted for a key, because there was no memory for it.
    pub points_refused: u64,
    /// Signals whose distinct count fell back to a lower bound, because there was no memory.
    pub sketches_refused: u64,
}

/// Why the pipeline stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sink failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

impl<S: WindowStore, A: AlertSink> Engine<S, A> {
    /// A pipeline that has seen nothing. `key` tags source addresses.
    pub fn new(plan: Arc<Plan>, store: S, sink: A, key: TagKey, admission: Admission) -> Self {
        Engine {
            plan,
            store,
            sink,
            key,
            gate: Gate::new(admission),
            now: Time::MIN,
            counts: Counts::default(),
        }
    }

    /// What went through so far.
    pub fn counts(&self) -> Counts {
        self.counts
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
    pub async fn observe(&mut self, signal: &Signal) -> Result<(), EngineError> {
        if !self.gate.lets_in(signal) {
            return Ok(());
        }
        let Body::Auth(auth) = &signal.body;
        match auth.role {
            Role::Attempt => self.counts.attempts += 1,
            Role::Mention => self.counts.mentions += 1,
        }
        if signal.time > self.now {
            self.tick(signal.time).await?;
        }
        let plan = Arc::clone(&self.plan);
        let shape = Shape::of(auth);
        let mut late = false;
        for (index, key_plan) in plan.keys.iter().enumerate() {
            if key_plan.shape(shape).is_empty() {
                continue;
            }
            let Some(key) = Key::of_signal(&key_plan.fields, signal) else { continue };
            let point = self.point(key_plan, &key, signal, auth, shape);
            late |= self.contribute(KeyPlanId(index as u16), key, point, &signal.origin).await?;
        }
        self.counts.late += u64::from(late);
        Ok(())
    }

    /// Moves `now` forward and closes the episodes that have been quiet.
    ///
    /// # Errors
    /// If the store or the sink fails.
    pub async fn tick(&mut self, now: Time) -> Result<(), EngineError> {
        self.now = self.now.max(now);
        for due in self.store.due(self.now).await? {
            // Where somebody else has changed the episode meanwhile, it is theirs to close.
            let _closed = self.close(due).await?;
        }
        Ok(())
    }

    /// STUB: Deals with a batch of one shard. `now` is the wall clock.
    #[allow(clippy::unimplemented)]
    pub async fn deliver(
        &mut self,
        records: &[crate::delivery::Record],
        now: Time,
    ) -> crate::delivery::Acknowledged {
        let _ = (records, now);
        unimplemented!()
    }

    fn point(
        &self,
        plan: &KeyPlan,
        key: &Key,
        signal: &Signal,
        auth: &Auth,
        shape: Shape,
    ) -> Point {
        let tagged = plan.counts_sources() || !plan.tells_source(key.first);
        let source = auth.source.map(|address| Source {
            address,
            tag: if tagged { self.key.source(address) } else { 0 },
        });
        Point {
            time: signal.time,
            event: signal.event,
            shape,
            attempts: auth.attempts,
            user: auth.user,
            source,
        }
    }

    /// Merges one point and settles what its windows say. Says whether it came too late.
    async fn contribute(
        &mut self,
        plan_id: KeyPlanId,
        key: Key,
        point: Point,
        origin: &Origin,
    ) -> Result<bool, EngineError> {
        let contribution = Contribution { plan: plan_id, key, points: smallvec![point] };
        let mut verdicts: SmallVec<[Verdict; 1]> = SmallVec::new();
        let plan = &self.plan;
        let merged = self
            .store
            .merge(std::slice::from_ref(&contribution), self.now, |window, _| {
                let detectors = &window.plan.detectors;
                verdicts.extend(detectors.iter().filter_map(|d| judge(plan, d, window)));
            })
            .await?;
        self.counts.points_refused += merged.points_refused;
        self.counts.sketches_refused += merged.sketches_refused;
        // A late event is judged twice: the second verdict builds on what the first one latched.
        for i in 0..verdicts.len() {
            let Some(latched) = self.settle(plan_id, key, &verdicts[i], origin).await? else {
                continue;
            };
            let detector = verdicts[i].detector;
            for later in verdicts[i + 1..].iter_mut().filter(|later| later.detector == detector) {
                later.episode = Some(latched.clone());
            }
        }
        Ok(merged.late > 0)
    }

    /// Turns a verdict into a new, longer or worse episode, publishes where there is news, and gives
    /// the episode as it stands; `None` if somebody else has changed it meanwhile.
    async fn settle(
        &mut self,
        plan_id: KeyPlanId,
        key: Key,
        verdict: &Verdict,
        origin: &Origin,
    ) -> Result<Option<Episode>, EngineError> {
        let plan = Arc::clone(&self.plan);
        let rule = plan.detector(verdict.detector);
        let place = (plan_id, key, verdict.detector);
        let mut known = verdict.episode.clone();
        let Some(report) = &verdict.report else {
            let Some(known) = known else { return Ok(None) };
            let longer = Episode { last: known.last.max(verdict.at), ..known.clone() };
            return self.latch(place, Some(&known), longer).await;
        };
        if let Some(over) = known.take_if(|k| k.is_pending() && !k.covers(verdict.at, rule.quiet)) {
            let detector = verdict.detector;
            known = self.close(Due { plan: plan_id, key, detector, episode: over }).await?;
            if known.is_none() {
                return Ok(None);
            }
        }
        let key_plan = plan.key(plan_id);
        let Some(detector) = key_plan.detector(verdict.detector) else { return Ok(None) };
        let pane = key_plan.resolutions[detector.ring].pane;
        let (activity, mut episode) = match &known {
            Some(known) if known.covers(verdict.at, rule.quiet) => {
                (news(known, verdict, report), longer(known, verdict, report, pane))
            }
            _ => (Some(Activity::Create), begun(verdict, report, pane)),
        };
        if activity.is_some() {
            episode.claimed += 1;
            episode.reported = report.leading();
            if episode.samples.len() < SAMPLES_MAX && !episode.samples.contains(origin) {
                episode.samples.push(origin.clone());
            }
        }
        let latched = self.latch(place, known.as_ref(), episode).await?;
        match (activity, latched) {
            (Some(activity), Some(claimed)) => self.publish(place, claimed, activity, report).await,
            (_, latched) => Ok(latched),
        }
    }

    /// Closes an episode, or publishes its closing again, and gives it as it then stands. One whose
    /// opening never left is opened first.
    async fn close(&mut self, due: Due) -> Result<Option<Episode>, EngineError> {
        let plan = Arc::clone(&self.plan);
        let key_plan = plan.key(due.plan);
        let rule = plan.detector(due.detector);
        let detector = key_plan.detector(due.detector);
        let raise = raise_of(rule, due.episode.severity);
        let (Some(detector), Some(raise)) = (detector, raise) else { return Ok(None) };
        let mut numbers = None;
        self.store
            .read(&[(due.plan, due.key)], |window| {
                let window = Window { at: due.episode.last, ..*window };
                numbers = Some(report(rule, detector, raise, &window));
            })
            .await?;
        let Some(numbers) = numbers else { return Ok(None) };
        let place = (due.plan, due.key, due.detector);
        let mut episode = due.episode;
        if episode.published == 0 {
            let opened = self.publish(place, episode, Activity::Create, &numbers).await?;
            let Some(opened) = opened else { return Ok(None) };
            episode = opened;
        }
        if !episode.closed {
            let closed = Episode { closed: true, claimed: episode.claimed + 1, ..episode.clone() };
            let Some(latched) = self.latch(place, Some(&episode), closed).await? else {
                return Ok(None);
            };
            episode = latched;
        }
        self.publish(place, episode, Activity::Close, &numbers).await
    }

    /// Gives the new episode if the latch was as expected.
    async fn latch(
        &self,
        (plan, key, detector): (KeyPlanId, Key, DetectorId),
        expected: Option<&Episode>,
        new: Episode,
    ) -> Result<Option<Episode>, EngineError> {
        let latched = self.store.latch(plan, &key, detector, expected, new.clone()).await?;
        Ok((latched == Latched::Won).then_some(new))
    }

    /// Publishes a claimed message, and only then marks it published.
    async fn publish(
        &mut self,
        place: (KeyPlanId, Key, DetectorId),
        episode: Episode,
        activity: Activity,
        report: &Report,
    ) -> Result<Option<Episode>, EngineError> {
        let rule = self.plan.detector(place.2);
        let finding = finding(rule, place.1, &episode, activity, report, self.now);
        self.sink.publish(&finding).await?;
        match activity {
            Activity::Create => self.counts.created += 1,
            Activity::Update => self.counts.updated += 1,
            Activity::Close => self.counts.closed += 1,
        }
        let confirmed = Episode { published: episode.claimed, ..episode.clone() };
        self.latch(place, Some(&episode), confirmed).await
    }
}

/// Whether a verdict on an episode that covers it is worth a message, and which.
fn news(known: &Episode, verdict: &Verdict, report: &Report) -> Option<Activity> {
    if known.published == 0 {
        return Some(Activity::Create);
    }
    let news = known.published < known.claimed
        || known.closed
        || verdict.severity > known.severity
        || report.leading() >= 2.0 * known.reported;
    news.then_some(Activity::Update)
}

/// The episode with a verdict it covers.
fn longer(known: &Episode, verdict: &Verdict, report: &Report, pane: Span) -> Episode {
    Episode {
        last: known.last.max(verdict.at),
        next_report: verdict.at.plus(pane),
        severity: known.severity.max(verdict.severity),
        peak: known.peak.max(report.leading()),
        closed: false,
        ..known.clone()
    }
}

fn begun(verdict: &Verdict, report: &Report, pane: Span) -> Episode {
    Episode {
        start: verdict.at,
        first_seen: report.first_seen,
        last: verdict.at,
        severity: verdict.severity,
        reported: 0.0,
        peak: report.leading(),
        next_report: verdict.at.plus(pane),
        claimed: 0,
        published: 0,
        closed: false,
        samples: SmallVec::new(),
    }
}

/// The raise an episode of `severity` came from.
fn raise_of(rule: &Detector, severity: Severity) -> Option<&Raise> {
    rule.raises.iter().find(|raise| raise.severity == severity)
}

fn finding(
    rule: &Detector,
    key: Key,
    episode: &Episode,
    activity: Activity,
    report: &Report,
    now: Time,
) -> Finding {
    Finding {
        uid: episode::uid(&rule.id, &key, episode.start),
        activity,
        severity: episode.severity,
        detector: rule.id.clone(),
        title: rule.title.clone(),
        description: rule.description.clone(),
        advice: rule.advice.clone(),
        attacks: rule.attacks.clone(),
        key,
        time: now,
        start: episode.start,
        first_seen: episode.first_seen,
        last: episode.last,
        window: rule.window,
        quiet: rule.quiet,
        measures: report.measures.clone(),
        decided: report.decided.clone(),
        peak: episode.peak,
        sources: report.sources.clone(),
        sources_total: report.sources_total,
        samples: episode.samples.to_vec(),
    }
}
