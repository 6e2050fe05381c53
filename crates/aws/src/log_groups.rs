//! The log groups of an account, and what was written to one lately.
//!
//! What is read back of a log group is bounded. A quiet one is read whole, with one request; of a busy one so many
//! events from each of several spans of equal length, so that what is read is not all of one moment. Whoever has to
//! have all of it reads it page by page ([`Paged`]), up to a bound that is told where it is reached. Events come
//! as CloudWatch Logs orders them, by time.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::Client;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::stack::PATIENCE;
use crate::subscriptions::{fits, literal_prefix};

/// Into how many spans the time of a busy log group is cut.
pub const SPANS: usize = 12;

/// Events that are read of one span, or of all where that is enough.
pub const EVENTS_MAX: usize = 1_000;

/// Bytes of messages that are read of one span; the request that goes beyond is the last.
pub const BYTES_MAX: usize = 4 << 20;

/// Requests for one span: CloudWatch Logs may answer with nothing found so far, any number of times.
pub const PAGES_MAX: usize = 10;

/// Requests for one log group that is read page by page: of a pattern that fits few events many answers are empty.
pub const PAGED_PAGES_MAX: usize = 100_000;

/// A log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogGroup {
    /// Its name.
    pub name: String,
    /// The number of its account; empty where CloudWatch Logs does not tell.
    pub account: String,
    /// `STANDARD`, or a class without subscriptions.
    pub class: String,
}

/// A log event that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: String,
    /// The log stream.
    pub stream: String,
    /// When it was written.
    pub time: Time,
    /// The text.
    pub message: String,
}

/// What was read back of a log group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lately {
    /// By time.
    pub events: Vec<Event>,
    /// Whether there is more than was read.
    pub is_cut: bool,
}

/// The log groups of an account and Region.
#[derive(Clone, Debug)]
pub struct LogGroups {
    client: Client,
    pace: TokioPace,
}

impl LogGroups {
    /// Sends nothing yet.
    pub fn new(config: &SdkConfig, pace: TokioPace) -> LogGroups {
        LogGroups::of(client::logs(config), pace)
    }

    pub(crate) fn of(client: Client, pace: TokioPace) -> LogGroups {
        LogGroups { client, pace }
    }

    /// All whose names begin with `prefix`.
    ///
    /// # Errors
    /// If CloudWatch Logs does not tell.
    pub async fn list(&self, prefix: &str) -> Result<Vec<LogGroup>, Failure> {
        let resource = if prefix.is_empty() { "*" } else { prefix };
        let asked = Asked { service: Service::Logs, operation: "DescribeLogGroups", resource };
        let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        let mut groups = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let ask = || async {
                let request = self.client.describe_log_groups().limit(50);
                let request =
                    request.set_log_group_name_prefix(prefix.clone()).set_next_token(token.clone());
                request.send().await.map_err(|error| asked.failed(&error))
            };
            let answer = self.insist(asked, ask).await?;
            groups.extend(
                answer.log_groups().iter().map(|group| LogGroup {
                    name: group.log_group_name().unwrap_or_default().to_owned(),
                    account: group
                        .arn()
                        .and_then(|arn| arn.split(':').nth(4))
                        .unwrap_or_default()
                        .to_owned(),
                    class: group
                        .log_group_class()
                        .map_or("STANDARD", |class| class.as_str())
                        .to_owned(),
                }),
            );
            token = answer.next_token;
            if token.is_none() {
                return Ok(groups);
            }
        }
    }

    /// Those that fit each of `globs`, in its order.
    ///
    /// # Errors
    /// If CloudWatch Logs does not tell.
    pub async fn fitting<'g>(
        &self,
        globs: &'g [String],
    ) -> Result<Vec<(&'g str, Vec<LogGroup>)>, Failure> {
        let mut found = Vec::new();
        for glob in globs {
            let listed = self.list(literal_prefix(glob)).await?;
            let fitting = listed.into_iter().filter(|group| fits(glob, &group.name));
            found.push((glob.as_str(), fitting.collect()));
        }
        Ok(found)
    }

    /// What was written to `group` from `since` to `until`, as far as it is read.
    ///
    /// # Errors
    /// If CloudWatch Logs does not tell.
    pub async fn lately(&self, group: &str, since: Time, until: Time) -> Result<Lately, Failure> {
        let whole = self.span(group, since, until).await?;
        if !whole.is_cut {
            return Ok(whole);
        }
        let mut all = Lately::default();
        let length = until.0.saturating_sub(since.0).max(0);
        let border = |nth: usize| Time(since.0 + length / SPANS as i64 * nth as i64);
        for nth in 0..SPANS {
            let end = if nth + 1 == SPANS { until } else { border(nth + 1) };
            let part = self.span(group, border(nth), end).await?;
            all.is_cut |= part.is_cut;
            all.events.extend(part.events);
        }
        Ok(all)
    }

    /// Reads `group` from `since` to `until` page by page, no more than `events_max` events, of those alone that
    /// fit `pattern`; all fit an empty one. Sends nothing yet.
    pub fn paged(
        &self,
        group: &str,
        (since, until): (Time, Time),
        pattern: &str,
        events_max: usize,
    ) -> Paged {
        Paged {
            groups: self.clone(),
            group: group.to_owned(),
            since,
            until,
            pattern: pattern.to_owned(),
            room: events_max,
            pages: 0,
            read_to: since,
            token: None,
            has_ended: false,
            cut: None,
        }
    }

    /// The first events of a span.
    async fn span(&self, group: &str, since: Time, until: Time) -> Result<Lately, Failure> {
        let mut lately = Lately::default();
        let (mut bytes, mut token) = (0, None::<String>);
        for _ in 0..PAGES_MAX {
            let limit = EVENTS_MAX - lately.events.len();
            let wanted = Wanted { group, since, until, pattern: "", limit, token };
            let page = self.page(&wanted).await?;
            bytes += page.events.iter().map(|event| event.message.len()).sum::<usize>();
            lately.events.extend(page.events);
            token = page.token;
            if token.is_none() || lately.events.len() >= EVENTS_MAX || bytes >= BYTES_MAX {
                break;
            }
        }
        // As many as were asked for may be all there are; then a further request costs little.
        lately.is_cut = token.is_some() || lately.events.len() >= EVENTS_MAX;
        lately.events.truncate(EVENTS_MAX);
        Ok(lately)
    }

    /// One answer.
    async fn page(&self, wanted: &Wanted<'_>) -> Result<Page, Failure> {
        let Wanted { group, since, until, pattern, limit, token } = wanted;
        let asked = Asked { service: Service::Logs, operation: "FilterLogEvents", resource: group };
        let ask = || async {
            let request = self.client.filter_log_events().log_group_name(*group);
            // Both ends are taken in.
            let request = request.start_time(since.0).end_time(until.0 - 1);
            let request = request.limit(i32::try_from(*limit).unwrap_or(i32::MAX));
            let pattern = (!pattern.is_empty()).then(|| (*pattern).to_owned());
            let request = request.set_filter_pattern(pattern).set_next_token(token.clone());
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let answer = self.insist(asked, ask).await?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let events = answer.events().iter().map(|event| Event {
            id: text(event.event_id()),
            stream: text(event.log_stream_name()),
            time: Time(event.timestamp().unwrap_or_default()),
            message: text(event.message()),
        });
        Ok(Page { events: events.collect(), token: answer.next_token.clone() })
    }

    async fn insist<T, F>(&self, asked: Asked<'_>, ask: impl FnMut() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        insist(asked, &self.pace, self.pace.now().plus(PATIENCE), ask).await.answer
    }
}

