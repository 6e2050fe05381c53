//! The shop's log groups: who writes an attempt's lines, into which log stream, among which others.
//!
//! A Lambda function runs in several environments at once, each with a log stream of its own and one
//! invocation at a time; a request goes to any free one, and where none is free a new one starts. So
//! one source's attempts are spread over a function's streams, as they are in reality. The bastion has
//! one stream.
//!
//! Invariant: in a log stream event times never go back, and an attempt's deciding line has the
//! attempt's own time.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::attempt::{Attempt, Door, Outcome};
use super::envelopes::{LogEvent, StreamLog};
use super::{
    Days, Form, HOUR_MS, MINUTE_MS, Scale, Strand, Written, envelopes, gateway, lines, strand,
};

/// A log group and the program behind it.
struct Group {
    name: &'static str,
    program: Program,
    /// Environments kept warm: the least number of log streams at work at a time.
    warm: usize,
    memory_mb: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    /// A login function. With `platform`, Lambda's own START, END and REPORT lines stand round its
    /// line; a function that logs JSON at system level WARN has none.
    Login {
        door: Door,
        platform: bool,
    },
    /// Four of five errands.
    Cart,
    /// One of five.
    Checkout,
    /// What was asked for after logins, and how many bytes were sent back.
    Gateway,
    Bastion,
}

/// A group's place is its random strand: new ones go last.
const GROUPS: [Group; 7] = [
    Group {
        name: "/aws/lambda/shop-login",
        program: Program::Login { door: Door::Web, platform: false },
        warm: 6,
        memory_mb: 256,
    },
    Group {
        name: "/aws/lambda/shop-mobile-login",
        program: Program::Login { door: Door::Mobile, platform: true },
        warm: 4,
        memory_mb: 256,
    },
    Group {
        name: "/aws/lambda/shop-partner-login",
        program: Program::Login { door: Door::Partner, platform: true },
        warm: 3,
        memory_mb: 128,
    },
    Group { name: "/aws/lambda/shop-cart", program: Program::Cart, warm: 4, memory_mb: 128 },
    Group {
        name: "/aws/lambda/shop-checkout",
        program: Program::Checkout,
        warm: 3,
        memory_mb: 512,
    },
    Group { name: "/ec2/bastion/auth.log", program: Program::Bastion, warm: 1, memory_mb: 0 },
    Group { name: "/aws/apigateway/shop", program: Program::Gateway, warm: 1, memory_mb: 0 },
];

/// Everything the shop logs in `days`, in the form asked for, sorted by time. `attempts` are those of `days`,
/// sorted by time; `slice` says which part of the world it is. The groups share nothing, so each is written by a
/// thread of its own; the order of what they write is theirs.
pub(super) fn written(
    [seed, slice]: [u64; 2],
    days: Days,
    scale: &Scale,
    attempts: &[Attempt],
    form: Form,
) -> Vec<Written> {
    let write = |(place, group): (usize, &'static Group)| {
        let mut rng = strand(seed, Strand::Group(place as u8), slice);
        let logs = match group.program {
            Program::Gateway if !scale.gateway => Vec::new(),
            Program::Gateway => vec![gateway::log(group.name, attempts, &mut rng)],
            Program::Bastion => vec![bastion(group, days, attempts, &mut rng)],
            _ => function(group, days, scale, attempts, &mut rng),
        };
        envelopes::write(logs, form, &mut rng)
    };
    let mut written: Vec<Written> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            GROUPS.iter().enumerate().map(|task| scope.spawn(move || write(task))).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.flat_map(|written| written.expect("a log group's writer does not panic")).collect()
    });
    written.sort_by_key(|written| written.time_ms);
    written
}

/// One environment of a function.
struct Environment {
    log: StreamLog,
    free_ms: i64,
    /// Lambda replaces every environment after some hours.
    retire_ms: i64,
}

/// A function's environments, at work and gone.
struct Fleet {
    group: &'static Group,
    live: Vec<Environment>,
    retired: Vec<StreamLog>,
}

impl Fleet {
    /// A random environment that is free from `start_ms` on; a new one where there is none.
    fn free(&mut self, start_ms: i64, rng: &mut ChaCha8Rng) -> &mut Environment {
        let mut index = 0;
        while index < self.live.len() {
            if self.live[index].retire_ms <= start_ms {
                self.retired.push(self.live.swap_remove(index).log);
            } else {
                index += 1;
            }
        }
        while self.live.len() < self.group.warm {
            self.live.push(environment(self.group, start_ms, rng));
        }
        let first = rng.random_range(0..self.live.len());
        let order = (first..self.live.len()).chain(0..first);
        let free = order.into_iter().find(|&index| self.live[index].free_ms <= start_ms);
        let index = free.unwrap_or_else(|| {
            self.live.push(environment(self.group, start_ms, rng));
            self.live.len() - 1
        });
        &mut self.live[index]
    }

