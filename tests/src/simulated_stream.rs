//! A Kinesis stream in virtual time that fails as the real one may, drawn from a seed: requests that are
//! throttled, taken in part, taken without an answer or only after their caller is gone; iterators that
//! expire; pages without records; shards that are split and merged.
//!
//! It is the second implementation of [`Stream`], and knows nothing of who puts and who reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_aws::failure::Failure;
use tidewatch_aws::stream::{Entry, NotTaken, Page, Position, ReadError, Record, Shard, Stream};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::simulator::executor::{Clock, lock};

/// How long an iterator is good for.
const ITERATOR_MS_MAX: i64 = 300_000;

/// The stream; clones are the same.
#[derive(Clone)]
pub struct SimulatedStream {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

struct State {
    rng: ChaCha8Rng,
    shards: Vec<ShardState>,
    iterators: BTreeMap<String, Iterating>,
    sequence: u64,
    weather: Weather,
    /// When each shard was asked for records, since the last [`SimulatedStream::new_reader`].
    asked: BTreeMap<usize, Vec<i64>>,
}

struct ShardState {
    parents: Vec<usize>,
    first: u128,
    last: u128,
    is_closed: bool,
    records: Vec<(i64, Record)>,
}

#[derive(Clone, Copy)]
struct Iterating {
    shard: usize,
    /// Index of the next record.
    next: usize,
    made_ms: i64,
}

/// How likely things go wrong, each in 0.0..=1.0.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// A request is refused as one too many.
    pub throttled: f64,
    /// A request is not answered; whether it is done is another draw.
    pub unanswered: f64,
    /// A request to put is taken in part.
    pub partial: f64,
    /// An iterator is said to have expired.
    pub expired: f64,
    /// Whether the names of records get lost, so that copies cannot be told: to see what they are for.
    pub nameless: bool,
}

impl Weather {
    /// Everything happens, and often.
    pub const ROUGH: Weather =
        Weather { throttled: 0.1, unanswered: 0.1, partial: 0.2, expired: 0.05, nameless: false };

    /// Nothing does.
    pub const CALM: Weather =
        Weather { throttled: 0.0, unanswered: 0.0, partial: 0.0, expired: 0.0, nameless: false };
}

/// Virtual time as a [`Pace`].
#[derive(Clone)]
pub struct SimulatedPace {
    clock: Clock,
    rng: Arc<Mutex<ChaCha8Rng>>,
}

impl SimulatedPace {
    /// The time of `clock`, with a chance of its own.
    pub fn new(clock: Clock, seed: u64) -> SimulatedPace {
        SimulatedPace { clock, rng: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))) }
    }
}

impl Pace for SimulatedPace {
    fn now(&self) -> Time {
        Time(self.clock.now_ms())
    }

    async fn wait(&self, span: Span) {
        self.clock.sleep(span.0.max(0)).await;
    }

    fn chance(&self) -> f64 {
        lock(&self.rng).random()
    }
}

impl SimulatedStream {
    /// A stream of `shards` shards.
    pub fn new(clock: Clock, seed: u64, shards: u32, weather: Weather) -> SimulatedStream {
        let width = u128::MAX / u128::from(shards);
        let shard = |n: u32| ShardState {
            parents: Vec::new(),
            first: width * u128::from(n) + u128::from(n.min(1)),
            last: if n + 1 == shards { u128::MAX } else { width * u128::from(n + 1) },
            is_closed: false,
            records: Vec::new(),
        };
        let state = State {
            rng: ChaCha8Rng::seed_from_u64(seed),
            shards: (0..shards).map(shard).collect(),
            iterators: BTreeMap::new(),
            sequence: 0,
            weather,
            asked: BTreeMap::new(),
        };
        SimulatedStream { state: Arc::new(Mutex::new(state)), clock }
    }

    /// Splits a shard, or merges two that touch: a draw.
    pub fn reshard(&self) {
        let mut state = lock(&self.state);
        let open: Vec<usize> =
            (0..state.shards.len()).filter(|n| !state.shards[*n].is_closed).collect();
        let Some(&one) = open.choose(&mut state.rng) else { return };
        let after = state.shards[one].last.checked_add(1);
        let next = open.iter().copied().find(|other| Some(state.shards[*other].first) == after);
        match next {
            Some(next) if state.rng.random_bool(0.5) => state.merge(one, next),
            _ => state.split(one),
        }
    }

