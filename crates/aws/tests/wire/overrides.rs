//! Overrides: the requests a look takes, and what each answer means.

use serde_json::json;
use tidewatch_aws::overrides::{
    ALLOW_BYTES_MAX, BYTES_MAX, FILES_MAX, Fetched, Fingerprint, OBJECTS_MAX, OverrideError,
    OverrideSource,
};

use crate::replay::Replay;
use crate::until;

fn source(http: &Replay) -> OverrideSource {
    OverrideSource::new(&http.config(), "bucket".to_owned())
}

/// A page of a listing: keys with their tags, and what to go on from.
pub(crate) fn page(objects: &[(&str, &str)], next: Option<&str>) -> (u16, String) {
    let object = |(key, tag): &(&str, &str)| {
        format!("<Contents><Key>{key}</Key><ETag>&quot;{tag}&quot;</ETag><Size>7</Size></Contents>")
    };
    let next = next.map_or(String::new(), |next| {
        format!("<NextContinuationToken>{next}</NextContinuationToken>")
    });
    let objects: String = objects.iter().map(object).collect();
    let xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
    (200, format!("<ListBucketResult xmlns=\"{xmlns}\">{objects}{next}</ListBucketResult>"))
}

pub(crate) fn text(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

fn refused(status: u16, code: &str, message: &str) -> (u16, String) {
    (status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

/// Method, path and query of what was sent, without the SDK's own `x-id`.
fn requests(http: &Replay) -> Vec<String> {
    let plain = |uri: &str| {
        let uri = uri.trim_start_matches("http://127.0.0.1:9");
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let query: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("x-id=")).collect();
        format!("{path}?{}", query.join("&")).trim_end_matches('?').to_owned()
    };
    http.sent().iter().map(|sent| format!("{} {}", sent.method, plain(&sent.uri))).collect()
}

async fn fetch(http: &Replay, known: Option<&Fingerprint>) -> Result<Fetched, OverrideError> {
    let (pace, deadline) = until(20);
    source(http).fetch(known, &pace, deadline).await
}

fn file(name: &str, text: &str) -> (String, String) {
    (name.to_owned(), text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_set_is_listed_page_by_page_and_read_in_the_order_of_its_names() {
    let http = Replay::of([
        page(
            &[("detectors/", "0"), ("detectors/b.toml", "1"), ("detectors/notes.md", "2")],
            Some("n"),
        ),
        page(&[("detectors/a.toml", "3"), ("detectors/sub/c.toml", "4")], None),
        text("a = 1"),
        text("b = \"é\""),
        text(""),
    ]);
    let found = fetch(&http, None).await.unwrap();
    let Fetched::Files { files, .. } = found else { panic!("{found:?}") };
    assert_eq!(
        files,
        [file("a.toml", "a = 1"), file("b.toml", "b = \"é\""), file("sub/c.toml", "")]
    );
    let expected = [
        "GET /bucket/?list-type=2&prefix=detectors%2F",
        "GET /bucket/?list-type=2&prefix=detectors%2F&continuation-token=n",
        "GET /bucket/detectors/a.toml",
        "GET /bucket/detectors/b.toml",
        "GET /bucket/detectors/sub/c.toml",
    ];
    assert_eq!(requests(&http), expected);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_is_known_takes_one_request_and_any_change_makes_another() {
    let set = [("detectors/a.toml", "1"), ("detectors/b.toml", "2")];
    let http = Replay::of([page(&set, None), text("x"), text("y"), page(&set, None)]);
    let Fetched::Files { fingerprint, .. } = fetch(&http, None).await.unwrap() else { panic!() };
    assert_eq!(fetch(&http, Some(&fingerprint)).await.unwrap(), Fetched::Unchanged);
    assert_eq!(http.sent().len(), 4);
    let others: [&[(&str, &str)]; 4] = [
        &[("detectors/a.toml", "1"), ("detectors/b.toml", "3")],
        &[("detectors/a.toml", "1"), ("detectors/c.toml", "2")],
        &[("detectors/a.toml", "1")],
        &[set[0], set[1], ("detectors/c.toml", "2")],
    ];
    for other in others {
        let answers =
            [page(other, None)].into_iter().chain(std::iter::repeat_n(text("z"), other.len()));
        let http = Replay::of(answers);
        let found = fetch(&http, Some(&fingerprint)).await.unwrap();
        assert!(matches!(found, Fetched::Files { .. }), "{other:?}");
    }
    let http = Replay::of([page(&[("detectors/", "0"), ("detectors/x.md", "1")], None)]);
    assert_eq!(fetch(&http, Some(&fingerprint)).await.unwrap(), Fetched::None);
}

#[tokio::test(start_paused = true)]
async fn what_exceeds_a_limit_is_refused_whole() {
    let key = |n: usize| format!("detectors/{n:04}.toml");
    let keys: Vec<String> = (0..=FILES_MAX).map(key).collect();
    let listed: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "1")).collect();
    let http = Replay::of([page(&listed, None)]);
    let error = fetch(&http, None).await.unwrap_err();
    assert!(matches!(error, OverrideError::TooMany { .. }), "{error}");
    assert_eq!(http.sent().len(), 1, "none is read");

    let others = vec![("detectors/x.md", "1"); 1_000];
    let http = Replay::of(std::iter::repeat_n(page(&others, Some("n")), 9));
    let error = fetch(&http, None).await.unwrap_err();
    assert!(error.to_string().contains("more than 5000 objects"), "{error}");
    assert_eq!(http.sent().len(), OBJECTS_MAX / 1_000 + 1, "it goes on without end");

    let two = [("detectors/a.toml", "1"), ("detectors/b.toml", "2")];
    let half = "x".repeat(BYTES_MAX as usize / 2);
    let http = Replay::of([page(&two, None), text(&half), text(&half)]);
    assert!(matches!(fetch(&http, None).await, Ok(Fetched::Files { .. })));
    let http = Replay::of([page(&two, None), text(&half), text(&format!("{half}x"))]);
    let error = fetch(&http, None).await.unwrap_err();
    assert!(error.to_string().contains("more than 1048576 bytes together"), "{error}");
}

/// A body that is no UTF-8 cannot be replayed as text; a local cloud's test has one.
#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_what_was_removed_meanwhile_is_looked_at_later() {
    let http = Replay::of([
        refused(503, "SlowDown", "Reduce your request rate"),
        (500, "<html>".to_owned()),
        page(&[("detectors/a.toml", "1")], None),
        refused(500, "InternalError", "oops"),
        refused(400, "RequestTimeout", "idle"),
        text("a"),
    ]);
    assert!(matches!(fetch(&http, None).await, Ok(Fetched::Files { .. })));
    assert_eq!(http.sent().len(), 6);
    let gone = refused(404, "NoSuchKey", "The specified key does not exist.");
    let http = Replay::of([page(&[("detectors/a.toml", "1")], None), gone]);
    let error = fetch(&http, None).await.unwrap_err();
    let OverrideError::Storage(failure) = &error else { panic!("{error}") };
    assert!(failure.is_passing(), "{error}");
    let http = Replay::of([]);
    let (pace, deadline) = until(3);
    let begun = tokio::time::Instant::now();
    source(&http).fetch(None, &pace, deadline).await.unwrap_err();
    assert_eq!((http.sent().len(), begun.elapsed().as_secs()), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_retry_mends_says_what_to_do() {
    let cases = [
        (403, "AccessDenied", "Access Denied", "allow the role s3:ListBucket on bucket `bucket`"),
        (404, "NoSuchBucket", "gone", "there is no bucket `bucket`"),
        (301, "PermanentRedirect", "elsewhere", "bucket `bucket` is in another Region"),
        (400, "AuthorizationHeaderMalformed", "region", "bucket `bucket` is in another Region"),
        (403, "InvalidAccessKeyId", "unknown", "check the credentials"),
    ];
    for (status, code, message, advice) in cases {
        let http = Replay::of([refused(status, code, message)]);
        let says = fetch(&http, None).await.unwrap_err().to_string();
        assert!(says.starts_with("ListObjectsV2 on object `bucket/detectors/`"), "{says}");
        assert!(says.contains(advice), "{says}");
        assert_eq!(http.sent().len(), 1);
    }
    let kms = "User: r is not authorized to perform: kms:Decrypt on resource: k";
    let cases = [
        (
            "AccessDenied",
            "Access Denied",
            "allow the role s3:GetObject on `bucket/detectors/a.toml`",
        ),
        ("AccessDenied", kms, "allow the role kms:Decrypt on the KMS key of object"),
        (
            "KMS.DisabledException",
            "k is disabled",
            "the KMS key of object `bucket/detectors/a.toml`",
        ),
    ];
    for (code, message, advice) in cases {
        let listed = page(&[("detectors/a.toml", "1")], None);
        let http = Replay::of([listed, refused(403, code, message)]);
        let says = fetch(&http, None).await.unwrap_err().to_string();
        assert!(says.contains(advice), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_set_is_remembered_as_one_object() {
    let files = [file("a.toml", "x = \"é\"\n"), file("b.toml", "")];
    let http = Replay::of([refused(503, "SlowDown", "busy"), text("")]);
    let (pace, deadline) = until(20);
    source(&http).remember(&files, &pace, deadline).await.unwrap();
    assert_eq!(requests(&http), ["PUT /bucket/last-good/overrides.json"; 2]);
    let sent = http.sent()[1].clone();
    let expected = json!({"version": 1, "files": [
        {"name": "a.toml", "text": "x = \"é\"\n"}, {"name": "b.toml", "text": ""},
    ]});
    assert_eq!(sent.json(), expected);

    let gone = refused(404, "NoSuchKey", "The specified key does not exist.");
    let http = Replay::of([text(&sent.body), gone]);
    let (pace, deadline) = until(20);
    let source = source(&http);
    assert_eq!(source.last_good(&pace, deadline).await.unwrap(), Some(files.to_vec()));
    assert_eq!(source.last_good(&pace, deadline).await.unwrap(), None);
    assert_eq!(requests(&http), ["GET /bucket/last-good/overrides.json"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_was_removed_is_forgotten_and_forgetting_nothing_writes_nothing() {
    let (get, put) =
        ("GET /bucket/last-good/overrides.json", "PUT /bucket/last-good/overrides.json");
    let gone = || refused(404, "NoSuchKey", "The specified key does not exist.");
    let marker = "{\"files\":[],\"version\":1}";
    let known = "{\"files\":[{\"name\":\"a.toml\",\"text\":\"\"}],\"version\":1}";
    let cases = [
        (vec![text(known), text("")], vec![get, put]),
        // Of another form it is no good either.
        (vec![text("[]"), text("")], vec![get, put]),
        (vec![gone()], vec![get]),
        (vec![text(marker)], vec![get]),
    ];
    for (answers, expected) in cases {
        let http = Replay::of(answers);
        let (pace, deadline) = until(20);
        source(&http).forget(&pace, deadline).await.unwrap();
        assert_eq!(requests(&http), expected);
        if expected.len() == 2 {
            assert_eq!(http.sent()[1].body, marker);
        }
    }
    let http = Replay::of([text(marker), refused(403, "AccessDenied", "Access Denied")]);
    let (pace, deadline) = until(20);
    assert_eq!(source(&http).last_good(&pace, deadline).await.unwrap(), None);
    assert!(source(&http).forget(&pace, deadline).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_remembered_set_in_another_form_is_not_taken_for_one() {
    let cases = [
        ("", "EOF"),
        ("[]", "another version of the form"),
        ("{\"version\":2,\"files\":[]}", "another version of the form"),
        ("{\"version\":1}", "no files with names and texts"),
        ("{\"version\":1,\"files\":[{\"name\":\"a\"}]}", "no files with names and texts"),
    ];
    for (body, why) in cases {
        let http = Replay::of([text(body)]);
        let (pace, deadline) = until(20);
        let error = source(&http).last_good(&pace, deadline).await.unwrap_err();
        assert!(matches!(error, OverrideError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let http = Replay::of([refused(403, "AccessDenied", "Access Denied")]);
    let (pace, deadline) = until(20);
    let says = source(&http).last_good(&pace, deadline).await.unwrap_err().to_string();
    assert!(says.contains("s3:ListBucket on the bucket: without that"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn an_allowlist_is_one_object_and_so_is_the_last_good_one() {
    let gone = || refused(404, "NoSuchKey", "The specified key does not exist.");
    let large = "x".repeat(ALLOW_BYTES_MAX as usize + 1);
    let http = Replay::of([
        refused(503, "SlowDown", "busy"),
        text("a = \"é\""),
        gone(),
        text(&large),
        gone(),
        text("b"),
        text(""),
    ]);
    let (pace, deadline) = until(20);
    let source = source(&http);
    assert_eq!(source.allow(&pace, deadline).await.unwrap(), Some("a = \"é\"".to_owned()));
    assert_eq!(source.allow(&pace, deadline).await.unwrap(), None);
    let error = source.allow(&pace, deadline).await.unwrap_err();
    assert!(matches!(error, OverrideError::AllowTooLarge { .. }), "{error}");
    assert!(error.to_string().contains("`allow.toml` in bucket `bucket`"), "{error}");
    assert_eq!(source.last_good_allow(&pace, deadline).await.unwrap(), None);
    assert_eq!(source.last_good_allow(&pace, deadline).await.unwrap(), Some("b".to_owned()));
    source.remember_allow("c = 1", &pace, deadline).await.unwrap();
    let sent = http.sent();
    let expected = [
        "GET /bucket/allow.toml",
        "GET /bucket/allow.toml",
        "GET /bucket/allow.toml",
        "GET /bucket/allow.toml",
        "GET /bucket/last-good/allow.toml",
        "GET /bucket/last-good/allow.toml",
        "PUT /bucket/last-good/allow.toml",
    ];
    assert_eq!(requests(&http), expected);
    assert_eq!(sent[6].body, "c = 1");
    let http = Replay::of([refused(403, "AccessDenied", "Access Denied")]);
    let (pace, deadline) = until(20);
    let says = self::source(&http).allow(&pace, deadline).await.unwrap_err().to_string();
    assert!(says.contains("allow the role s3:GetObject on `bucket/allow.toml`"), "{says}");
}
