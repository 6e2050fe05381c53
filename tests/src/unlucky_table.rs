//! A plain table in virtual time whose requests fare as a story says, and the clock that goes with it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tidewatch_core::table_store::table::{
    Item, ItemKey, Pace, Part, Table, TableError, Write, Written,
};
use tidewatch_core::time::{Span, Time};

use crate::plain_table::PlainTable;
use crate::simulator::executor::{Clock, lock};
use crate::simulator::table::{ITEM_BYTES_MAX, bytes};
use crate::simulator::weather::Chance;

/// How a request fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is answered at once.
    Arrives,
    /// It is answered after so many milliseconds.
    Slow(i64),
    /// It is turned away.
    Throttled,
    /// It is done, and nobody learns of it.
    AnswerLost,
    /// The answer holds a value of a type that is not ours.
    Unusable,
    /// There is no such table.
    Gone,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// A write.
    Write(&'a Write),
    /// One item.
    Get(&'a ItemKey),
    /// All items of a key.
    Query(&'a [u8]),
    /// A partition of the index.
    Due(u8),
}

/// The table.
#[derive(Clone)]
pub struct UnluckyTable {
    clock: Clock,
    inner: Arc<Mutex<Arc<PlainTable>>>,
    fate: Arc<Mutex<Fates>>,
    requests: Arc<AtomicU64>,
}

type Fates = Box<dyn FnMut(&Request<'_>, Time) -> Fate + Send>;

/// A clock that may be wrong, and a seeded chance.
#[derive(Clone, Debug)]
pub struct UnluckyPace {
    /// Virtual time.
    pub clock: Clock,
    /// How far ahead of it this clock is.
    pub ahead_ms: i64,
    /// For jitter.
    pub chance: Chance,
}

impl Request<'_> {
    /// The key it is about; none for the index.
    pub fn key(&self) -> Option<&[u8]> {
        match self {
            Request::Write(write) => Some(&write.item.key),
            Request::Get(item) => Some(&item.key),
            Request::Query(key) => Some(key),
            Request::Due(_) => None,
        }
    }
}

impl UnluckyTable {
    /// An empty one to which nothing happens yet.
    pub fn new(clock: Clock) -> UnluckyTable {
        UnluckyTable::over(clock, Arc::default())
    }

    /// Another way to a table, to which nothing happens.
    pub fn over(clock: Clock, inner: Arc<PlainTable>) -> UnluckyTable {
        let fate: Fates = Box::new(|_, _| Fate::Arrives);
        let (inner, fate) = (Arc::new(Mutex::new(inner)), Arc::new(Mutex::new(fate)));
        UnluckyTable { clock, inner, fate, requests: Arc::default() }
    }

    /// The table below, to look into and to meddle with.
    pub fn inner(&self) -> Arc<PlainTable> {
        Arc::clone(&lock(&self.inner))
    }

    /// Puts an empty one in its place.
    pub fn make_anew(&self) {
        *lock(&self.inner) = Arc::default();
    }

    /// Requests made so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// From now on requests fare as `fate` says.
    pub fn set_fate(&self, fate: impl FnMut(&Request<'_>, Time) -> Fate + Send + 'static) {
        *lock(&self.fate) = Box::new(fate);
    }

    /// Lets happen what happens before an answer.
    async fn meet(&self, request: Request<'_>) -> Result<Fate, TableError> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let fate = (lock(&self.fate))(&request, Time(self.clock.now_ms()));
        match fate {
            Fate::Slow(ms) => self.clock.sleep(ms).await,
            Fate::Throttled => return Err(TableError::Throttled("by the story".to_owned())),
            Fate::Gone => return Err(TableError::Fatal("there is no table `luck`".to_owned())),
            Fate::Arrives | Fate::AnswerLost | Fate::Unusable => {}
        }
        Ok(fate)
    }

    fn answer<T>(fate: Fate, answer: T) -> Result<T, TableError> {
        match fate {
            Fate::AnswerLost => Err(TableError::Unanswered("by the story".to_owned())),
            Fate::Unusable => Err(TableError::Unusable("attribute `s1` is a list (L)".to_owned())),
            _ => Ok(answer),
        }
    }
}

impl std::fmt::Debug for UnluckyTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnluckyTable").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Table for UnluckyTable {
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        let fate = self.meet(Request::Write(write)).await?;
        let inner = self.inner();
        let mut item = inner.get(&write.item).await?.unwrap_or_default();
        item.values.extend(write.set.iter().cloned());
        item.values.retain(|attribute, _| !write.removed.contains(attribute));
        let known = inner.get(&write.item).await?;
        let holds = write.expected.iter().all(|(attribute, expected)| {
            known.as_ref().and_then(|item| item.values.get(attribute)) == expected.as_ref()
        });
        let size = bytes(&write.item, &item);
        if holds && size > ITEM_BYTES_MAX {
            return Err(TableError::TooLarge(format!("{size} bytes")));
        }
        Self::answer(fate, inner.write(write).await?)
    }

    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        let fate = self.meet(Request::Get(item)).await?;
        Self::answer(fate, self.inner().get(item).await?)
    }

    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        let fate = self.meet(Request::Query(key)).await?;
        Self::answer(fate, self.inner().query(key).await?)
    }

    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        let fate = self.meet(Request::Due(partition)).await?;
        Self::answer(fate, self.inner().due(partition, until, limit).await?)
    }
}

impl Pace for UnluckyPace {
    fn now(&self) -> Time {
        Time(self.clock.now_ms() + self.ahead_ms)
    }

    fn wait(&self, span: Span) -> impl Future<Output = ()> + Send {
        self.clock.sleep(span.0)
    }

    fn chance(&self) -> f64 {
        self.chance.unit()
    }
}
