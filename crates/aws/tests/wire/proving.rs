//! What a proof makes and removes, where the local cloud cannot show it: answers that nobody waits for.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidewatch_aws::TokioPace;
use tidewatch_aws::proving::Prover;
use tidewatch_aws::stack::Stack;

use crate::replay::{Replay, Sent};

const TOPIC: &str = "arn:aws-cn:sns:cn-north-1:123456789012:alerts";
const QUEUE_ARN: &str = "arn:aws-cn:sqs:cn-north-1:123456789012:tidewatch-prove-7f";

fn prover(http: &Replay) -> Prover {
    let outputs = [
        ("AlertTopicArn", TOPIC),
        ("StreamArn", "arn:stream"),
        ("SubscriptionRoleArn", "arn:role"),
        ("DetectorLogGroup", "/own"),
        ("RotationLogGroup", "/own-too"),
    ];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let outputs: BTreeMap<String, String> = outputs.into_iter().map(own).collect();
    let stack = Stack { name: "watch".to_owned(), outputs, ..Stack::default() };
    let pace = TokioPace::start().expect("chance");
    Prover::new(&http.config(), &stack, pace).expect("a stack of ours")
}

fn queue() -> (u16, String) {
    (200, json!({ "QueueUrl": "http://127.0.0.1:9/queue" }).to_string())
}

fn subscribed() -> (u16, String) {
    let arn = format!("{TOPIC}:1");
    let text = format!(
        "<SubscribeResponse><SubscribeResult><SubscriptionArn>{arn}</SubscriptionArn></SubscribeResult></SubscribeResponse>"
    );
    (200, text)
}

fn done(operation: &str) -> (u16, String) {
    (200, format!("<{operation}Response/>"))
}

/// Each request by its operation.
fn operations(http: &Replay) -> Vec<String> {
    let name = |sent: &Sent| match sent.form().get("Action") {
        Some(action) => action.clone(),
        None => sent.operation.clone(),
    };
    http.sent().iter().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn nobody_but_the_alert_topic_may_put_anything_into_the_queue() {
    let http = Replay::of([queue(), subscribed()]);
    prover(&http).listen("7f").await.expect("both are made");
    let made = http.sent()[0].json();
    assert_eq!(made["QueueName"], "tidewatch-prove-7f");
    let policy = made["Attributes"]["Policy"].as_str().expect("a policy");
    let policy: Value = serde_json::from_str(policy).expect("JSON");
    let only = json!({ "ArnEquals": { "aws:SourceArn": TOPIC } });
    let expected = json!([{
        "Effect": "Allow", "Principal": { "Service": "sns.amazonaws.com" }, "Action": "sqs:SendMessage",
        "Resource": QUEUE_ARN, "Condition": only,
    }]);
    assert_eq!(policy["Statement"], expected);
    let asked = http.sent()[1].form();
    assert_eq!((asked["TopicArn"].as_str(), asked["Endpoint"].as_str()), (TOPIC, QUEUE_ARN));
}

/// Whether it was made is not known; that it is gone then is.
#[tokio::test(start_paused = true)]
async fn what_nobody_waited_for_is_removed_all_the_same() {
    let failed = || (500, "<ErrorResponse/>".to_owned());
    for (answers, waited, expected) in [
        // Ended while the subscription was asked for.
        (
            vec![queue(), failed(), subscribed(), done("Unsubscribe"), (200, "{}".to_owned())],
            2,
            &["CreateQueue", "Subscribe", "Subscribe", "Unsubscribe", "DeleteQueue"][..],
        ),
        // And while the queue was.
        (
            vec![(500, "{}".to_owned()), queue(), (200, "{}".to_owned())],
            1,
            &["CreateQueue", "CreateQueue", "DeleteQueue"],
        ),
    ] {
        let http = Replay::of(answers);
        let mut prover = prover(&http);
        tokio::select! {
            biased;
            made = prover.listen("7f") => panic!("{made:?}: it is not answered"),
            () = async {
                while http.sent().len() < waited {
                    tokio::task::yield_now().await;
                }
            } => {}
        }
        assert_eq!(prover.remove().await, []);
        assert_eq!(operations(&http), expected);
        assert!(prover.standing().is_empty());
    }
}

/// A request whose answer is lost is made again, and then finds what it has made.
#[tokio::test(start_paused = true)]
async fn what_was_made_by_a_request_without_an_answer_is_taken() {
    let there = json!({ "__type": "ResourceAlreadyExistsException", "message": "it exists" });
    let http = Replay::of([(500, "{}".to_owned()), (400, there.to_string())]);
    prover(&http).make_group("/tidewatch/prove/watch-7f", false).await.expect("it is there");
    assert_eq!(operations(&http), ["CreateLogGroup", "CreateLogGroup"]);
}

/// What is not there any more is as good as removed; what cannot be removed is named, and keeps no other there.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_removed_is_named_and_the_rest_is_removed() {
    let refused = |code: &str| (400, json!({ "__type": code, "message": "no" }).to_string());
    let ok = || (200, "{}".to_owned());
    let http = Replay::of([
        ok(),
        ok(),
        ok(),
        refused("ResourceNotFoundException"),
        refused("AccessDeniedException"),
        ok(),
    ]);
    let mut prover = prover(&http);
    prover.make_group("/tidewatch/prove/watch-7f", true).await.expect("made");
    prover.make_stream("/tidewatch/prove/watch-7f", "tidewatch-prove/7f").await.expect("made");
    assert_eq!(prover.standing().len(), 3);
    let left = prover.remove().await;
    let [left] = &left[..] else { panic!("{left:?}") };
    let expected = "the subscription filter of log group `/tidewatch/prove/watch-7f`";
    assert_eq!(left.what, expected);
    assert!(left.why.contains("allow logs:DeleteSubscriptionFilter"), "{}", left.why);
    let deleted = ["DeleteLogStream", "DeleteSubscriptionFilter", "DeleteLogGroup"];
    assert_eq!(operations(&http)[3..], deleted);
}
