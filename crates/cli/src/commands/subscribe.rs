//! `tidewatch subscribe` and `tidewatch unsubscribe`: which log groups a stack is fed from.
//!
//! One log group that cannot be subscribed costs that log group: all others are dealt with, each is reported
//! by a line, and the exit code says that not everything is as it should be.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tidewatch_alert::printable;
use tidewatch_aws::TokioPace;
use tidewatch_aws::client::{self, SdkConfig};
use tidewatch_aws::downstream::Downstream;
use tidewatch_aws::failure::Failure as AwsFailure;
use tidewatch_aws::log_groups::{LogGroup, by_name};
use tidewatch_aws::stack::Stack;
use tidewatch_aws::subscriptions::{AccountPolicy, Intent, Subscriptions};

use crate::args::{Output, SubscribeArgs};
use crate::commands::counted;
use crate::exit::{Exit, Failure};
use crate::output::{deliver, say};

/// What became of a log group, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Became {
    Subscribed,
    Replaced,
    Unchanged,
    Removed,
    Skipped,
    Refused,
    Failed,
}

impl Became {
    const ALL: [Became; 7] = [
        Became::Subscribed,
        Became::Replaced,
        Became::Unchanged,
        Became::Removed,
        Became::Skipped,
        Became::Refused,
        Became::Failed,
    ];

    fn name(self) -> &'static str {
        match self {
            Became::Subscribed => "subscribed",
            Became::Replaced => "replaced",
            Became::Unchanged => "unchanged",
            Became::Removed => "removed",
            Became::Skipped => "skipped",
            Became::Refused => "refused",
            Became::Failed => "failed",
        }
    }

    /// Whether it is not what was asked for.
    fn is_amiss(self) -> bool {
        matches!(self, Became::Refused | Became::Failed)
    }
}

/// A line of the report.
struct Row {
    group: String,
    became: Became,
    why: String,
}

/// What is asked for.
struct Asked<'a> {
    args: &'a SubscribeArgs,
    subscriptions: Subscriptions,
    /// Whether filters are taken away.
    removes: bool,
    config: SdkConfig,
    pace: TokioPace,
}

/// Subscribes, or takes back what was subscribed.
///
/// # Errors
/// If the command line is faulty.
pub async fn run(args: &SubscribeArgs, removes: bool) -> Result<Exit, Failure> {
    if args.account != args.globs.is_empty() {
        let what = "name log groups (a pattern such as '/aws/lambda/*'), or --account for all: one of the two";
        return Err(anyhow!(what).into());
    }
    let rows = match begin(args, removes).await {
        Ok(asked) if args.account => asked.account().await,
        Ok(asked) => asked.groups().await,
        Err(error) => Err(error),
    };
    match rows {
        Ok(rows) => Ok(report(&rows, args)),
        Err(error) => {
            say(format_args!("tidewatch: {}", printable(&format!("{error:#}"))));
            Ok(Exit::Failed)
        }
    }
}

async fn begin(args: &SubscribeArgs, removes: bool) -> Result<Asked<'_>> {
    let config = client::from_environment().await?;
    let pace = TokioPace::start()?;
    let stack = Stack::describe(&config, &args.stack, &pace).await?;
    let subscriptions = Subscriptions::new(&config, &stack, &args.filter_pattern, pace.clone())?;
    Ok(Asked { args, subscriptions, removes, config, pace })
}

