//! What a window cannot tell of itself: whether a key's number is a large part of everybody's, whether the log it
//! stands in holds successes at all, and whether another finding about the same key, from other signals, is open or counts
//! still. A detector may ask for either before it raises.
//!
//! How much is much depends on the application, and no fixed number says it; what everybody gets does. Both are
//! looked up when a finding would open, which is rare, and again when its messages leave, to be told. Nothing of it
//! is state: what was not opened opens once there are grounds, with the next event, or with the finding that it comes
//! after.
//!
//! At the beginning of a log nothing is known to compare with, so a share is no ground there. A share of all is
//! counted by the same panes on both sides; the key's own last event may not be in everybody's yet.

use std::pin::Pin;
use std::slice;

use crate::detector::{Detector, Measure};
use crate::episode::uid;
use crate::fault::Fault;
use crate::finding::{Accuracy, Also, Finding, Measured, Value};
use crate::judge::{Report, Verdict, judge};
use crate::key::{Key, KeyField, KeyPart};
use crate::outbox::Outbox;
use crate::plan::counting::OF_LOGS;
use crate::plan::{DetectorId, DetectorPlan, KeyPlanId};
use crate::signal::{Origin, Role};
use crate::sink::AlertSink;
use crate::store::{Place, WindowStore};
use crate::time::{Span, Time};
use crate::window::Window;

/// The name under which a finding tells its share of everything.
pub const SHARE: &str = "share_of_all";

/// So many panes of the day before must be known of everything: the first may have begun before the log did.
const PANES_MIN: usize = 2;

/// A log holds successes if there have been so many in the window.
const SUCCESSES_MIN: f64 = 50.0;

/// And if they are this share of its tries, in which an attack may be most.
const SUCCESSES_SHARE: f64 = 0.1;

/// The name under which a finding tells how many successes its log holds.
pub const LOG_SUCCESSES: &str = "log_successes";

/// What a log holds.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    successes: f64,
    tries: f64,
}

impl Log {
    fn holds_successes(self) -> bool {
        self.successes >= SUCCESSES_MIN && self.successes >= SUCCESSES_SHARE * self.tries
    }
}

/// A number over everything.
#[derive(Clone, Copy, Debug, Default)]
struct All {
    /// In the window.
    amount: f64,
    /// Of how many panes of the day before something is known.
    panes_before: usize,
}

