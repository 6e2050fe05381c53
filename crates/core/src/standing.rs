//! Who else raises about a key, and which of them all tells it: one attack is one finding, however many
//! detectors see it.
//!
//! Among the detectors that stand at a window (their conditions hold there, or a finding of theirs is open) the
//! worst leads and tells; the others are listed in its finding. Of several that are equally bad the one whose
//! finding is open already goes on, unless it names another in `unless`: that one tells the same better.
//! Detectors that come `after` others, or ask for a share of everything, tell something more, so they neither lead
//! nor are led. For them a finding may count that is closed: see [`crate::detector::Detector::after_within`].
//!
//! Invariant: of those that stand one leads, in whatever order they are asked; so folding never makes all of
//! them quiet. Only `unless` does, of two that each leave it to the other.

use smallvec::SmallVec;

use crate::detector::{Raise, Severity};
use crate::episode::{Episode, covering};
use crate::judge::held;
use crate::plan::{DetectorId, DetectorPlan, Plan};
use crate::reading::Looked;
use crate::time::Time;
use crate::window::Window;

/// How the detectors of a key stand at a window.
#[derive(Debug)]
pub(crate) struct Standing<'a> {
    stands: SmallVec<[Stands<'a>; 16]>,
    window: Window<'a>,
    /// Who tells, and among those whose findings are held back who is counted.
    leaders: [Option<DetectorId>; 2],
}

/// How one detector stands.
#[derive(Clone, Copy, Debug)]
struct Stands<'a> {
    detector: &'a DetectorPlan,
    /// How badly: by its conditions, or by its open finding, whichever is worse.
    severity: Option<Severity>,
    /// Its open episode.
    open: Option<&'a Episode>,
    /// The entry of the allowlist that holds back what it says.
    held_back: Option<usize>,
}

/// Another detector that raises about the same key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other {
    /// Which.
    pub detector: DetectorId,
    /// How badly.
    pub severity: Severity,
    /// When its finding began, where one was told and is open, or counts still.
    pub start: Option<Time>,
}

