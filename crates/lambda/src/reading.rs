//! From a batch's bytes to the signals of its records.
//!
//! Each record is read on its own: what is wrong with one costs that one, which is named with the reason
//! so that its bytes can be kept. While the tag key is being changed, a record is read once under each
//! key. What all records inflate to and say is bounded: the first record beyond a bound is where the
//! next batch begins.
//!
//! Invariant: every record of the event is read, named as rotten, or behind `deferred`.

use std::sync::{Arc, OnceLock};

use tidewatch_core::delivery::Record;
use tidewatch_core::key_ring::{LiveKey, Phase};
use tidewatch_core::plan::Plan;
use tidewatch_core::sequence::Sequence;
use tidewatch_core::signal::{Body, Signal, SignalKind};
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::known_users::KnownUsers;
use tidewatch_ingest::name_lists::NameLists;
use tidewatch_ingest::problem::Problem;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::when::When;
use tidewatch_ingest::{Batch, Buffers, Config, Ingest, OwnGroup, Tally};

use crate::event::{self, Data};
use crate::log;
use crate::settings::{BATCH_INFLATED_BYTES_MAX, BATCH_SIGNALS_MAX};

/// Reads records under the keys of one phase; lives as long as that.
pub struct Reader {
    phase: Phase,
    hears_invocations: bool,
    reading: (LiveKey, Ingest),
    other: Option<(LiveKey, Ingest)>,
    buffers: Buffers,
}

/// What a batch says.
#[derive(Debug, Default)]
pub struct Read {
    /// The records that can be counted, in order.
    pub records: Vec<Record>,
    /// What of them is about invocations and whose they were, where that is heard: records of their own, each report
    /// under the tag that everybody has for it.
    pub functions: Vec<Record>,
    /// The records to be kept, by their place in the event, each with the reason.
    pub rotten: Vec<(usize, &'static str)>,
    /// Everything that was seen.
    pub tally: Tally,
    /// The first record that was not read, for want of room.
    pub deferred: Option<usize>,
}

impl Reader {
    /// A reader for `phase`, of everything but envelopes of `own_group`, in these formats besides those
    /// that are built in; of invocations only if they are heard.
    pub fn new(
        phase: &Phase,
        own_group: Option<&OwnGroup>,
        formats: &Arc<Formats>,
        hears_invocations: bool,
    ) -> Reader {
        let under = |live: &LiveKey| {
            let naming = Naming { key: live.key, usernames: Usernames::Fold };
            let own_group = own_group.cloned();
            let config = Config { naming, own_group, formats: Arc::clone(formats) };
            let mut ingest = Ingest::new(config);
            if hears_invocations {
                ingest.hear_invocations();
                ingest.hear_callers();
            }
            (*live, ingest)
        };
        Reader {
            phase: *phase,
            hears_invocations,
            reading: under(&phase.reading),
            other: phase.other.as_ref().map(under),
            buffers: Buffers::default(),
        }
    }

    /// Whether it is one for `phase`. Numbers alone do not say so: whoever puts another passphrase into
    /// the secret by hand may leave the number as it was.
    pub fn is_for(&self, phase: &Phase) -> bool {
        let same = |known: &LiveKey, live: &LiveKey| (known.id, known.key) == (live.id, live.key);
        let other = match (&self.other, &phase.other) {
            (Some((known, _)), Some(live)) => same(known, live),
            (known, live) => known.is_none() && live.is_none(),
        };
        other && same(&self.reading.0, &phase.reading)
    }

    /// From now on these users say whether an account exists where a line does not.
    pub fn know(&mut self, users: Option<&Arc<KnownUsers>>) {
        self.reading.1.know(users.cloned());
        if let Some((_, ingest)) = &mut self.other {
            ingest.know(users.cloned());
        }
    }

    /// From now on tags say on which of these lists their names stand.
    pub fn mark(&mut self, lists: &NameLists) {
        self.reading.1.mark(lists.clone());
        if let Some((_, ingest)) = &mut self.other {
            ingest.mark(lists.clone());
        }
    }

    /// From now on signals say which client was used, and who was sent how much, if that matters to `plan`.
    pub fn hear(&mut self, plan: &Plan) {
        let (agents, bytes) = (plan.needs_agents(), plan.counts(SignalKind::Access));
        for (_, ingest) in std::iter::once(&mut self.reading).chain(&mut self.other) {
            if agents {
                ingest.hear_agents(plan.agents.clone());
            }
            if bytes {
                ingest.hear_bytes();
            }
        }
    }

