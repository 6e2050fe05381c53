//! Subscriptions, where the local cloud cannot show them: the account's policy, throttling, and what is full.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidewatch_aws::TokioPace;
use tidewatch_aws::failure::Failure;
use tidewatch_aws::log_groups::LogGroup;
use tidewatch_aws::stack::{Stack, StackError};
use tidewatch_aws::subscriptions::{AccountPolicy, Intent, Subscriptions, Way};

use crate::replay::{Replay, replay};

const STREAM: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/logs";
const ROLE: &str = "arn:aws:iam::123456789012:role/subscription";

fn stack() -> Stack {
    let outputs = [
        ("StreamArn", STREAM),
        ("SubscriptionRoleArn", ROLE),
        ("DetectorLogGroup", "/aws/lambda/watch-detector"),
        ("RotationLogGroup", "/aws/lambda/watch-rotation"),
    ];
    let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Stack {
        name: "watch".to_owned(),
        outputs: outputs.into_iter().map(own).collect(),
        ..Stack::default()
    }
}

fn subscriptions(http: &Replay) -> Subscriptions {
    let pace = TokioPace::start().expect("chance");
    Subscriptions::new(&http.config(), &stack(), "", pace).expect("a stack of ours")
}

fn policies(name: &str, document: &Value, selection: &str) -> (u16, Value) {
    let policy = json!({
        "policyName": name, "policyDocument": document.to_string(), "selectionCriteria": selection,
        "policyType": "SUBSCRIPTION_FILTER_POLICY", "scope": "ALL",
    });
    (200, json!({ "accountPolicies": [policy] }))
}

fn refused(code: &str, message: &str) -> (u16, Value) {
    (400, json!({ "__type": code, "message": message }))
}

#[tokio::test(start_paused = true)]
async fn the_accounts_policy_leaves_out_the_detectors_own_log_groups_and_is_made_once() {
    let http = replay(&[(200, json!({ "accountPolicies": [] })), (200, json!({}))]);
    let ours = subscriptions(&http);
    let none = ours.policy().await.expect("an answer");
    assert_eq!(ours.policy_intent(none.as_ref()), Intent::Create);
    ours.put_policy().await.expect("it is taken");
    let put = http.sent()[1].json();
    assert_eq!(put["policyName"], "tidewatch");
    assert_eq!(put["policyType"], "SUBSCRIPTION_FILTER_POLICY");
    assert_eq!(put["scope"], "ALL");
    let selection =
        r#"LogGroupName NOT IN ["/aws/lambda/watch-detector","/aws/lambda/watch-rotation"]"#;
    assert_eq!(put["selectionCriteria"], selection);
    let document: Value =
        serde_json::from_str(put["policyDocument"].as_str().expect("text")).expect("JSON");
    let expected = json!({
        "DestinationArn": STREAM, "RoleArn": ROLE, "FilterPattern": "", "Distribution": "ByLogStream",
    });
    assert_eq!(document, expected);

    let elsewhere = json!({ "DestinationArn": "elsewhere" });
    for (there, expected) in [
        (policies("tidewatch", &document, selection), Intent::Leave),
        (policies("tidewatch", &document, ""), Intent::Replace),
        (policies("tidewatch", &elsewhere, selection), Intent::Replace),
    ] {
        let ours = subscriptions(&replay(std::slice::from_ref(&there)));
        let policy = ours.policy().await.expect("an answer");
        assert_eq!(ours.policy_intent(policy.as_ref()), expected, "{there:?}");
    }
    let ours = subscriptions(&replay(&[policies("security", &elsewhere, "")]));
    let policy = ours.policy().await.expect("an answer");
    let Intent::Refuse(why) = ours.policy_intent(policy.as_ref()) else {
        panic!("another's policy")
    };
    assert!(why.contains("`security`, and can have one"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_log_group_that_the_accounts_policy_sends_is_not_subscribed_again() {
    let document = json!({ "DestinationArn": STREAM });
    let ours = subscriptions(&replay(&[policies("all", &document, "")]));
    let policy = ours.policy().await.expect("an answer");
    let group =
        LogGroup { name: "/a".to_owned(), account: String::new(), class: "STANDARD".to_owned() };
    let intent = ours.intent(&group, &[], policy.as_ref());
    let Intent::Refuse(why) = intent else { panic!("{intent:?}") };
    assert!(why.contains("`all` sends it already"), "{why}");
    assert_eq!(ours.intent(&group, &[], None), Intent::Create);
    // By which way it is sent already.
    let by = Way::Policy("all".to_owned());
    assert_eq!(ours.way("/a", &[], policy.as_ref()), by);
    assert_eq!(ours.way("/a", &[], None), Way::None);
    let filter = ours.wanted().clone();
    let own = Way::Filter(filter.clone());
    assert_eq!(ours.way("/a", std::slice::from_ref(&filter), policy.as_ref()), own);
    let without = policy.map(|policy| AccountPolicy {
        selection: r#"LogGroupName NOT IN ["/a"]"#.to_owned(),
        ..policy
    });
    assert_eq!(ours.way("/a", &[], without.as_ref()), Way::None);
    assert_eq!(ours.way("/a/b", &[], without.as_ref()), by);
    let rare = LogGroup { class: "INFREQUENT_ACCESS".to_owned(), ..group };
    let Intent::Refuse(why) = ours.intent(&rare, &[], None) else { panic!("it has none") };
    assert!(why.contains("INFREQUENT_ACCESS, which has no subscriptions"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn throttling_is_waited_out_and_what_is_full_is_not() {
    let throttled = refused("ThrottlingException", "Rate exceeded");
    let busy = refused("OperationAbortedException", "a conflicting operation is in progress");
    let http = replay(&[throttled.clone(), busy, throttled, (200, json!({}))]);
    subscriptions(&http).put("/a").await.expect("in the end");
    assert_eq!(http.sent().len(), 4);

    let http = replay(&[refused("LimitExceededException", "Resource limit exceeded.")]);
    let failure = subscriptions(&http).put("/a").await.expect_err("it is full");
    assert_eq!(http.sent().len(), 1, "no waiting mends it");
    let Failure::Refused(says) = failure else { panic!("{failure:?}") };
    assert!(says.contains("has two subscription filters already"), "{says}");
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_log_groups_are_asked_for() {
    let page = |names: &[&str], token: Option<&str>| {
        let groups: Vec<Value> = names.iter().map(|name| json!({ "logGroupName": name })).collect();
        (200, json!({ "logGroups": groups, "nextToken": token }))
    };
    let http =
        replay(&[page(&["/a", "/b"], Some("more")), page(&[], Some("yet")), page(&["/c"], None)]);
    let groups = subscriptions(&http).log_groups().list("/").await.expect("answers");
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    assert_eq!(names, ["/a", "/b", "/c"]);
    let tokens: Vec<Value> =
        http.sent().iter().map(|sent| sent.json()["nextToken"].clone()).collect();
    assert_eq!(tokens, [json!(null), json!("more"), json!("yet")]);
}

#[test]
fn a_stack_of_another_template_is_refused() {
    let http = replay(&[]);
    let other = Stack { name: "shop".to_owned(), outputs: BTreeMap::new(), ..Stack::default() };
    let pace = TokioPace::start().expect("chance");
    let refused =
        Subscriptions::new(&http.config(), &other, "", pace).expect_err("it is none of ours");
    let StackError::NoOutput { output, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*output, "StreamArn");
    assert!(refused.to_string().contains("name Tidewatch's stack"), "{refused}");
}
