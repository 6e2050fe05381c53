//! Real sshd logs with exact truth, where TIDEWATCH_DATA names them: the counts and the findings must
//! be equal, also when clocks are shifted and users renamed, so that nothing can be fitted to them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use serde_json::Value;
use tidewatch_tests::binary::run;
use tidewatch_tests::labelled::data;

/// A log and its truth, by their paths without an end.
const LOGS: [(&str, &str); 2] = [
    ("ssh/openssh_2k/OpenSSH_2k.log", "ssh/openssh_2k/OpenSSH_2k"),
    ("ssh/secrepo_authlog/auth.log", "ssh/secrepo_authlog/auth"),
];

const YEAR: &str = "2016";

/// (window, source) → (failures, successes, distinct users, distinct unknown users).
type Table = BTreeMap<(String, String), [u64; 4]>;

/// The rows whose source is an address, and how many are not; windows as `MM-DD HH:MM:SS`.
fn truth_table(path: &str, folder: &Path) -> (Table, u64) {
    let text = fs::read_to_string(folder.join(path)).expect("the truth");
    let mut rows = text.lines();
    let header: Vec<&str> = rows.next().expect("a header").split(',').collect();
    let column = |name: &str| header.iter().position(|field| *field == name).expect(name);
    let columns = ["failed", "accepted", "distinct_users", "distinct_invalid_users"].map(column);
    let (mut table, mut hostnames) = (Table::new(), 0);
    for row in rows {
        let fields: Vec<&str> = row.split(',').collect();
        let counts = columns.map(|column| fields[column].parse().expect("a count"));
        if fields[1].parse::<std::net::IpAddr>().is_err() {
            hostnames += 1;
        } else if counts != [0; 4] {
            table.insert((fields[0].to_owned(), fields[1].to_owned()), counts);
        }
    }
    (table, hostnames)
}

fn our_table(log: &[u8]) -> Table {
    let ran = run(&["replay", "-", "--windows", "300s", "--year", YEAR, "--stats"], log);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = ran.stdout.lines().skip(1).map(|row| {
        let fields: Vec<&str> = row.split(',').collect();
        let window = fields[0][5..19].replace('T', " ");
        let counts = [2, 3, 4, 5].map(|n: usize| fields[n].parse().expect("a count"));
        ((window, fields[1].to_owned()), counts)
    });
    rows.collect()
}

/// Sources with at least `threshold` unknown names in a sliding 300 s: the truth's and ours.
fn sets(truth: &str, log: &[u8], threshold: u64, folder: &Path) -> [BTreeSet<String>; 2] {
    let text = fs::read_to_string(folder.join(format!("{truth}.truth.json"))).expect("the truth");
    let truth: Value = serde_json::from_str(&text).expect("JSON");
    let name = format!("distinct_invalid_users>={threshold}_in_300s");
    let listed = truth["ips_over_threshold_sliding"][&name].as_array().expect(&name);
    let listed = listed.iter().map(|ip| ip.as_str().expect("an address").to_owned()).collect();
    let detectors = format!("tests/profiles/distinct{threshold}");
    let arguments = ["replay", "-", "--year", YEAR, "--usernames", "exact", "--output", "json"];
    let ran = run(&[&arguments[..], &["--detectors", &detectors]].concat(), log);
    [listed, ran.openings().into_keys().collect()]
}

#[test]
fn tumbling_counts_equal_the_truth() {
    let Some(folder) = data() else { return };
    for (log, truth) in LOGS {
        let bytes = fs::read(folder.join(log)).expect("the log");
        let (table, hostnames) = truth_table(&format!("{truth}.windows300.csv"), &folder);
        assert!(table.len() > 30, "{log}: {} rows of truth", table.len());
        assert_eq!(our_table(&bytes), table, "{log}");
        let ran = run(&["replay", "-", "--year", YEAR, "--stats"], &bytes);
        let counted = ran.stats()["hostname_sources"].as_u64().expect("a count");
        assert_eq!(counted > 0, hostnames > 0, "{log}: host names are counted, not printed");
        assert_eq!(ran.stats()["quarantined"], serde_json::json!({}), "{log}");
        assert_eq!(ran.stats()["late"], 0, "{log}");
    }
}

