//! A planted scan over both shards: the alert, field by field; the process killed under way; damage among
//! good records; and the time from a record to its message.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tidewatch_core::key_ring::Generation;
use tidewatch_tests::containers::LOG_STREAM;
use tidewatch_tests::events::{Event, Said};

use super::world::{GROUP, SHARDS, World, attribute, document, names, now_ms, scan, sent_ms};

pub const SCANNER: &str = "203.0.113.77";

/// The longest pane of a window of ten minutes.
const PANE_MS: i64 = 60_000;

/// Puts `events` in records of `per`, on the shards in turn.
pub fn put_all(world: &World, events: &[Event], per: usize) {
    for (nth, events) in events.chunks(per).enumerate() {
        world.put(nth % SHARDS, &world.packed(events));
    }
}

/// A customer who mistypes now and then.
fn customer(source: &str, last_ms: i64) -> Vec<Event> {
    let tried = [Said::In, Said::BadPassword, Said::In, Said::UnknownUser, Said::In];
    let one = |(nth, said): (usize, Said)| Event {
        ms: last_ms - 1_000 * nth as i64,
        source: source.to_owned(),
        user: format!("customer{}", nth % 2),
        said,
    };
    tried.into_iter().enumerate().map(one).collect()
}

#[tokio::test]
async fn a_scan_over_both_shards_is_told_once_and_counted_exactly() {
    let world = World::deploy(&[("BatchingWindowSeconds", "0")]);
    let alerts = world.subscribe(
        "alerts",
        "AlertTopicArn",
        &json!({ "detector": ["credential-scan"], "severity": ["medium", "high", "critical"] }),
    );
    let closings = world.subscribe("closings", "AlertTopicArn", &json!({ "activity": ["close"] }));
    let notices =
        world.subscribe("notices", "NoticeTopicArn", &json!({ "detector": ["credential-scan"] }));

    // A scan among customers, half of it on each shard.
    let now = now_ms();
    let planted = scan(SCANNER, 0..60, now, 1_000);
    for nth in 0..4 {
        put_all(&world, &customer(&format!("198.51.100.{nth}"), now), 2);
    }
    put_all(&world, &planted, 5);
    let opened = world.message(&alerts, "the alert", |finding| finding["activity_id"] == 1);
    check_alert(&opened, &planted);
    world.drained();

    // The process dies between two batches; the other half of the scan is served by the next one.
    let before = world.processes();
    world.kill();
    let rest = scan(SCANNER, 60..120, now_ms(), 500);
    put_all(&world, &rest, 5);
    world.drained();
    assert!(world.processes().iter().all(|id| !before.contains(id)), "another process by now");
    let all: Vec<Event> = [planted, rest].concat();
    check_counts(&world, Generation::Odd, &all).await;

    // Damage among good records, and a record that is delivered once more.
    let good = scan(SCANNER, 120..130, now_ms(), 100);
    let (first, last) = (world.packed(&good[..5]), world.packed(&good[5..]));
    let truncated = &world.packed(&scan(SCANNER, 500..505, now_ms(), 100))[..60];
    let noise: Vec<u8> = (0..200u32).map(|n| (n * 7919 % 251) as u8 | 0x80).collect();
    for data in [&first[..], truncated, &noise, &last, &first] {
        world.put(0, data);
    }
    world.drained();
    let all: Vec<Event> = [all, good].concat();
    check_counts(&world, Generation::Odd, &all).await;
    check_quarantine(&world, &[truncated, &noise]);

    // One episode: one uid, one opening, nothing for the other filter, and a letter for people.
    let told = world.messages(&alerts);
    let uids: BTreeSet<&str> =
        told.iter().map(|message| attribute(message, "finding_uid")).collect();
    assert_eq!(uids.len(), 1, "{told:#?}");
    let openings = told.iter().filter(|message| attribute(message, "activity") == "create");
    assert_eq!(openings.count(), 1, "{told:#?}");
    assert_eq!(world.messages(&closings), Vec::<Value>::new());
    let notice = document(&world.messages(&notices)[0]);
    let (subject, body) = (&notice["Subject"], notice["Message"].as_str().expect("text"));
    assert!(subject.as_str().is_some_and(|subject| subject.contains(SCANNER)), "{notice}");
    assert!(body.contains(SCANNER) && body.contains("unknown_users"), "{body}");
    assert_eq!(world.complaints(), Vec::<Value>::new());
    print_delays(&world, "0");
}

