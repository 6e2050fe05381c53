//! A deployed stack with its surroundings: what is put on its stream, what leaves its topics, what its
//! function says, and what is in its table.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;
use tidewatch_aws::client::local;
use tidewatch_aws::{DynamoStore, DynamoTable, TokioPace};
use tidewatch_core::key::Key;
use tidewatch_core::key_ring::Generation;
use tidewatch_core::plan::{KeyPlanId, Plan};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::store::WindowStore;
use tidewatch_core::table_store::store::Settings;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Span;
use tidewatch_tests::cloud::{bytes, bytes_of, until};
use tidewatch_tests::containers::{envelope, gzip};
use tidewatch_tests::environment::bootstrap;
use tidewatch_tests::events::{Event, Said};
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::stack::{Stack, pack};

/// Shards of the stream.
pub const SHARDS: usize = 2;

/// The log group that `envelope` writes.
pub const GROUP: &str = "/aws/lambda/login";

/// A deployed stack, and what was done to it.
pub struct World {
    pub stack: Stack,
    put: RefCell<usize>,
    envelopes: RefCell<usize>,
    // Last, so that everything else is gone before it.
    pub ministack: Ministack,
    _code: TempDir,
}

/// A queue that is subscribed to a topic.
pub struct Queue {
    url: String,
    got: RefCell<Vec<Value>>,
}

impl World {
    /// Deploys the stack with the real binary.
    pub fn deploy(parameters: &[(&str, &str)]) -> World {
        let code = tempfile::tempdir().expect("a folder for temporary files");
        let zip = code.path().join("bootstrap.zip");
        pack(&bootstrap(), &zip);
        let ministack = Ministack::guarded();
        let shards = SHARDS.to_string();
        let mut all = vec![("StreamMode", "PROVISIONED"), ("ShardCount", shards.as_str())];
        all.push(("Architecture", "x86_64"));
        all.extend(parameters);
        let stack = Stack::deploy(&ministack, &zip, &all);
        let (put, envelopes) = (RefCell::new(0), RefCell::new(0));
        World { stack, put, envelopes, ministack, _code: code }
    }

    fn output(&self, name: &str) -> &str {
        self.stack.outputs.get(name).unwrap_or_else(|| panic!("no output {name}"))
    }

    /// Events as CloudWatch Logs delivers them: one record.
    pub fn packed(&self, events: &[Event]) -> Vec<u8> {
        let nth = self.envelopes.replace_with(|nth| *nth + 1);
        gzip(envelope(nth, events, Event::json).as_bytes())
    }

    /// Puts a record on the `shard`th shard; when, in milliseconds since 1970.
    pub fn put(&self, shard: usize, data: &[u8]) -> i64 {
        let stream = self.output("StreamArn").rsplit('/').next().expect("a name");
        // The shards divide the hash keys, 0 to 2^128, evenly.
        let hash = (u128::MAX / SHARDS as u128) * shard as u128 + 1;
        let at = now_ms();
        let put = self.stack.cloud.must(
            "kinesis",
            "PutRecord",
            json!({
                "StreamName": stream, "Data": bytes(data), "PartitionKey": "a",
                "ExplicitHashKey": hash.to_string(),
            }),
        );
        assert_eq!(put["ShardId"], format!("shardId-{shard:012}"));
        self.put.replace_with(|put| *put + 1);
        at
    }

    /// Waits until the function has been given everything that was put.
    pub fn drained(&self) {
        until("all records to be read", || {
            let read: f64 =
                self.said("batch").iter().filter_map(|batch| batch["Records"].as_f64()).sum();
            (read as usize >= *self.put.borrow()).then_some(())
        });
    }

