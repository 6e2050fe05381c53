//! From verdicts to messages that have left: claim, publish, confirm.
//!
//! 1. The verdicts of one key are folded, in the order of their times, into the episode they belong
//!    to; the first one that belongs to none begins one.
//! 2. If that is news, a message is claimed in the latch. Whoever loses looks again at what won.
//! 3. The message is published.
//! 4. It is confirmed in the latch. Until then the claimant, and after its lease anybody, does it again.
//!
//! Invariant: a message leaves only under the start that won the latch, and is confirmed only after it
//! left; so an episode has one uid, and no message is lost, wherever this stops.

use crate::counts::Counts;
use crate::detector::{Detector, Raise, Severity};
use crate::episode::{self, Episode, Slots, covering};
use crate::fault::Fault;
use crate::finding::{Activity, Also, Finding};
use crate::judge::{Report, Verdict, raises, report_at};
use crate::key::{Key, KeyPart};
use crate::limits::{LATCH_TRIES_MAX, SAMPLES_MAX};
use crate::plan::{DetectorId, Plan};
use crate::signal::Origin;
use crate::sink::AlertSink;
use crate::standing::Other;
use crate::state::End;
use crate::store::{Claimant, Due, Latched, Place, StoreError, WindowStore};
use crate::time::{Span, Time};
use crate::umbrella::Declined;
use crate::window::Window;

/// Sends what verdicts say, over any store and any sink.
#[derive(Debug)]
pub struct Outbox<'a, S, A> {
    /// The detectors.
    pub plan: &'a Plan,
    /// Where the latches are.
    pub store: &'a S,
    /// Where messages go.
    pub sink: &'a mut A,
    /// When it is.
    pub now: Time,
    /// What has been sent is counted here.
    pub counts: &'a mut Counts,
    /// The campaigns that are one source's.
    pub declined: &'a mut Declined,
}

/// What verdicts make of an episode.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    /// How many verdicts it covers.
    covered: usize,
    /// The episode with them.
    episode: Episode,
    /// Which message is due, and the verdict that has its numbers.
    news: Option<(Activity, usize)>,
}

/// A message about an episode.
struct Message<'a> {
    place: Place,
    detector: DetectorId,
    episode: Episode,
    activity: Activity,
    report: &'a Report,
}

/// What a look at a key says of an episode that may close.
struct Look {
    slots: Slots,
    version: u64,
    report: Report,
    /// When it last raised, where that is later than its latch says.
    raised: Option<Time>,
}

