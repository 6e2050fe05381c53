//! The rotation: which requests each step makes, and what it refuses.

use serde_json::{Value, json};
use tidewatch_aws::TokioPace;
use tidewatch_aws::rotation::{LATE_MAX, LEAD, RotationError, Step, rotate};
use tidewatch_aws::secret::SecretSource;
use tidewatch_core::limits::ROTATION_OVERLAP;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::replay::{Replay, replay};
use crate::until;

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tidewatch-AbCdEf";
const TOKEN: &str = "00000000-0000-0000-0000-00000000000b";
const OLD: &str = "00000000-0000-0000-0000-00000000000a";

/// DescribeSecret while the rotation is under way.
fn under_way() -> (u16, Value) {
    labels(&json!({OLD: ["AWSCURRENT"], TOKEN: ["AWSPENDING"]}))
}

fn labels(versions: &Value) -> (u16, Value) {
    (200, json!({"ARN": ARN, "RotationEnabled": true, "VersionIdsToStages": versions}))
}

fn value(value: &Value) -> (u16, Value) {
    (200, json!({"ARN": ARN, "SecretString": value.to_string()}))
}

fn done() -> (u16, Value) {
    (200, json!({"ARN": ARN}))
}

fn error(code: &str, message: &str) -> (u16, Value) {
    (400, json!({"__type": code, "message": message}))
}

fn none() -> (u16, Value) {
    error("ResourceNotFoundException", "can't find the specified secret value for staging label")
}

fn first() -> Value {
    json!({"id": 1, "passphrase": "0123456789abcdef"})
}

/// What a rotation makes of [`first`], to be used from `from` on.
fn second(from: Time) -> Value {
    let from = text(from);
    json!({"id": 2, "from": from, "passphrase": "fedcba9876543210", "previous": first()})
}

fn text(time: Time) -> String {
    jiff::Timestamp::from_millisecond(time.0).expect("a time").to_string()
}

async fn step(http: &Replay, step: Step, pace: &TokioPace) -> Result<(), RotationError> {
    let source = SecretSource::new(&http.config(), ARN.to_owned());
    rotate(&source, step, TOKEN, pace, pace.now().plus(Span::seconds(20))).await
}

fn operations(http: &Replay) -> Vec<String> {
    http.sent().into_iter().map(|sent| sent.operation).collect()
}

#[test]
fn steps_are_known_by_both_spellings() {
    for (names, step) in [
        (["createSecret", "create_secret"], Step::Create),
        (["setSecret", "set_secret"], Step::Set),
        (["testSecret", "test_secret"], Step::Test),
        (["finishSecret", "finish_secret"], Step::Finish),
    ] {
        assert_eq!(names.map(Step::from_name), [Some(step); 2]);
    }
    assert_eq!(Step::from_name("CreateSecret"), None);
}

#[tokio::test(start_paused = true)]
async fn create_puts_a_new_key_beside_the_old_one() {
    let mut passphrases = Vec::new();
    for _ in 0..2 {
        let http = replay(&[under_way(), value(&first()), none(), done()]);
        let (pace, _) = until(0);
        step(&http, Step::Create, &pace).await.unwrap();
        let sent = http.sent();
        let expected = ["DescribeSecret", "GetSecretValue", "GetSecretValue", "PutSecretValue"];
        assert_eq!(operations(&http), expected);
        assert_eq!(sent[0].json(), json!({"SecretId": ARN}));
        assert_eq!(sent[1].json(), json!({"SecretId": ARN, "VersionStage": "AWSCURRENT"}));
        let pending = json!({"SecretId": ARN, "VersionId": TOKEN, "VersionStage": "AWSPENDING"});
        assert_eq!(sent[2].json(), pending);
        let put = sent[3].json();
        assert_eq!(put["SecretId"], ARN);
        assert_eq!(put["ClientRequestToken"], TOKEN);
        assert_eq!(put["VersionStages"], json!(["AWSPENDING"]));
        let made: Value = serde_json::from_str(put["SecretString"].as_str().unwrap()).unwrap();
        assert_eq!((&made["id"], &made["previous"]), (&json!(2), &first()));
        assert_eq!(made["from"], text(pace.now().plus(LEAD)));
        let passphrase = made["passphrase"].as_str().unwrap().to_owned();
        assert!(passphrase.len() == 64 && passphrase.bytes().all(|b| b.is_ascii_hexdigit()));
        passphrases.push(passphrase);
    }
    assert_ne!(passphrases[0], passphrases[1]);
}

