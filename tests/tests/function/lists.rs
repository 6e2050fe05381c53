//! Lists of names in the bucket: findings tell how many of the names tried stand on them, and a faulty list takes
//! nothing from the others.

use serde_json::{Value, json};
use tidewatch_ingest::known_users::{Hashing, KnownUsers};
use tidewatch_ingest::name_lists::NamesOf;
use tidewatch_ingest::username::Usernames;
use tidewatch_tests::cloud::bytes;
use tidewatch_tests::environment::Answer;
use tidewatch_tests::events::Event;

use super::host::{Host, LIMIT, again_from, batch, complaint, packed, scan};

fn list(name: &str, names: impl IntoIterator<Item = String>) -> Vec<u8> {
    let hashing = Hashing { salt: [5; 16], usernames: Usernames::Fold };
    let hashes = names.into_iter().map(|name| hashing.hash(&name)).collect();
    let filter = KnownUsers::build(hashing, hashes).expect("names");
    NamesOf::new(name, Some((3, 1_000)), filter).expect("a name").to_bytes()
}

fn put(host: &Host, key: &str, content: &[u8]) {
    let bucket = &host.variables["TIDEWATCH_BUCKET"];
    let object = json!({ "Bucket": bucket, "Key": key, "Body": bytes(content) });
    host.cloud.must("s3", "PutObject", object);
}

/// The lists that the findings about a source tell of, each with how many of how many names stand on it.
fn told(findings: &[Value], source: &str) -> Vec<(String, u64, u64)> {
    let ours = findings.iter().map(|finding| &finding["unmapped"]["tidewatch"]);
    let about = ours.filter(|ours| {
        ours["key"] == source && !ours["lists"].as_array().is_some_and(Vec::is_empty)
    });
    let last = about.last().expect("a finding that tells of lists");
    let lists = last["lists"].as_array().expect("a list").iter();
    let number = |list: &Value, name: &str| list[name].as_u64().expect("a number");
    lists
        .map(|list| {
            let name = list["list"].as_str().expect("a name").to_owned();
            (name, number(list, "names_on_it"), number(list, "names_tried"))
        })
        .collect()
}

#[tokio::test]
async fn findings_tell_how_many_of_the_names_tried_are_on_the_lists_in_the_bucket() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    let source = "203.0.113.30";
    let events = scan(source, 0..45);
    let names =
        |events: &[Event]| events.iter().map(|event| event.user.clone()).collect::<Vec<_>>();
    put(&host, "lists/2.names", &list("a leak", names(&events[..40])));
    put(&host, "lists/6.names", &list("others", ["nobody".to_owned()]));
    put(&host, "lists/4.names", b"ann\n");
    let mut environment = host.environment();
    assert_eq!(environment.invoke(&batch(1, &[packed(1, &events)]), LIMIT), again_from(None));
    let why = complaint(&environment, "lists_rejected", 0);
    assert!(why.contains("lists/4.names") && why.contains("tidewatch lists build"), "{why}");
    let told = told(&host.findings(&queue), source);
    let [(name, on, of)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(name, "a leak");
    assert!(*of > 10 && *on <= *of && on + 5 >= *of, "{on} of {of}");
}

#[tokio::test]
async fn a_list_that_comes_changes_the_tags_of_the_names_on_it_only() {
    let host = Host::without(None).await;
    let queue = host.alerts();
    let source = "203.0.113.31";
    let events = scan(source, 0..45);
    let invoke = |first: u64| {
        let mut environment = host.environment();
        let records = [packed(first as usize, &events)];
        assert_eq!(environment.invoke(&batch(first, &records), LIMIT), again_from(None));
        assert_eq!(
            environment.invoke(&json!({ "tidewatch": "tick" }), LIMIT),
            Answer::Done(Value::Null)
        );
    };
    let most = |findings: &[Value]| {
        let ours = findings.iter().map(|finding| &finding["unmapped"]["tidewatch"]);
        let ours = ours.filter(|ours| ours["key"] == source);
        let measures =
            ours.flat_map(|ours| ours["measures"].as_array().cloned().unwrap_or_default());
        let names = measures.filter(|measure| measure["name"] == "unknown_users");
        names.filter_map(|measure| measure["value"].as_f64()).fold(0.0, f64::max)
    };
    invoke(1);
    let before = most(&host.findings(&queue));
    assert!(before >= 30.0, "{before}");
    // The same names again: only one of them is on the list, and counts as another.
    put(&host, "lists/1.names", &list("one", [events[3].user.clone()]));
    invoke(2);
    let after = most(&host.findings(&queue));
    assert!(after <= before + 1.0, "{before} and then {after}");
}
