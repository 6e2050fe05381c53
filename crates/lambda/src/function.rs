//! The detector function: what becomes of an invocation, from its event to its answer.
//!
//! A batch: the key and the detectors are looked up if they are due; its records are read; what cannot be
//! read is kept in quarantine while the rest is counted, judged and published; and the answer names the
//! first record that was not dealt with, which Lambda delivers again with all after it. A tick closes
//! what went quiet and publishes what did not leave.
//!
//! Invariant: an answer without failures is given only where every record was counted or kept.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::streams::KinesisEventResponse;
use tidewatch_aws::client::{self, SdkConfig};
use tidewatch_aws::lists::ListsSource;
use tidewatch_aws::overrides::OverrideSource;
use tidewatch_aws::quarantine::{Quarantine, Rotten};
use tidewatch_aws::secret::{SecretError, SecretSource};
use tidewatch_aws::topics::{SnsSink, Topics};
use tidewatch_aws::users::UsersSource;
use tidewatch_aws::{DynamoStore, DynamoTable, TokioPace};
use tidewatch_core::admission::Admission;
use tidewatch_core::delivery::Acknowledged;
use tidewatch_core::engine::Engine;
use tidewatch_core::key_ring::{KeyRing, Phase};
use tidewatch_core::limits::FUTURE_MAX;
use tidewatch_core::meter::tariff::Tariff;
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::{Sequence, ShardId};
use tidewatch_core::spend::watch::Weighing;
use tidewatch_core::store::WindowStore;
use tidewatch_core::table_store::store::Settings as StoreSettings;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::event::{Data, Record};
use crate::lists::{self, Lists};
use crate::log;
use crate::metrics::Metric;
use crate::reading::{Read, Reader, packaged_formats};
use crate::report::Report;
use crate::rules::{self, Rules};
use crate::settings::{
    CACHED_KEYS_MAX, OVERRIDES_REREAD, SECRET_REREAD, SECRET_RETRY, Settings, until,
};
use crate::users::{self, Users};
use crate::weighing;

/// How often an environment says that it is subscribed to itself: each time is a log line, which comes
/// back.
const OWN_GROUP_TOLD_EVERY: Duration = Duration::from_secs(3_600);

/// One execution environment of the detector.
#[derive(Debug)]
pub struct Detector {
    settings: Settings,
    /// What functions cost, where they are weighed.
    tariff: Option<Tariff>,
    pace: TokioPace,
    table: DynamoTable,
    topics: Topics,
    secret: SecretSource,
    overrides: OverrideSource,
    users_source: UsersSource,
    lists_source: ListsSource,
    quarantine: Quarantine,
    keys: Option<KeyRing>,
    key_made: Option<Time>,
    keys_due: Time,
    /// Why the secret could not be read again, while it could not.
    keys_stale: Option<SecretError>,
    rules: Option<Rules>,
    users: Option<Users>,
    lists: Lists,
    /// When rules, users and lists are looked for again.
    rules_due: Time,
    store: Option<DynamoStore>,
    reader: Option<Reader>,
    own_group_told: Option<Instant>,
}

/// What an invocation needs before it can begin.
struct Ready<'a> {
    phase: Phase,
    store: &'a DynamoStore,
    reader: &'a mut Reader,
    rules: &'a Rules,
    /// What functions are weighed by, where they are.
    weighing: Option<&'a Weighing>,
}

