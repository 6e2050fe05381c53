//! `--windows`: tumbling counts equal those of an exact oracle, whatever the order of the events.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tidewatch_tests::binary::{Ran, run};
use tidewatch_tests::containers::tail_detailed;
use tidewatch_tests::events::{Event, START_MS, Said, log, scan};

const HEADER: &str = "window_start,key,failures,successes,distinct_users,distinct_unknown_users";

/// A log line and what it says: how many tries, and of which name, if it tells.
struct Line {
    text: String,
    event: Event,
    tries: u64,
    named: bool,
}

/// One cell of the table.
#[derive(Default)]
struct Cell {
    failures: u64,
    successes: u64,
    users: BTreeSet<String>,
    unknown_users: BTreeSet<String>,
}

fn windows(more: &[&str], lines: &[Line]) -> Ran {
    let text: String = lines.iter().map(|line| line.text.clone() + "\n").collect();
    let ran = run(&[&["replay", "-", "--stats", "--windows"], more].concat(), text.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.quarantined("json"), 0, "{}", ran.stderr);
    ran
}

/// The table by definition.
fn oracle(lines: &[Line], span_ms: i64, key: impl Fn(&Event) -> String) -> String {
    let mut cells: BTreeMap<(i64, String), Cell> = BTreeMap::new();
    for Line { event, tries, named, .. } in lines {
        let start = event.ms.div_euclid(span_ms) * span_ms;
        let cell = cells.entry((start, key(event))).or_default();
        match event.said {
            Said::In => cell.successes += tries,
            Said::BadPassword | Said::UnknownUser => cell.failures += tries,
        }
        if *named {
            cell.users.insert(event.user.clone());
            if event.said == Said::UnknownUser {
                cell.unknown_users.insert(event.user.clone());
            }
        }
    }
    let mut table = HEADER.to_owned() + "\n";
    for ((start, key), Cell { failures, successes, users, unknown_users }) in cells {
        let start = Timestamp::from_millisecond(start).expect("a time");
        let (users, unknown_users) = (users.len(), unknown_users.len());
        table += &format!("{start},{key},{failures},{successes},{users},{unknown_users}\n");
    }
    table
}

/// Random lines of every kind that feeds counts, in no order of time.
fn lines(seed: u64) -> Vec<Line> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut lines: Vec<Line> = (0..3_000).map(|_| line(&mut random)).collect();
    lines.shuffle(&mut random);
    lines
}

fn line(random: &mut ChaCha8Rng) -> Line {
    let source = match random.random_range(0..4) {
        0 => format!("2001:db8:{:x}:1::{:x}", random.random_range(0..6), random.random::<u16>()),
        1 => format!("::ffff:203.0.113.{}", random.random_range(0..12)),
        _ => format!("203.0.{}.{}", random.random_range(110..114), random.random_range(0..12)),
    };
    let said = *[Said::In, Said::BadPassword, Said::UnknownUser].choose(random).expect("one");
    let event = Event {
        ms: START_MS + random.random_range(0..3_600_000),
        source,
        user: ["", "root", "Root", "naïve", "a b"].choose(random).expect("one").to_string()
            + &random.random_range(0..9).to_string(),
        said,
    };
    let mut line = Line { text: String::new(), event, tries: 1, named: true };
    let Event { source, user, .. } = &line.event;
    let sshd = |said: &str| format!("{} web-1 sshd[42]: {said}", line.event.time());
    (line.text, line.tries, line.named) = match random.random_range(0..8) {
        0 | 1 => (line.event.sshd(), 1, true),
        2 => (tail_detailed(&line.event), 1, true),
        3 => {
            let hidden = Event { user: "[REDACTED]".to_owned(), ..line.event.clone() };
            (hidden.json(), 1, false)
        }
        4 => {
            let times = random.random_range(2..9);
            let once = line.event.sshd();
            let (_, said) = once.split_once("sshd[4711]: ").expect("sshd");
            (sshd(&format!("message repeated {times} times: [ {said}]")), times, true)
        }
        5 if said == Said::UnknownUser => {
            (sshd(&format!("Invalid user {user} from {source}")), 0, true)
        }
        6 if said == Said::BadPassword => {
            let closed =
                format!("Connection closed by authenticating user {user} {source} port 22");
            (sshd(&(closed + " [preauth]")), 0, true)
        }
        _ => (line.event.json(), 1, true),
    };
    line
}

