//! STUB of the shared store: signatures only.
#![allow(missing_docs, unused_variables, clippy::unimplemented)]
use std::sync::Arc;

use crate::contribution::{Contribution, Point};
use crate::episode::Episode;
use crate::key::Key;
use crate::plan::{DetectorId, KeyPlanId, Plan};
use crate::sequence::ShardId;
use crate::shared::safeguards::Safeguards;
use crate::shared::table::{Pace, Table};
use crate::store::{Due, Latched, Merged, StoreError, WindowStore};
use crate::time::{Span, Time};
use crate::window::Window;

/// Where a key's shares live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All in one item: up to 32 shards.
    Together,
    /// Each in an item of its own.
    Apart,
}

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub layout: Layout,
    /// Keys written at once.
    pub concurrency: usize,
    /// How long a claimed message may stay unconfirmed before somebody else publishes it.
    pub lease: Span,
    /// Keys whose own share is remembered between batches.
    pub cached_keys_max: usize,
    pub safeguards: Safeguards,
}

/// One execution environment's view of the table; lives as long as the environment.
#[derive(Debug)]
pub struct SharedStore<T, P> {
    pub plan: Arc<Plan>,
    pub table: T,
    pub pace: P,
    pub settings: Settings,
}

/// One invocation's view of it: the shard it serves and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a, T, P> {
    pub store: &'a SharedStore<T, P>,
    pub shard: ShardId,
    pub deadline: Time,
}

impl<T: Table, P: Pace> SharedStore<T, P> {
    pub fn new(plan: Arc<Plan>, table: T, pace: P, settings: Settings) -> Self {
        SharedStore { plan, table, pace, settings }
    }
    /// For a batch of `shard`, or the tick ([`ShardId::TICK`]).
    pub fn invocation(&self, shard: ShardId, deadline: Time) -> Invocation<'_, T, P> {
        Invocation { store: self, shard, deadline }
    }
}

impl<T: Table, P: Pace> WindowStore for Invocation<'_, T, P> {
    async fn merge<J>(
        &self,
        contributions: &[Contribution],
        now: Time,
        judge: J,
    ) -> Result<Merged, StoreError>
    where
        J: FnMut(&Window<'_>, &Point) + Send,
    {
        unimplemented!()
    }
    async fn read<V>(&self, keys: &[(KeyPlanId, Key)], view: V) -> Result<(), StoreError>
    where
        V: FnMut(&Window<'_>) + Send,
    {
        unimplemented!()
    }
    async fn due(&self, now: Time) -> Result<Vec<Due>, StoreError> {
        unimplemented!()
    }
    async fn latch(
        &self,
        plan: KeyPlanId,
        key: &Key,
        detector: DetectorId,
        expected: Option<&Episode>,
        new: Episode,
    ) -> Result<Latched, StoreError> {
        unimplemented!()
    }
}
