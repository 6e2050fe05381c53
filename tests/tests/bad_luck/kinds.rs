//! Kinds of signal over the shared state: what is counted of two kinds by one source is two items, each judged,
//! told and closed by its own detector.

use tidewatch_core::delivery::Record;
use tidewatch_core::detector::Detector;
use tidewatch_core::finding::Activity;
use tidewatch_core::signal::{Auth, Body, Signal, SignalKind};
use tidewatch_core::table_store::key_bytes;
use tidewatch_core::table_store::table::{ItemKey, Part};
use tidewatch_core::time::Span;
use tidewatch_tests::luck::{START, key, logins, main_item, play, records, scans};

/// The same detector for another kind.
fn of(kind: SignalKind) -> Detector {
    Detector { id: format!("{}-scan", kind.name()), signal: kind, ..scans() }
}

fn tried(kind: SignalKind, record: &Record) -> Record {
    let signal = |signal: &Signal| {
        let auth = *signal.body.auth().expect("a try");
        Signal { body: Body::Auth(Auth { action: kind, ..auth }), ..signal.clone() }
    };
    Record { signals: record.signals.iter().map(signal).collect(), ..record.clone() }
}

#[test]
fn two_kinds_of_one_source_are_two_items_and_two_findings() {
    play(SignalKind::TRIED.map(of).to_vec(), |luck| async move {
        let item = |kind| ItemKey { key: key_bytes::encode(kind, &key(1)), part: Part::Main };
        let [login, reset, sign_up] = SignalKind::TRIED.map(item);
        assert_eq!(login, main_item(1));
        let environment = luck.environment();
        let batch = records(1, 20, &logins(1, 0..20, START));
        let resets: Vec<Record> = batch.iter().map(|r| tried(SignalKind::Reset, r)).collect();
        assert!(environment.deliver(0, &resets).await.is_done());
        assert_eq!(luck.item(&login).await, None, "a reset is no login");
        assert!(luck.item(&reset).await.is_some());
        assert!(environment.deliver(1, &batch).await.is_done());
        assert!(luck.item(&login).await.is_some());
        assert_eq!(luck.item(&sign_up).await, None);
        assert_eq!(luck.counted(1).await, Some((20, 20)), "the logins alone");
        luck.wait_until(START.plus(Span::minutes(120))).await;
        luck.settle(&environment).await;
        let about = luck.topic.about(1);
        for activity in [Activity::Create, Activity::Close] {
            let told = about.iter().filter(|finding| finding.activity == activity);
            let mut told: Vec<&str> = told.map(|finding| finding.detector.as_str()).collect();
            told.sort_unstable();
            assert_eq!(told, ["auth-scan", "reset-scan"], "{activity:?}");
        }
    });
}