#[test]
fn sliding_thresholds_equal_the_truth() {
    let Some(folder) = data() else { return };
    let mut found = 0;
    for (log, truth) in LOGS {
        let bytes = fs::read(folder.join(log)).expect("the log");
        for threshold in [5, 20] {
            let [listed, ours] = sets(truth, &bytes, threshold, &folder);
            found += listed.len();
            assert_eq!(ours, listed, "{log}, {threshold} names");
        }
    }
    assert!(found >= 10, "the truth lists {found}");
}

#[test]
fn the_one_success_raises_nothing() {
    let Some(folder) = data() else { return };
    let bytes = fs::read(folder.join(LOGS[0].0)).expect("the log");
    let text = String::from_utf8(bytes.clone()).expect("UTF-8");
    let accepted: Vec<&str> = text.lines().filter(|line| line.contains("]: Accepted ")).collect();
    let [accepted] = accepted.as_slice() else { panic!("{} successes", accepted.len()) };
    let source = accepted.split(" from ").nth(1).expect("a source");
    let source = source.split(' ').next().expect("a source");
    for detectors in [&[][..], &["--detectors", "tests/profiles/distinct5"]] {
        let arguments = ["replay", "-", "--year", YEAR, "--output", "json"];
        let ran = run(&[&arguments[..], detectors].concat(), &bytes);
        assert!(!ran.openings().is_empty(), "there are findings about others");
        assert!(!ran.stdout.contains(source), "{source} is raised by {detectors:?}");
    }
}

/// Writes every word behind `user ` or `for ` as another, the same for the same word, and moves the
/// clock by whole hours inside the day.
fn disguised(log: &str, hours: u32) -> (String, usize) {
    let mut aliases: HashMap<String, String> = HashMap::new();
    let mut alias = |name: &str| {
        let next = format!("zz{}q", aliases.len() * 7919 % 100_003);
        aliases.entry(name.to_owned()).or_insert(next).clone()
    };
    let mut text = String::new();
    for line in log.lines() {
        let (time, rest) = line.split_at(line.len().min(15));
        let hour: Option<u32> = time.get(7..9).and_then(|hour| hour.parse().ok());
        match hour {
            Some(hour) if time.len() == 15 => {
                text += &format!("{}{:02}{}", &time[..7], (hour + hours) % 24, &time[9..]);
            }
            _ => text += time,
        }
        let lead = ["Invalid user ", "invalid user ", "password for ", "none for "]
            .iter()
            .find_map(|lead| rest.rfind(lead).map(|at| at + lead.len()));
        let end = rest.rfind(" from ").unwrap_or(rest.len());
        match lead {
            Some(at) if at <= end && !rest[at..].starts_with("invalid user ") => {
                text += &format!("{}{}{}\n", &rest[..at], alias(&rest[at..end]), &rest[end..]);
            }
            _ => text += &format!("{rest}\n"),
        }
    }
    (text, aliases.len())
}

#[test]
fn shifted_clocks_and_renamed_users_change_nothing_else() {
    let Some(folder) = data() else { return };
    for (log, truth) in LOGS {
        let bytes = fs::read(folder.join(log)).expect("the log");
        let text = String::from_utf8(bytes).expect("UTF-8");
        // The first log ends before noon; the other runs for days and keeps its hours.
        let hours = if log.contains("openssh_2k") { 7 } else { 0 };
        let (disguised, names) = disguised(&text, hours);
        assert!(names > 40, "{log}: {names} names");
        let (table, _) = truth_table(&format!("{truth}.windows300.csv"), &folder);
        let moved: Table = table
            .into_iter()
            .map(|((window, source), counts)| {
                let hour: u32 = window[6..8].parse().expect("an hour");
                let window = format!("{}{:02}{}", &window[..6], hour + hours, &window[8..]);
                ((window, source), counts)
            })
            .collect();
        for log in [disguised.clone(), disguised.replace('\n', "\r\n")] {
            assert_eq!(our_table(log.as_bytes()), moved, "{truth}");
            for threshold in [5, 20] {
                let [listed, ours] = sets(truth, log.as_bytes(), threshold, &folder);
                assert_eq!(ours, listed, "{truth}, {threshold} names");
            }
        }
    }
}
