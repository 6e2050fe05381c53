//! The real `tidewatch feed` and `tidewatch watch --stream`, over the local cloud's stream.
//!
//! What the local cloud cannot do is in the other files: nothing of it fails, and a shard that is split is
//! gone at once with its records, so here each is read to its end before.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidewatch_tests::binary::{Ran, run, run_at};
use tidewatch_tests::cloud::{Cloud, until};
use tidewatch_tests::events::{Event, log, scan, shop};
use tidewatch_tests::live::{Live, start_at};
use tidewatch_tests::ministack::Ministack;

const STREAM: &str = "logs";

/// A stream of one shard, and a folder for files.
struct World {
    cloud: Cloud,
    folder: TempDir,
    // Last, so that everything else is gone before it.
    ministack: Ministack,
}

impl World {
    fn start() -> World {
        let ministack = Ministack::start();
        let cloud = Cloud::start(&ministack);
        cloud.must("kinesis", "CreateStream", json!({ "StreamName": STREAM, "ShardCount": 1 }));
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        World { cloud, folder, ministack }
    }

    /// Writes a log and says where it is.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn feed(&self, arguments: &[&str]) -> Ran {
        let fed =
            run_at(&self.ministack, &[&["feed", "--stream", STREAM], arguments].concat(), b"");
        assert_eq!(fed.code, 0, "{}", fed.stderr);
        fed
    }

    fn watch(&self, arguments: &[&str]) -> Live {
        let always = ["watch", "--stream", STREAM, "--since", "1h", "--output", "json", "--stats"];
        let detectors = ["--detectors", "tests/profiles/distinct20"];
        start_at(&self.ministack, &[&always[..], &detectors, arguments].concat())
    }

    /// The shards there are now.
    fn shards(&self) -> Vec<Value> {
        let listed = self.cloud.must("kinesis", "ListShards", json!({ "StreamName": STREAM }));
        listed["Shards"].as_array().expect("shards").clone()
    }

    /// Puts one scan on the stream.
    fn scan(&self, source: &str, arguments: &[&str]) {
        let path = self.file(source, &log(&scan(source).0, Event::json));
        self.feed(&[arguments, &[path.as_str()]].concat());
    }
}

/// The source that the next finding is about.
fn next_source(live: &mut Live) -> String {
    let finding: Value = serde_json::from_str(&live.next_line()).expect("a finding a line");
    finding["evidences"][0]["src_endpoint"]["ip"].as_str().expect("an address").to_owned()
}

/// Waits until `checkpoint` says that something of `shard` was dealt with.
fn dealt_with(checkpoint: &Path, shard: &Value) {
    let shard = shard["ShardId"].as_str().expect("a name");
    until("the checkpoint", || {
        let text = std::fs::read_to_string(checkpoint).ok()?;
        let read: Value = serde_json::from_str(&text).expect("a file that is whole");
        (!read["shards"][shard]["after"].is_null()).then_some(())
    });
}

#[test]
fn following_what_was_fed_finds_what_replaying_the_file_finds() {
    let world = World::start();
    let text = log(&shop(31), Event::json);
    let path = world.file("app.log", &text);
    let detectors = ["--detectors", "tests/profiles/distinct20"];
    let replay = [&["replay", "--output", "json", "--stats"], &detectors[..], &[&path]].concat();
    let replayed = run(&replay, b"");
    let expected = replayed.openings();
    assert!(!expected.is_empty());
    let fed = world.feed(&[&path]);
    let lines = text.lines().count();
    assert!(fed.stderr.contains(&format!("fed {lines} lines as")), "{}", fed.stderr);
    let mut live = world.watch(&[]);
    while live.seen().matches("\"activity_id\":1").count() < expected.len() {
        live.next_line();
    }
    live.interrupt();
    let watched = live.wait();
    assert_eq!(watched.code, 0, "{}", watched.stderr);
    assert_eq!(watched.openings(), expected);
    let simulated = |finding: &Value| finding["metadata"]["labels"] == json!(["simulated"]);
    assert!(!watched.findings().iter().any(simulated));
}

