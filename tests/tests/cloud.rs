//! The bucket and the secret in a local cloud: overrides, the quarantine, and a rotation from its first
//! step to its last.
//!
//! Not shown here, because ministack has no such thing: permissions, KMS, throttling, versions that exist
//! without a value, the check that a version is not written twice with two values, and the calls of a
//! rotation (it moves the label AWSCURRENT by itself as soon as it is told to rotate). The wire tests of
//! crates/aws show what we make of them.

use serde_json::Value;
use tidewatch_aws::TokioPace;
use tidewatch_aws::client::{local, s3, secrets};
use tidewatch_aws::overrides::{Fetched, OverrideError, OverrideSource};
use tidewatch_aws::quarantine::{Quarantine, Rotten};
use tidewatch_aws::rotation::{RotationError, Step, rotate};
use tidewatch_aws::secret::{SecretError, SecretSource};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};
use tidewatch_tests::ministack::Ministack;

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

/// A clock, and half a minute from now on it.
fn soon() -> (TokioPace, Time) {
    let pace = TokioPace::start().expect("chance");
    let deadline = pace.now().plus(Span::seconds(30));
    (pace, deadline)
}

#[tokio::test]
async fn overrides_are_read_as_they_change_and_the_last_good_ones_are_kept() {
    let cloud = Ministack::start();
    let config = local(&cloud.endpoint());
    let (pace, deadline) = soon();
    let source = OverrideSource::new(&config, "bucket".to_owned());
    let missing = source.fetch(None, &pace, deadline).await.unwrap_err();
    assert!(missing.to_string().contains("there is no bucket `bucket`"), "{missing}");
    let user = s3(&config);
    user.create_bucket().bucket("bucket").send().await.expect("a bucket");
    let put = async |key: &str, bytes: &[u8]| {
        let put = user.put_object().bucket("bucket").key(key).body(bytes.to_vec().into());
        put.send().await.expect("it is put");
    };
    assert_eq!(source.fetch(None, &pace, deadline).await.unwrap(), Fetched::None);
    assert_eq!(source.last_good(&pace, deadline).await.unwrap(), None);
    put("detectors/", b"").await;
    put("detectors/b.toml", "b = \"é\"".as_bytes()).await;
    put("detectors/a b+c.toml", b"a = 1").await;
    put("detectors/notes.txt", b"\xff").await;
    put("elsewhere/c.toml", b"c = 1").await;
    let found = source.fetch(None, &pace, deadline).await.unwrap();
    let Fetched::Files { files, fingerprint } = found else { panic!("{found:?}") };
    assert_eq!(files, [file("a b+c.toml", "a = 1"), file("b.toml", "b = \"é\"")]);
    let again = source.fetch(Some(&fingerprint), &pace, deadline).await.unwrap();
    assert_eq!(again, Fetched::Unchanged);
    source.remember(&files, &pace, deadline).await.unwrap();
    assert_eq!(source.last_good(&pace, deadline).await.unwrap(), Some(files.clone()));
    // Another content of the same length is another set.
    put("detectors/b.toml", "b = \"è\"".as_bytes()).await;
    let found = source.fetch(Some(&fingerprint), &pace, deadline).await.unwrap();
    let Fetched::Files { files: changed, .. } = found else { panic!("{found:?}") };
    assert_eq!(changed[1], file("b.toml", "b = \"è\""));
    put("detectors/b.toml", b"b = \"\xff\"").await;
    let error = source.fetch(Some(&fingerprint), &pace, deadline).await.unwrap_err();
    let OverrideError::NotText { key, .. } = &error else { panic!("{error}") };
    assert_eq!(key, "detectors/b.toml");
    assert_eq!(source.last_good(&pace, deadline).await.unwrap(), Some(files));
}

#[tokio::test]
async fn more_objects_than_one_page_of_a_listing_are_seen() {
    let cloud = Ministack::start();
    let config = local(&cloud.endpoint());
    let user = s3(&config);
    user.create_bucket().bucket("bucket").send().await.expect("a bucket");
    for n in 0..1_001 {
        let key = format!("detectors/{n:04}.txt");
        user.put_object().bucket("bucket").key(key).send().await.expect("it is put");
    }
    let last =
        user.put_object().bucket("bucket").key("detectors/z.toml").body(b"z = 1".to_vec().into());
    last.send().await.expect("it is put");
    let (pace, deadline) = soon();
    let source = OverrideSource::new(&config, "bucket".to_owned());
    let found = source.fetch(None, &pace, deadline).await.unwrap();
    let Fetched::Files { files, .. } = found else { panic!("{found:?}") };
    assert_eq!(files, [file("z.toml", "z = 1")]);
}