    /// Reads a batch.
    pub fn read(&mut self, records: &[event::Record]) -> Read {
        let (mut read, mut signals) = (Read::default(), 0);
        for (at, record) in records.iter().enumerate() {
            // The first is always read: a batch that reads nothing would come again for ever.
            let is_full = read.tally.bytes_inflated >= BATCH_INFLATED_BYTES_MAX
                || signals >= BATCH_SIGNALS_MAX;
            if at > 0 && is_full {
                read.deferred = Some(at);
                break;
            }
            let (known, of_functions) = (read.records.len(), read.functions.len());
            self.read_one(at, record, &mut read);
            let said = read.records[known..].iter().chain(&read.functions[of_functions..]);
            signals += said.map(|record| record.signals.len() + record.again.len()).sum::<usize>();
        }
        read
    }

    fn read_one(&mut self, at: usize, record: &event::Record, read: &mut Read) {
        let Ok(sequence) = Sequence::parse(&record.sequence) else {
            return read.set_aside(at, "sequence_number", record);
        };
        let Some(arrival) = record.arrival else { return read.set_aside(at, "arrival", record) };
        let Data::Bytes(data) = &record.data else {
            read.tally.reject(Problem::Base64, format_args!("record {}", record.sequence));
            return read.set_aside(at, Problem::Base64.name(), record);
        };
        let mut batch = Batch::default();
        self.reading.1.record(data, &record.sequence, &mut self.buffers, &mut batch);
        if let Some(problem) = batch.tally.problems.keys().find(|p| p.is_of_the_record()) {
            read.rotten.push((at, problem.name()));
        }
        let mut signals = dated(&mut batch, &record.sequence);
        read.tally.merge(batch.tally);
        let mut again = match &self.other {
            None => Vec::new(),
            Some((_, ingest)) => {
                let mut batch = Batch::default();
                ingest.record(data, &record.sequence, &mut self.buffers, &mut batch);
                dated(&mut batch, &record.sequence)
            }
        };
        if self.hears_invocations {
            let signals = self.invocations(&mut signals, &mut again);
            if !signals.is_empty() {
                read.functions.push(Record { sequence, arrival, signals, again: Vec::new() });
            }
        }
        read.records.push(Record { sequence, arrival, signals, again });
    }

    /// Takes what is about invocations out of a record's signals, which are as many under the other key; and copies
    /// whose they were. A line that says nothing else is no access that detectors count.
    fn invocations(&self, signals: &mut Vec<Signal>, again: &mut Vec<Signal>) -> Vec<Signal> {
        let is_one = |signal: &mut Signal| matches!(signal.body, Body::Invocation(_));
        let mut theirs = again.extract_if(.., is_one).collect::<Vec<Signal>>().into_iter();
        again.retain(|signal| !names_only(signal));
        let mut of_functions = Vec::new();
        for signal in std::mem::take(signals) {
            match &signal.body {
                Body::Invocation(_) => {
                    let event = self.phase.event(&signal, theirs.next().as_ref());
                    of_functions.push(Signal { event, ..signal });
                }
                Body::Access(access) => {
                    let is_functions = signal.origin.stream.function().is_some();
                    if is_functions && access.request.is_some() {
                        of_functions.push(signal.clone());
                    }
                    if !names_only(&signal) {
                        signals.push(signal);
                    }
                }
                Body::Auth(_) => signals.push(signal),
            }
        }
        of_functions
    }
}

/// Whether a line of a function's log says of a request only whose it was.
fn names_only(signal: &Signal) -> bool {
    match &signal.body {
        Body::Access(access) => !access.tells_bytes && signal.origin.stream.function().is_some(),
        _ => false,
    }
}

impl Read {
    /// A record without what it needs to be counted.
    fn set_aside(&mut self, at: usize, reason: &'static str, record: &event::Record) {
        if reason != Problem::Base64.name() {
            let place = format_args!("record {:?}", record.sequence);
            self.tally.reject(Problem::KinesisEvent, place);
        }
        self.tally.records += 1;
        self.rotten.push((at, reason));
    }
}

/// The packaged formats. They are made ready by the first batch and not before the first poll, which they
/// would hold up.
pub fn packaged_formats() -> Arc<Formats> {
    static FORMATS: OnceLock<Arc<Formats>> = OnceLock::new();
    let load = || match tidewatch_rules::formats(tidewatch_rules::shipped_formats()) {
        Ok(formats) => Arc::new(formats),
        Err(faults) => {
            // A test loads them, so this is about a binary that was tampered with.
            let why = faults.first().map(ToString::to_string).unwrap_or_default();
            log::error("packaged_formats_unusable", why);
            Arc::default()
        }
    };
    Arc::clone(FORMATS.get_or_init(load))
}

/// The signals that tell their time; one without a year or a zone cannot be placed here.
fn dated(batch: &mut Batch, sequence: &str) -> Vec<Signal> {
    let mut signals = Vec::with_capacity(batch.signals.len());
    for signal in std::mem::take(&mut batch.signals) {
        match signal.when {
            When::At(time) => signals.push(signal.at(time)),
            When::Civil(_) => {
                batch.tally.reject(Problem::TimeMissing, format_args!("record {sequence}"));
            }
        }
    }
    signals
}

/// Never prints keys.
impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_core::key_ring::KeyRing;
    use tidewatch_core::tag::TagKey;
    use tidewatch_core::time::Time;

