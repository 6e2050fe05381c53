//! The parts of a stack, in the order in which a log line meets them.

use aws_sdk_kinesis::types::StreamStatus;
use aws_sdk_lambda::types::State;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use super::metrics::Number;
use super::{Line, Status, Verdict};
use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::stack::{PATIENCE, StackError};

/// How far back failures are looked for.
const LATELY: Span = Span::minutes(15);

/// A record that waits longer is late; the same as the stack's alarm.
const LATE_MS_MAX: f64 = 300_000.0;

/// How far back what was put aside is new.
const NEW: Span = Span::minutes(24 * 60);

/// What the numbers of CloudWatch are asked for, in this order.
const NUMBERS: usize = 10;

/// The numbers of the stack's last minutes.
#[derive(Debug)]
pub(super) struct Numbers {
    iterator_age_ms: Option<f64>,
    errors: f64,
    throttles: f64,
    ticks: Option<f64>,
    table_throttles: f64,
    publish_failed: f64,
    overrides_rejected: f64,
    opened: f64,
    closed: f64,
    pub(super) key_age_days: Option<f64>,
}

impl Status<'_> {
    /// All parts.
    pub(super) async fn parts(&self) -> Result<Vec<Line>, StackError> {
        let numbers = self.stack_numbers().await?;
        Ok(vec![
            self.whole(),
            self.stream().await?,
            self.source(&numbers).await?,
            self.function(&numbers).await?,
            tick(&numbers),
            self.secret(&numbers).await,
            self.table(&numbers).await?,
            self.topic(&numbers).await?,
            self.put_aside("quarantine", "quarantine/").await?,
            self.put_aside("on-failure", "aws/lambda/").await?,
            self.overrides(&numbers).await?,
            findings(&numbers),
        ])
    }

    pub(super) async fn insist<T, F>(
        &self,
        asked: Asked<'_>,
        ask: impl FnMut() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        insist(asked, &self.pace, self.pace.now().plus(PATIENCE), ask).await.answer
    }

    async fn stack_numbers(&self) -> Result<Result<Numbers, Failure>, StackError> {
        let stack = || vec![("Stack", self.stack.name.clone())];
        let function = vec![("FunctionName", self.stack.output("FunctionName")?.to_owned())];
        let table = vec![("TableName", self.stack.output("TableName")?.to_owned())];
        let number = |namespace, metric, dimensions, stat, span| Number {
            namespace,
            metric,
            dimensions,
            stat,
            span,
        };
        let ours = |metric, span| number("Tidewatch", metric, stack(), "Sum", span);
        let asked: [Number; NUMBERS] = [
            number("AWS/Lambda", "IteratorAge", function.clone(), "Maximum", LATELY),
            number("AWS/Lambda", "Errors", function.clone(), "Sum", LATELY),
            number("AWS/Lambda", "Throttles", function, "Sum", LATELY),
            ours("Ticks", Span::minutes(5)),
            number("AWS/DynamoDB", "WriteThrottleEvents", table, "Sum", LATELY),
            ours("PublishFailed", LATELY),
            ours("OverridesRejected", LATELY),
            ours("FindingsOpened", NEW),
            ours("FindingsClosed", NEW),
            number("Tidewatch", "KeyAgeDays", stack(), "Maximum", LATELY),
        ];
        Ok(self.numbers(&asked).await.map(|found| {
            let of = |nth: usize| found.get(nth).copied().flatten();
            let sum = |nth| of(nth).unwrap_or(0.0);
            Numbers {
                iterator_age_ms: of(0),
                errors: sum(1),
                throttles: sum(2),
                ticks: of(3),
                table_throttles: sum(4),
                publish_failed: sum(5),
                overrides_rejected: sum(6),
                opened: sum(7),
                closed: sum(8),
                key_age_days: of(9),
            }
        }))
    }

    fn whole(&self) -> Line {
        let status = &self.stack.status;
        let verdict = match status.as_str() {
            "CREATE_COMPLETE"
            | "UPDATE_COMPLETE"
            | "UPDATE_ROLLBACK_COMPLETE"
            | "IMPORT_COMPLETE" => Verdict::Healthy,
            state if state.ends_with("_IN_PROGRESS") => {
                Verdict::Unknown { why: format!("it is {state}: ask again when that has ended") }
            }
            state => Verdict::blind(
                format!("it is {state}"),
                "look at its events in CloudFormation, and deploy it again",
            ),
        };
        Line::part("stack", verdict, vec![("status", status.clone())])
    }

    async fn stream(&self) -> Result<Line, StackError> {
        let arn = self.stack.output("StreamArn")?;
        let client = client::kinesis(self.config);
        let asked =
            Asked { service: Service::Kinesis, operation: "DescribeStreamSummary", resource: arn };
        let ask = || async {
            let request = client.describe_stream_summary().stream_arn(arn);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = match self.insist(asked, ask).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Line::part("stream", Verdict::of(failure), Vec::new())),
        };
        let Some(summary) = answer.stream_description_summary else {
            let failure = asked.incomplete("description");
            return Ok(Line::part("stream", Verdict::of(failure), Vec::new()));
        };
        let status = &summary.stream_status;
        let verdict = match status {
            StreamStatus::Active | StreamStatus::Updating => Verdict::Healthy,
            other => Verdict::blind(
                format!("it is {}", other.as_str()),
                "wait, or deploy the stack again",
            ),
        };
        let facts = vec![
            ("status", status.as_str().to_owned()),
            ("shards", summary.open_shard_count.to_string()),
        ];
        Ok(Line::part("stream", verdict, facts))
    }

    /// What reads the stream and calls the function.
    async fn source(&self, numbers: &Result<Numbers, Failure>) -> Result<Line, StackError> {
        let (function, stream) =
            (self.stack.output("FunctionName")?, self.stack.output("StreamArn")?);
        let client = client::lambda(self.config);
        let asked = Asked {
            service: Service::Lambda,
            operation: "ListEventSourceMappings",
            resource: function,
        };
        let ask = || async {
            let request = client.list_event_source_mappings().function_name(function);
            let request = request.event_source_arn(stream);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = match self.insist(asked, ask).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Line::part("source", Verdict::of(failure), Vec::new())),
        };
        let Some(mapping) = answer.event_source_mappings().first() else {
            let verdict = Verdict::blind("nothing reads the stream", "deploy the stack again");
            return Ok(Line::part("source", verdict, Vec::new()));
        };
        let state = mapping.state().unwrap_or_default();
        let last = mapping.last_processing_result().unwrap_or_default();
        let mut facts = vec![("state", state.to_owned()), ("last_result", last.to_owned())];
        if let Ok(Numbers { iterator_age_ms: Some(age), .. }) = numbers {
            facts.push(("iterator_age_ms", format!("{age:.0}")));
        }
        Ok(Line::part("source", judge_source(state, last, numbers), facts))
    }

    async fn function(&self, numbers: &Result<Numbers, Failure>) -> Result<Line, StackError> {
        let function = self.stack.output("FunctionName")?;
        let client = client::lambda(self.config);
        let asked =
            Asked { service: Service::Lambda, operation: "GetFunction", resource: function };
        let ask = || async {
            let request = client.get_function().function_name(function);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = match self.insist(asked, ask).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Line::part("function", Verdict::of(failure), Vec::new())),
        };
        let state = answer.configuration().and_then(|about| about.state());
        let reserved = answer.concurrency().and_then(|of| of.reserved_concurrent_executions());
        let mut facts = vec![("state", state.map_or("", State::as_str).to_owned())];
        facts.extend(reserved.map(|reserved| ("reserved_concurrency", reserved.to_string())));
        if let Ok(numbers) = numbers {
            facts.push(("errors", format!("{:.0}", numbers.errors)));
            facts.push(("throttles", format!("{:.0}", numbers.throttles)));
        }
        let verdict = match (state, reserved, numbers) {
            (Some(State::Failed | State::Inactive), _, _) => Verdict::blind(
                format!("it is {}", state.map_or("", State::as_str)),
                "look at it in Lambda, and deploy the stack again",
            ),
            (_, Some(0), _) => Verdict::blind(
                "its reserved concurrency is 0, so that it is never called",
                "deploy the stack again, which sets it to what its shards need",
            ),
            (_, _, Err(failure)) => Verdict::Unknown { why: failure.to_string() },
            (_, _, Ok(numbers)) if numbers.errors > 0.0 => Verdict::blind(
                format!("{:.0} calls failed within a quarter of an hour", numbers.errors),
                "its log group says why; what failed comes again",
            ),
            (_, _, Ok(numbers)) if numbers.throttles > 0.0 => Verdict::blind(
                format!(
                    "{:.0} calls were throttled within a quarter of an hour",
                    numbers.throttles
                ),
                "set ShardCount to the shards the stream has, or raise the account's limit",
            ),
            _ => Verdict::Healthy,
        };
        Ok(Line::part("function", verdict, facts))
    }

    async fn table(&self, numbers: &Result<Numbers, Failure>) -> Result<Line, StackError> {
        let table = self.stack.output("TableName")?;
        let client = client::dynamodb(self.config);
        // It tells whether the table is there, and the one thing about it that nothing else would: state that
        // is never removed costs, and is read past for ever.
        let asked =
            Asked { service: Service::DynamoDb, operation: "DescribeTimeToLive", resource: table };
        let ask = || async {
            let request = client.describe_time_to_live().table_name(table);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = match self.insist(asked, ask).await {
            Ok(answer) => answer,
            Err(failure) => return Ok(Line::part("table", Verdict::of(failure), Vec::new())),
        };
        let expiry = answer.time_to_live_description().and_then(|of| of.time_to_live_status());
        let expiry = expiry.map_or("", |status| status.as_str()).to_owned();
        let verdict = match (expiry.as_str(), numbers) {
            ("DISABLED" | "DISABLING", _) => Verdict::blind(
                "its items do not expire, so that it grows without end",
                "deploy the stack again",
            ),
            (_, Err(failure)) => Verdict::Unknown { why: failure.to_string() },
            (_, Ok(numbers)) if numbers.table_throttles > 0.0 => Verdict::blind(
                format!(
                    "{:.0} writes were throttled within a quarter of an hour",
                    numbers.table_throttles
                ),
                "raise WriteCeiling; until then batches come again, and late",
            ),
            (_, Ok(_)) => Verdict::Healthy,
        };
        Ok(Line::part("table", verdict, vec![("expiry", expiry)]))
    }

    async fn topic(&self, numbers: &Result<Numbers, Failure>) -> Result<Line, StackError> {
        let topic = self.stack.output("AlertTopicArn")?;
        let notices = self.stack.output("NoticeTopicArn")?;
        let mut subscribers = 0;
        for topic in [topic, notices] {
            match self.subscribers(topic).await {
                Ok(count) => subscribers += count,
                Err(failure) => return Ok(Line::part("topics", Verdict::of(failure), Vec::new())),
            }
        }
        let verdict = match numbers {
            _ if subscribers == 0 => Verdict::blind(
                "nobody is subscribed to either topic, so alerts reach nobody",
                "subscribe to the alert topic, or set AlertEmail and confirm the letter",
            ),
            Err(failure) => Verdict::Unknown { why: failure.to_string() },
            Ok(numbers) if numbers.publish_failed > 0.0 => Verdict::blind(
                format!("{:.0} alerts could not be published lately", numbers.publish_failed),
                "look whether the detector's role may publish on both topics and use the key; they are tried again",
            ),
            Ok(_) => Verdict::Healthy,
        };
        Ok(Line::part("topics", verdict, vec![("subscribers", subscribers.to_string())]))
    }

    /// Confirmed subscriptions of a topic.
    async fn subscribers(&self, topic: &str) -> Result<u64, Failure> {
        let client = client::sns(self.config);
        let asked =
            Asked { service: Service::Sns, operation: "GetTopicAttributes", resource: topic };
        let ask = || async {
            let request = client.get_topic_attributes().topic_arn(topic);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        let confirmed = answer.attributes().and_then(|all| all.get("SubscriptionsConfirmed"));
        Ok(confirmed.and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    /// Objects under `prefix`: how many, and how many of the last day.
    async fn objects(&self, prefix: &str) -> Result<(usize, usize, Vec<String>), Failure> {
        let bucket = self.stack.outputs.get("BucketName").map_or("", String::as_str);
        let client = client::s3(self.config);
        let resource = format!("{bucket}/{prefix}");
        let asked = Asked { service: Service::S3, operation: "ListObjectsV2", resource: &resource };
        let since = self.pace.now().minus(NEW);
        let (mut count, mut fresh, mut keys) = (0, 0, Vec::new());
        let mut token: Option<String> = None;
        loop {
            let ask = || async {
                let request = client.list_objects_v2().bucket(bucket).prefix(prefix);
                let request = request.set_continuation_token(token.clone());
                request.send().await.map_err(|error| asked.failed(&error))
            };
            let answer = self.insist(asked, ask).await?;
            for object in answer.contents() {
                let modified = object.last_modified().map_or(0, |time| time.secs() * 1_000);
                count += 1;
                fresh += usize::from(Time(modified) >= since);
                keys.extend(object.key().map(str::to_owned));
            }
            token = answer.next_continuation_token;
            if token.is_none() {
                return Ok((count, fresh, keys));
            }
        }
    }

    /// What was put aside below `prefix`.
    async fn put_aside(&self, about: &str, prefix: &str) -> Result<Line, StackError> {
        self.stack.output("BucketName")?;
        let (count, fresh) = match self.objects(prefix).await {
            Ok((count, fresh, _)) => (count, fresh),
            Err(failure) => return Ok(Line::part(about, Verdict::of(failure), Vec::new())),
        };
        let facts = vec![("objects", count.to_string()), ("of_the_last_day", fresh.to_string())];
        let verdict = match (fresh, about) {
            (0, _) => Verdict::Healthy,
            (_, "quarantine") => Verdict::blind(
                format!("{fresh} objects with records that could not be read since yesterday"),
                format!(
                    "each line of an object below {prefix} has its reason: look who puts such records there"
                ),
            ),
            _ => Verdict::blind(
                format!("{fresh} batches were given up since yesterday, and not counted"),
                format!(
                    "read the newest object below {prefix} and the detector's log of that time"
                ),
            ),
        };
        Ok(Line::part(about, verdict, facts))
    }

    async fn overrides(&self, numbers: &Result<Numbers, Failure>) -> Result<Line, StackError> {
        self.stack.output("BucketName")?;
        let mut in_force = Vec::new();
        for prefix in ["detectors/", "allow.toml", "functions.toml", "users/known.users"] {
            match self.objects(prefix).await {
                Ok((_, _, keys)) => {
                    in_force.extend(keys.into_iter().filter(|key| !key.ends_with('/')))
                }
                Err(failure) => {
                    return Ok(Line::part("overrides", Verdict::of(failure), Vec::new()));
                }
            }
        }
        let verdict = match numbers {
            Err(failure) => Verdict::Unknown { why: failure.to_string() },
            Ok(numbers) if numbers.overrides_rejected > 0.0 => Verdict::blind(
                "a file in the bucket has a fault, so that the last good ones are in force",
                "the detector's log names the file, and what to do",
            ),
            Ok(_) => Verdict::Healthy,
        };
        let shown = if in_force.is_empty() { "none".to_owned() } else { in_force.join(" ") };
        Ok(Line::part("overrides", verdict, vec![("files", shown)]))
    }
}

fn judge_source(state: &str, last: &str, numbers: &Result<Numbers, Failure>) -> Verdict {
    if state != "Enabled" && state != "Updating" && state != "Enabling" {
        let todo = "enable the event source mapping in Lambda, or deploy the stack again";
        return Verdict::blind(format!("it is {state}: nothing reads the stream"), todo);
    }
    if last.starts_with("PROBLEM") {
        let todo = "what it names is missing or not allowed: mend that, or deploy the stack again";
        return Verdict::blind(format!("Lambda cannot read the stream: {last}"), todo);
    }
    match numbers {
        Err(failure) => Verdict::Unknown { why: failure.to_string() },
        Ok(Numbers { iterator_age_ms: Some(age), .. }) if *age > LATE_MS_MAX => Verdict::blind(
            format!("records wait {:.0} s on the stream, so that alerts are late", age / 1_000.0),
            "look at the function's errors and throttles, then at the table's; if all are calm, raise ShardCount",
        ),
        Ok(_) => Verdict::Healthy,
    }
}

fn tick(numbers: &Result<Numbers, Failure>) -> Line {
    let verdict = match numbers {
        Err(failure) => Verdict::Unknown { why: failure.to_string() },
        Ok(Numbers { ticks: Some(ticks), .. }) if *ticks > 0.0 => Verdict::Healthy,
        Ok(_) => Verdict::blind(
            "for five minutes it did not tick: attacks that ended are not closed, and campaigns not told",
            "look whether its rule in EventBridge is enabled and may call the function",
        ),
    };
    Line::part("tick", verdict, Vec::new())
}

fn findings(numbers: &Result<Numbers, Failure>) -> Line {
    match numbers {
        Err(failure) => {
            Line::part("findings", Verdict::Unknown { why: failure.to_string() }, Vec::new())
        }
        Ok(Numbers { opened, closed, .. }) => {
            let facts = vec![
                ("opened_of_the_last_day", format!("{opened:.0}")),
                ("closed_of_the_last_day", format!("{closed:.0}")),
            ];
            Line::part("findings", Verdict::Healthy, facts)
        }
    }
}