#[test]
fn a_follower_that_is_killed_goes_on_behind_what_it_dealt_with_through_splits_and_merges() {
    let world = World::start();
    let checkpoint = world.folder.path().join("checkpoint");
    let named = ["--checkpoint", checkpoint.to_str().expect("a name")];

    let mut live = world.watch(&named);
    world.scan("198.51.100.1", &[]);
    assert_eq!(next_source(&mut live), "198.51.100.1");
    dealt_with(&checkpoint, &world.shards()[0]);
    let middle = (u128::MAX / 2).to_string();
    world.cloud.must(
        "kinesis",
        "SplitShard",
        json!({ "StreamName": STREAM, "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": middle }),
    );
    assert_eq!(world.shards().len(), 2);
    // Two log streams, one on each shard or both on one.
    world.scan("198.51.100.2", &[]);
    assert_eq!(next_source(&mut live), "198.51.100.2");
    let of_second = || world.shards().into_iter().find(|shard| holds_something(&world, shard));
    let of_second = of_second().expect("one of them has it");
    dealt_with(&checkpoint, &of_second);
    live.kill();

    // What arrives while nobody follows waits; what was dealt with does not come again.
    world.scan("198.51.100.3", &[]);
    let mut live = world.watch(&named);
    assert_eq!(next_source(&mut live), "198.51.100.3");
    until("both shards to be read", || {
        let text = std::fs::read_to_string(&checkpoint).ok()?;
        let read: Value = serde_json::from_str(&text).expect("a file that is whole");
        let mut all = world.shards().into_iter().filter(|shard| holds_something(&world, shard));
        let after = |shard: Value| {
            read["shards"][shard["ShardId"].as_str()?]["after"].as_str().map(str::to_owned)
        };
        all.all(|shard| after(shard.clone()) == last_of(&world, &shard)).then_some(())
    });
    let shards = world.shards();
    world.cloud.must(
        "kinesis",
        "MergeShards",
        json!({
            "StreamName": STREAM, "ShardToMerge": shards[0]["ShardId"],
            "AdjacentShardToMerge": shards[1]["ShardId"],
        }),
    );
    world.scan("198.51.100.4", &["--simulated"]);
    assert_eq!(next_source(&mut live), "198.51.100.4");
    live.interrupt();
    let ran = live.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let labels: Vec<bool> = ran
        .findings()
        .iter()
        .map(|finding| finding["metadata"]["labels"] == json!(["simulated"]))
        .collect();
    assert_eq!(labels, [false, true], "only what was fed as a rehearsal");
    // Here a shard that was split is gone although it has not ended, and that is said.
    assert!(ran.stderr.contains("is gone before it was read to its end"), "{}", ran.stderr);
}

/// The sequence number of the last record of a shard.
fn last_of(world: &World, shard: &Value) -> Option<String> {
    let ask = json!({
        "StreamName": STREAM, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON",
    });
    let iterator = world.cloud.must("kinesis", "GetShardIterator", ask)["ShardIterator"].clone();
    let read = world.cloud.must("kinesis", "GetRecords", json!({ "ShardIterator": iterator }));
    Some(read["Records"].as_array()?.last()?["SequenceNumber"].as_str()?.to_owned())
}

fn holds_something(world: &World, shard: &Value) -> bool {
    last_of(world, shard).is_some()
}

#[test]
fn a_feed_goes_on_from_its_checkpoint_and_refuses_another_feeds() {
    let world = World::start();
    let path = world.file("app.log", &log(&shop(31), Event::json));
    let checkpoint = world.folder.path().join("feed");
    let named = ["--checkpoint", checkpoint.to_str().expect("a name")];
    world.feed(&[&named[..], &[&path]].concat());
    // All of it is there: nothing is left to do.
    let again = world.feed(&[&named[..], &[&path]].concat());
    assert!(again.stderr.contains("fed 0 lines as 0 records"), "{}", again.stderr);
    // Killed before the first block was written down, it is put again under the same names.
    let text = std::fs::read_to_string(&checkpoint).expect("a checkpoint");
    let mut forgotten: Value = serde_json::from_str(&text).expect("JSON");
    forgotten["blocks"] = json!({});
    std::fs::write(&checkpoint, forgotten.to_string()).expect("a checkpoint");
    world.feed(&[&named[..], &[&path]].concat());
    let watch = ["watch", "--stream", STREAM, "--since", "1h", "--stats", "--output", "json"];
    let detectors = ["--detectors", "tests/profiles/distinct20"];
    let expected = run(&[&["replay", "--output", "json"], &detectors[..], &[&path]].concat(), b"");
    let watched =
        run_until_read(&world, &[&watch[..], &detectors].concat(), expected.openings().len());
    assert_eq!(watched.openings(), expected.openings());
    assert_eq!(
        watched.stats()["repeated"],
        0,
        "the copies did not even come as far as being counted"
    );

    let other = ["feed", "--stream", STREAM, "--rate", "9", named[0], named[1], path.as_str()];
    let refused = run_at(&world.ministack, &other, b"");
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("it is of another feed"), "{}", refused.stderr);
}

fn run_until_read(world: &World, arguments: &[&str], openings: usize) -> Ran {
    let mut live = start_at(&world.ministack, arguments);
    while live.seen().matches("\"activity_id\":1").count() < openings {
        live.next_line();
    }
    live.interrupt();
    live.wait()
}

#[test]
fn what_cannot_be_asked_for_is_said_in_a_sentence() {
    let world = World::start();
    let path = world.file("app.log", "line\n");
    let ran = run_at(&world.ministack, &["feed", "--stream", "nothing", &path], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no stream `nothing`"), "{}", ran.stderr);
    let ran = run_at(&world.ministack, &["watch", "--stream", "nothing"], b"");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no stream `nothing`"), "{}", ran.stderr);
}

/// A certificate file that is not there fails whoever loads AWS's configuration, and nobody else.
#[test]
fn only_commands_that_ask_aws_load_its_configuration() {
    for (arguments, code) in [
        (&["replay", "/dev/null"][..], 0),
        (&["watch", "/dev/null"], 0),
        (&["explain", "a line"], 0),
        (&["feed", "--stream", "x", "/dev/null"], 2),
    ] {
        let ran = std::process::Command::new(tidewatch_tests::binary::path())
            .args(arguments)
            .env("AWS_CA_BUNDLE", "/nonexistent")
            .output()
            .expect("the binary starts");
        assert_eq!(ran.status.code(), Some(code), "{arguments:?}");
        let says = String::from_utf8_lossy(&ran.stderr).contains("AWS_CA_BUNDLE");
        assert_eq!(says, code != 0, "{arguments:?}");
    }
}
