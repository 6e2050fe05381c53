//! A store that notes every window it shows to be judged, so that a test can hold each of them to an
//! oracle, whatever comes of it.

use std::sync::{Arc, Mutex};

use tidewatch_core::contribution::Contribution;
use tidewatch_core::episode::Episode;
use tidewatch_core::key::Key;
use tidewatch_core::key_ring::Generation;
use tidewatch_core::plan::{Counted, DetectorId, DetectorPlan, Plan};
use tidewatch_core::slack::Slack;
use tidewatch_core::store::{Claimant, DueNow, Latched, Merged, Place, StoreError, WindowStore};
use tidewatch_core::time::Time;
use tidewatch_core::window::{Bounds, Window};

/// A window that was judged.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Whose.
    pub key: Key,
    /// Where it ends.
    pub at: Time,
    /// The newest event of its key.
    pub head: Time,
    /// By detector and measure.
    pub bounds: Vec<(DetectorId, usize, Bounds)>,
}

/// The store, with a record of what is judged.
#[derive(Debug)]
pub struct Watched<S> {
    /// The store.
    pub inner: S,
    /// What was judged, in order.
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// Where it is given, each window that is said to have slack is judged all the same, and must raise nothing.
    pub doubted: Option<Arc<Plan>>,
}

fn seen(window: &Window<'_>) -> Seen {
    let of = |detector: &DetectorPlan| {
        let bounds = |(nth, counted): (usize, &Counted)| {
            (detector.id, nth, window.bounds(*counted, detector))
        };
        detector.measures.iter().enumerate().map(bounds).collect::<Vec<_>>()
    };
    Seen {
        key: *window.key,
        at: window.at,
        head: window.state.head,
        bounds: window.plan.detectors.iter().flat_map(of).collect(),
    }
}

impl<S: WindowStore> WindowStore for Watched<S> {
    async fn merge<J>(
        &self,
        contributions: &[Contribution],
        now: Time,
        mut judge: J,
    ) -> Result<Merged, StoreError>
    where
        J: FnMut(usize, &Window<'_>) -> Slack + Send,
    {
        let watch = |at: usize, window: &Window<'_>| {
            self.seen.lock().expect("nobody panics inside").push(seen(window));
            let slack = judge(at, window);
            if let Some(plan) = self.doubted.as_ref().filter(|_| !slack.is_none()) {
                let said = tidewatch_core::judge::judge(plan, window);
                assert!(said.is_empty(), "it has slack and raises: {said:?}");
            }
            // Each window is to be seen.
            Slack::NONE
        };
        self.inner.merge(contributions, now, watch).await
    }

    async fn read<V>(&self, keys: &[Place], view: V) -> Result<(), StoreError>
    where
        V: FnMut(&Window<'_>) + Send,
    {
        self.inner.read(keys, view).await
    }

    async fn due<J>(&self, now: Time, mut judge: J) -> Result<DueNow, StoreError>
    where
        J: FnMut(Place, &Window<'_>) + Send,
    {
        let watch = |place: Place, window: &Window<'_>| {
            self.seen.lock().expect("nobody panics inside").push(seen(window));
            judge(place, window);
        };
        self.inner.due(now, watch).await
    }

    async fn dealt_with(&self, place: Place) -> Result<(), StoreError> {
        self.inner.dealt_with(place).await
    }

    async fn latch(
        &self,
        place: Place,
        detector: DetectorId,
        expected: &[Episode],
        new: Episode,
        version: Option<u64>,
    ) -> Result<Latched, StoreError> {
        self.inner.latch(place, detector, expected, new, version).await
    }

    fn ended(&self, done: &[&Contribution], comes_again: bool) {
        self.inner.ended(done, comes_again);
    }

    fn reading(self, generation: Generation) -> Self {
        Watched { inner: self.inner.reading(generation), ..self }
    }

    fn claimant(&self) -> Claimant {
        self.inner.claimant()
    }

    fn has_time(&self) -> bool {
        self.inner.has_time()
    }
}