    /// What the function said under this name so far.
    pub fn said(&self, what: &str) -> Vec<Value> {
        let log = self.ministack.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == what).collect()
    }

    /// All ERROR lines so far.
    pub fn complaints(&self) -> Vec<Value> {
        let log = self.ministack.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["level"] == "ERROR").collect()
    }

    /// Has the function deal with `event` by itself.
    pub fn invoke(&self, event: &Value) -> Value {
        self.invoke_function("FunctionName", event)
    }

    /// Has the function that an output names deal with `event`.
    pub fn invoke_function(&self, output: &str, event: &Value) -> Value {
        let ask = json!({
            "FunctionName": self.output(output), "Payload": bytes(event.to_string().as_bytes()),
        });
        self.stack.cloud.must("lambda", "Invoke", ask)
    }

    /// The processes that run the function.
    pub fn processes(&self) -> Vec<u32> {
        self.ministack.environments()
    }

    /// Ends the processes that run the function, as crashes do.
    pub fn kill(&self) {
        let running = self.processes();
        assert!(!running.is_empty(), "no process runs the function");
        running.iter().for_each(|id| self.ministack.kill_environment(*id));
        let gone = || self.processes().iter().all(|id| !running.contains(id)).then_some(());
        until("the processes to end", gone);
    }

    /// A queue that gets of `topic` (an output) what passes `filter`, as it was published.
    pub fn subscribe(&self, name: &str, topic: &str, filter: &Value) -> Queue {
        let cloud = &self.stack.cloud;
        let url =
            cloud.must("sqs", "CreateQueue", json!({ "QueueName": name }))["QueueUrl"].clone();
        let ask = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        let arn = cloud.must("sqs", "GetQueueAttributes", ask)["Attributes"]["QueueArn"].clone();
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage", "Resource": arn,
            "Condition": { "ArnEquals": { "aws:SourceArn": self.output(topic) } },
        }] });
        let attributes = json!({ "Policy": policy.to_string() });
        let ask = json!({ "QueueUrl": url, "Attributes": attributes });
        cloud.must("sqs", "SetQueueAttributes", ask);
        cloud.must(
            "sns",
            "Subscribe",
            json!({
                "TopicArn": self.output(topic), "Protocol": "sqs", "Endpoint": arn,
                "Attributes": {
                    "FilterPolicy": filter.to_string(),
                    "RawMessageDelivery": if topic == "AlertTopicArn" { "true" } else { "false" },
                },
            }),
        );
        let url = url.as_str().expect("a URL").to_owned();
        Queue { url, got: RefCell::new(Vec::new()) }
    }

    /// Everything that has come to `queue` so far.
    pub fn messages(&self, queue: &Queue) -> Vec<Value> {
        loop {
            let ask = json!({
                "QueueUrl": queue.url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3600,
                "AttributeNames": ["All"], "MessageAttributeNames": ["All"],
            });
            let got = self.stack.cloud.must("sqs", "ReceiveMessage", ask);
            let more = got["Messages"].as_array().cloned().unwrap_or_default();
            if more.is_empty() {
                return queue.got.borrow().clone();
            }
            queue.got.borrow_mut().extend(more);
        }
    }

    /// Waits for a message of `queue` that `is` the one.
    pub fn message(&self, queue: &Queue, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        until(what, || self.messages(queue).into_iter().find(|message| is(&document(message))))
    }

    /// The names of the objects in the bucket under `prefix`.
    pub fn objects(&self, prefix: &str) -> Vec<String> {
        let ask = json!({ "Bucket": self.output("BucketName"), "Prefix": prefix });
        let listed = self.stack.cloud.must("s3", "ListObjectsV2", ask);
        let all = listed["Contents"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|object| object["Key"].as_str().map(str::to_owned)).collect()
    }

    /// An object's bytes.
    pub fn object(&self, key: &str) -> Vec<u8> {
        let ask = json!({ "Bucket": self.output("BucketName"), "Key": key });
        bytes_of(&self.stack.cloud.must("s3", "GetObject", ask)["Body"]).expect("bytes")
    }

    /// Puts an object into the bucket.
    pub fn store(&self, key: &str, body: &str) {
        let body = bytes(body.as_bytes());
        let ask = json!({ "Bucket": self.output("BucketName"), "Key": key, "Body": body });
        self.stack.cloud.must("s3", "PutObject", ask);
    }

    /// What a resource of the template is called.
    pub fn resource(&self, name: &str) -> String {
        let all = self.stack.resources();
        all.get(name).unwrap_or_else(|| panic!("no resource {name}")).1.clone()
    }

    /// The table.
    pub fn table(&self) -> DynamoTable {
        let config = local(&self.ministack.endpoint());
        let client = tidewatch_aws::client::dynamodb(&config);
        DynamoTable::new(client, self.output("TableName"))
    }

    /// What the table counts of `source` at its newest event, by measure of a shipped detector, as one
    /// sees it who judges by the keys of `generation`: the first key of a stack is number 1, odd.
    pub async fn counted(
        &self,
        source: &str,
        detector: &str,
        generation: Generation,
    ) -> Vec<(String, f64)> {
        let detectors = tidewatch_rules::load(tidewatch_rules::shipped()).expect("good ones");
        let plan = Arc::new(Plan::shared(detectors).expect("fit for the shared home"));
        let table = self.table();
        let pace = TokioPace::start().expect("the system has chance");
        let deadline = pace.now().plus(Span::seconds(30));
        let store = DynamoStore::new(Arc::clone(&plan), table, pace, Settings::default());
        let key = Key::source_ip(source.parse().expect("an address"));
        let mut counted = Vec::new();
        let invocation = store.invocation(ShardId::TICK, deadline).reading(generation);
        let places = [(KeyPlanId(0), key)];
        let read = invocation.read(&places, |window| {
            let of = window.plan.detectors.iter().find(|of| plan.detector(of.id).id == detector);
            let of = of.expect("a detector of this name");
            for (named, place) in plan.detector(of.id).measures.iter().zip(&of.measures) {
                counted.push((named.name.clone(), window.value(*place, of).amount));
            }
        });
        read.await.expect("the table answers");
        counted
    }
}

/// A test that fails says what the function said.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.ministack.log());
        }
    }
}

/// The document of a message: the finding, or what a topic that is not raw says.
pub fn document(message: &Value) -> Value {
    let body = message["Body"].as_str().expect("a body");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// A message's attribute.
pub fn attribute<'m>(message: &'m Value, name: &str) -> &'m str {
    let value = &message["MessageAttributes"][name]["StringValue"];
    value.as_str().unwrap_or_else(|| panic!("no attribute {name}: {message}"))
}

/// When a message was put into its queue, in milliseconds since 1970.
pub fn sent_ms(message: &Value) -> i64 {
    let sent = message["Attributes"]["SentTimestamp"].as_str().expect("a time");
    sent.parse().expect("milliseconds")
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

/// Tries by `source` of the names of `nths`, a `gap_ms` apart, the last one at `last_ms`.
pub fn scan(source: &str, nths: std::ops::Range<usize>, last_ms: i64, gap_ms: i64) -> Vec<Event> {
    let last = nths.end as i64 - 1;
    nths.map(|nth| Event {
        ms: last_ms - (last - nth as i64) * gap_ms,
        source: source.to_owned(),
        user: format!("nobody{nth}"),
        said: Said::UnknownUser,
    })
    .collect()
}

/// The distinct names of events.
pub fn names(events: &[Event]) -> BTreeSet<&str> {
    events.iter().map(|event| event.user.as_str()).collect()
}