/// What one request asks for.
struct Wanted<'a> {
    group: &'a str,
    since: Time,
    until: Time,
    pattern: &'a str,
    limit: usize,
    token: Option<String>,
}

/// What one answer says.
struct Page {
    events: Vec<Event>,
    token: Option<String>,
}

/// A log group that is read page by page.
#[derive(Clone, Debug)]
pub struct Paged {
    groups: LogGroups,
    group: String,
    since: Time,
    until: Time,
    pattern: String,
    /// Events that may still be read.
    room: usize,
    pages: usize,
    read_to: Time,
    token: Option<String>,
    has_ended: bool,
    cut: Option<Time>,
}

impl Paged {
    /// The next events, at most [`EVENTS_MAX`] and perhaps none; `None` at the end.
    ///
    /// # Errors
    /// If CloudWatch Logs does not tell; then this is the end too.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, Failure> {
        if self.has_ended {
            return Ok(None);
        }
        // The event beyond the last that is read tells whether there is more.
        let wanted = Wanted {
            group: &self.group,
            since: self.since,
            until: self.until,
            pattern: &self.pattern,
            limit: EVENTS_MAX.min(self.room.saturating_add(1)),
            token: self.token.take(),
        };
        let page = self.groups.page(&wanted).await;
        self.pages += 1;
        self.has_ended = true;
        let Page { mut events, token } = page?;
        let beyond = events.get(self.room).map(|event| event.time);
        events.truncate(self.room);
        self.room -= events.len();
        if let Some(last) = events.last() {
            self.read_to = self.read_to.max(last.time);
        }
        if beyond.is_some() || (token.is_some() && self.pages >= PAGED_PAGES_MAX) {
            self.cut = Some(beyond.unwrap_or(self.read_to));
        } else {
            self.has_ended = token.is_none();
            self.token = token;
        }
        Ok(Some(events))
    }

    /// Until when it was read, if there is more than might be.
    pub fn cut(&self) -> Option<Time> {
        self.cut
    }
}

/// The log groups in what was found for several globs, each once, by name.
pub fn by_name(found: Vec<(&str, Vec<LogGroup>)>) -> BTreeMap<String, LogGroup> {
    let all = found.into_iter().flat_map(|(_, groups)| groups);
    all.map(|group| (group.name.clone(), group)).collect()
}