impl<S: WindowStore, A: AlertSink> Outbox<'_, S, A> {
    /// Latches and publishes what the verdicts of one detector about one key say; they are in the
    /// order of their times. `sample` gives the log event that stands for a time.
    ///
    /// # Errors
    /// If the store or the sink fails; then some or all of it must be judged again.
    pub async fn settle(
        &mut self,
        place: Place,
        verdicts: &[Verdict],
        sample: impl Fn(Time) -> Option<Origin> + Send,
    ) -> Result<(), Fault> {
        let Some(first) = verdicts.first() else { return Ok(()) };
        let (mut known, detector) = (first.episodes.clone(), first.detector);
        let plan = self.plan;
        let rule = plan.detector(detector);
        let mut rest = verdicts;
        for _ in 0..LATCH_TRIES_MAX + verdicts.len() {
            let Some(next) = rest.first() else { return Ok(()) };
            let over = known.iter().find(|k| k.is_pending() && next.at >= k.last.plus(rule.quiet));
            if let Some(over) = over.cloned() {
                // A later attack follows: this one is told to its end first.
                known = self.close(&Due { place, detector, episode: over }, next.at).await?;
                continue;
            }
            let key_plan = plan.key(place.0);
            let Some(of_key) = key_plan.detector(detector) else { return Ok(()) };
            let (pane, lengthen) = (key_plan.pane(of_key), of_key.lengthen);
            let terms =
                Terms { rule, pane, lengthen, claimant: self.store.claimant(), now: self.now };
            let opens = covering(&known, next.at, rule.quiet).is_none() && next.report.is_some();
            if opens && plan.folds && self.is_told_elsewhere(place, next, pane).await? {
                rest = &rest[1..];
                continue;
            }
            if opens && self.lacks_grounds(place, next, (pane, sample(next.at))).await? {
                rest = &rest[1..];
                continue;
            }
            let Some(mut step) = step(&known, rest, &terms) else {
                rest = &rest[1..];
                continue;
            };
            if step.news.is_some() {
                let samples = &mut step.episode.samples;
                let origin = sample(next.at).filter(|origin| !samples.contains(origin));
                samples.extend(origin.filter(|_| samples.len() < SAMPLES_MAX));
            }
            let (covered, later) = rest.split_at(step.covered);
            if step.news.is_none() && known.contains(&step.episode) {
                rest = later;
                continue;
            }
            let latched =
                self.store.latch(place, detector, &known, step.episode.clone(), None).await?;
            match latched {
                Latched::Won(slots) => {
                    known = slots;
                    rest = later;
                }
                Latched::Lost(slots) => {
                    known = slots;
                    if self.store.claimant().safeguards.claim {
                        continue;
                    }
                    rest = later;
                }
            }
            let Some((activity, of)) = step.news else { continue };
            let Some(report) = &covered[of].report else { continue };
            let message = Message { place, detector, episode: step.episode, activity, report };
            known = self.publish(message, known).await?;
        }
        let why = format!("the latch of one finding of `{}` changes all the time", rule.id);
        Err(StoreError::Retryable(why).into())
    }

    /// Closes an episode that is over at `now`, or publishes again what is not known to have left; one
    /// whose opening never left is opened first. Gives the episodes as they then are.
    ///
    /// # Errors
    /// If the store or the sink fails.
    pub async fn close(&mut self, due: &Due, now: Time) -> Result<Slots, Fault> {
        let (place, detector) = (due.place, due.detector);
        let plan = self.plan;
        let quiet = plan.detector(detector).quiet;
        let Some(Look { mut slots, version, report, raised }) = self.look(due).await? else {
            return Ok(Slots::new());
        };
        let pending = |e: &&Episode| e.start == due.episode.start && e.is_pending();
        let Some(episode) = slots.iter().find(pending).cloned() else { return Ok(slots) };
        let last = raised.map_or(episode.last, |raised| raised.max(episode.last));
        let over = now >= last.plus(quiet);
        if !over && last > episode.last {
            // It went on for longer than its latch says.
            let longer = Episode { last, ..episode };
            let latched = self.store.latch(place, detector, &slots, longer, None).await?;
            let (Latched::Won(slots) | Latched::Lost(slots)) = latched;
            return Ok(slots);
        }
        let mut version = Some(version);
        if !over || episode.closed || episode.published == 0 {
            if !episode.is_unconfirmed() {
                return Ok(slots);
            }
            let activity = match episode {
                _ if episode.published == 0 => Activity::Create,
                _ if episode.closed => Activity::Close,
                _ => Activity::Update,
            };
            let done = !over || activity == Activity::Close;
            let message = Message { place, detector, episode, activity, report: &report };
            slots = self.publish(message, slots).await?;
            if done {
                return Ok(slots);
            }
            // The confirmation was a write of our own.
            version = version.map(|version| version + 1);
        }
        let open = |e: &&Episode| e.start == due.episode.start && !e.closed;
        let Some(open) = slots.iter().find(open) else { return Ok(slots) };
        let who = self.store.claimant().who;
        let episode = Episode {
            last,
            closed: true,
            claimed: open.claimed + 1,
            claimant: who,
            claimed_at: self.now,
            ..open.clone()
        };
        match self.store.latch(place, detector, &slots, episode.clone(), version).await? {
            // Somebody saw something new meanwhile: then it is not over, or theirs to close.
            Latched::Lost(slots) => Ok(slots),
            Latched::Won(slots) => {
                let activity = Activity::Close;
                let message = Message { place, detector, episode, activity, report: &report };
                self.publish(message, slots).await
            }
        }
    }

    /// Publishes a claimed message, and only then marks it published.
    async fn publish(&mut self, message: Message<'_>, slots: Slots) -> Result<Slots, Fault> {
        let safeguards = self.store.claimant().safeguards;
        if !safeguards.publish_before_confirm {
            let slots = self.confirm(&message, slots).await?;
            self.send(&message).await?;
            return Ok(slots);
        }
        self.send(&message).await?;
        self.confirm(&message, slots).await
    }

    async fn send(&mut self, message: &Message<'_>) -> Result<(), Fault> {
        let rule = self.plan.detector(message.detector);
        if !self.store.has_time() {
            let why = format!("no time is left to tell of one finding of `{}`", rule.id);
            return Err(StoreError::Retryable(why).into());
        }
        let mut finding = finding(self.plan, message, self.now);
        if !rule.covers.is_empty() {
            self.list_members(message.place.0, &mut finding).await?;
        }
        self.tell_grounds(message.place, (message.detector, message.report), &mut finding).await?;
        self.sink.publish(&finding).await?;
        self.counts.published(message.activity);
        if message.activity == Activity::Create {
            // Before it is confirmed: whoever publishes it again, since this stopped here, does this again too.
            self.follow(message.place, message.detector).await?;
        }
        Ok(())
    }

    async fn confirm(&mut self, message: &Message<'_>, mut slots: Slots) -> Result<Slots, Fault> {
        let Message { place, detector, episode, .. } = message;
        for _ in 0..LATCH_TRIES_MAX {
            let known = slots.iter().find(|known| known.start == episode.start);
            let Some(known) = known.filter(|known| known.published < episode.claimed) else {
                return Ok(slots);
            };
            let confirmed = Episode { published: episode.claimed, ..known.clone() };
            match self.store.latch(*place, *detector, &slots, confirmed, None).await? {
                Latched::Won(slots) => return Ok(slots),
                Latched::Lost(now) => slots = now,
            }
        }
        let rule = self.plan.detector(*detector);
        let why = format!("a message of `{}` left and could not be confirmed", rule.id);
        Err(StoreError::Retryable(why).into())
    }

    /// Reads the key of an episode that may close.
    async fn look(&self, due: &Due) -> Result<Option<Look>, Fault> {
        let key_plan = self.plan.key(due.place.0);
        let rule = self.plan.detector(due.detector);
        let detector = key_plan.detector(due.detector);
        let raise = raise_of(rule, due.episode.severity);
        let (Some(detector), Some(raise)) = (detector, raise) else { return Ok(None) };
        let mut look = None;
        self.store
            .read(&[due.place], |window| {
                let mut last = End { told: due.episode.last, at: due.episode.last };
                if detector.lengthen.0 > 0 {
                    // The latch does not keep up with every raise: follow them while they are close.
                    for window in window.changed_since(last.told) {
                        let close = last.told.0 + 1..last.told.plus(rule.quiet).0;
                        if close.contains(&window.told.0) && raises(self.plan, detector, &window) {
                            last = End { told: window.told, at: window.at };
                        }
                    }
                }
                let then = Window { at: last.at, told: last.told, ..*window };
                look = Some(Look {
                    slots: window.state.episodes.slots(due.detector),
                    version: window.version,
                    report: report_at(self.plan, detector, raise, &then),
                    raised: Some(last.told).filter(|told| *told > due.episode.last),
                });
            })
            .await?;
        Ok(look)
    }
}

