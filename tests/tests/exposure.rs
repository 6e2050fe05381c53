//! What somebody got hold of, as the real binary tells it of a simulated shop whose gateway logs how many bytes it sends
//! back: who carries off orders is found with what he got, and nobody else; and of what no response can be nothing is
//! counted.

use serde_json::Value;
use tidewatch_tests::binary::run;

const WORLD: [&str; 5] = ["simulate", "exfiltration", "--logins-per-day", "20000", "--output"];

fn told(log: &[u8], more: &[&str]) -> Vec<Value> {
    let ran = run(&[&["replay", "--output", "json"], more, &["-"]].concat(), log);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.findings()
}

fn detector(finding: &Value) -> &str {
    finding["finding_info"]["analytic"]["uid"].as_str().expect("a detector")
}

/// What a finding counted under a name.
fn counted(finding: &Value, name: &str) -> f64 {
    let measures = finding["unmapped"]["tidewatch"]["measures"].as_array().expect("measures");
    let named = measures.iter().find(|measure| measure["name"] == name);
    named.unwrap_or_else(|| panic!("{name} in {measures:?}"))["value"].as_f64().expect("a number")
}

#[test]
fn who_carries_off_orders_is_found_with_what_he_got_and_nobody_else() {
    for (form, seed) in [("envelopes", "3"), ("lines", "8")] {
        let log = run(&[&WORLD[..], &[form, "--seed", seed]].concat(), b"");
        let findings = told(log.stdout.as_bytes(), &[]);
        let of = |id: &str| -> Vec<&Value> {
            let created = findings.iter().filter(|finding| finding["activity_name"] == "Create");
            created.filter(|finding| detector(finding) == id).collect()
        };
        for id in ["bulk-download", "exposed-data", "object-enumeration"] {
            let wanted = usize::from(id == "exposed-data");
            assert_eq!(of(id).len(), wanted, "{id}, seed {seed}: {findings:?}");
        }
        // He asked for 600 orders of some 100 kB each, twice.
        let last = findings.iter().rfind(|finding| detector(finding) == "exposed-data");
        let last = last.expect("it is told");
        let bytes = counted(last, "bytes");
        assert!((30e6..130e6).contains(&bytes), "{bytes}");
        assert!(counted(last, "resources") >= 300.0);
        assert_eq!(last["evidences"][0]["src_endpoint"]["ip"], "198.18.30.1", "{last}");
        let also = last["unmapped"]["tidewatch"]["also"].to_string();
        assert!(also.contains("credential-scan"), "{also}");
    }
}

#[test]
fn without_a_detector_of_accesses_their_lines_are_not_read() {
    let log = run(&[&WORLD[..], &["envelopes", "--seed", "3"]].concat(), b"");
    let accesses = |more: &[&str]| {
        let ran = run(&[&["replay", "--stats"], more, &["-"]].concat(), log.stdout.as_bytes());
        let line = ran.stderr.lines().find(|line| line.starts_with('{')).expect("statistics");
        let stats: Value = serde_json::from_str(line).expect("JSON");
        stats["signals"]["access"].as_u64().expect("a number")
    };
    assert!(accesses(&[]) > 1_000);
    let logins = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/detectors/brute-force.toml");
    assert_eq!(accesses(&["--detectors", logins]), 0);
}

#[test]
fn more_bytes_than_a_response_can_have_are_refused_and_told() {
    let line = |nth: u32, bytes: &str| {
        format!(
            "{{\"time\":\"2026-11-10T{:02}:{:02}:00Z\",\"ip\":\"192.0.2.{}\",\"path\":\"/a/{nth}\",\"status\":200,\"bytes_sent\":{bytes}}}\n",
            6 + nth / 60,
            nth % 60,
            nth % 7
        )
    };
    let mut log: String = (0..300).map(|nth| line(nth, "1000")).collect();
    log += &line(301, "1000000000000000000");
    let ran = run(&["replay", "--stats", "-"], log.as_bytes());
    assert!(!ran.stdout.contains("bulk-download"), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("\"bytes_absurd\":{\"count\":1") || ran.stderr.contains("bytes_absurd"),
        "{}",
        ran.stderr
    );
    // A tenth of a thousandth of it is believed.
    log += &line(302, "100000000000");
    let ran = run(&["replay", "-"], log.as_bytes());
    assert!(ran.stdout.contains("bytes 100 GB ("), "{}", ran.stdout);
}