    /// Another reader begins: its requests are counted by themselves.
    pub fn new_reader(&self) {
        lock(&self.state).asked.clear();
    }

    /// The most requests for records that a shard got within any second, since then.
    pub fn busiest_second(&self) -> usize {
        let state = lock(&self.state);
        let within = |times: &Vec<i64>| {
            let from =
                |begun: i64| times.iter().filter(|at| (0..1_000).contains(&(**at - begun))).count();
            times.iter().map(|begun| from(*begun)).max().unwrap_or(0)
        };
        state.asked.values().map(within).max().unwrap_or(0)
    }

    /// How many shards there have been, and how many records are on them.
    pub fn size(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.shards.len(), state.shards.iter().map(|shard| shard.records.len()).sum())
    }

    /// Drops what is on the shards that are closed, and them, as when it is too old.
    pub fn expire_closed(&self) {
        let mut state = lock(&self.state);
        for shard in &mut state.shards {
            if shard.is_closed {
                shard.records.clear();
                (shard.first, shard.last) = (1, 0);
            }
        }
    }

    fn latency(&self) -> i64 {
        lock(&self.state).rng.random_range(2..60)
    }

    /// What a draw says of a request: a failure, and whether it is done all the same.
    fn draw(&self) -> (Option<Failure>, bool) {
        let mut state = lock(&self.state);
        let Weather { throttled, unanswered, .. } = state.weather;
        if state.rng.random_bool(throttled) {
            return (Some(Failure::Throttled("too many requests".to_owned())), false);
        }
        if state.rng.random_bool(unanswered) {
            let done = state.rng.random_bool(0.5);
            return (Some(Failure::Unanswered("no answer".to_owned())), done);
        }
        (None, true)
    }
}

fn name(shard: usize) -> String {
    format!("shardId-{shard:012}")
}

fn number(shard: &str) -> Option<usize> {
    shard.strip_prefix("shardId-")?.parse().ok()
}

impl State {
    fn add(&mut self, parents: Vec<usize>, first: u128, last: u128) {
        for parent in &parents {
            self.shards[*parent].is_closed = true;
        }
        self.shards.push(ShardState {
            parents,
            first,
            last,
            is_closed: false,
            records: Vec::new(),
        });
    }

    fn split(&mut self, shard: usize) {
        let (first, last) = (self.shards[shard].first, self.shards[shard].last);
        if last - first < 2 {
            return;
        }
        let middle = self.rng.random_range(first..last);
        self.add(vec![shard], first, middle);
        self.add(vec![shard], middle + 1, last);
    }

    fn merge(&mut self, one: usize, next: usize) {
        let (first, last) = (self.shards[one].first, self.shards[next].last);
        self.add(vec![one, next], first, last);
    }

    fn take(&mut self, now_ms: i64, entry: &Entry) {
        self.sequence += 1;
        let nameless = self.weather.nameless;
        let partition_key =
            if nameless { "nobody".to_owned() } else { entry.partition_key.clone() };
        let sequence = format!("{:056}", self.sequence);
        let record = Record { sequence, partition_key, data: entry.data.clone() };
        let owns = |shard: &&mut ShardState| {
            !shard.is_closed && (shard.first..=shard.last).contains(&entry.hash_key)
        };
        let shard = self.shards.iter_mut().find(owns).expect("open shards cover all hash keys");
        shard.records.push((now_ms, record));
    }

    fn page(&mut self, iterator: &str, now_ms: i64) -> Result<Page, ReadError> {
        let expired = self.weather.expired;
        let Some(at) = self.iterators.get(iterator).copied() else {
            return Err(ReadError::Expired);
        };
        if now_ms - at.made_ms > ITERATOR_MS_MAX || self.rng.random_bool(expired) {
            return Err(ReadError::Expired);
        }
        let most = self.rng.random_range(0..8);
        let shard = &self.shards[at.shard];
        if shard.first > shard.last {
            return Err(ReadError::Failed(Failure::Missing(format!("no {}", name(at.shard)))));
        }
        let records: Vec<Record> = shard
            .records
            .iter()
            .skip(at.next)
            .take(most)
            .map(|(_, record)| record.clone())
            .collect();
        let next = at.next + records.len();
        let behind_ms = shard.records.get(next).map_or(0, |(arrived, _)| now_ms - arrived);
        let is_done = shard.is_closed && next == shard.records.len();
        let next = (!is_done).then(|| self.iterate(at.shard, next, now_ms));
        Ok(Page { records, next, behind_ms })
    }

