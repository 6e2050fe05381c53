//! What keeps the shared state exact, each with a switch, so that the simulator can show what happens
//! without it. Nothing but a test ever switches one off.

/// The safeguards of the protocol; all on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Safeguards {
    /// A share is replaced only if it is still the one that was read. Off: it is replaced blindly.
    pub compare_and_set: bool,
    /// Points at or before the last applied sequence number are left out one by one.
    pub guard: Guard,
    /// A shard remembers its latest event tags per key, and counts none of them twice.
    pub event_ring: bool,
    /// An episode's start, and with it its uid, comes from whoever wins the latch. Off: everybody
    /// publishes under a start of their own, whether they won or not.
    pub claim: bool,
    /// A message is marked published after it has left. Off: before.
    pub publish_before_confirm: bool,
    /// Windows are judged whether or not this write was applied. Off: only after a fresh write.
    pub judge_always: bool,
    /// A closed episode stays. Off: its latch is removed when it closes.
    pub tombstones: bool,
    /// A batch is acknowledged up to the first record that is not fully dealt with. Off: whole.
    pub partial_acknowledgement: bool,
    /// A tag goes into the sketch before its list forgets it. Off: after.
    pub sketch_before_share: bool,
    /// A tag whose first sighting others do not know is not left out for their last one. Off: it is.
    pub keep_firsts: bool,
}

/// How redelivered points are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Each point by its own sequence number.
    EachPoint,
    /// The batch as a whole: it is applied if its last sequence number is new.
    WholeBatch,
    /// Not at all.
    None,
}

impl Default for Safeguards {
    fn default() -> Safeguards {
        Safeguards {
            compare_and_set: true,
            guard: Guard::EachPoint,
            event_ring: true,
            claim: true,
            publish_before_confirm: true,
            judge_always: true,
            tombstones: true,
            partial_acknowledgement: true,
            sketch_before_share: true,
            keep_firsts: true,
        }
    }
}