impl Asked<'_> {
    /// Each log group that was named.
    async fn groups(&self) -> Result<Vec<Row>> {
        let found = self.subscriptions.log_groups().fitting(&self.args.globs).await?;
        if let Some((glob, _)) = found.iter().find(|(_, groups)| groups.is_empty()) {
            bail!("no log group fits {glob} in this account and Region; nothing was done");
        }
        let named = by_name(found);
        let policy = if self.removes { None } else { self.policy().await };
        let circles = self.circles(policy.as_ref()).await?;
        let mut rows = Vec::new();
        for group in named.values() {
            let row = if self.removes {
                self.unsubscribe(group).await
            } else {
                self.subscribe(group, policy.as_ref(), &circles).await
            };
            rows.push(row.unwrap_or_else(|failure| Row {
                group: group.name.clone(),
                became: Became::Failed,
                why: failure.to_string(),
            }));
        }
        Ok(rows)
    }

    /// The account's policy. Who may not ask for it can still subscribe.
    async fn policy(&self) -> Option<AccountPolicy> {
        match self.subscriptions.policy().await {
            Ok(policy) => policy,
            Err(failure) => {
                say(format_args!(
                    "tidewatch: whether the account's policy sends log groups already is unknown: {}",
                    printable(&failure.to_string())
                ));
                None
            }
        }
    }

    /// The log groups that must not be sent, for they are written by who reads what the stack writes.
    async fn circles(&self, policy: Option<&AccountPolicy>) -> Result<BTreeSet<String>> {
        if self.removes {
            return Ok(BTreeSet::new());
        }
        let follow = Downstream::new(&self.config, &self.subscriptions, self.pace.clone());
        let circles = follow.log_groups(policy).await;
        circles.context("whether it would run in a circle is unknown, so nothing was done")
    }

    async fn subscribe(
        &self,
        group: &LogGroup,
        policy: Option<&AccountPolicy>,
        circles: &BTreeSet<String>,
    ) -> Result<Row, AwsFailure> {
        let row = |became, why| Row { group: group.name.clone(), became, why };
        if circles.contains(&group.name) {
            let why = "what this stack writes is read by who writes this log group, so that each line would make the \
                       next one for ever: take the subscription of the stack's own log groups back first";
            return Ok(row(Became::Refused, why.to_owned()));
        }
        if self.subscriptions.is_own(&group.name) {
            // A pattern that happens to fit it means others; its very name is a mistake.
            let is_named = self.args.globs.contains(&group.name);
            let became = if is_named { Became::Refused } else { Became::Skipped };
            let Intent::Refuse(why) = self.subscriptions.intent(group, &[], None) else {
                return Ok(row(Became::Refused, String::new()));
            };
            return Ok(row(became, why));
        }
        let filters = self.subscriptions.filters(&group.name).await?;
        let became = match self.subscriptions.intent(group, &filters, policy) {
            Intent::Refuse(why) => return Ok(row(Became::Refused, why)),
            Intent::Leave => return Ok(row(Became::Unchanged, String::new())),
            Intent::Replace => Became::Replaced,
            Intent::Create => Became::Subscribed,
        };
        if !self.args.dry_run {
            self.subscriptions.put(&group.name).await?;
        }
        Ok(row(became, String::new()))
    }

    async fn unsubscribe(&self, group: &LogGroup) -> Result<Row, AwsFailure> {
        let filters = self.subscriptions.filters(&group.name).await?;
        let wanted = self.subscriptions.wanted();
        let row = |became, why| Row { group: group.name.clone(), became, why };
        let Some(ours) = filters.iter().find(|filter| filter.name == wanted.name) else {
            return Ok(row(Became::Unchanged, String::new()));
        };
        if ours.destination != wanted.destination {
            let why = format!(
                "its filter `{}` sends to {}, not to this stack",
                ours.name, ours.destination
            );
            return Ok(row(Became::Skipped, why));
        }
        if !self.args.dry_run {
            self.subscriptions.delete(&group.name).await?;
        }
        Ok(row(Became::Removed, String::new()))
    }

    /// The account's own policy.
    async fn account(&self) -> Result<Vec<Row>> {
        let there = self.subscriptions.policy().await?;
        let row = |became, why| vec![Row { group: "all log groups".to_owned(), became, why }];
        if self.removes {
            let ours = there.filter(|policy| self.subscriptions.is_fed_by(policy));
            if ours.is_none() {
                return Ok(row(Became::Unchanged, String::new()));
            }
            if !self.args.dry_run {
                self.subscriptions.delete_policy().await?;
            }
            return Ok(row(Became::Removed, String::new()));
        }
        let circles = self.circles(there.as_ref()).await?;
        if !circles.is_empty() {
            let circles: Vec<String> = circles.into_iter().collect();
            let why = format!(
                "what this stack writes is read by who writes {}, so that each line would make the next one for ever: \
                 take the subscription of the stack's own log groups back first",
                circles.join(", ")
            );
            return Ok(row(Became::Refused, why));
        }
        let became = match self.subscriptions.policy_intent(there.as_ref()) {
            Intent::Refuse(why) => return Ok(row(Became::Refused, why)),
            Intent::Leave => return Ok(row(Became::Unchanged, String::new())),
            Intent::Replace => Became::Replaced,
            Intent::Create => Became::Subscribed,
        };
        if !self.args.dry_run {
            self.subscriptions.put_policy().await?;
        }
        let left_out = self.subscriptions.wanted_policy().selection;
        let hint = "log groups that have a filter of their own to this stream would be read twice: take those back \
                    with `tidewatch unsubscribe`";
        Ok(row(became, format!("{left_out}; {hint}")))
    }
}

fn report(rows: &[Row], args: &SubscribeArgs) -> Exit {
    let exit = if rows.iter().any(|row| row.became.is_amiss()) { Exit::Failed } else { Exit::Done };
    let count = |became| rows.iter().filter(|row| row.became == became).count();
    if args.output == Output::Json {
        let groups: Vec<Value> = rows
            .iter()
            .map(|row| json!({ "log_group": row.group, "became": row.became.name(), "why": row.why }))
            .collect();
        let all = json!({ "stack": args.stack, "dry_run": args.dry_run, "log_groups": groups });
        return deliver(&all.to_string(), exit);
    }
    let mut text = String::new();
    for row in rows {
        let why = if row.why.is_empty() { String::new() } else { format!(": {}", row.why) };
        let line = format!("{:<10} {}{why}", row.became.name(), row.group);
        text.push_str(&format!("{}\n", printable(&line)));
    }
    let counts: Vec<String> = Became::ALL
        .into_iter()
        .filter(|became| count(*became) > 0)
        .map(|became| format!("{} {}", count(became), became.name()))
        .collect();
    let would = if args.dry_run { "; nothing was done, for --dry-run" } else { "" };
    let groups = counted(rows.len() as u64, "log group");
    text.push_str(&format!("{groups}: {}{would}", counts.join(", ")));
    deliver(&text, exit)
}
