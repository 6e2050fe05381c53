//! What the function is told by its environment. Raw variables go in, names that can be used come out;
//! nothing after this is a configuration error.

use std::time::{Duration, SystemTime};

use tidewatch_aws::TokioPace;
use tidewatch_core::table_store::store::Layout;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};
use tidewatch_ingest::OwnGroup;

/// How often the override detectors are looked for.
pub const OVERRIDES_REREAD: Span = Span::minutes(1);

/// How often the secret is read again; a key begins to be used a quarter of an hour after it was made,
/// so that every environment knows it by then.
pub const SECRET_REREAD: Span = Span::minutes(5);

/// When the secret is tried again that could not be read, where a key is known to go on with: sooner than
/// it is read otherwise, but not at each invocation, which would lose a quarter of its time to it.
pub const SECRET_RETRY: Span = Span::minutes(1);

/// What an invocation leaves of its time for its answer and its summary.
pub const ANSWER_MARGIN: Span = Span::seconds(1);

/// How long an invocation may take where the runtime names a deadline that has passed already, as local
/// emulators of the Runtime API do.
pub const DEADLINE_UNKNOWN: Duration = Duration::from_secs(20);

/// What all records of one invocation may inflate to, in bytes. What lies beyond is not read but asked
/// for again, as the next batch: memory stays bounded and nothing is lost.
pub const BATCH_INFLATED_BYTES_MAX: u64 = 64 << 20;

/// What all records of one invocation may say, in signals under any live key; beyond it as
/// [`BATCH_INFLATED_BYTES_MAX`]. If each has a source of its own they hold some 80 MB.
pub const BATCH_SIGNALS_MAX: usize = 100_000;

/// Keys remembered between invocations: with 8 KB of an item each, 40 MB at most.
pub const CACHED_KEYS_MAX: usize = 5_000;

/// Until when an invocation that must answer by `deadline` may work, on the clock of `pace`.
pub fn until(pace: &TokioPace, deadline: SystemTime) -> Time {
    let left = deadline.duration_since(SystemTime::now()).unwrap_or(DEADLINE_UNKNOWN);
    let left = Span(i64::try_from(left.as_millis()).unwrap_or(i64::MAX / 4));
    pace.now().plus(left).minus(ANSWER_MARGIN)
}

/// The detector function's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The table's name.
    pub table: String,
    /// Where the shares of a key live in it.
    pub layout: Layout,
    /// The ARN of the topic for machines.
    pub alert_topic: String,
    /// The ARN of the topic for people, if there is one.
    pub notice_topic: Option<String>,
    /// The ARN of the secret that holds the tag key.
    pub secret: String,
    /// The bucket for overrides and for records that cannot be read.
    pub bucket: String,
    /// The stack's name: the dimension of all metrics.
    pub stack: String,
    /// The Region, for links.
    pub region: Option<String>,
    /// The log group this function writes to.
    pub own_group: Option<OwnGroup>,
    /// Whether what functions take is weighed.
    pub weighs_functions: bool,
}

/// A variable that is missing or makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It is not set, or empty.
    #[error(
        "the environment variable {name} is not set: it is {what}. Deploy the function by infra/template.yaml, which sets it"
    )]
    Missing {
        /// Which.
        name: &'static str,
        /// What it is for.
        what: &'static str,
    },
    /// It has a value that it cannot have.
    #[error("the environment variable {name} is `{value}`: {wanted}")]
    Malformed {
        /// Which.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
}