impl<'a> Standing<'a> {
    /// By the window alone.
    pub(crate) fn at(plan: &Plan, window: &Window<'a>) -> Standing<'a> {
        let looked = &mut Looked::new(window.plan);
        let detectors = window.plan.detectors.iter();
        let raises = detectors.map(|detector| held(plan, detector, window, looked));
        let raises: SmallVec<[Option<&Raise>; 16]> = raises.collect();
        Standing::of(plan, window, &raises)
    }

    /// With the worst severity of each detector whose conditions hold, in the order of the key's detectors.
    pub(crate) fn of(plan: &Plan, window: &Window<'a>, raises: &[Option<&Raise>]) -> Standing<'a> {
        let detectors = window.plan.detectors.iter().zip(raises);
        let stands = detectors.map(|(detector, raise)| {
            let quiet = plan.detector(detector.id).quiet;
            let known = covering(window.state.episodes.of(detector.id), window.told, quiet);
            let open = known.filter(|known| !known.closed);
            // Whether one that asks for more than its conditions raises is not known until it has.
            let raise = raise.filter(|_| detector.is_grounded);
            let severity = open.map(|known| known.severity).max(raise.map(|raise| raise.severity));
            let id = &plan.detector(detector.id).id;
            let held_back = plan.allow.holds_back(window.key, id, window.told);
            Stands { detector, severity, open, held_back }
        });
        let stands: SmallVec<[Stands<'a>; 16]> = stands.collect();
        let leaders = [false, true].map(|held_back| leader(&stands, held_back));
        Standing { stands, window: *window, leaders }
    }

    /// How badly `id` stands.
    pub(crate) fn severity(&self, id: DetectorId) -> Option<Severity> {
        self.stands.iter().find(|stands| stands.detector.id == id)?.severity
    }

    /// How badly the worst of them stands that tells of the key itself.
    pub(crate) fn worst(&self) -> Option<Severity> {
        let leading = self
            .stands
            .iter()
            .filter(|stands| stands.detector.leads() && stands.held_back.is_none());
        leading.filter_map(|stands| stands.severity).max()
    }

    /// The entry of the allowlist that holds back what `id` says.
    pub(crate) fn held_back(&self, id: DetectorId) -> Option<usize> {
        self.stands.iter().find(|stands| stands.detector.id == id)?.held_back
    }

    /// How badly another detector stands that may tell better what `detector` would. One whose findings are held
    /// back tells nothing, but among those that are it is the one that is counted.
    pub(crate) fn tells(&self, detector: &DetectorPlan, other: DetectorId) -> Option<Severity> {
        let is_held_back = |id| self.held_back(id).is_some();
        let is_silent = is_held_back(other) && !is_held_back(detector.id);
        self.severity(other).filter(|_| !is_silent)
    }

    /// How badly `id` stands, which `detector` comes after, or stood lately enough.
    pub(crate) fn followed(
        &self,
        plan: &Plan,
        detector: &DetectorPlan,
        id: DetectorId,
    ) -> Option<Severity> {
        let lately = || self.lately(plan, detector, id).map(|episode| episode.severity);
        self.severity(id).or_else(lately)
    }

    /// The latest episode of `id` that `detector` comes after.
    fn lately(&self, plan: &Plan, detector: &DetectorPlan, id: DetectorId) -> Option<&'a Episode> {
        let (told, quiet) = (self.window.told, plan.detector(id).quiet);
        let episodes = self.window.state.episodes.of(id);
        episodes.filter(|known| known.is_followed(told, quiet, detector.after_within)).last()
    }

    /// All that stand but `detector`, and those that it comes after.
    pub(crate) fn others(&self, plan: &Plan, detector: &DetectorPlan) -> Vec<Other> {
        // Whoever waits for another does not raise.
        let others = self.stands.iter().filter(|stands| {
            stands.detector.id != detector.id && self.follows(plan, stands.detector)
        });
        others
            .filter_map(|stands| {
                let id = stands.detector.id;
                let follows = detector.after.contains(&id);
                // Where it raises anew, an earlier finding is not the one that is meant.
                let lately = || self.lately(plan, detector, id).filter(|_| follows);
                let known = if stands.severity.is_none() { lately() } else { stands.open };
                let severity = stands.severity.or(known.map(|known| known.severity))?;
                let start = known.filter(|known| known.published > 0).map(|known| known.start);
                Some(Other { detector: id, severity, start })
            })
            .collect()
    }

    /// Whether one of the detectors stands, or did lately enough, that `detector` comes after.
    fn follows(&self, plan: &Plan, detector: &DetectorPlan) -> bool {
        let mut after = detector.after.iter().map(|id| self.followed(plan, detector, *id));
        detector.after.is_empty() || after.any(|other| other.is_some())
    }

    /// Whether `detector` may tell that it raises at `severity`.
    pub(crate) fn lets(&self, plan: &Plan, detector: &DetectorPlan, severity: Severity) -> bool {
        let follows = self.follows(plan, detector);
        let better = |id: &DetectorId| self.tells(detector, *id) >= Some(severity);
        follows && !detector.unless.iter().any(better) && self.told_by(plan, detector).is_none()
    }

    /// The detector that tells what is seen in place of `detector`, if another one does.
    pub(crate) fn told_by(&self, plan: &Plan, detector: &DetectorPlan) -> Option<DetectorId> {
        let led = plan.folds && detector.leads();
        let leader = self.leaders[usize::from(self.held_back(detector.id).is_some())];
        leader.filter(|leader| led && *leader != detector.id)
    }
}

/// Who leads among those whose findings are told, or are held back.
fn leader(stands: &[Stands<'_>], held_back: bool) -> Option<DetectorId> {
    let leading =
        |stands: &&Stands<'_>| stands.detector.leads() && stands.held_back.is_some() == held_back;
    let worst = stands.iter().filter(leading).filter_map(|stands| stands.severity).max()?;
    let worst = |stands: &&Stands<'_>| leading(stands) && stands.severity == Some(worst);
    let mut candidates = stands.iter().filter(worst);
    let open = stands.iter().filter(worst).find(|stands| stands.open.is_some());
    let mut leader = open.or_else(|| candidates.next())?.detector;
    // Two that name each other would go on for ever.
    for _ in 0..stands.len() {
        let better = |stands: &&Stands<'_>| leader.unless.contains(&stands.detector.id);
        match stands.iter().filter(worst).find(better) {
            Some(better) => leader = better.detector,
            None => break,
        }
    }
    Some(leader.id)
}