impl Detector {
    /// An environment that has seen nothing; asks nothing of the network.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn new(settings: Settings, config: &SdkConfig) -> anyhow::Result<Detector> {
        let context = tidewatch_alert::Context {
            version: env!("CARGO_PKG_VERSION"),
            region: settings.region.clone(),
            simulated: false,
        };
        let (alert, notice) = (settings.alert_topic.clone(), settings.notice_topic.clone());
        Ok(Detector {
            pace: TokioPace::start()?,
            table: DynamoTable::new(client::dynamodb(config), settings.table.clone()),
            topics: Topics::new(config, alert, notice, context),
            secret: SecretSource::new(config, settings.secret.clone()),
            overrides: OverrideSource::new(config, settings.bucket.clone()),
            users_source: UsersSource::new(config, settings.bucket.clone()),
            lists_source: ListsSource::new(config, settings.bucket.clone()),
            quarantine: Quarantine::new(config, settings.bucket.clone()),
            tariff: match settings.weighs_functions {
                true => weighing::tariff(settings.region.as_deref()),
                false => None,
            },
            settings,
            keys: None,
            key_made: None,
            keys_due: Time::MIN,
            keys_stale: None,
            rules: None,
            users: None,
            lists: Lists::default(),
            rules_due: Time::MIN,
            store: None,
            reader: None,
            own_group_told: None,
        })
    }

    /// Deals with a batch until `deadline`.
    pub async fn batch(
        &mut self,
        records: &[Record],
        deadline: SystemTime,
    ) -> KinesisEventResponse {
        let mut response = KinesisEventResponse::default();
        if records.is_empty() {
            return response;
        }
        let begun = Instant::now();
        self.pace.anchor();
        let deadline = until(&self.pace, deadline);
        let mut report = Report::default();
        let first_failed = match shard(records) {
            Ok(shard) => {
                report.note("shard", shard.0);
                Box::pin(self.deal_with(shard, records, deadline, &mut report)).await
            }
            Err(why) => {
                log::error("batch_unreadable", why);
                Some(0)
            }
        };
        if let Some(at) = first_failed {
            report.metrics.add(Metric::Unacknowledged, (records.len() - at) as u64);
            report.note("first_unacknowledged", records[at].sequence.as_str());
            response.add_failure(records[at].sequence.as_str());
        }
        self.tell("batch", report, begun);
        response
    }

    /// Closes what went quiet, and publishes what did not leave.
    ///
    /// # Errors
    /// If nothing could be looked at; what failed about a single key is told and due again. Also, with
    /// everything done, if the secret cannot be read again: an environment that knows a key goes on with
    /// it, but the next one could not begin.
    pub async fn tick(&mut self, deadline: SystemTime) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.pace.anchor();
        let deadline = until(&self.pace, deadline);
        let mut report = Report::default();
        let ticked = self.close(deadline, &mut report).await;
        if let Err(error) = &ticked {
            log::error("tick_failed", error);
        }
        report.metrics.add(Metric::Ticks, u64::from(ticked.is_ok()));
        self.tell("tick", report, begun);
        match &self.keys_stale {
            Some(error) if ticked.is_ok() => Err(error.clone().into()),
            _ => ticked,
        }
    }

    /// Reads, keeps, counts, judges and publishes; says which record is the first to come again.
    async fn deal_with(
        &mut self,
        shard: ShardId,
        records: &[Record],
        deadline: Time,
        report: &mut Report,
    ) -> Option<usize> {
        // Futures of the SDK are large, and lie one in the other: boxed, each is moved as a pointer.
        if let Err(why) = Box::pin(self.look_up(deadline, report)).await {
            log::error("not_ready", why);
            return Some(0);
        }
        let (now, quarantine, topics, pace) =
            (self.pace.now(), &self.quarantine, &self.topics, &self.pace);
        let Some(Ready { phase, store, reader, rules, weighing }) =
            ready(&self.settings, &self.keys, &self.rules, &self.store, &mut self.reader, now)
        else {
            return Some(0);
        };
        reader.hear(&rules.plan);
        reader.know(self.users.as_ref().and_then(|users| users.known.as_ref()));
        reader.mark(&self.lists.marks);
        let read = reader.read(records);
        report.read(&read.tally);
        let sink = topics.sink(pace, deadline);
        let invocation = store.invocation(shard, deadline);
        let admission = Admission::until(now.plus(FUTURE_MAX));
        let plan = Arc::clone(&rules.plan);
        let mut engine = Engine::new(plan, invocation, sink, phase, admission);
        let rotten = rotten(records, &read, now);
        let name = format!("shardId-{:012}", shard.0);
        let (kept, acknowledged, functions) = tokio::join!(
            async {
                match rotten.is_empty() {
                    true => Ok(()),
                    false => quarantine.keep(&name, &rotten, pace, deadline).await.map(drop),
                }
            },
            Box::pin(engine.deliver(&read.records, now)),
            Box::pin(async {
                match weighing {
                    Some(weighing) => {
                        let invocation = store.invocation(shard, deadline);
                        invocation.count_functions(weighing, &read.functions).await
                    }
                    None => Default::default(),
                }
            })
        );
        let (of_functions, counts) = functions;
        report.functions(&counts);
        let first_rotten = match kept {
            Ok(()) => {
                report.metrics.add(Metric::Quarantined, rotten.len() as u64);
                None
            }
            Err(error) => {
                log::error("quarantine_failed", error);
                report.metrics.add(Metric::QuarantineFailed, rotten.len() as u64);
                read.rotten.first().map(|(at, _)| *at)
            }
        };
        finish(&mut engine, report).await;
        let mut first = [first_rotten, read.deferred].into_iter().flatten().min();
        for acknowledged in [&acknowledged, &of_functions] {
            if let Some(fault) = &acknowledged.fault {
                log::error("batch_given_back", fault);
            }
            let again = first_unapplied(records, acknowledged);
            first = [first, again].into_iter().flatten().min();
        }
        first
    }

    async fn close(&mut self, deadline: Time, report: &mut Report) -> anyhow::Result<()> {
        Box::pin(self.look_up(deadline, report)).await?;
        let (now, topics, pace) = (self.pace.now(), &self.topics, &self.pace);
        let Some(Ready { phase, store, rules, weighing, .. }) =
            ready(&self.settings, &self.keys, &self.rules, &self.store, &mut self.reader, now)
        else {
            return Ok(());
        };
        let sink = topics.sink(pace, deadline);
        let invocation = store.invocation(ShardId::TICK, deadline);
        let admission = Admission::until(now.plus(FUTURE_MAX));
        let mut engine = Engine::new(Arc::clone(&rules.plan), invocation, sink, phase, admission);
        let ticked = Box::pin(engine.tick(now)).await;
        let mut weighed = None;
        if let Some(weighing) = weighing {
            let invocation = store.invocation(ShardId::TICK, deadline);
            let functions = invocation.weigh_functions(weighing, engine.sink(), now);
            let (counts, fault) = Box::pin(functions).await;
            report.functions(&counts);
            report.functions_held_back(&weighing.allow.entries, &counts);
            weighed = fault;
        }
        finish(&mut engine, report).await;
        ticked?;
        weighed.map_or(Ok(()), |fault| Err(fault.into()))
    }

    /// Reads the secret, the overrides, the known users and the lists where that is due. What was known stays where they
    /// cannot be read; without ever having had a key nothing can begin.
    async fn look_up(&mut self, deadline: Time, report: &mut Report) -> anyhow::Result<()> {
        let now = self.pace.now();
        // No more than a quarter of the time that is left.
        let until = now.plus(Span(deadline.0.saturating_sub(now.0).max(0) / 4));
        let (secret, overrides, source) = (&self.secret, &self.overrides, &self.users_source);
        let (pace, tariff) = (&self.pace, self.tariff.as_ref());
        let (keys_due, rules_due) = (now >= self.keys_due, now >= self.rules_due);
        let (known, users) = (self.rules.take(), self.users.take());
        let lists = std::mem::take(&mut self.lists);
        let (keys, (rules, changed), users, lists) = tokio::join!(
            async {
                match keys_due {
                    true => Some(secret.fetch_dated(pace, until).await),
                    false => None,
                }
            },
            async {
                match known {
                    Some(rules) if !rules_due => (rules, false),
                    known => rules::refresh(known, tariff, overrides, pace, until).await,
                }
            },
            async {
                match users {
                    Some(users) if !rules_due => users,
                    known => users::refresh(known, source, pace, until).await,
                }
            },
            async {
                match rules_due {
                    true => lists::refresh(lists, &self.lists_source, pace, until).await,
                    false => lists,
                }
            }
        );
        if rules_due {
            self.rules_due = now.plus(OVERRIDES_REREAD);
        }
        report.note("detectors", rules.origin.name());
        report.note("known_users", users.origin.name());
        let is_rejected =
            rules.is_rejected() || users.rejected.is_some() || lists.rejected.is_some();
        report.metrics.add(Metric::OverridesRejected, u64::from(is_rejected));
        (self.rules, self.users, self.lists) = (Some(rules), Some(users), lists);
        if let Some(answer) = keys {
            self.take_keys(answer, now)?;
        }
        if let (Some(keys), Some(rules)) = (&self.keys, &mut self.rules) {
            if let Some(made) = self.key_made {
                let days = (now.0 - made.0) / Span::minutes(24 * 60).0;
                report.metrics.set(Metric::KeyAgeDays, days.max(0) as f64);
            }
            if rules.hold_back(keys, &self.lists.marks) || changed || self.store.is_none() {
                let plan = Arc::clone(&rules.plan);
                self.store = Some(self.store(plan, keys));
            }
        }
        Ok(())
    }

    /// Goes on with the keys that were read; where none could be, with those that are known.
    fn take_keys(
        &mut self,
        answer: Result<(KeyRing, Option<Time>), SecretError>,
        now: Time,
    ) -> Result<(), SecretError> {
        match answer {
            Ok((keys, made)) => {
                self.keys = Some(keys);
                self.keys_stale = None;
                self.key_made = made;
                self.keys_due = now.plus(SECRET_REREAD);
            }
            Err(error) if self.keys.is_some() => {
                log::error("secret_unreadable", &error);
                self.keys_stale = Some(error);
                self.keys_due = now.plus(SECRET_RETRY);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// A store on this function's clock, which is set anew as each invocation begins. One of its own
    /// would fall behind while the environment is frozen, and would let work begin that ends after the
    /// deadline.
    fn store(&self, plan: Arc<Plan>, keys: &KeyRing) -> DynamoStore {
        let settings = StoreSettings {
            layout: self.settings.layout,
            cached_keys_max: CACHED_KEYS_MAX,
            cache_seed: keys.current.key.map_seed(),
            ..StoreSettings::default()
        };
        DynamoStore::new(plan, self.table.clone(), self.pace.clone(), settings)
    }

    /// Says what an invocation did; of a batch that holds only what this function said itself nothing, or
    /// that line would be the next batch.
    fn tell(&mut self, what: &str, mut report: Report, begun: Instant) {
        let own = report.metrics.get(Metric::OwnLogGroup) > 0.0;
        if own {
            let told = self.own_group_told.is_some_and(|at| at.elapsed() < OWN_GROUP_TOLD_EVERY);
            if told && report.metrics.get(Metric::Lines) == 0.0 {
                return;
            }
            self.own_group_told = Some(begun);
            log::error(
                "own_log_group_subscribed",
                "the log group of this function feeds its own stream, which is an endless bill: \
                 remove that subscription filter, or exclude the group from the account policy",
            );
        }
        let latencies = self.table.take_latencies();
        report.metrics.add(Metric::StoreCalls, latencies.requests);
        report.metrics.add(Metric::StoreThrottled, latencies.throttled);
        report.metrics.sample(Metric::StoreMs, latencies.sample_ms);
        report.metrics.set(Metric::BatchMs, begun.elapsed().as_secs_f64() * 1_000.0);
        log::summary(what, report.document(&self.settings.stack, self.pace.now().0));
    }
}

/// Everything is at hand once [`Detector::look_up`] has succeeded.
fn ready<'a>(
    settings: &Settings,
    keys: &Option<KeyRing>,
    rules: &'a Option<Rules>,
    store: &'a Option<DynamoStore>,
    reader: &'a mut Option<Reader>,
    now: Time,
) -> Option<Ready<'a>> {
    let (keys, rules, store) = (keys.as_ref()?, rules.as_ref()?, store.as_ref()?);
    let phase = keys.phase(now);
    if !reader.as_ref().is_some_and(|reader| reader.is_for(&phase)) {
        let (own, hears) = (settings.own_group.as_ref(), rules.weighing.is_some());
        *reader = Some(Reader::new(&phase, own, &packaged_formats(), hears));
    }
    Some(Ready { phase, store, reader: reader.as_mut()?, rules, weighing: rules.weighing.as_ref() })
}