#[tokio::test(start_paused = true)]
async fn create_is_done_once() {
    let (pace, _) = until(0);
    let made = value(&second(pace.now().plus(LEAD)));
    let http = replay(&[under_way(), value(&first()), made.clone()]);
    step(&http, Step::Create, &pace).await.unwrap();
    assert_eq!(operations(&http).len(), 3, "it was there already");
    // Another one of the same token is a moment ahead.
    let exists = error("ResourceExistsException", "a version with other content exists");
    let http = replay(&[under_way(), value(&first()), none(), exists.clone(), made]);
    step(&http, Step::Create, &pace).await.unwrap();
    // There is one, and it is not one of ours.
    let http = replay(&[under_way(), value(&first()), none(), exists, none()]);
    let error = step(&http, Step::Create, &pace).await.unwrap_err();
    assert!(matches!(&error, RotationError::Service(_)), "{error}");
    // The answer to a put is lost: the same content is put again.
    let http = replay(&[under_way(), value(&first()), none(), (503, json!({})), done()]);
    step(&http, Step::Create, &pace).await.unwrap();
    let sent = http.sent();
    assert_eq!(sent[3].json(), sent[4].json());
}

#[tokio::test(start_paused = true)]
async fn no_third_key_is_made_while_two_are_written() {
    let (pace, _) = until(0);
    let both = ROTATION_OVERLAP.0 * 2;
    let rotated = |ago: i64| value(&second(pace.now().minus(Span(ago))));
    for ago in [-LEAD.0, 0, both / 2, both - 1] {
        let http = replay(&[under_way(), rotated(ago), none()]);
        let error = step(&http, Step::Create, &pace).await.unwrap_err();
        let RotationError::TooSoon { free_at, .. } = &error else { panic!("{error}") };
        assert_eq!(free_at, &text(pace.now().plus(Span(both - ago))));
        assert!(error.to_string().contains("rotate it again then"), "{error}");
    }
    let http = replay(&[under_way(), rotated(both), none(), done()]);
    step(&http, Step::Create, &pace).await.unwrap();
    let put = http.sent()[3].json();
    let made: Value = serde_json::from_str(put["SecretString"].as_str().unwrap()).unwrap();
    assert_eq!((&made["id"], &made["previous"]["id"]), (&json!(3), &json!(2)));
    assert!(made["previous"]["previous"].is_null(), "the one before last is gone");
}

#[tokio::test(start_paused = true)]
async fn set_has_nothing_to_do() {
    let http = replay(&[under_way()]);
    let (pace, _) = until(0);
    step(&http, Step::Set, &pace).await.unwrap();
    assert_eq!(operations(&http), ["DescribeSecret"]);
}

#[tokio::test(start_paused = true)]
async fn test_reads_the_new_value_and_lets_a_trial_pass() {
    let (pace, _) = until(0);
    let good = second(pace.now().plus(LEAD));
    for pending in [value(&good), value(&first()), none()] {
        let http = replay(&[under_way(), value(&first()), pending]);
        step(&http, Step::Test, &pace).await.unwrap();
        assert_eq!(operations(&http), ["DescribeSecret", "GetSecretValue", "GetSecretValue"]);
    }
    let other = json!({"id": 1, "passphrase": "another-one-012345"});
    let cases = [
        (value(&other), "does not follow upon the current one"),
        (value(&json!("hidden")), "is no key of this version"),
    ];
    for (pending, why) in cases {
        let http = replay(&[under_way(), value(&first()), pending]);
        let says = step(&http, Step::Test, &pace).await.unwrap_err().to_string();
        assert!(says.contains(why) && !says.contains("hidden"), "{says}");
    }
}

