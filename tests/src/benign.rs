//! A day without an attack, and one with, in the lines of any shipped format: what its cases say of lines
//! says how to write more of them.
//!
//! People mistype passwords and sometimes names, an office of hundreds signs in behind one address on a
//! Monday morning, a client has an old password and tries it all day. Shares are those of the demo's shop.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tidewatch_core::signal::SignalKind;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::username::Usernames;
use tidewatch_rules::cases::{Case, Runner, Variation, parse};

use crate::containers::gzip;

/// Log events of an envelope.
const EVENTS: usize = 200;

/// A Monday, 2026-01-05T00:00:00Z, in milliseconds.
pub const MONDAY_MS: i64 = 1_767_571_200_000;

const HOUR_MS: i64 = 3_600_000;

/// People at home, each with an address.
const AT_HOME: u64 = 1_200;

/// People of the office, all behind one address.
const IN_OFFICE: u64 = 400;

/// The share of logins before which a wrong password is typed.
const MISTYPED: f64 = 0.04;

/// The share of logins before which a name is typed that is none.
const MISNAMED: f64 = 0.006;

/// How a format writes lines of one kind.
#[derive(Clone, Debug)]
struct Template {
    case: Case,
    /// Which of the places that read like the name are the name.
    choice: usize,
}

/// The lines of a format that a day can be made of.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The format.
    pub id: String,
    success: Option<Template>,
    failure: Option<Template>,
    unknown: Option<Template>,
}

/// What happens, in milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct Happening {
    ms: i64,
    line: String,
}

impl Lines {
    /// The lines about logins that the cases of `id` show. Those whose case names no address, or whose name or address
    /// stands in the line in another form, are no use.
    ///
    /// # Panics
    /// If its cases are faulty.
    pub fn of(id: &str, cases: &str, formats: &Arc<Formats>) -> Lines {
        let runner = Runner::new(Arc::clone(formats), Usernames::Exact);
        let cases = parse(id, cases, id).unwrap_or_else(|error| panic!("{error}"));
        let templates = cases.iter().filter_map(|case| Template::of(case, &runner));
        let templates: Vec<Template> = templates.collect();
        let find = |success: bool, known: &[Option<bool>]| {
            let of = |template: &&Template| {
                template.case.expected.as_ref().is_some_and(|signal| {
                    signal.is_success == success && known.contains(&signal.known)
                })
            };
            templates.iter().find(of).cloned()
        };
        Lines {
            id: id.to_owned(),
            success: find(true, &[None, Some(true)]),
            failure: find(false, &[None, Some(true)]),
            unknown: find(false, &[Some(false)]),
        }
    }

    /// Whether failures can be written at all.
    pub fn has_failures(&self) -> bool {
        self.failure.is_some() || self.unknown.is_some()
    }

    /// Whether names that are no accounts are told.
    pub fn tells_unknown(&self) -> bool {
        self.unknown.is_some()
    }

    /// A Monday without an attack.
    pub fn quiet_day(&self, seed: u64) -> Vec<Happening> {
        let mut day = Day { lines: self, random: StdRng::seed_from_u64(seed), all: Vec::new() };
        for person in 0..AT_HOME {
            let logins = day.random.random_range(1..4);
            for _ in 0..logins {
                let ms = MONDAY_MS + day.random.random_range(0..24 * HOUR_MS);
                day.login(ms, &format!("home.{person}"), home(person));
            }
        }
        let office = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10));
        for person in 0..IN_OFFICE {
            // Most between eight and ten, the more the nearer to nine.
            let spread: i64 =
                (0..4).map(|_| day.random.random_range(-HOUR_MS / 4..HOUR_MS / 4)).sum();
            day.login(MONDAY_MS + 9 * HOUR_MS + spread, &format!("office.{person}"), office);
        }
        let client = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77));
        for minute in 0..24 * 60 {
            day.fail(MONDAY_MS + minute * 60_000, "backup-client", client);
        }
        day.done()
    }

    /// Half an hour in which `source` tries two hundred names, or so many passwords where the format does not
    /// tell which names exist.
    pub fn attack(&self, source: IpAddr) -> Vec<Happening> {
        let random = StdRng::seed_from_u64(0);
        let mut day = Day { lines: self, random, all: Vec::new() };
        for nth in 0..200 {
            let ms = MONDAY_MS + 3 * HOUR_MS + nth * 3_000;
            let template = self.unknown.as_ref().or(self.failure.as_ref());
            day.write(ms, template, &format!("guess{nth}"), source);
        }
        day.done()
    }
}