impl Settings {
    /// Reads the variables; `variable` is the environment.
    ///
    /// # Errors
    /// Names the first variable that is missing or malformed.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let needed = |name: &'static str, what: &'static str| {
            given(name).ok_or(SettingError::Missing { name, what })
        };
        let layout = match given("TIDEWATCH_LAYOUT").as_deref() {
            None | Some("together") => Layout::Together,
            Some("apart") => Layout::Apart,
            Some(other) => {
                return Err(SettingError::Malformed {
                    name: "TIDEWATCH_LAYOUT",
                    value: other.to_owned(),
                    wanted: "`together` for streams of up to 32 shards, else `apart`",
                });
            }
        };
        let weighs_functions = match given("TIDEWATCH_WEIGH_FUNCTIONS").as_deref() {
            None | Some("yes") => true,
            Some("no") => false,
            Some(other) => {
                return Err(SettingError::Malformed {
                    name: "TIDEWATCH_WEIGH_FUNCTIONS",
                    value: other.to_owned(),
                    wanted: "`yes` or `no`",
                });
            }
        };
        let alert_topic = needed("TIDEWATCH_ALERT_TOPIC", "the ARN of the topic for findings")?;
        // The stack makes the topic and the function in one account, which nothing else here names.
        let account = alert_topic.split(':').nth(4).filter(|account| !account.is_empty());
        let Some(account) = account.map(str::to_owned) else {
            return Err(SettingError::Malformed {
                name: "TIDEWATCH_ALERT_TOPIC",
                value: alert_topic,
                wanted: "an ARN like arn:aws:sns:eu-west-1:123456789012:alerts",
            });
        };
        Ok(Settings {
            table: needed("TIDEWATCH_TABLE", "the name of the DynamoDB table with the counts")?,
            layout,
            alert_topic,
            notice_topic: given("TIDEWATCH_NOTICE_TOPIC"),
            secret: needed("TIDEWATCH_SECRET", "the ARN of the secret with the tag key")?,
            bucket: needed("TIDEWATCH_BUCKET", "the bucket for overrides and unreadable records")?,
            stack: given("TIDEWATCH_STACK").unwrap_or_else(|| "tidewatch".to_owned()),
            region: given("AWS_REGION"),
            own_group: given("AWS_LAMBDA_LOG_GROUP_NAME").map(|name| OwnGroup { account, name }),
            weighs_functions,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn all() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::from([
            ("TIDEWATCH_TABLE", "t"),
            ("TIDEWATCH_ALERT_TOPIC", "arn:aws:sns:eu-west-1:123456789012:alerts"),
            ("TIDEWATCH_SECRET", "arn:s"),
            ("TIDEWATCH_BUCKET", "b"),
        ])
    }

    fn read(variables: &BTreeMap<&str, &str>) -> Result<Settings, SettingError> {
        Settings::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn what_must_be_set_is_named() {
        for name in all().keys() {
            for value in [None, Some("")] {
                let mut variables = all();
                variables.remove(name);
                variables.extend(value.map(|value| (*name, value)));
                let error = read(&variables).expect_err("a variable is missing");
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }

    #[test]
    fn the_rest_has_defaults() {
        let settings = read(&all()).expect("enough");
        assert_eq!((settings.layout, settings.notice_topic), (Layout::Together, None));
        assert_eq!(settings.stack, "tidewatch");
        let mut variables = all();
        variables.insert("TIDEWATCH_LAYOUT", "apart");
        variables.insert("TIDEWATCH_NOTICE_TOPIC", "arn:n");
        let settings = read(&variables).expect("enough");
        assert_eq!(settings.layout, Layout::Apart);
        assert_eq!(settings.notice_topic.as_deref(), Some("arn:n"));
        assert_eq!((settings.own_group, settings.weighs_functions), (None, true));
        variables.insert("AWS_LAMBDA_LOG_GROUP_NAME", "g");
        variables.insert("TIDEWATCH_WEIGH_FUNCTIONS", "no");
        assert!(!read(&variables).expect("enough").weighs_functions);
        let (account, name) = ("123456789012".to_owned(), "g".to_owned());
        let settings = read(&variables).expect("enough");
        assert_eq!(settings.own_group, Some(OwnGroup { account, name }));
        for no_arn in ["alerts", "arn:aws:sns:eu-west-1::alerts"] {
            let mut variables = variables.clone();
            variables.insert("TIDEWATCH_ALERT_TOPIC", no_arn);
            let error = read(&variables).expect_err("no ARN").to_string();
            assert!(error.contains("TIDEWATCH_ALERT_TOPIC") && error.contains(no_arn), "{error}");
        }
        variables.insert("TIDEWATCH_LAYOUT", "elsewhere");
        let error = read(&variables).expect_err("no layout").to_string();
        assert!(error.contains("TIDEWATCH_LAYOUT") && error.contains("elsewhere"), "{error}");
    }
}