/// The shard of a batch; Lambda never mixes two.
fn shard(records: &[Record]) -> Result<ShardId, String> {
    let mut shards = records.iter().filter_map(Record::shard);
    let Some(first) = shards.next() else {
        return Err("no record of the batch tells its shard: is the event Lambda's?".to_owned());
    };
    match shards.find(|shard| *shard != first) {
        None => Ok(first),
        Some(other) => Err(format!(
            "the batch has records of the shards {} and {}, whose order nobody can know",
            first.0, other.0
        )),
    }
}

/// The records to be kept.
fn rotten<'a>(records: &'a [Record], read: &Read, now: Time) -> Vec<Rotten<'a>> {
    let one = |(at, reason): &(usize, &'static str)| {
        let record = &records[*at];
        let data = match &record.data {
            Data::Bytes(bytes) => bytes.as_slice(),
            Data::Undecoded(text) => text.as_bytes(),
        };
        Rotten {
            sequence: &record.sequence,
            arrival: record.arrival.unwrap_or(now),
            partition_key: &record.partition_key,
            reason,
            data,
        }
    };
    read.rotten.iter().map(one).collect()
}

/// The first record of the event that was not applied.
fn first_unapplied(records: &[Record], acknowledged: &Acknowledged) -> Option<usize> {
    let first = acknowledged.first_unapplied?;
    let place = records.iter().position(|record| {
        Sequence::parse(&record.sequence).is_ok_and(|sequence| sequence == first)
    });
    Some(place.unwrap_or(0))
}

/// Sends the notices that still wait, and counts what was done.
async fn finish<S: WindowStore>(engine: &mut Engine<S, SnsSink<'_>>, report: &mut Report) {
    report.counted(&engine.counts(), engine.gate());
    report.held_back(engine.held_back());
    let sink = engine.sink();
    sink.finish().await;
    let told = sink.told();
    if let Some(why) = &told.notice_fault {
        log::error("notice_failed", why);
    }
    report.published(told);
}

#[cfg(test)]
mod tests;
