//! The secret: one request, and what each answer means.

use serde_json::{Value, json};
use tidewatch_aws::secret::{SecretError, SecretSource};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Time;

use crate::replay::{Replay, replay};
use crate::until;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tidewatch-AbCdEf";

fn source(http: &Replay) -> SecretSource {
    SecretSource::new(&http.config(), ARN.to_owned())
}

fn holding(value: &str) -> (u16, Value) {
    (200, json!({"ARN": ARN, "SecretString": value, "CreatedDate": 1_764_072_000.25}))
}

fn error(code: &str, message: &str) -> (u16, Value) {
    (400, json!({"__type": code, "message": message}))
}

#[tokio::test(start_paused = true)]
async fn the_current_version_is_read_with_one_request() {
    let http = replay(&[holding("{\"id\":1,\"passphrase\":\"0123456789abcdef\"}")]);
    let (pace, deadline) = until(10);
    let (ring, made) = source(&http).fetch_dated(&pace, deadline).await.unwrap();
    assert_eq!((ring.current.id, ring.current.from), (1, Time::MIN));
    assert!(ring.previous.is_none());
    assert_eq!(made, Some(Time(1_764_072_000_250)));
    let expected = TagKey::from_passphrase("0123456789abcdef");
    assert_eq!(ring.current.key.user(b"anna"), expected.user(b"anna"));
    let sent = http.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].operation, "GetSecretValue");
    assert_eq!(sent[0].json(), json!({"SecretId": ARN, "VersionStage": "AWSCURRENT"}));
}

#[tokio::test(start_paused = true)]
async fn both_keys_are_read_while_there_are_two() {
    let value = json!({
        "id": 8, "from": "2026-11-25T12:00:00Z", "passphrase": "0123456789abcdef8",
        "previous": {"id": 7, "from": "2026-08-25T12:00:00Z", "passphrase": "0123456789abcdef7"},
        "note": "of a newer version",
    });
    let http = replay(&[holding(&value.to_string())]);
    let (pace, deadline) = until(10);
    let ring = source(&http).fetch(&pace, deadline).await.unwrap();
    let previous = ring.previous.expect("a previous key");
    assert_eq!((ring.current.id, previous.id), (8, 7));
    assert!(previous.from < ring.current.from);
    assert_ne!(ring.current.key.user(b"anna"), previous.key.user(b"anna"));
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_until_the_deadline() {
    let passing = [
        error("ThrottlingException", "Rate exceeded"),
        error("InternalServiceError", "oops"),
        (503, json!({})),
    ];
    let value = holding("{\"id\":1,\"passphrase\":\"0123456789abcdef\"}");
    let http = replay(&[&passing[..], &[value]].concat());
    let (pace, deadline) = until(10);
    source(&http).fetch(&pace, deadline).await.unwrap();
    assert_eq!(http.sent().len(), 4);
    let http = Replay::of([]);
    let begun = tokio::time::Instant::now();
    let (pace, deadline) = until(12);
    let error = source(&http).fetch(&pace, deadline).await.unwrap_err();
    let SecretError::Service(failure) = &error else { panic!("{error}") };
    assert!(failure.is_passing(), "{error}");
    assert_eq!(http.sent().len(), 3, "five seconds, five more, and the rest");
    assert!((10..=12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_error_that_no_retry_mends_says_what_to_do() {
    let cases = [
        (
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
            "there is no secret `arn:aws:secretsmanager",
        ),
        (
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
            "restore it (`aws secretsmanager restore-secret`)",
        ),
        (
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was deleted.",
            "check the state of secret",
        ),
        (
            "AccessDeniedException",
            "User: r is not authorized to perform: secretsmanager:GetSecretValue",
            "allow the role secretsmanager:GetSecretValue on secret `arn:aws:secretsmanager",
        ),
        (
            "AccessDeniedException",
            "Access to KMS is not allowed",
            "allow the role kms:Decrypt on the KMS key of secret `arn:aws:secretsmanager",
        ),
        ("DecryptionFailure", "can't decrypt", "the KMS key of secret `arn:aws:secretsmanager"),
        ("UnrecognizedClientException", "bad token", "check the credentials"),
    ];
    for (code, message, advice) in cases {
        let http = replay(&[error(code, message)]);
        let (pace, deadline) = until(10);
        let error = source(&http).fetch(&pace, deadline).await.unwrap_err();
        let SecretError::Service(failure) = &error else { panic!("{error}") };
        assert!(!failure.is_passing(), "{error}");
        let says = error.to_string();
        assert!(says.starts_with(&format!("GetSecretValue on secret `{ARN}`")), "{says}");
        assert!(says.contains(advice), "{says}");
        assert_eq!(http.sent().len(), 1, "{code} is tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_no_key_is_named_and_not_quoted() {
    let http = replay(&[
        holding("hidden-passphrase-1"),
        holding("{\"id\":1,\"passphrase\":\"hidden\"}"),
        (200, json!({"ARN": ARN, "SecretBinary": "aGlkZGVu"})),
    ]);
    let source = source(&http);
    let (pace, deadline) = until(10);
    for why in ["it is no JSON", "`passphrase` is too short", "it is no text"] {
        let error = source.fetch(&pace, deadline).await.unwrap_err();
        assert_eq!(error, SecretError::Malformed { arn: ARN.to_owned(), why });
        let says = format!("{error} {error:?}");
        assert!(says.contains(why) && !says.contains("hidden"), "{says}");
    }
}
