//! Log bytes to signals: the only code that touches hostile bytes and raw usernames.
//!
//! Parsing never fails: whatever cannot be read is a counted [`problem::Problem`], and everything
//! around it is still read. No IO, no clock, and no state between two lines: an [`Ingest`] never
//! changes, so one serves all threads, and what a line says does not depend on any other line.

use std::sync::Arc;

use tidewatch_core::access::Access;
use tidewatch_core::agents::AgentNames;
use tidewatch_core::invocation::function_of;
use tidewatch_core::signal::LogStream;

mod at_sight;
pub mod batch;
#[cfg(test)]
mod check;
pub mod declared;
mod envelope;
pub mod format;
mod inflate;
mod kinesis;
pub mod known_users;
pub mod limits;
mod lines;
mod marks;
pub mod name_lists;
mod needles;
mod nesting;
pub mod networks;
pub mod problem;
mod scan;
pub mod secrets;
pub mod stamp;
pub mod survey;
mod tail;
pub mod tally;
pub mod trace;
mod unescape;
pub mod username;
pub mod when;

pub use batch::{Batch, Buffers, Undated};
pub use format::INVOCATION_PHRASES;
pub use lines::{InputKind, UnknownInputKind};
pub use tail::tail_line;
pub use tally::Tally;

use declared::{Formats, Read};
use format::{Format, Memos, Said};
use known_users::KnownUsers;
use name_lists::NameLists;
use needles::Needles;
use networks::Networks;
use problem::Problem;
use username::{Names, Naming};

/// What the user may choose about reading.
pub struct Config {
    /// How usernames become tags.
    pub naming: Naming,
    /// The log group this program writes to, whose envelopes are counted and not read: what it says of
    /// its work must not be work again.
    pub own_group: Option<OwnGroup>,
    /// The formats that files declare, besides those that are built in.
    pub formats: Arc<Formats>,
}

/// A log group, told from those of the same name in other accounts, whose logs are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnGroup {
    /// The account's number, as envelopes name their owner.
    pub account: String,
    /// The log group's name.
    pub name: String,
}

/// Reads records and lines; see [`Ingest::record`] and [`Ingest::lines`].
pub struct Ingest {
    names: Names,
    own_group: Option<OwnGroup>,
    formats: Arc<Formats>,
    /// Whether what Lambda's platform writes about invocations is read.
    hears_invocations: bool,
    /// Which messages are asked who asked for something.
    hears_access: Asked,
    /// What a message of a function's log group must hold to be asked whose request it is about, if they are.
    callers: Option<Needles>,
    /// What an event that is read at sight must not hold; `None` where that is nothing.
    elsewhere: Option<Needles>,
    /// Of the formats: what a message must hold to be worth reading.
    needles: Needles,
    /// The same and [`lines::EVENT_KEYS`]: what a line must hold to be worth a look.
    line_needles: Needles,
    /// [`lines::EVENT_KEYS`] alone.
    event_keys: Needles,
    /// Where plain lines of a record are said to stand.
    kinesis: Arc<LogStream>,
}

/// Which messages are asked who asked for something.
enum Asked {
    None,
    /// Those that hold one of these.
    Telling(Needles),
    All,
}

/// Whether general formats, the nets behind all others, are asked too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nets {
    /// Not yet: the same line may have another reading.
    Not,
    /// Behind all others.
    Too,
}

impl Ingest {
    /// Compiles the formats' needles.
    pub fn new(config: Config) -> Ingest {
        let [needles, line_needles] = compiled(&config.formats, false);
        Ingest {
            names: Names::new(config.naming),
            own_group: config.own_group,
            hears_invocations: false,
            hears_access: Asked::None,
            callers: None,
            elsewhere: at_sight::needles_elsewhere(&config.formats, &[]),
            needles,
            line_needles,
            event_keys: Needles::new(lines::EVENT_KEYS),
            formats: Arc::clone(&config.formats),
            kinesis: Arc::new(LogStream { stream: "kinesis".to_owned(), ..LogStream::default() }),
        }
    }

    /// From now on what Lambda's platform writes about invocations is read too, and becomes signals.
    pub fn hear_invocations(&mut self) {
        self.hears_invocations = true;
        [self.needles, self.line_needles] = compiled(&self.formats, true);
    }

    /// From now on every message is also asked who asked for something, needles or not: that takes far longer.
    pub fn hear_access(&mut self) {
        self.hears_access = Asked::All;
    }

    /// From now on messages that tell how many bytes were sent back are also asked to whom, unless all are.
    pub fn hear_bytes(&mut self) {
        if let Asked::None = self.hears_access {
            self.hears_access = Asked::Telling(Needles::new(format::BYTES_NEEDLES));
            self.elsewhere = at_sight::needles_elsewhere(&self.formats, &format::BYTES_NEEDLES);
        }
    }

    /// From now on events in log groups of functions are also asked whose request they are about, if they look as if
    /// they named somebody.
    pub fn hear_callers(&mut self) {
        self.callers = Some(Needles::new(format::CALLER_NEEDLES));
    }

    /// Whether a message of a function, escaped or not, is asked whose request it is about.
    fn asks_whose(&self, log_group: &str, message: &[u8]) -> bool {
        let names = |needles: &Needles| needles.find(message, 0).is_some();
        self.callers.as_ref().is_some_and(|needles| {
            function_of(log_group).is_some()
                && memchr::memchr(b'{', message).is_some()
                && names(needles)
        })
    }

