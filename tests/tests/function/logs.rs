//! What the log tells in which a source fails: counted in the table by log group, from all shards.

use serde_json::Value;
use tidewatch_tests::containers::{envelope, gzip};
use tidewatch_tests::events::{Event, Said};

use super::host::{Host, LIMIT, again_from, batch, now_ms};

const MINUTE_MS: i64 = 60_000;

/// An account every twenty minutes from one address, and three customers of others each time, who end as `said`.
fn ten_hours(source: &str, said: Said) -> Vec<Event> {
    let start = now_ms() - 10 * 60 * MINUTE_MS;
    let at = |nth: i64, who: i64| Event {
        ms: start + nth * 20 * MINUTE_MS + who * 1_000,
        source: if who == 0 { source.to_owned() } else { format!("198.51.{nth}.{who}") },
        user: format!("{source}-{nth}-{who}"),
        said: if who == 0 { Said::BadPassword } else { said },
    };
    (0..28).flat_map(|nth| (0..4).map(move |who| at(nth, who))).collect()
}

#[tokio::test]
async fn a_patient_spray_is_told_in_the_log_that_holds_successes() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    let untold = |event: &Event| event.json().replace("\"reason\":\"bad_password\",", "");
    let of_failures = envelope(1, &ten_hours("203.0.113.41", Said::BadPassword), untold);
    let of_failures = of_failures.replace("/aws/lambda/login", "/aws/lambda/legacy");
    let of_both = envelope(2, &ten_hours("203.0.113.40", Said::In), untold);
    for (first, envelope) in [(1, of_failures), (2, of_both)] {
        let mut environment = host.environment();
        let records = batch(first, &[gzip(envelope.as_bytes())]);
        assert_eq!(environment.invoke(&records, LIMIT), again_from(None));
    }
    let findings = host.findings_of("patient-spray", &queue);
    let ours: Vec<&Value> = findings.iter().map(|f| &f["unmapped"]["tidewatch"]).collect();
    let [finding] = ours.as_slice() else { panic!("not one: {findings:?}") };
    assert_eq!(finding["key"], "203.0.113.40");
    let measures = finding["measures"].as_array().expect("measures");
    let of_log = measures.iter().find(|measure| measure["name"] == "log_successes");
    assert!(of_log.expect("what the log holds")["value"].as_f64() >= Some(60.0), "{measures:?}");
}