impl<S: WindowStore, A: AlertSink> Outbox<'_, S, A> {
    /// Whether a finding that would open lacks what its detector asks for beside its conditions.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn lacks_grounds(
        &mut self,
        place: Place,
        verdict: &Verdict,
        (pane, origin): (Span, Option<Origin>),
    ) -> Result<bool, Fault> {
        let plan = self.plan;
        let Some(of_key) = plan.key(place.0).detector(verdict.detector) else { return Ok(false) };
        let Some(report) = verdict.report.as_ref().filter(|_| !of_key.is_grounded) else {
            return Ok(false);
        };
        if self.declined.holds(place, verdict.detector, verdict.at) {
            return Ok(true);
        }
        let rule = plan.detector(verdict.detector);
        let lacks = match rule.share {
            Some(share) => {
                let all = self.all(place, rule, of_key, verdict.at).await?;
                let least = f64::from(share.thousandths) / 1_000.0 * all.amount;
                all.panes_before < PANES_MIN || amount(rule, report) < least
            }
            None => false,
        };
        let lacks = lacks
            || (rule.log_holds_successes
                && !self.in_log(rule, origin.as_ref(), verdict.at).await?.holds_successes())
            || (of_key.after.is_empty()
                && !of_key.beyond.is_empty()
                && self.open_beyond(place.1, of_key, verdict.at).await?.is_empty());
        if lacks {
            self.declined.note(place, verdict.detector, verdict.at.plus(pane));
        }
        Ok(lacks)
    }

    /// Tells in a finding what its grounds are.
    ///
    /// # Errors
    /// If the store fails.
    pub(crate) async fn tell_grounds(
        &self,
        place: Place,
        (detector, report): (DetectorId, &Report),
        finding: &mut Finding,
    ) -> Result<(), Fault> {
        let of_key = self.plan.key(place.0).detector(detector);
        let Some(of_key) = of_key.filter(|of_key| !of_key.is_grounded) else { return Ok(()) };
        let rule = self.plan.detector(detector);
        if rule.share.is_some() {
            let all = self.all(place, rule, of_key, finding.last).await?;
            let share = amount(rule, report) / all.amount.max(1.0);
            let value =
                Value { amount: (share.min(1.0) * 1e4).round() / 1e4, ..error(report, rule) };
            finding.measures.push(Measured { name: SHARE.to_owned(), value });
        }
        if rule.log_holds_successes {
            let log = self.in_log(rule, finding.samples.last(), finding.last).await?;
            let value = Value { amount: log.successes, error: Accuracy::AtLeast };
            finding.measures.push(Measured { name: LOG_SUCCESSES.to_owned(), value });
        }
        finding.also.extend(self.open_beyond(place.1, of_key, finding.last).await?);
        Ok(())
    }

    /// Judges what comes after a finding that has just opened: what the same key has brought of other signals until
    /// now, as of their newest event.
    ///
    /// # Errors
    /// If the store or the sink fails.
    pub(crate) fn follow(
        &mut self,
        (of_plan, key): Place,
        opened: DetectorId,
    ) -> Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + '_>> {
        let plan = self.plan;
        let awaits = move |of_key: &DetectorPlan| of_key.beyond.contains(&(of_plan, opened));
        // Boxed, since what opens here is published as any other finding; nothing comes after that.
        Box::pin(async move {
            for (index, key_plan) in plan.keys.iter().enumerate() {
                if !key_plan.detectors.iter().any(awaits) {
                    continue;
                }
                let place = (KeyPlanId(index as u16), key);
                let mut verdicts = Vec::new();
                self.store.read(&[place], |window| verdicts.extend(judge(plan, window))).await?;
                for verdict in verdicts.iter().filter(|verdict| verdict.held_back.is_none()) {
                    if key_plan.detector(verdict.detector).is_some_and(awaits) {
                        self.declined.forget(place, verdict.detector);
                        self.settle(place, slice::from_ref(verdict), |_| None).await?;
                    }
                }
            }
            Ok(())
        })
    }

    /// The number that a share is asked of, over everything, in the window that ends at `at`.
    async fn all(
        &self,
        (of_plan, _): Place,
        rule: &Detector,
        of_key: &DetectorPlan,
        at: Time,
    ) -> Result<All, Fault> {
        let (mut all, signal) = (All::default(), self.plan.key(of_plan).signal);
        let global = self.plan.counted_by(signal, KeyField::Global).zip(rule.share);
        let Some((plan, share)) = global else { return Ok(all) };
        let measure = rule.measures[share.measure].measure;
        let Some(sum) = self.plan.key(plan).sum_of(measure) else { return Ok(all) };
        let everything = (plan, Key::of(KeyPart::Global));
        let span = of_key.span;
        self.store
            .read(&[everything], |window| {
                // Everybody's newest event may be older than this key's, or newer.
                let at = at.min(window.at);
                let window = Window { at, told: at, ..*window };
                all =
                    All { amount: window.sum(sum, span), panes_before: window.panes_before(span) };
            })
            .await?;
        Ok(all)
    }

    /// What the log of a log event holds in the window that ends at `at`; nothing where no event is known.
    async fn in_log(
        &self,
        rule: &Detector,
        origin: Option<&Origin>,
        at: Time,
    ) -> Result<Log, Fault> {
        let mut log = Log::default();
        let of_logs = self.plan.counted_by(rule.signal, KeyField::Log);
        let Some((origin, plan)) = origin.zip(of_logs) else { return Ok(log) };
        let [successes, tries] =
            OF_LOGS.map(|filter| self.plan.key(plan).sum_of(Measure::Count(Role::Attempt, filter)));
        let Some((successes, tries)) = successes.zip(tries) else { return Ok(log) };
        let key = Key::of(KeyPart::Log(origin.stream.log()));
        self.store
            .read(&[(plan, key)], |window| {
                let at = at.min(window.at);
                let window = Window { at, told: at, ..*window };
                let sum = |of| window.sum(of, rule.window);
                log = Log { successes: sum(successes), tries: sum(tries) };
            })
            .await?;
        Ok(log)
    }

    /// The findings about the same key, from other signals, that a detector comes after: open ones, and such as count
    /// still.
    async fn open_beyond(
        &self,
        key: Key,
        of_key: &DetectorPlan,
        at: Time,
    ) -> Result<Vec<Also>, Fault> {
        let mut open = Vec::new();
        for (other_plan, id) in &of_key.beyond {
            let rule = self.plan.detector(*id);
            self.store
                .read(&[(*other_plan, key)], |window| {
                    let within = of_key.after_within;
                    let known = window.state.episodes.of(*id);
                    let known = known.filter(|known| known.is_followed(at, rule.quiet, within));
                    open.extend(known.last().map(|known| Also {
                        detector: rule.id.clone(),
                        severity: known.severity,
                        // One whose first message is on its way has its uid already.
                        uid: (known.claimed > 0).then(|| uid(&rule.id, &key, known.start)),
                    }));
                })
                .await?;
        }
        Ok(open)
    }
}

/// The number a share is asked of.
fn amount(rule: &Detector, report: &Report) -> f64 {
    let of = rule.share.and_then(|share| report.measures.get(share.measure));
    of.map_or(0.0, |measured| measured.value.amount)
}

/// How far that number may be off.
fn error(report: &Report, rule: &Detector) -> Value {
    let of = rule.share.and_then(|share| report.measures.get(share.measure));
    let error = of.map_or(Accuracy::AtLeast, |measured| measured.value.error);
    Value { amount: 0.0, error }
}
