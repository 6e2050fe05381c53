//! The files that come with the program: each is good, has cases, and every case holds, as it is
//! written and varied.

use std::sync::Arc;

use futures_util::FutureExt;
use tidewatch_core::signal::{LogStream, Outcome};
use tidewatch_core::tag::TagKey;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Batch, Buffers, Config, Ingest, InputKind};
use tidewatch_rules::cases::{Runner, Variation, parse, scenarios};
use tidewatch_rules::{formats, load, shipped, shipped_cases, shipped_formats};

/// As they are written, and varied by some seeds.
fn variations() -> impl Iterator<Item = Variation> {
    std::iter::once(Variation::None).chain((1..=5).map(Variation::Seed))
}

fn cases_of(name: &str) -> String {
    let all = shipped_cases();
    let (_, text) = all.into_iter().find(|(of, _)| of == name).expect("cases beside each file");
    text
}

#[test]
fn every_case_of_every_shipped_format_holds_however_it_is_varied() {
    let files = shipped_formats();
    let formats = formats(files.clone()).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors.iter().map(|error| format!("{error}\n  {}\n", error.help)).collect::<String>()
        )
    });
    let formats = Arc::new(formats);
    assert_eq!(formats.all().len(), files.len());
    let runner = Runner::new(Arc::clone(&formats), Usernames::Exact);
    let mut wrong = String::new();
    for (name, _) in &files {
        let id = name.trim_end_matches(".toml");
        assert!(formats.all().iter().any(|format| format.id == id), "{name} declares {id}");
        let cases = parse(name, &cases_of(name), id).unwrap_or_else(|error| panic!("{error}"));
        assert!(cases.iter().any(|case| case.expected.is_some()), "{name} has no signal");
        for (case, variation) in cases.iter().flat_map(|c| variations().map(move |v| (c, v))) {
            if let Some(difference) = runner.run(case, variation) {
                wrong += &format!(
                    "{id}.cases:{} {variation:?}: {}\n  expected {}\n  found    {}\n",
                    case.at, case.line, difference.expected, difference.found
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_scenario_of_every_shipped_detector_holds_however_it_is_varied() {
    let formats = Arc::new(formats(shipped_formats()).expect("good ones"));
    let runner = Runner::new(formats, Usernames::Fold);
    let mut wrong = String::new();
    let loaded = load(shipped()).expect("good ones");
    for (nth, (name, _)) in shipped().into_iter().enumerate() {
        let mut cast = loaded.clone();
        cast.swap(0, nth);
        let detector = &cast[0];
        let all = scenarios(&name, &cases_of(&name)).unwrap_or_else(|error| panic!("{error}"));
        assert!(all.iter().any(|s| s.expected.is_empty()), "{name} is never quiet");
        for severity in detector.raises.iter().map(|raise| raise.severity) {
            let raises = |s: &tidewatch_rules::cases::Scenario| {
                s.expected.iter().any(|raised| raised.severity == severity)
            };
            assert!(all.iter().any(raises), "{name} is never {}", severity.name());
        }
        for (scenario, variation) in all.iter().flat_map(|s| variations().map(move |v| (s, v))) {
            let rehearsed = runner.rehearse(scenario, &cast, variation).now_or_never();
            if let Some(difference) = rehearsed.expect("memory never waits") {
                wrong += &format!(
                    "{name}:{} {} {variation:?}\n  expected {}\n  found    {}\n",
                    scenario.at, scenario.name, difference.expected, difference.found
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A login in JSON, as a Lambda function's log has it and `aws logs tail` prints it: the net for text would
/// make a failure of it, for it speaks of an error.
#[test]
fn no_net_takes_what_another_reading_of_the_line_understands() {
    let formats = Arc::new(formats(shipped_formats()).expect("good ones"));
    let naming = Naming { key: TagKey::new([0; 16]), usernames: Usernames::Fold };
    let ingest = Ingest::new(Config { naming, own_group: None, formats });
    let json = r#"{"action":"login","outcome":"success","error":null,"username":"ann","clientIp":"192.0.2.7"}"#;
    let node = format!("2026-01-05T07:00:04.823Z\ta72b7df8-52c9-4e8a\tINFO\t{json}");
    let detailed = format!("2026-01-05T07:00:04.823000+00:00 2026/01/05/[$LATEST]1162 {node}");
    let short = format!("2026-01-05T07:00:04 {node}");
    for message in [json, &node] {
        let (said, by) = ingest.hear(message, "");
        let Said::Signal { auth, .. } = said else { panic!("{said:?}: {message}") };
        assert_eq!((auth.outcome, by), (Outcome::Success, Some("json")), "{message}");
    }
    let stream = Arc::new(LogStream::default());
    for line in [&detailed, &short, &format!("2026-01-05T07:00:04 {json}")] {
        let mut batch = Batch::default();
        let bytes = line.as_bytes();
        ingest.lines(InputKind::Auto, bytes, 0, &stream, &mut Buffers::default(), &mut batch);
        let outcomes: Vec<Outcome> =
            batch.signals.iter().map(|signal| signal.body.auth().expect("a try").outcome).collect();
        assert_eq!(outcomes, [Outcome::Success], "{line}");
        assert_eq!(ingest.trace_line(line).and_then(|trace| trace.by), Some("json"), "{line}");
    }
}