#[test]
fn the_table_equals_the_oracles() {
    for seed in 1..=4 {
        let lines = lines(seed);
        for (span, span_ms) in [("300s", 300_000), ("7m", 420_000), ("1h", 3_600_000)] {
            let ran = windows(&[span], &lines);
            assert_eq!(ran.stdout, oracle(&lines, span_ms, Event::key), "seed {seed}, {span}");
        }
    }
}

#[test]
fn other_keys_equal_the_oracles_too() {
    let lines = lines(5);
    let subnet = |event: &Event| match event.key() {
        v6 if v6.contains('/') => v6,
        v4 => v4.rsplit_once('.').expect("four bytes").0.to_owned() + ".0/24",
    };
    let by = |key: &str| windows(&["10m", "--key", key], &lines).stdout;
    assert_eq!(by("source.ip"), oracle(&lines, 600_000, Event::key));
    assert_eq!(by("source.subnet"), oracle(&lines, 600_000, subnet));
    assert_eq!(by("global"), oracle(&lines, 600_000, |_| "global".to_owned()));
    // A user's key is a tag under a secret, so only the numbers can be compared.
    let numbers = |table: &str| -> Vec<String> {
        let mut rows: Vec<String> = table
            .lines()
            .map(|row| {
                let fields: Vec<&str> = row.split(',').collect();
                [&fields[..1], &fields[2..]].concat().join(",")
            })
            .collect();
        rows.sort();
        rows
    };
    let named: Vec<Line> = lines.into_iter().filter(|line| line.named).collect();
    let users = windows(&["10m", "--key", "user"], &named).stdout;
    let expected = oracle(&named, 600_000, |event| event.user.clone());
    assert_eq!(numbers(&users), numbers(&expected));
    for name in ["root", "naïve"] {
        assert!(!users.contains(name), "no name is printed: {users}");
    }
}

#[test]
fn a_log_that_says_nothing_is_a_header() {
    assert_eq!(windows(&["5m"], &[]).stdout, HEADER.to_owned() + "\n");
}

#[test]
fn windows_begin_at_multiples_of_the_span_since_the_epoch() {
    let at = |ms: i64| Event { ms, ..scan("203.0.113.9").0[0].clone() };
    let edges = [at(START_MS - 1), at(START_MS), at(START_MS + 299_999), at(START_MS + 300_000)];
    let ran = run(&["replay", "-", "--windows", "5m"], log(&edges, Event::json).as_bytes());
    let starts: Vec<&str> = ran.stdout.lines().skip(1).map(|row| &row[..20]).collect();
    assert_eq!(starts, ["2024-05-14T05:55:00Z", "2024-05-14T06:00:00Z", "2024-05-14T06:05:00Z"]);
}

#[test]
fn beyond_the_memory_allowed_it_is_exit_code_1_naming_the_window() {
    let event = |nth: i64| Event {
        ms: START_MS + nth * 60_000,
        source: format!("10.0.{}.{}", nth >> 8, nth & 255),
        user: format!("name{nth}"),
        said: Said::BadPassword,
    };
    let text = log(&(0..50_000).map(event).collect::<Vec<_>>(), Event::json);
    let arguments = ["replay", "-", "--windows", "5m", "--stats", "--memory"];
    let ran = run(&[&arguments[..], &["1MiB"]].concat(), text.as_bytes());
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    let named = ran.stderr.split("the window that begins at ").nth(1).expect(&ran.stderr);
    let start: Timestamp = named.split(' ').next().expect("a time").parse().expect("a time");
    assert_eq!(start.as_millisecond() % 300_000, 0);
    assert!(start.as_millisecond() >= START_MS, "{start}");
    assert!(ran.stats().is_object(), "the statistics are still there");
    let ran = run(&[&arguments[..], &["64MiB"]].concat(), text.as_bytes());
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 50_001), "{}", ran.stderr);
}
