//! Log groups: sent or not, by which filter, and whether what they send arrives.

use aws_sdk_cloudwatchlogs::types::OrderBy;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Span;

use super::metrics::Number;
use super::{Line, Status, Verdict};
use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::log_groups::{LogGroup, by_name};
use crate::stack::{PATIENCE, StackError};
use crate::subscriptions::{AccountPolicy, Filter, Intent, Subscriptions, Way};

/// How far back deliveries are looked at.
const DELIVERIES: Span = Span::minutes(60);

impl Status<'_> {
    /// The log groups that fit one of `globs`.
    pub(super) async fn groups(&self, globs: &[String]) -> Result<Vec<Line>, StackError> {
        let ours = Subscriptions::new(self.config, self.stack, "", self.pace.clone())?;
        let named = by_name(ours.log_groups().fitting(globs).await?);
        let policy = ours.policy().await;
        let failed = self.undelivered(named.keys(), ours.wanted()).await;
        let mut lines = Vec::new();
        for (nth, group) in named.values().enumerate() {
            let undelivered = match &failed {
                Ok(all) => Ok(all.get(nth).copied().unwrap_or_default()),
                Err(failure) => Err(failure.clone()),
            };
            lines.push(self.group(&ours, group, &policy, undelivered).await);
        }
        Ok(lines)
    }

    /// How many log events of each group could not be delivered, and how often it was throttled.
    async fn undelivered(
        &self,
        groups: impl Iterator<Item = &String>,
        filter: &Filter,
    ) -> Result<Vec<(f64, f64)>, Failure> {
        let of = |group: &String, metric| Number {
            namespace: "AWS/Logs",
            metric,
            dimensions: vec![
                ("LogGroupName", group.clone()),
                ("DestinationType", "Kinesis".to_owned()),
                ("FilterName", filter.name.clone()),
            ],
            stat: "Sum",
            span: DELIVERIES,
        };
        let numbers: Vec<Number> = groups
            .flat_map(|group| [of(group, "DeliveryErrors"), of(group, "DeliveryThrottling")])
            .collect();
        let found = self.numbers(&numbers).await?;
        let pairs = found.chunks(2).map(|pair| {
            let number = |nth: usize| pair.get(nth).copied().flatten().unwrap_or(0.0);
            (number(0), number(1))
        });
        Ok(pairs.collect())
    }

    async fn group(
        &self,
        ours: &Subscriptions,
        group: &LogGroup,
        policy: &Result<Option<AccountPolicy>, Failure>,
        undelivered: Result<(f64, f64), Failure>,
    ) -> Line {
        let line = |is_subscribed, verdict, facts| Line {
            about: group.name.clone(),
            is_group: true,
            is_subscribed,
            verdict,
            facts,
        };
        let filters = match ours.filters(&group.name).await {
            Ok(filters) => filters,
            Err(failure) => return line(false, Verdict::of(failure), Vec::new()),
        };
        let known = policy.as_ref().map_or(None, |policy| policy.as_ref());
        let way = ours.way(&group.name, &filters, known);
        // Without a filter it may be the account's policy that sends it, or that ought not to.
        if let (Way::None, Err(failure)) = (&way, policy) {
            return line(false, Verdict::Unknown { why: failure.to_string() }, Vec::new());
        }
        let mut facts = vec![("filters", filters.len().to_string())];
        match &way {
            Way::Filter(filter) => facts.push(("filter", filter.name.clone())),
            Way::Policy(name) => facts.push(("policy", name.clone())),
            Way::None => {}
        }
        let is_subscribed = !matches!(way, Way::None);
        if is_subscribed {
            facts.push(match self.last_event(&group.name).await {
                Ok(Some(last)) => ("last_event", last),
                Ok(None) => ("last_event", "none".to_owned()),
                Err(failure) => ("last_event_unknown", failure.to_string()),
            });
        }
        if let Ok((errors, throttled)) = &undelivered {
            facts.push(("undelivered", format!("{errors:.0}")));
            facts.push(("throttled", format!("{throttled:.0}")));
        }
        line(is_subscribed, judge(ours, group, &way, &filters, undelivered), facts)
    }

    /// When the newest event of a log group was written, in milliseconds since 1970.
    async fn last_event(&self, group: &str) -> Result<Option<String>, Failure> {
        let client = client::logs(self.config);
        let asked =
            Asked { service: Service::Logs, operation: "DescribeLogStreams", resource: group };
        let ask = || async {
            let request = client.describe_log_streams().log_group_name(group);
            let request = request.order_by(OrderBy::LastEventTime).descending(true).limit(1);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let deadline = self.pace.now().plus(PATIENCE);
        let answer = insist(asked, &self.pace, deadline, ask).await.answer?;
        let newest = answer.log_streams().first().and_then(|stream| stream.last_event_timestamp());
        Ok(newest.map(|ms| match jiff::Timestamp::from_millisecond(ms) {
            Ok(time) => time.to_string(),
            Err(_) => ms.to_string(),
        }))
    }
}

fn judge(
    ours: &Subscriptions,
    group: &LogGroup,
    way: &Way,
    filters: &[Filter],
    undelivered: Result<(f64, f64), Failure>,
) -> Verdict {
    if ours.is_own(&group.name) {
        return match way {
            Way::None => Verdict::Healthy,
            _ => Verdict::blind(
                "the detector's own log is subscribed to it: its lines are carried and paid for, and not read",
                format!(
                    "tidewatch unsubscribe '{}', or leave it out of the account's policy",
                    group.name
                ),
            ),
        };
    }
    match way {
        Way::None => match ours.intent(group, filters, None) {
            Intent::Refuse(why) => {
                Verdict::blind(format!("nothing of it is sent: {why}"), "see there")
            }
            Intent::Replace => Verdict::blind(
                "its filter of the stack's name sends elsewhere",
                format!("tidewatch subscribe '{}'", group.name),
            ),
            _ => Verdict::blind(
                "nothing of it is sent to the stack",
                format!("tidewatch subscribe '{}', if it should be", group.name),
            ),
        },
        Way::Filter(filter) if filter.role != ours.wanted().role => Verdict::blind(
            format!("its filter sends under the role {}, not under the stack's", filter.role),
            format!("tidewatch subscribe '{}'", group.name),
        ),
        Way::Filter(_) | Way::Policy(_) => match undelivered {
            Err(failure) => Verdict::Unknown { why: failure.to_string() },
            Ok((errors, _)) if errors > 0.0 => Verdict::blind(
                format!(
                    "{errors:.0} deliveries failed within the hour; what is not delivered is lost"
                ),
                "look whether the stream, its KMS key and the subscription's role exist, and whether the role may \
                 put records on the stream and use the key",
            ),
            Ok((_, throttled)) if throttled > 0.0 => Verdict::blind(
                format!(
                    "{throttled:.0} deliveries were throttled within the hour; they are tried for a day"
                ),
                "give the stream more shards",
            ),
            Ok(_) => Verdict::Healthy,
        },
    }
}
