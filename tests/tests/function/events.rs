//! Events of every size and kind, and environments that come and go.

use serde_json::{Value, json};
use tidewatch_tests::containers::gzip_zeros;
use tidewatch_tests::environment::Answer;

use super::host::{Host, LIMIT, again_from, batch, complaint, packed, scan, sequence};

/// What Lambda delivers at most in one invocation, in bytes.
const PAYLOAD_BYTES_MAX: usize = 6_291_456;

#[tokio::test]
async fn environments_that_serve_a_shard_in_turn_tell_one_finding() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    for nth in 0..6u64 {
        // Each begins cold, in the middle of the attack.
        let events = scan("203.0.113.20", nth as i64 * 10..nth as i64 * 10 + 10);
        let event = batch(nth, &[packed(nth as usize, &events)]);
        assert_eq!(host.environment().invoke(&event, LIMIT), again_from(None));
    }
    let findings = host.findings(&queue);
    let openings = findings.iter().filter(|finding| finding["activity_id"] == 1);
    assert_eq!(openings.count(), 1, "{findings:#?}");
    let uid = &findings[0]["finding_info"]["uid"];
    assert!(findings.iter().all(|finding| finding["finding_info"]["uid"] == *uid));
}

#[tokio::test]
async fn the_largest_events_are_dealt_with_or_asked_for_again() {
    let host = Host::without(None).await;
    let mut environment = host.environment();
    // As much as Lambda delivers, of logins that all are of one source.
    let record = |nth: usize| packed(nth, &scan("203.0.113.30", 0..400));
    let mut data = Vec::new();
    let mut bytes = 0;
    for nth in 0.. {
        let record = record(nth);
        bytes += record.len() * 4 / 3 + 600;
        if bytes > PAYLOAD_BYTES_MAX {
            break;
        }
        data.push(record);
    }
    let event = batch(1, &data);
    let deferred = environment.invoke(&event, LIMIT);
    let told = environment.said("batch", 0);
    let read = told["Records"].as_u64().expect("a count");
    let all = data.len() as u64;
    let expected = again_from((read < all).then_some(1 + read));
    assert_eq!(deferred, expected, "{all} records, {told:#}");
    assert_eq!(told["Unacknowledged"].as_u64().unwrap_or(0), all - read);

    // A record that is a bomb is kept, and what came before and after it is counted.
    let bomb = gzip_zeros(64 << 20);
    let good = |nth: usize| packed(nth, &scan("203.0.113.31", 0..2));
    let event = batch(1_000_000, &[good(0), bomb, good(1)]);
    assert_eq!(environment.invoke(&event, LIMIT), again_from(None));
    let told = environment.said("batch", 1);
    assert_eq!((&told["Quarantined"], &told["Signals"]), (&json!(1), &json!(4)), "{told:#}");
    assert_eq!(told["problems"]["inflate_cap"]["count"], 1);
    let first = format!("record {}", sequence(1_000_001));
    assert_eq!(told["problems"]["inflate_cap"]["first"], first);
}

#[tokio::test]
async fn what_is_no_batch_is_refused_in_words() {
    let host = Host::without(None).await;
    let mut environment = host.environment();
    let empty = environment.invoke(&json!({ "Records": [] }), LIMIT);
    assert_eq!(empty, again_from(None));
    for (event, words) in [
        (json!({ "awslogs": { "data": "H4sI" } }), "map a Kinesis stream"),
        (json!({ "tidewatch": "tock" }), "tock"),
    ] {
        let answer = environment.invoke(&event, LIMIT);
        assert!(
            matches!(&answer, Answer::Failed(error) if error.to_string().contains(words)),
            "{answer:?}"
        );
    }
    // Two shards in one event: there is no order in which to acknowledge them.
    let record = packed(0, &scan("203.0.113.40", 0..1));
    let mut mixed = batch(1, &[record.clone(), record]);
    mixed["Records"][1]["eventID"] = json!(format!("shardId-000000000001:{}", sequence(2)));
    assert_eq!(environment.invoke(&mixed, LIMIT), again_from(Some(1)));
    assert!(complaint(&environment, "batch_unreadable", 0).contains("shards 0 and 1"));
}

#[tokio::test]
async fn what_the_function_says_itself_is_not_read_and_told_once() {
    let host = Host::without(None).await;
    let mut environment = host.environment();
    let of_account = |account: &str, nth: u64| {
        let text = String::from_utf8(flate2_read(&packed(0, &scan("203.0.113.50", 0..3))));
        let text = text.expect("text").replace("123456789012", account);
        let text = text.replace("/aws/lambda/login", "/aws/lambda/tidewatch-detector");
        batch(nth, &[tidewatch_tests::containers::gzip(text.as_bytes())])
    };
    let own = |nth: u64| of_account("000000000000", nth);
    assert_eq!(environment.invoke(&own(1), LIMIT), again_from(None));
    assert_eq!(environment.said("batch", 0)["OwnLogGroup"], 1);
    assert_eq!(environment.invoke(&own(2), LIMIT), again_from(None));
    let other = batch(3, &[packed(3, &scan("203.0.113.50", 0..3))]);
    assert_eq!(environment.invoke(&other, LIMIT), again_from(None));
    assert_eq!(environment.said("batch", 1)["Signals"], 3);
    let lines = environment.lines();
    assert_eq!(lines.iter().filter(|line| line.contains("own_log_group")).count(), 1);
    // A summary of the second batch would have come back as the next one.
    assert_eq!(lines.iter().filter(|line| line.contains("\"message\":\"batch\"")).count(), 2);
    // A log group of the same name in another account is another log group.
    let theirs = of_account("210987654321", 4);
    assert_eq!(environment.invoke(&theirs, LIMIT), again_from(None));
    let told = environment.said("batch", 2);
    assert_eq!((&told["Lines"], &told["OwnLogGroup"]), (&json!(3), &Value::Null), "{told:#}");
}

fn flate2_read(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(data);
    std::io::Read::read_to_end(&mut decoder, &mut out).expect("gzip");
    out
}