#[tokio::test]
async fn rotten_records_are_kept_with_their_bytes() {
    let cloud = Ministack::start();
    let config = local(&cloud.endpoint());
    let user = s3(&config);
    user.create_bucket().bucket("bucket").send().await.expect("a bucket");
    let large = vec![7; 1_000_000];
    let record = |sequence, data| Rotten {
        sequence,
        arrival: Time(1_764_072_000_123),
        partition_key: "é",
        reason: "no gzip",
        data,
    };
    let records = [record("18", &large[..]), record("19", b"\x00\xff")];
    let quarantine = Quarantine::new(&config, "bucket".to_owned());
    let (pace, deadline) = soon();
    let kept = quarantine.keep("shardId-000000000001", &records, &pace, deadline).await.unwrap();
    let again = quarantine.keep("shardId-000000000001", &records, &pace, deadline).await.unwrap();
    assert_eq!(kept, again);
    let listed = user.list_objects_v2().bucket("bucket").send().await.expect("a listing");
    let keys: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, [kept.key.as_deref().expect("a key")]);
    let object = user.get_object().bucket("bucket").key(keys[0]).send().await.expect("the object");
    let content = object.body.collect().await.expect("its bytes").to_vec();
    let lines: Vec<Value> = String::from_utf8(content)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    for (line, record) in lines.iter().zip(records) {
        let data = line["data"].as_str().expect("data");
        let data = base64_simd::STANDARD.decode_to_vec(data).expect("base64");
        assert!(data == record.data, "the bytes of {} differ", record.sequence);
        assert_eq!(line["sequence"], record.sequence);
        assert_eq!(line["partition_key"], "é");
    }
}

#[tokio::test]
async fn a_rotation_replaces_the_key_and_keeps_the_old_one_beside_it() {
    const TOKEN: &str = "6fd0d8a2-0000-4000-8000-000000000001";
    let cloud = Ministack::start();
    let config = local(&cloud.endpoint());
    let admin = secrets(&config);
    let (pace, deadline) = soon();
    let nobody = SecretSource::new(&config, "nobody".to_owned());
    let error = nobody.fetch(&pace, deadline).await.unwrap_err();
    assert!(error.to_string().contains("there is no secret `nobody`"), "{error}");
    let value = r#"{"id":1,"passphrase":"0123456789abcdef"}"#;
    let made = admin.create_secret().name("tags").secret_string(value).send().await.expect("it");
    let arn = made.arn().expect("an ARN").to_owned();
    let source = SecretSource::new(&config, arn.clone());
    let (before, dated) = source.fetch_dated(&pace, deadline).await.unwrap();
    assert_eq!((before.current.id, before.previous.is_none()), (1, true));
    let age = pace.now().0 - dated.expect("a date").0;
    assert!((-1_000..60_000).contains(&age), "{age} ms old");
    let step = async |step| rotate(&source, step, TOKEN, &pace, deadline).await;

    let error = step(Step::Create).await.unwrap_err();
    assert!(matches!(error, RotationError::NotPending { .. }), "{error}");
    // What Secrets Manager does before it calls: the new version, labelled and without a value.
    let pending = admin.put_secret_value().secret_id(&arn).client_request_token(TOKEN);
    pending.version_stages("AWSPENDING").send().await.expect("a version");
    let stages = async || {
        let described = admin.describe_secret().secret_id(&arn).send().await.expect("the secret");
        let versions = described.version_ids_to_stages.expect("versions");
        versions.get(TOKEN).cloned().expect("the new one")
    };
    let early = step(Step::Finish).await.unwrap_err();
    assert!(early.to_string().contains("has no value"), "{early}");
    for each in [Step::Create, Step::Create, Step::Set, Step::Test] {
        step(each).await.unwrap();
        assert_eq!(stages().await, ["AWSPENDING"]);
        let now = source.fetch(&pace, deadline).await.unwrap();
        assert_eq!(now.current.id, 1, "nothing is used before the last step");
    }
    step(Step::Finish).await.unwrap();
    assert!(stages().await.contains(&"AWSCURRENT".to_owned()));
    let after = source.fetch(&pace, deadline).await.unwrap();
    let previous = after.previous.expect("the old key");
    assert_eq!((after.current.id, previous.id), (2, 1));
    assert_eq!(previous.key.user(b"anna"), before.current.key.user(b"anna"));
    assert_ne!(after.current.key.user(b"anna"), before.current.key.user(b"anna"));
    let ahead = after.current.from.0 - pace.now().0;
    assert!((0..=15 * 60_000).contains(&ahead), "used in {ahead} ms");
    // All of it again, by somebody who did not hear that it is done.
    for each in [Step::Create, Step::Set, Step::Test, Step::Finish] {
        step(each).await.unwrap();
    }
    assert_eq!(source.fetch(&pace, deadline).await.unwrap().current.id, 2);

    admin.delete_secret().secret_id(&arn).send().await.expect("it is to be deleted");
    let error = source.fetch(&pace, deadline).await.unwrap_err();
    assert!(matches!(error, SecretError::Service(_)), "{error}");
    assert!(error.to_string().contains("restore it"), "{error}");
}