    fn iterate(&mut self, shard: usize, next: usize, made_ms: i64) -> String {
        let token = format!("iterator-{}", self.iterators.len());
        self.iterators.insert(token.clone(), Iterating { shard, next, made_ms });
        token
    }
}

impl Stream for SimulatedStream {
    async fn shards(&self) -> Result<Vec<Shard>, Failure> {
        self.clock.sleep(self.latency()).await;
        if let (Some(failure), _) = self.draw() {
            return Err(failure);
        }
        let state = lock(&self.state);
        let held = state.shards.iter().enumerate().filter(|(_, shard)| shard.first <= shard.last);
        Ok(held
            .map(|(n, shard)| Shard {
                id: name(n),
                parents: shard.parents.iter().map(|parent| name(*parent)).collect(),
            })
            .collect())
    }

    async fn iterator(&self, shard: &str, position: &Position) -> Result<String, Failure> {
        self.clock.sleep(self.latency()).await;
        if let (Some(failure), _) = self.draw() {
            return Err(failure);
        }
        let mut state = lock(&self.state);
        let missing = || Failure::Missing(format!("no {shard}"));
        let shard = number(shard).ok_or_else(missing)?;
        let held = state.shards.get(shard).filter(|shard| shard.first <= shard.last);
        let records = &held.ok_or_else(missing)?.records;
        let next = match position {
            Position::Start => 0,
            Position::At(time) => records.partition_point(|(arrived, _)| *arrived < time.0),
            Position::After(sequence) => {
                records.partition_point(|(_, record)| record.sequence <= *sequence)
            }
        };
        let now_ms = self.clock.now_ms();
        Ok(state.iterate(shard, next, now_ms))
    }

    async fn records(&self, iterator: &str) -> Result<Page, ReadError> {
        {
            let mut state = lock(&self.state);
            if let Some(at) = state.iterators.get(iterator).copied() {
                state.asked.entry(at.shard).or_default().push(self.clock.now_ms());
            }
        }
        self.clock.sleep(self.latency()).await;
        if let (Some(failure), _) = self.draw() {
            return Err(ReadError::Failed(failure));
        }
        lock(&self.state).page(iterator, self.clock.now_ms())
    }

    /// What is put is under way at once, and arrives whether or not anybody waits for it.
    async fn put(&self, entries: &[&Entry]) -> Result<Vec<Result<(), NotTaken>>, Failure> {
        let (failure, is_done) = self.draw();
        let (latency, late) = (self.latency(), lock(&self.state).rng.random_bool(0.2));
        let partial = lock(&self.state).weather.partial;
        let became: Vec<Result<(), NotTaken>> = {
            let mut state = lock(&self.state);
            let part = failure.is_none() && state.rng.random_bool(partial);
            let mut one = || match part && state.rng.random_bool(0.5) {
                true => Err(NotTaken { why: "the shard is too busy".to_owned() }),
                false => Ok(()),
            };
            entries.iter().map(|_| one()).collect()
        };
        if is_done {
            let taken = entries.iter().zip(&became).filter(|(_, became)| became.is_ok());
            let taken: Vec<Entry> = taken.map(|(entry, _)| (*entry).clone()).collect();
            let (stream, clock) = (self.clone(), self.clock.clone());
            // Without an answer it may also arrive when another try already has.
            let in_ms = if failure.is_some() && late { latency * 100 } else { latency / 2 };
            self.clock.call_in(in_ms, move || {
                let mut state = lock(&stream.state);
                taken.iter().for_each(|entry| state.take(clock.now_ms(), entry));
            });
        }
        self.clock.sleep(latency).await;
        failure.map_or(Ok(became), Err)
    }
}