#[tokio::test(start_paused = true)]
async fn finish_moves_the_label() {
    let (pace, _) = until(0);
    for from in [pace.now().plus(LEAD), pace.now().minus(LATE_MAX)] {
        let http = replay(&[under_way(), value(&first()), value(&second(from)), done()]);
        step(&http, Step::Finish, &pace).await.unwrap();
        let sent = http.sent();
        assert_eq!(sent[3].operation, "UpdateSecretVersionStage");
        let moved = json!({
            "SecretId": ARN, "VersionStage": "AWSCURRENT",
            "MoveToVersionId": TOKEN, "RemoveFromVersionId": OLD,
        });
        assert_eq!(sent[3].json(), moved);
    }
}

#[tokio::test(start_paused = true)]
async fn finish_refuses_what_is_late_or_does_not_follow() {
    let (pace, _) = until(0);
    let late = second(pace.now().minus(LATE_MAX).minus(Span(1)));
    let changed = json!({"id": 1, "passphrase": "changed-by-hand-01"});
    let good = second(pace.now().plus(LEAD));
    let cases = [
        (first(), value(&late), "was to be used long ago"),
        (changed, value(&good), "does not follow upon the current one"),
        (first(), value(&first()), "does not follow upon the current one"),
        (first(), none(), "has no value"),
    ];
    for (current, pending, why) in cases {
        let http = replay(&[under_way(), value(&current), pending]);
        let error = step(&http, Step::Finish, &pace).await.unwrap_err();
        let says = error.to_string();
        assert!(matches!(error, RotationError::Unfit { .. }) && says.contains(why), "{says}");
        assert!(says.contains(&format!("--remove-from-version-id {TOKEN}")), "{says}");
        assert_eq!(operations(&http).len(), 3, "nothing was moved");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_is_over_needs_nothing_and_one_that_is_none_gets_nothing() {
    let (pace, _) = until(0);
    let over = labels(&json!({OLD: ["AWSPREVIOUS"], TOKEN: ["AWSCURRENT", "AWSPENDING"]}));
    let never = labels(&json!({OLD: ["AWSCURRENT"]}));
    let unlabelled = labels(&json!({OLD: ["AWSCURRENT"], TOKEN: []}));
    for each in [Step::Create, Step::Set, Step::Test, Step::Finish] {
        let http = replay(std::slice::from_ref(&over));
        step(&http, each, &pace).await.unwrap();
        assert_eq!(operations(&http), ["DescribeSecret"]);
        for none in [&never, &unlabelled] {
            let http = replay(std::slice::from_ref(none));
            let error = step(&http, each, &pace).await.unwrap_err();
            assert!(matches!(error, RotationError::NotPending { .. }), "{error}");
        }
    }
    // The label was moved by a try whose answer was lost.
    let refused = error("InvalidParameterException", "not attached to that version");
    let good = value(&second(pace.now().plus(LEAD)));
    let steps = [under_way(), value(&first()), good, (500, json!({})), refused, over];
    let http = replay(&steps);
    step(&http, Step::Finish, &pace).await.unwrap();
    assert_eq!(operations(&http).len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named() {
    let (pace, _) = until(0);
    let denied = error("AccessDeniedException", "not authorized");
    let made = value(&second(pace.now().plus(LEAD)));
    let cases = [
        (Step::Create, vec![], "secretsmanager:DescribeSecret"),
        (Step::Create, vec![under_way()], "secretsmanager:GetSecretValue"),
        (
            Step::Finish,
            vec![under_way(), value(&first()), made],
            "secretsmanager:UpdateSecretVersionStage",
        ),
    ];
    for (which, before, action) in cases {
        let last = if which == Step::Finish { vec![under_way()] } else { vec![] };
        let http = replay(&[before, vec![denied.clone()], last].concat());
        let says = step(&http, which, &pace).await.unwrap_err().to_string();
        assert!(says.contains(&format!("allow the role {action} on secret `{ARN}`")), "{says}");
    }
}