impl Template {
    /// The template that a case gives, if it holds with any name and address in their place.
    fn of(case: &Case, runner: &Runner) -> Option<Template> {
        let signal = case.expected.as_ref()?;
        let login = signal.action == SignalKind::Auth;
        let plain =
            login && signal.source?.is_ipv4() && !signal.is_mention && signal.attempts.is_none();
        let (user, address) = ("probe.person", IpAddr::V4(Ipv4Addr::new(192, 0, 2, 199)));
        let all = case.with(user, Some(address));
        let choice = all.iter().position(|probe| {
            let placed = probe.expected.as_ref().is_some_and(|signal| {
                signal.source == Some(address)
                    && signal.user.as_deref().is_none_or(|name| name == user)
            });
            let untimed = probe
                .expected
                .clone()
                .map(|signal| tidewatch_rules::cases::Signal { time: None, ..signal });
            placed
                && runner
                    .run(&Case { expected: untimed, ..probe.clone() }, Variation::None)
                    .is_none()
        });
        choice.filter(|_| plain).map(|choice| Template { case: case.clone(), choice })
    }
}

/// A day in the making.
struct Day<'a> {
    lines: &'a Lines,
    random: StdRng,
    all: Vec<Happening>,
}

impl Day<'_> {
    /// Somebody signs in, perhaps not at once.
    fn login(&mut self, ms: i64, user: &str, source: IpAddr) {
        if self.random.random_bool(MISNAMED) {
            let mistyped = format!("{user}x");
            let template = self.lines.unknown.as_ref().or(self.lines.failure.as_ref());
            self.write(ms - 20_000, template, &mistyped, source);
        }
        if self.random.random_bool(MISTYPED) {
            self.fail(ms - 10_000, user, source);
        }
        self.write(ms, self.lines.success.as_ref(), user, source);
    }

    fn fail(&mut self, ms: i64, user: &str, source: IpAddr) {
        self.write(ms, self.lines.failure.as_ref(), user, source);
    }

    /// Writes a line, where the format has one of this kind.
    fn write(&mut self, ms: i64, template: Option<&Template>, user: &str, source: IpAddr) {
        if let Some(Template { case, choice }) = template {
            let line = case.with(user, Some(source)).swap_remove(*choice).line;
            self.all.push(Happening { ms, line });
        }
    }

    fn done(mut self) -> Vec<Happening> {
        self.all.sort_by_key(|happening| happening.ms);
        self.all
    }
}

fn home(person: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x1700_0000 + (person as u32) * 769))
}

/// The happenings as CloudWatch sends them: gzipped envelopes.
pub fn records(happenings: &[Happening], log_group: &str) -> Vec<Vec<u8>> {
    let envelopes = happenings.chunks(EVENTS).enumerate().map(|(nth, part)| {
        let events = part.iter().enumerate().map(|(index, happening)| {
            let id = format!("{:056}", nth * EVENTS + index);
            json!({ "id": id, "timestamp": happening.ms, "message": happening.line })
        });
        let envelope = json!({
            "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": log_group,
            "logStream": "a", "subscriptionFilters": ["all"],
            "logEvents": events.collect::<Vec<_>>(),
        });
        gzip(envelope.to_string().as_bytes())
    });
    envelopes.collect()
}
