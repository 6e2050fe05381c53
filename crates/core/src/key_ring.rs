//! The keys of the tags while one replaces another.

use crate::tag::TagKey;
use crate::time::Time;

/// A key and when it begins to be used.
#[derive(Clone, Copy, Debug)]
pub struct LiveKey {
    /// Counts up by one with each new key.
    pub id: u32,
    /// The key.
    pub key: TagKey,
    /// From when on it is used beside the previous one; [`Time::MIN`] for a first key.
    pub from: Time,
}

/// The key in use, and the one before it.
#[derive(Clone, Copy, Debug)]
pub struct KeyRing {
    /// The newest.
    pub current: LiveKey,
    /// The one it replaces.
    pub previous: Option<LiveKey>,
}