    fn logs(self) -> Vec<StreamLog> {
        let live = self.live.into_iter().map(|environment| environment.log);
        self.retired.into_iter().chain(live).filter(|log| !log.events.is_empty()).collect()
    }
}

fn environment(group: &'static Group, start_ms: i64, rng: &mut ChaCha8Rng) -> Environment {
    let date = lines::rfc3339(start_ms)[..10].replace('-', "/");
    let stream = format!("{date}/[$LATEST]{:032x}", rng.random::<u128>());
    let log = StreamLog { group: group.name.into(), stream, events: Vec::new() };
    let life_ms = rng.random_range(HOUR_MS..3 * HOUR_MS);
    Environment { log, free_ms: i64::MIN, retire_ms: start_ms + life_ms }
}

/// What an invocation does.
enum Deed<'a> {
    Login(&'a Attempt),
    Errand(i64),
}

impl Deed<'_> {
    fn time_ms(&self) -> i64 {
        match self {
            Deed::Login(attempt) => attempt.time_ms,
            Deed::Errand(time_ms) => *time_ms,
        }
    }
}

/// All log streams of a function.
fn function(
    group: &'static Group,
    days: Days,
    scale: &Scale,
    attempts: &[Attempt],
    rng: &mut ChaCha8Rng,
) -> Vec<StreamLog> {
    let errands = |per_hour, rng: &mut ChaCha8Rng| -> Vec<Deed> {
        days.times(per_hour, rng).into_iter().map(Deed::Errand).collect()
    };
    let deeds: Vec<Deed> = match group.program {
        Program::Login { door, .. } => {
            attempts.iter().filter(|attempt| attempt.door == door).map(Deed::Login).collect()
        }
        Program::Cart => errands(scale.errands_per_hour / 5 * 4, rng),
        Program::Checkout => errands(scale.errands_per_hour / 5, rng),
        Program::Bastion | Program::Gateway => Vec::new(),
    };
    let mut fleet = Fleet { group, live: Vec::new(), retired: Vec::new() };
    for deed in &deeds {
        // The deciding line stands in the middle of its invocation.
        let start_ms = deed.time_ms() - rng.random_range(20..120);
        let end_ms = deed.time_ms() + rng.random_range(1..40);
        let environment = fleet.free(start_ms, rng);
        environment.free_ms = end_ms + 1;
        invoke(group, deed, [start_ms, end_ms], &mut environment.log.events, rng);
    }
    fleet.logs()
}

/// The lines of one invocation from its start to its end.
fn invoke(
    group: &Group,
    deed: &Deed,
    [start_ms, end_ms]: [i64; 2],
    events: &mut Vec<LogEvent>,
    rng: &mut ChaCha8Rng,
) {
    let request = lines::request_id(rng);
    let time_ms = deed.time_ms();
    let platform = !matches!(group.program, Program::Login { platform: false, .. });
    let mut push = |time_ms, message| events.push(LogEvent { time_ms, message });
    if platform {
        push(start_ms, lines::start(&request));
    }
    match (group.program, deed) {
        (_, Deed::Login(attempt)) => push(time_ms, lines::login(attempt, &request)),
        (Program::Checkout, _) => push(time_ms, lines::checkout(time_ms, &request, rng)),
        (_, Deed::Errand(_)) => push(time_ms, lines::cart(time_ms, &request, rng)),
    }
    if platform {
        for line in lines::end(&request, end_ms - start_ms, group.memory_mb, rng) {
            push(end_ms, line);
        }
    } else if let Deed::Login(attempt) = deed
        && attempt.outcome == Outcome::Success
        && rng.random_bool(0.05)
    {
        push(end_ms, lines::session_refreshed(attempt, end_ms, &request));
    }
}

/// The bastion's only log stream.
fn bastion(
    group: &'static Group,
    days: Days,
    attempts: &[Attempt],
    rng: &mut ChaCha8Rng,
) -> StreamLog {
    let mut events = Vec::new();
    let mut cron_ms = days.start_ms - days.start_ms.rem_euclid(5 * MINUTE_MS) + 5 * MINUTE_MS;
    let (mut pid, mut port, mut connection) = (2_000, 0, 0);
    let mut last = None;
    for attempt in attempts.iter().filter(|attempt| attempt.door == Door::Bastion) {
        while cron_ms <= attempt.time_ms {
            pid += rng.random_range(1..9);
            events.push(LogEvent { time_ms: cron_ms, message: lines::cron(cron_ms, pid) });
            cron_ms += 5 * MINUTE_MS;
        }
        // A connection is one source's, up to three tries.
        if last == Some(attempt.source) && connection < 2 {
            connection += 1;
        } else {
            (connection, pid, port) =
                (0, pid + rng.random_range(1..9), rng.random_range(32_768..61_000));
        }
        last = Some(attempt.source);
        for message in lines::sshd(attempt, connection, pid, port) {
            events.push(LogEvent { time_ms: attempt.time_ms, message });
        }
    }
    let stream = format!("i-0{:016x}", rng.random::<u64>());
    StreamLog { group: group.name.into(), stream, events }
}