    use super::*;

    /// What is read of some messages of a log group, while one key is used or two are.
    fn read(group: &str, messages: &[&str], two_keys: bool, counts_bytes: bool) -> Read {
        let events = messages.iter().enumerate().map(|(nth, message)| {
            serde_json::json!({ "id": nth.to_string(), "timestamp": 1_700_000_000_000_u64, "message": message })
        });
        let envelope = serde_json::json!({
            "messageType": "DATA_MESSAGE", "owner": "1", "logGroup": group, "logStream": "2026/11/29/[1]5f",
            "subscriptionFilters": ["t"], "logEvents": events.collect::<Vec<_>>(),
        });
        let live = |id| LiveKey { id, key: TagKey::new([id as u8; 16]), from: Time(i64::from(id)) };
        let previous = two_keys.then(|| live(1));
        let phase = KeyRing { current: live(2), previous }.phase(Time(3));
        let mut reader = Reader::new(&phase, None, &packaged_formats(), true);
        if counts_bytes {
            reader.reading.1.hear_bytes();
            reader.other.iter_mut().for_each(|(_, ingest)| ingest.hear_bytes());
        }
        reader.read(&[event::Record {
            event_id: "shardId-000000000000:1".to_owned(),
            sequence: "1".to_owned(),
            partition_key: "a".to_owned(),
            arrival: Some(Time(1_700_000_000_000)),
            data: Data::Bytes(envelope.to_string().into_bytes()),
        }])
    }

    const REQUEST: &str = "8f507cfc-0000-4697-b07a-ac58fc914c95";

    #[test]
    fn who_asked_is_heard_beside_reports_and_is_an_access_only_where_it_tells_bytes() {
        let asked =
            format!("T\t{REQUEST}\tINFO\t{{\"principalId\":\"t-1\",\"sourceIp\":\"192.0.2.1\"}}\n");
        let sent = asked.replace("\"principalId", "\"responseLength\":120,\"principalId");
        let report = format!(
            "REPORT RequestId: {REQUEST}\tDuration: 1.50 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax Memory Used: 64 MB\t\n"
        );
        let nobody = "{\"principalId\":\"t-1\"}";
        let messages = [asked.as_str(), report.as_str(), sent.as_str(), nobody, "no JSON at all"];
        let is_access = |signal: &&Signal| matches!(signal.body, Body::Access(_));
        for two_keys in [false, true] {
            for (counts_bytes, accesses) in [(false, 1), (true, 1)] {
                let read = read("/aws/lambda/shop", &messages, two_keys, counts_bytes);
                let of_functions: Vec<bool> =
                    read.functions[0].signals.iter().map(|signal| is_access(&signal)).collect();
                assert_eq!(of_functions, [true, false, true], "{two_keys} {counts_bytes}");
                let [record] = read.records.as_slice() else { panic!("{read:?}") };
                assert_eq!(record.signals.iter().filter(is_access).count(), accesses);
                assert_eq!(record.again.len(), if two_keys { record.signals.len() } else { 0 });
            }
        }
        // Outside of functions only who was sent something is asked.
        let read = read("/shop/web", &messages, false, true);
        assert!(read.functions.is_empty());
        assert_eq!(read.records[0].signals.iter().filter(is_access).count(), 1);
    }
}
