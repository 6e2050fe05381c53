//! Which log groups a stack is fed from: their subscription filters, and the account's own policy.
//!
//! What is to be done with a log group is a function of what is there ([`Subscriptions::intent`]); doing it is
//! another step, so that a dry run says exactly what a real one does. Nothing is done twice: a filter that is
//! there as it should be is left alone.
//!
//! Invariant: nothing that is written here can make the detector read its own log.

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;
use aws_sdk_cloudwatchlogs::types::{Distribution, PolicyType, Scope};
use serde_json::{Value, json};
use tidewatch_core::table_store::table::Pace;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::log_groups::{LogGroup, LogGroups};
use crate::pace::TokioPace;
use crate::stack::{PATIENCE, Stack, StackError};

/// Subscription filters that a log group may have
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>).
pub const FILTERS_MAX: usize = 2;

/// What CloudWatch Logs says where it has no policies of accounts, as in some partitions: then there is none.
const UNHEARD_OF: &[&str] = &["InvalidOperationException", "UnknownOperationException"];

/// A subscription filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its name.
    pub name: String,
    /// Which log events it passes on; empty for all.
    pub pattern: String,
    /// The ARN of where they go.
    pub destination: String,
    /// The ARN of the role under which they go.
    pub role: String,
    /// Whether those of a log stream stay together.
    pub by_log_stream: bool,
}

/// An account's subscription policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPolicy {
    /// Its name.
    pub name: String,
    /// What it says, as JSON.
    pub document: Value,
    /// Which log groups it leaves out.
    pub selection: String,
}

impl AccountPolicy {
    /// Whether it does not send `group`.
    pub fn leaves_out(&self, group: &str) -> bool {
        // A name in quotes can be part of no other: quotes are in no name.
        self.selection.contains(&format!("\"{group}\""))
    }
}

/// What is to be done with a log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A filter is made.
    Create,
    /// The filter that is there sends something else, or elsewhere: it is replaced.
    Replace,
    /// All is as it should be.
    Leave,
    /// Nothing may be done: why, and what a person can do.
    Refuse(String),
}

/// How a log group is sent to a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By this filter of its own.
    Filter(Filter),
    /// By the account's policy of this name.
    Policy(String),
    /// It is not.
    None,
}

/// The subscriptions to one stack.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    client: Client,
    pace: TokioPace,
    own: Vec<String>,
    wanted: Filter,
}

impl Subscriptions {
    /// Those to `stack`, of log events that fit `pattern`; empty for all. Sends nothing yet.
    ///
    /// # Errors
    /// If the stack is none of ours.
    pub fn new(
        config: &SdkConfig,
        stack: &Stack,
        pattern: &str,
        pace: TokioPace,
    ) -> Result<Subscriptions, StackError> {
        let wanted = Filter {
            name: stack.filter_name().to_owned(),
            pattern: pattern.to_owned(),
            destination: stack.output("StreamArn")?.to_owned(),
            role: stack.output("SubscriptionRoleArn")?.to_owned(),
            by_log_stream: true,
        };
        let own = stack.own_groups()?.map(str::to_owned).to_vec();
        Ok(Subscriptions { client: client::logs(config), pace, own, wanted })
    }

    /// The log groups there are.
    pub fn log_groups(&self) -> LogGroups {
        LogGroups::of(self.client.clone(), self.pace.clone())
    }

    /// The filter that log groups get.
    pub fn wanted(&self) -> &Filter {
        &self.wanted
    }

