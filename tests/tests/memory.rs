//! How much memory the worst inputs take, as Linux counted it for the living process: the input is
//! sent, then a scan, and when the finding about the scan is out, all that came before was handled.

use tidewatch_tests::binary::Ran;
use tidewatch_tests::containers::{gzip, gzip_zeros, kinesis_event, record};
use tidewatch_tests::events::{Event, START_MS, Said, log, scan};
use tidewatch_tests::live::start;

/// Who scans when all else was sent.
const SCANNER: &str = "203.0.113.99";

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

/// What may be in memory at once of hostile input: a line of 16 MiB while its buffer doubles, a record
/// of 16 MiB inflated, and a few chunks in between. The program itself takes about 20 MiB.
const PEAK_MIB_MAX: u64 = 160;

/// Sends `bytes` in pieces, then a scan, and gives the peak in MiB when the scan was found, and the whole run.
fn peak_mib(bytes: &[u8], scan: &[u8], options: &[&str]) -> (u64, Ran) {
    let fixed =
        ["replay", "-", "--output", "json", "--stats", "--detectors", "tests/profiles/distinct20"];
    let mut live = start(&[&fixed[..], options].concat());
    for piece in bytes.chunks(MIB) {
        live.send(piece);
    }
    live.send(scan);
    while !live.next_line().contains(&format!("\"{SCANNER}\"")) {}
    let peak = live.peak_mib();
    let ran = live.finish();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    (peak, ran)
}

fn x(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn scan_log() -> String {
    "\n".to_owned() + &log(&scan(SCANNER).0, Event::json)
}

#[test]
fn hostile_lines_and_records_take_bounded_memory() {
    let scan = scan_log();
    let bomb = gzip_zeros(GIB);
    let login =
        Event { ms: START_MS, source: "192.0.2.1".into(), user: x(30 * MIB), said: Said::In };
    let cases: [(&str, Vec<u8>); 6] = [
        ("a bomb in a record", kinesis_event(&[record(1, &bomb)]).into()),
        ("ten bombs in an event", kinesis_event(&vec![record(1, &bomb); 10]).into()),
        ("a line of 200 MiB", x(200 * MIB).into()),
        ("a login of 30 MiB", login.json().into()),
        ("brackets for 100 MiB", "[".repeat(100 * MIB).into()),
        ("objects for 15 MiB", "{\"logEvents\":[".repeat(15 * MIB / 14).into()),
    ];
    for (what, bytes) in cases {
        let (peak, _) = peak_mib(&bytes, scan.as_bytes(), &[]);
        assert!(peak <= PEAK_MIB_MAX, "{what} takes {peak} MiB");
    }
}

/// A gzipped file has no total cap: it streams.
#[test]
fn gzip_files_stream() {
    // 1 GiB as 1 MiB, and 1 GiB of lines: the same member over and over.
    let lines = gzip((x(1_000) + "\n").repeat(16 * KIB).as_bytes()).repeat(64);
    for (what, bytes) in [("zeros", gzip_zeros(GIB)), ("lines", lines)] {
        let (peak, _) = peak_mib(&bytes, &gzip(scan_log().as_bytes()), &[]);
        assert!(peak <= PEAK_MIB_MAX, "1 GiB of {what} takes {peak} MiB");
    }
}

/// --memory bounds the state: keys beyond it are refused and counted, those already watched are not.
#[test]
fn a_flood_of_sources_stays_under_the_memory_allowed() {
    let event = |nth: i64| Event {
        ms: START_MS + nth,
        source: format!("10.{}.{}.{}", nth >> 16 & 255, nth >> 8 & 255, nth & 255),
        user: "x".to_owned(),
        said: Said::UnknownUser,
    };
    let (watched, _) = scan(SCANNER);
    let flood: Vec<Event> = (0..200_000).map(event).collect();
    let text = log(&watched[..1], Event::json) + &log(&flood, Event::json);
    let (peak, ran) = peak_mib(text.as_bytes(), scan_log().as_bytes(), &["--memory", "8MiB"]);
    assert!(peak <= 64, "a state of 8 MiB takes {peak} MiB");
    let stats = ran.stats();
    let refused = stats["overflow"]["points_refused"].as_u64().expect("a count");
    let keys = stats["keys"].as_u64().expect("a count");
    assert_eq!(keys + refused, 200_001, "each source of the flood came once: {stats}");
    assert!(refused > 100_000, "{stats}");
    assert!(stats["state_bytes"].as_u64() <= Some(8 << 20), "{stats}");
    assert!(ran.stderr.contains("--memory"), "{}", ran.stderr);
}

/// One source with 40,000 names in 299 s: bounded state, and a count that says how exact it is.
#[test]
fn one_source_with_many_names_takes_bounded_memory() {
    let event = |nth: i64| Event {
        ms: START_MS + nth * 299_000 / 40_000,
        source: "203.0.113.9".to_owned(),
        user: format!("name{nth}"),
        said: Said::UnknownUser,
    };
    let events: Vec<Event> = (0..40_000).map(event).collect();
    let text = log(&events, Event::json);
    let (peak, ran) = peak_mib(text.as_bytes(), scan_log().as_bytes(), &[]);
    assert_eq!(ran.openings().len(), 2, "both sources are found");
    assert!(peak <= 64, "{peak} MiB");
}
