//! What the function needs around it, each thing made or left out by a test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidewatch_tests::cloud::Cloud;
use tidewatch_tests::containers::{envelope, gzip, shard_record};
use tidewatch_tests::environment::{Answer, Environment, bootstrap};
use tidewatch_tests::events::{Event, Said};
use tidewatch_tests::ministack::Ministack;

/// What an invocation is given unless the test is about time.
pub const LIMIT: Duration = Duration::from_secs(30);

/// The secret as CloudFormation makes it.
const SECRET: &str = r#"{"id":1,"passphrase":"nothing but a test"}"#;

/// An account with the services of a stack.
pub struct Host {
    pub cloud: Cloud,
    pub variables: BTreeMap<String, String>,
    // Last, so that everything else is gone before it.
    pub ministack: Ministack,
}

/// A part of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Table,
    Secret,
    Bucket,
    Topics,
}

impl Host {
    /// An account with all parts but `missing`.
    pub async fn without(missing: Option<Part>) -> Host {
        let ministack = Ministack::start();
        let cloud = Cloud::start(&ministack);
        let arn =
            |service: &str, name: &str| format!("arn:aws:{service}:us-east-1:000000000000:{name}");
        let variables = [
            ("AWS_ENDPOINT_URL", ministack.endpoint()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/tidewatch-detector".to_owned()),
            ("TIDEWATCH_TABLE", "state".to_owned()),
            ("TIDEWATCH_ALERT_TOPIC", arn("sns", "alerts")),
            ("TIDEWATCH_NOTICE_TOPIC", arn("sns", "notices")),
            ("TIDEWATCH_SECRET", "tag-key".to_owned()),
            ("TIDEWATCH_BUCKET", "tidewatch-bucket".to_owned()),
            ("TIDEWATCH_STACK", "prod".to_owned()),
        ];
        let variables =
            variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let host = Host { cloud, variables, ministack };
        for part in [Part::Table, Part::Secret, Part::Bucket, Part::Topics] {
            if Some(part) != missing {
                host.make(part).await;
            }
        }
        host
    }

    /// Makes a part.
    pub async fn make(&self, part: Part) {
        match part {
            Part::Table => drop(self.ministack.table("state").await),
            Part::Secret => {
                let ask = json!({ "Name": "tag-key", "SecretString": SECRET });
                self.cloud.must("secretsmanager", "CreateSecret", ask);
            }
            Part::Bucket => {
                let ask = json!({ "Bucket": self.variables["TIDEWATCH_BUCKET"] });
                self.cloud.must("s3", "CreateBucket", ask);
            }
            Part::Topics => {
                for name in ["alerts", "notices"] {
                    let topic = self.cloud.must("sns", "CreateTopic", json!({ "Name": name }));
                    assert!(
                        self.variables.values().any(|arn| *arn == topic["TopicArn"]),
                        "{topic}"
                    );
                }
            }
        }
    }

    /// A new environment.
    pub fn environment(&self) -> Environment {
        Environment::start(binary(), &self.variables)
    }

    /// A queue that gets all of the alert topic, as it is published.
    pub fn alerts(&self) -> Value {
        let url =
            self.cloud.must("sqs", "CreateQueue", json!({ "QueueName": "q" }))["QueueUrl"].clone();
        let ask = json!({ "QueueUrl": url, "AttributeNames": ["QueueArn"] });
        let arn =
            self.cloud.must("sqs", "GetQueueAttributes", ask)["Attributes"]["QueueArn"].clone();
        let ask = json!({
            "TopicArn": self.variables["TIDEWATCH_ALERT_TOPIC"], "Protocol": "sqs", "Endpoint": arn,
            "Attributes": { "RawMessageDelivery": "true" },
        });
        self.cloud.must("sns", "Subscribe", ask);
        url
    }

    /// The findings of `credential-scan` that are in such a queue, and were not read before. The other
    /// packaged detector raises for the same attacks.
    pub fn findings(&self, queue: &Value) -> Vec<Value> {
        self.findings_of("credential-scan", queue)
    }

    /// The same of another detector.
    pub fn findings_of(&self, detector: &str, queue: &Value) -> Vec<Value> {
        let mut findings = Vec::new();
        loop {
            let ask =
                json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "VisibilityTimeout": 3600 });
            let got = self.cloud.must("sqs", "ReceiveMessage", ask);
            let Some(messages) = got["Messages"].as_array().filter(|all| !all.is_empty()) else {
                return findings;
            };
            let bodies = messages.iter().filter_map(|message| message["Body"].as_str());
            let all = bodies.map(|body| serde_json::from_str::<Value>(body).expect("JSON"));
            findings.extend(
                all.filter(|finding| finding["finding_info"]["analytic"]["uid"] == detector),
            );
        }
    }
}

/// The binary, built once.
pub fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(bootstrap)
}

/// Now, in milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_millis()).expect("a time")
}

/// Tries of unknown names by `source`, the names numbered by `nths`, over the last minute.
pub fn scan(source: &str, nths: std::ops::Range<i64>) -> Vec<Event> {
    let now = now_ms();
    nths.map(|nth| Event {
        ms: now - 60_000 + nth * 100,
        source: source.to_owned(),
        user: format!("nobody{nth}"),
        said: Said::UnknownUser,
    })
    .collect()
}

/// An envelope as a record's data; different `nth`, different log events.
pub fn packed(nth: usize, events: &[Event]) -> Vec<u8> {
    gzip(envelope(nth, events, Event::json).as_bytes())
}

/// An invocation with these data on shard 0, numbered from `first`.
pub fn batch(first: u64, data: &[Vec<u8>]) -> Value {
    let now = now_ms();
    let record = |(nth, data): (u64, &Vec<u8>)| shard_record(0, &sequence(first + nth), now, data);
    json!({ "Records": (0..).zip(data).map(record).collect::<Vec<_>>() })
}

/// A sequence number.
pub fn sequence(nth: u64) -> String {
    format!("4954663{nth:049}")
}

/// The answer that asks for everything from `nth` on again; `None`: for nothing.
pub fn again_from(nth: Option<u64>) -> Answer {
    let failures: Vec<Value> =
        nth.iter().map(|nth| json!({ "itemIdentifier": sequence(*nth) })).collect();
    Answer::Done(json!({ "batchItemFailures": failures }))
}

/// The sentence of the `nth` ERROR line called `what`.
pub fn complaint(environment: &Environment, what: &str, nth: usize) -> String {
    let line = environment.said(what, nth);
    assert_eq!(line["level"], "ERROR");
    line["why"].as_str().expect("a sentence").to_owned()
}