    /// The filters of a log group.
    ///
    /// # Errors
    /// If CloudWatch Logs does not tell.
    pub async fn filters(&self, group: &str) -> Result<Vec<Filter>, Failure> {
        let asked = self.asked("DescribeSubscriptionFilters", group);
        let ask = || async {
            let request = self.client.describe_subscription_filters().log_group_name(group);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let filters = answer.subscription_filters().iter().map(|filter| Filter {
            name: text(filter.filter_name()),
            pattern: text(filter.filter_pattern()),
            destination: text(filter.destination_arn()),
            role: text(filter.role_arn()),
            by_log_stream: filter.distribution() != Some(&Distribution::Random),
        });
        Ok(filters.collect())
    }

    /// What is to be done so that `group`, which has `filters`, is subscribed while the account has `policy`.
    pub fn intent(
        &self,
        group: &LogGroup,
        filters: &[Filter],
        policy: Option<&AccountPolicy>,
    ) -> Intent {
        if self.is_own(&group.name) {
            return Intent::Refuse(
                "it is the detector's own log: each line it writes would be its next input"
                    .to_owned(),
            );
        }
        if group.class != "STANDARD" {
            return Intent::Refuse(format!(
                "its class is {}, which has no subscriptions; only a new log group can have another",
                group.class
            ));
        }
        if let Some(policy) = policy.filter(|policy| self.is_fed_by(policy)) {
            return Intent::Refuse(format!(
                "the account's policy `{}` sends it already, and each event would come twice",
                policy.name
            ));
        }
        if let Some(there) = filters.iter().find(|filter| filter.name == self.wanted.name) {
            return if *there == self.wanted { Intent::Leave } else { Intent::Replace };
        }
        let names: Vec<&str> = filters.iter().map(|filter| filter.name.as_str()).collect();
        if let Some(same) =
            filters.iter().find(|filter| filter.destination == self.wanted.destination)
        {
            return Intent::Refuse(format!(
                "its filter `{}` sends to this stream already, and each event would come twice",
                same.name
            ));
        }
        if filters.len() >= FILTERS_MAX {
            return Intent::Refuse(format!(
                "it has {FILTERS_MAX} filters already ({}), which is all that CloudWatch Logs allows: remove one, or \
                 send all log groups with --account, which does not count",
                names.join(", ")
            ));
        }
        Intent::Create
    }

    /// How `group`, which has `filters`, is sent while the account has `policy`.
    pub fn way(&self, group: &str, filters: &[Filter], policy: Option<&AccountPolicy>) -> Way {
        let ours = |filter: &&Filter| filter.destination == self.wanted.destination;
        if let Some(filter) = filters.iter().find(ours) {
            return Way::Filter(filter.clone());
        }
        match policy {
            Some(policy) if self.is_fed_by(policy) && !policy.leaves_out(group) => {
                Way::Policy(policy.name.clone())
            }
            _ => Way::None,
        }
    }

    /// Makes the filter of `group`, or replaces it.
    ///
    /// # Errors
    /// If CloudWatch Logs refuses.
    pub async fn put(&self, group: &str) -> Result<(), Failure> {
        let asked = self.asked("PutSubscriptionFilter", group);
        let Filter { name, pattern, destination, role, .. } = &self.wanted;
        let ask = || async {
            let request = self.client.put_subscription_filter().log_group_name(group);
            let request = request.filter_name(name).filter_pattern(pattern);
            let request = request.destination_arn(destination).role_arn(role);
            let request = request.distribution(Distribution::ByLogStream);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    /// Removes the filter of `group`.
    ///
    /// # Errors
    /// If CloudWatch Logs refuses.
    pub async fn delete(&self, group: &str) -> Result<(), Failure> {
        let asked = self.asked("DeleteSubscriptionFilter", group);
        let ask = || async {
            let request = self.client.delete_subscription_filter().log_group_name(group);
            let request = request.filter_name(&self.wanted.name);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    /// The account's subscription policy, of which there can be one.
    ///
    /// # Errors
    /// If CloudWatch Logs does not tell.
    pub async fn policy(&self) -> Result<Option<AccountPolicy>, Failure> {
        let asked = self.asked("DescribeAccountPolicies", "*");
        let ask = || async {
            let request = self.client.describe_account_policies();
            let request = request.policy_type(PolicyType::SubscriptionFilterPolicy);
            match request.send().await {
                Ok(answer) => Ok(answer.account_policies),
                Err(error) if error.code().is_some_and(|code| UNHEARD_OF.contains(&code)) => {
                    Ok(None)
                }
                Err(error) => Err(asked.failed(&error)),
            }
        };
        let policies = self.insist(asked, ask).await?.unwrap_or_default();
        Ok(policies.first().map(|policy| AccountPolicy {
            name: policy.policy_name().unwrap_or_default().to_owned(),
            document: serde_json::from_str(policy.policy_document().unwrap_or_default())
                .unwrap_or_default(),
            selection: policy.selection_criteria().unwrap_or_default().to_owned(),
        }))
    }

    /// The policy that sends all log groups but our own.
    pub fn wanted_policy(&self) -> AccountPolicy {
        let Filter { name, pattern, destination, role, .. } = &self.wanted;
        let own: Vec<String> =
            self.own.iter().map(|group| Value::from(&group[..]).to_string()).collect();
        AccountPolicy {
            name: name.clone(),
            document: json!({
                "DestinationArn": destination, "RoleArn": role, "FilterPattern": pattern,
                "Distribution": "ByLogStream",
            }),
            selection: format!("LogGroupName NOT IN [{}]", own.join(",")),
        }
    }

    /// What is to be done so that the account, which has `policy`, sends all log groups.
    pub fn policy_intent(&self, policy: Option<&AccountPolicy>) -> Intent {
        match policy {
            None => Intent::Create,
            Some(policy) if *policy == self.wanted_policy() => Intent::Leave,
            Some(policy) if policy.name == self.wanted.name => Intent::Replace,
            Some(policy) => Intent::Refuse(format!(
                "the account has the policy `{}`, and can have one: remove that, or subscribe log groups by their \
                 names",
                policy.name
            )),
        }
    }

    /// Makes the account's policy, or replaces it.
    ///
    /// # Errors
    /// If CloudWatch Logs refuses.
    pub async fn put_policy(&self) -> Result<(), Failure> {
        let AccountPolicy { name, document, selection } = self.wanted_policy();
        let asked = self.asked("PutAccountPolicy", &name);
        let ask = || async {
            let request = self.client.put_account_policy().policy_name(&name);
            let request = request.policy_document(document.to_string());
            let request = request.policy_type(PolicyType::SubscriptionFilterPolicy);
            let request = request.scope(Scope::All).selection_criteria(&selection);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    /// Removes the account's policy.
    ///
    /// # Errors
    /// If CloudWatch Logs refuses.
    pub async fn delete_policy(&self) -> Result<(), Failure> {
        let asked = self.asked("DeleteAccountPolicy", &self.wanted.name);
        let ask = || async {
            let request = self.client.delete_account_policy().policy_name(&self.wanted.name);
            let request = request.policy_type(PolicyType::SubscriptionFilterPolicy);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        self.insist(asked, ask).await.map(drop)
    }

    /// The log groups that the stack writes itself.
    pub(crate) fn own(&self) -> &[String] {
        &self.own
    }

    /// Whether `group` is written by the stack itself.
    pub fn is_own(&self, group: &str) -> bool {
        self.own.iter().any(|own| own == group)
    }

    /// Whether `policy` sends to this stack's stream.
    pub fn is_fed_by(&self, policy: &AccountPolicy) -> bool {
        policy.document["DestinationArn"] == self.wanted.destination
    }

    fn asked<'a>(&self, operation: &'static str, resource: &'a str) -> Asked<'a> {
        Asked { service: Service::Logs, operation, resource }
    }

    async fn insist<T, F>(&self, asked: Asked<'_>, ask: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        insist(asked, &self.pace, self.pace.now().plus(PATIENCE), ask).await.answer
    }
}

/// Whether `name` fits `glob`, in which `*` stands for anything and `?` for one character.
pub fn fits(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last star was, and how much of the name it has taken.
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[of] => (at, of) = (at + 1, of + 1),
            _ => match &mut star {
                None => return false,
                Some((after, taken)) => {
                    *taken += 1;
                    (at, of) = (*after + 1, *taken);
                }
            },
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

/// What every name that fits `glob` begins with.
pub fn literal_prefix(glob: &str) -> &str {
    let end = glob.find(['*', '?']).unwrap_or(glob.len());
    &glob[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_whole_names() {
        let check = |glob: &str, name: &str, expected: bool| {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        };
        check("/aws/lambda/*", "/aws/lambda/login", true);
        check("/aws/lambda/*", "/aws/lambda/", true);
        check("/aws/lambda/*", "/aws/lambdas/login", false);
        check("*login*", "/aws/lambda/shop-login-v2", true);
        check("*", "", true);
        check("", "", true);
        check("", "a", false);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("*ab", "aab", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        assert_eq!(literal_prefix("/aws/lambda/lo*in?"), "/aws/lambda/lo");
        assert_eq!(literal_prefix("/exact"), "/exact");
    }
}