    /// Whether a message, escaped or not, is asked who asked for something.
    fn asks(&self, message: &[u8]) -> bool {
        match &self.hears_access {
            Asked::None => false,
            Asked::Telling(bytes) => bytes.find(message, 0).is_some(),
            Asked::All => true,
        }
    }

    /// Who asked for something, as a message of a log group says, and nothing if it does not.
    pub fn hear_request(&self, message: &str, log_group: &str) -> Option<Access> {
        format::read_access(message, log_group, &self.names).map(|(access, _)| access)
    }

    /// Who was sent how many bytes, if a message says so and is asked.
    pub fn hear_sent(&self, message: &str, log_group: &str) -> Option<Access> {
        self.asks(message.as_bytes()).then(|| self.hear_request(message, log_group))?
    }

    /// The formats that are built in and in use.
    fn built_in(&self) -> impl Iterator<Item = Format> {
        built_in(self.hears_invocations)
    }

    /// From now on `users` say whether an account exists where a line does not; `None` for nobody.
    pub fn know(&mut self, users: Option<Arc<KnownUsers>>) {
        self.names.known_users = users;
    }

    /// From now on signals say which client was used, and `agents` keep what it calls itself.
    pub fn hear_agents(&mut self, agents: AgentNames) {
        self.names.agents = Some(agents);
    }

    /// From now on signals say which autonomous system announces their source.
    pub fn locate(&mut self, networks: Arc<Networks>) {
        self.names.networks = Some(networks);
    }

    /// From now on tags say on which of these lists their names stand.
    pub fn mark(&mut self, lists: NameLists) {
        self.names.lists = lists;
    }

    /// What a message that holds a needle says, see [`Ingest::hear`]. One that is `timed` from outside is
    /// not searched for a time; `log_group` is empty where there is none.
    fn said(
        &self,
        message: &str,
        log_group: &str,
        (timed, nets): (bool, Nets),
        memos: &mut Memos,
    ) -> Said {
        self.heard(message, log_group, (timed, nets), &self.names, memos).0
    }

    /// What one message says by itself, and the id of the format that read it: the first that makes
    /// anything of it decides; Lambda's platform and sshd first, then the declared formats by their needles, then JSON
    /// authentication events, general formats last. For tests of formats, and to explain.
    pub fn hear(&self, message: &str, log_group: &str) -> (Said, Option<&str>) {
        self.hear_with(message, log_group, &self.names)
    }

    /// The same, with other `names`.
    fn hear_with(&self, message: &str, log_group: &str, names: &Names) -> (Said, Option<&str>) {
        if self.needles.find(message.as_bytes(), 0).is_none() {
            return (Said::Nothing, None);
        }
        self.heard(message, log_group, (false, Nets::Too), names, &mut Memos::default())
    }

    fn heard(
        &self,
        message: &str,
        log_group: &str,
        (timed, nets): (bool, Nets),
        names: &Names,
        memos: &mut Memos,
    ) -> (Said, Option<&str>) {
        if nesting::too_deep(message.as_bytes()) {
            return (Said::Unreadable(Problem::Nesting), None);
        }
        let mut read = |format| format::read(format, message, (log_group, timed), names, memos);
        if self.hears_invocations {
            let said = read(Format::Lambda);
            if said != Said::Nothing {
                return (said, Some(Format::Lambda.name()));
            }
        }
        let said = read(Format::Sshd);
        if said != Said::Nothing {
            return (said, Some(Format::Sshd.name()));
        }
        let claims = self.formats.claims(message, log_group);
        let (special, general) = self.formats.split(&claims);
        let declared = self.formats.read(special, message, timed, names);
        if let Read::By(format, said) = declared {
            return (said, Some(&self.formats.all()[format].id));
        }
        let said = read(Format::JsonAuth);
        if said != Said::Nothing {
            return (said, Some(Format::JsonAuth.name()));
        }
        // The nets come behind everything that knows what it reads.
        let general = if nets == Nets::Too { general } else { &[] };
        if let Read::By(format, said) = self.formats.read(general, message, timed, names) {
            return (said, Some(&self.formats.all()[format].id));
        }
        if let Read::Unread(format) = declared {
            return (Said::PassedOver(format), None);
        }
        if self.hears_invocations && format::imitates_report(message) {
            return (Said::Unreadable(Problem::ReportForged), None);
        }
        // Nobody's: if it only looks like JSON, it may have been meant for somebody.
        let is_json = || serde_json::from_str::<serde::de::IgnoredAny>(message).is_ok();
        if message.starts_with('{') && !is_json() && !format::is_printed(message) {
            return (Said::Unreadable(Problem::Json), None);
        }
        (Said::Nothing, None)
    }
}

/// The formats that are built in and in use.
fn built_in(hears_invocations: bool) -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(move |format| hears_invocations || *format != Format::Lambda)
}

/// What a message, and what a line, must hold to be worth reading.
fn compiled(formats: &Formats, hears_invocations: bool) -> [Needles; 2] {
    let built_in = built_in(hears_invocations).flat_map(|format| format.needles()).copied();
    let shortest = needles::shortest(built_in.chain(formats.needles()));
    let needles = || shortest.iter().copied();
    [Needles::new(needles()), Needles::new(needles().chain(lines::EVENT_KEYS))]
}