/// What a step is taken by.
struct Terms<'a> {
    rule: &'a Detector,
    pane: Span,
    lengthen: Span,
    claimant: Claimant,
    now: Time,
}

impl Terms<'_> {
    /// Whether a verdict on an episode that covers it is worth a message, and which.
    fn news(&self, known: &Episode, verdict: &Verdict, report: &Report) -> Option<Activity> {
        let waits = known.is_unconfirmed() && !self.claimant.may_publish(known, self.now);
        let worse = verdict.severity > known.severity;
        let more = known.closed || report.leading() >= 2.0 * known.reported;
        match known.published {
            0 => (!waits || worse).then_some(Activity::Create),
            _ if waits => worse.then_some(Activity::Update),
            _ => (known.is_unconfirmed() || worse || more).then_some(Activity::Update),
        }
    }
}

/// Folds the first of `verdicts`, and all that follow and belong to the same episode, into it. `None`
/// if the first one says only that an episode goes on which is known no more.
fn step(known: &[Episode], verdicts: &[Verdict], terms: &Terms<'_>) -> Option<Step> {
    let quiet = terms.rule.quiet;
    let first = verdicts.first()?;
    let old = covering(known, first.at, quiet);
    let mut news: Option<(Activity, usize)> = None;
    let mut episode = match (old, &first.report) {
        (Some(old), _) => old.clone(),
        (None, None) => return None,
        (None, Some(report)) => begun(first, report, terms.claimant.who),
    };
    let mut covered = 0;
    for verdict in verdicts {
        if !episode.covers(verdict.at, quiet) {
            break;
        }
        covered += 1;
        if episode.is_told(verdict.at, verdict.severity) {
            continue;
        }
        let Some(report) = &verdict.report else {
            episode.last = episode.last.max(verdict.at);
            continue;
        };
        let worst = news.is_none_or(|(_, of)| verdict.severity >= verdicts[of].severity);
        let said = match news {
            Some((activity, _)) => Some(activity),
            None => terms.news(&episode, verdict, report),
        };
        episode = longer(&episode, verdict, report, terms.pane);
        if let Some(activity) = said.filter(|_| worst) {
            news = Some((activity, covered - 1));
            episode.reported = report.leading();
        }
    }
    if news.is_some() {
        episode.claimed += 1;
        episode.claimant = terms.claimant.who;
        episode.claimed_at = terms.now;
    } else if let Some(old) = old {
        // In a shared home a latch is not written for little.
        let little = terms.lengthen.0 > 0 && episode.last <= old.last.plus(terms.lengthen);
        if little {
            episode = old.clone();
        }
    }
    Some(Step { covered: covered.max(1), episode, news })
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

fn begun(verdict: &Verdict, report: &Report, who: crate::sequence::ShardId) -> Episode {
    Episode {
        start: verdict.at,
        first_seen: report.first_seen,
        last: verdict.at,
        severity: verdict.severity,
        reported: 0.0,
        peak: report.leading(),
        next_report: verdict.at,
        claimed: 0,
        published: 0,
        closed: false,
        claimant: who,
        claimed_at: Time::MIN,
        samples: smallvec::SmallVec::new(),
    }
}

/// The raise an episode of `severity` came from.
fn raise_of(rule: &Detector, severity: Severity) -> Option<&Raise> {
    rule.raises.iter().find(|raise| raise.severity == severity).or(rule.raises.last())
}

fn finding(plan: &Plan, message: &Message<'_>, now: Time) -> Finding {
    let Message { place, episode, activity, report, detector } = message;
    let rule = plan.detector(*detector);
    let key: Key = place.1;
    Finding {
        uid: episode::uid(&rule.id, &key, episode.start),
        activity: *activity,
        severity: episode.severity,
        confidence: report.confidence,
        detector: rule.id.clone(),
        title: rule.title.clone(),
        description: rule.description.clone(),
        advice: rule.advice.clone(),
        attacks: rule.attacks.clone(),
        key,
        agent: agent(plan, &key),
        time: now,
        start: episode.start,
        first_seen: episode.first_seen,
        last: episode.last,
        window: rule.window,
        quiet: rule.quiet,
        measures: report.measures.clone(),
        since: report.since.clone(),
        decided: report.decided.clone(),
        peak: episode.peak,
        sources: report.sources.clone(),
        sources_total: report.sources_total,
        samples: episode.samples.to_vec(),
        accounts: report.accounts.clone(),
        listed: report.listed.clone(),
        also: report.also.iter().map(|other| also(plan, &key, *other)).collect(),
        members: Vec::new(),
        spending: None,
    }
}

/// What the client in a key calls itself.
fn agent(plan: &Plan, key: &Key) -> Option<Box<str>> {
    let parts = std::iter::once(key.first).chain(key.second);
    let tag = parts.into_iter().find_map(|part| match part {
        KeyPart::Agent(tag) => Some(tag),
        _ => None,
    });
    plan.agents.name(tag?)
}

fn also(plan: &Plan, key: &Key, other: Other) -> Also {
    let id = &plan.detector(other.detector).id;
    let uid = other.start.map(|start| episode::uid(id, key, start));
    Also { detector: id.clone(), severity: other.severity, uid }
}