/// The first message, against what was planted.
fn check_alert(message: &Value, planted: &[Event]) {
    let finding = document(message);
    let (first, last) = (planted[0].ms, planted[planted.len() - 1].ms);
    assert_eq!(finding["class_uid"], 2004);
    assert_eq!(finding["type_uid"], 200_401);
    assert_eq!(finding["metadata"]["version"], "1.6.0");
    assert_eq!(finding["finding_info"]["analytic"]["uid"], "credential-scan");
    // Who.
    assert_eq!(finding["evidences"], json!([{ "src_endpoint": { "ip": SCANNER } }]));
    let details = &finding["unmapped"]["tidewatch"];
    assert_eq!(details["key"], SCANNER);
    assert_eq!(details["who"]["key"], SCANNER);
    // When.
    let seen = |name: &str| finding["finding_info"][name].as_i64().expect("a time");
    // Of what had been read by then, be it of one shard. The first is known to the pane.
    let (from, to) = (seen("first_seen_time"), seen("last_seen_time"));
    assert!(first - PANE_MS < from && from <= to && to <= last + 999, "{first} {last} {finding:#}");
    // Where.
    let group = finding["resources"].as_array().expect("resources");
    assert!(group.iter().any(|resource| resource["name"] == GROUP), "{finding:#}");
    assert!(group.iter().any(|resource| resource["name"] == LOG_STREAM), "{finding:#}");
    let samples = details["samples"].as_array().expect("samples");
    assert!(!samples.is_empty());
    for sample in samples {
        assert_eq!(
            (&sample["log_group"], &sample["log_stream"]),
            (&json!(GROUP), &json!(LOG_STREAM))
        );
        assert_eq!(sample["event_id"].as_str().map(str::len), Some(56));
    }
    // What: every condition of the severity holds on the numbers that are given.
    let conditions = details["conditions"].as_array().expect("conditions");
    assert!(!conditions.is_empty());
    let measured = |name: &str| {
        let measures = details["measures"].as_array().expect("measures");
        let found = measures.iter().find(|measure| measure["name"] == name);
        found.and_then(|measure| measure["value"].as_f64()).expect("a measure")
    };
    let unknown = measured("unknown_users");
    assert!(unknown <= names(planted).len() as f64, "{finding:#}");
    for condition in conditions {
        let (value, threshold) = (condition["value"].as_f64(), condition["threshold"].as_f64());
        assert!(value >= threshold, "{condition}");
    }
    let link = finding["finding_info"]["src_url"].as_str().expect("a link");
    assert!(link.starts_with("https://us-east-1.console.aws.amazon.com/cloudwatch/"), "{link}");
    // What filters see.
    let severity = finding["severity"].as_str().expect("a severity").to_lowercase();
    let expected = [
        ("schema", "ocsf-1.6.0"),
        ("detector", "credential-scan"),
        ("category", "credential"),
        ("severity", severity.as_str()),
        ("severity_id", &finding["severity_id"].to_string()),
        ("activity", "create"),
        ("finding_uid", finding["finding_info"]["uid"].as_str().expect("a uid")),
        ("simulated", "false"),
    ];
    for (name, value) in expected {
        assert_eq!(attribute(message, name), value, "{name}");
    }
    assert_eq!(message["MessageAttributes"].as_object().map(serde_json::Map::len), Some(8));
}

/// What the table counts of the scanner under the keys of `generation`, against all that was ever put.
pub async fn check_counts(world: &World, generation: Generation, all: &[Event]) {
    let counted = world.counted(SCANNER, "credential-scan", generation).await;
    let of = |name: &str| counted.iter().find(|(of, _)| of == name).map(|(_, count)| *count);
    assert_eq!(of("failures"), Some(all.len() as f64), "{counted:?}");
    // A list holds 48 names; what it says beyond is a lower bound.
    let distinct = names(all).len().min(48) as f64;
    assert!(of("unknown_users").is_some_and(|count| count >= distinct), "{counted:?}");
}

/// The damaged records, byte by byte.
fn check_quarantine(world: &World, damaged: &[&[u8]]) {
    let kept: Vec<Value> = world
        .objects("quarantine/")
        .iter()
        .map(|key| String::from_utf8(world.object(key)).expect("text"))
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .map(|line| serde_json::from_str(&line).expect("a JSON line a record"))
        .collect();
    let data: BTreeSet<Vec<u8>> = kept
        .iter()
        .map(|record| record["data"].as_str().expect("base64"))
        .map(|text| base64_simd::STANDARD.decode_to_vec(text).expect("base64"))
        .collect();
    assert_eq!(data, damaged.iter().map(|data| data.to_vec()).collect(), "{kept:#?}");
    let told: f64 = world.said("batch").iter().filter_map(|b| b["Quarantined"].as_f64()).sum();
    assert_eq!(told, damaged.len() as f64);
}

/// Twenty scans, each whole in one record: how long from a record's being put to its message's being in
/// the queue.
pub fn print_delays(world: &World, window: &str) {
    let queue = world.subscribe(
        &format!("delays-{window}"),
        "AlertTopicArn",
        &json!({ "detector": ["credential-scan"], "activity": ["create"] }),
    );
    let mut put = std::collections::BTreeMap::new();
    for nth in 0..20usize {
        let source = format!("192.0.2.{}", nth + 1);
        let record = world.packed(&scan(&source, 0..40, now_ms(), 100));
        put.insert(source.clone(), world.put(nth % SHARDS, &record));
        world.message(&queue, "a scan in one record to be told", |finding| {
            finding["unmapped"]["tidewatch"]["key"] == *source
        });
    }
    let mut delays: Vec<i64> = world
        .messages(&queue)
        .iter()
        .filter_map(|message| {
            let finding = document(message);
            let put = put.get(finding["unmapped"]["tidewatch"]["key"].as_str()?)?;
            Some(sent_ms(message) - put)
        })
        .collect();
    delays.sort_unstable();
    assert_eq!(delays.len(), put.len());
    let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!(
        "record on the stream to message in the queue, batching window {window} s (which this cloud \
         does not wait for): p50 {} ms, p99 {} ms, of {}",
        at(50),
        at(99),
        delays.len()
    );
}
