//! The table: what goes over the wire, to the byte, and what each answer means.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidewatch_aws::client::{dynamodb, local};
use tidewatch_aws::{DynamoTable, schema};
use tidewatch_core::sequence::ShardId;
use tidewatch_core::table_store::table::{
    Attribute, Due, Indexing, Item, ItemKey, Part, Table, TableError, Write, Written,
};
use tidewatch_core::time::Time;

use crate::replay::{Replay, replay};

const SHARE: Attribute = Attribute::Share(ShardId(3));

fn reached_by(http: &Replay) -> aws_sdk_dynamodb::Client {
    dynamodb(&http.config())
}

fn table(http: &Replay) -> DynamoTable {
    DynamoTable::new(reached_by(http), "state")
}

/// The operations asked for, with their bodies.
fn requests(http: &Replay) -> Vec<(String, Value)> {
    http.sent().into_iter().map(|sent| (sent.operation.clone(), sent.json())).collect()
}

fn key(part: Part) -> ItemKey {
    ItemKey { key: vec![1, 2, 3], part }
}

fn write() -> Write {
    Write {
        item: key(Part::Main),
        expected: vec![(SHARE, Some(b"old".to_vec())), (Attribute::Latch, None)],
        version: Some(41),
        set: vec![(SHARE, b"new".to_vec()), (Attribute::Sketch(2), Vec::new())],
        removed: vec![Attribute::Unreadable(ShardId(9))],
        index: Indexing::Set(Due { partition: 5, at: Time(1_700_000_000_123) }),
        expires: Time(1_700_000_000_123),
    }
}

#[tokio::test]
async fn a_write_is_one_request_with_its_conditions_in_it() {
    let stored = json!({
        "k": {"B": "AQID"}, "r": {"B": "AA=="}, "v": {"N": "42"}, "t": {"N": "1700000001"},
        "q": {"S": "q5"}, "d": {"N": "1700000000123"}, "s3": {"B": "bmV3"}, "h2": {"B": ""},
        "newer": {"BOOL": true},
    });
    let http = replay(&[(200, json!({ "Attributes": stored }))]);
    let values = BTreeMap::from([(SHARE, b"new".to_vec()), (Attribute::Sketch(2), Vec::new())]);
    let written = table(&http).write(&write()).await;
    assert_eq!(written, Ok(Written::Applied(Item { values, version: 42 })));
    let expected = json!({
        "TableName": "state",
        "Key": {"k": {"B": "AQID"}, "r": {"B": "AA=="}},
        "UpdateExpression":
            "SET #s3 = :n0, #h2 = :n1, #t = :t, #q = :q, #d = :d REMOVE #x9 ADD #v :one",
        "ConditionExpression": "#s3 = :e0 AND attribute_not_exists(#o) AND #v = :v",
        "ExpressionAttributeNames": {
            "#s3": "s3", "#h2": "h2", "#t": "t", "#q": "q", "#d": "d", "#x9": "x9", "#v": "v",
            "#o": "o",
        },
        "ExpressionAttributeValues": {
            ":n0": {"B": "bmV3"}, ":n1": {"B": ""}, ":e0": {"B": "b2xk"}, ":v": {"N": "41"},
            ":one": {"N": "1"}, ":t": {"N": "1700000001"}, ":q": {"S": "q5"},
            ":d": {"N": "1700000000123"},
        },
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    assert_eq!(requests(&http), [("UpdateItem".to_owned(), expected)]);
}

#[tokio::test]
async fn a_write_without_conditions_has_no_condition() {
    let http = replay(&[(200, json!({"Attributes": {"v": {"N": "1"}}}))]);
    let bare = Write {
        item: key(Part::Share(ShardId(258))),
        expected: Vec::new(),
        version: None,
        set: vec![(SHARE, b"new".to_vec())],
        removed: Vec::new(),
        index: Indexing::Clear,
        expires: Time(7_000),
    };
    table(&http).write(&bare).await.unwrap();
    let expected = json!({
        "TableName": "state",
        "Key": {"k": {"B": "AQID"}, "r": {"B": "AQAAAQI="}},
        "UpdateExpression": "SET #s3 = :n0, #t = :t REMOVE #q, #d ADD #v :one",
        "ExpressionAttributeNames": {"#s3": "s3", "#t": "t", "#q": "q", "#d": "d", "#v": "v"},
        "ExpressionAttributeValues":
            {":n0": {"B": "bmV3"}, ":t": {"N": "7"}, ":one": {"N": "1"}},
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    assert_eq!(requests(&http), [("UpdateItem".to_owned(), expected)]);
}

#[tokio::test]
async fn a_refusal_carries_the_item_as_it_is() {
    let refusal = |item: Option<Value>| {
        let mut body = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "message": "The conditional request failed",
        });
        if let Some(item) = item {
            body["Item"] = item;
        }
        (400, body)
    };
    let http = replay(&[
        refusal(Some(json!({"s3": {"B": "b2xk"}, "v": {"N": "9"}}))),
        refusal(None),
        refusal(Some(json!({"o": {"N": "5"}}))),
    ]);
    let table = table(&http);
    let old = Item { values: BTreeMap::from([(SHARE, b"old".to_vec())]), version: 9 };
    assert_eq!(table.write(&write()).await, Ok(Written::Refused(Some(old))));
    assert_eq!(table.write(&write()).await, Ok(Written::Refused(None)));
    let Err(TableError::Unusable(says)) = table.write(&write()).await else { panic!("no fault") };
    assert!(says.contains("attribute `o` of an item is a number (N)"), "{says}");
}

#[tokio::test]
async fn reads_are_strongly_consistent_and_a_query_goes_on_to_its_last_page() {
    let last = json!({"k": {"B": "AQID"}, "r": {"B": "AA=="}});
    let http = replay(&[
        (200, json!({"Item": {"o": {"B": "AQ=="}, "v": {"N": "3"}}})),
        (200, json!({})),
        (
            200,
            json!({
                "Items": [{"k": {"B": "AQID"}, "r": {"B": "AA=="}, "v": {"N": "1"}}],
                "LastEvaluatedKey": last,
            }),
        ),
        // A page may be empty and not the last.
        (200, json!({ "Items": [], "LastEvaluatedKey": last })),
        (
            200,
            json!({"Items": [
                {"k": {"B": "AQID"}, "r": {"B": "AQAAAAU="}, "v": {"N": "2"}},
                {"k": {"B": "AQID"}, "r": {"B": "/w=="}, "v": {"S": "a newer version's"}},
            ]}),
        ),
    ]);
    let table = table(&http);
    let found = table.get(&key(Part::Sketches)).await.unwrap().expect("an item");
    assert_eq!(found, Item { values: BTreeMap::from([(Attribute::Latch, vec![1])]), version: 3 });
    assert_eq!(table.get(&key(Part::Main)).await, Ok(None));
    let item = |version| Item { values: BTreeMap::new(), version };
    let found = table.query(&[1, 2, 3]).await;
    assert_eq!(found, Ok(vec![(Part::Main, item(1)), (Part::Share(ShardId(5)), item(2))]));
    let get = json!({
        "TableName": "state", "ConsistentRead": true,
        "Key": {"k": {"B": "AQID"}, "r": {"B": "Ag=="}},
    });
    let query = json!({
        "TableName": "state", "ConsistentRead": true, "KeyConditionExpression": "#k = :k",
        "ExpressionAttributeNames": {"#k": "k"},
        "ExpressionAttributeValues": {":k": {"B": "AQID"}},
    });
    let mut next = query.clone();
    next["ExclusiveStartKey"] = last;
    let requests = requests(&http);
    assert_eq!(requests[0], ("GetItem".to_owned(), get));
    assert_eq!(requests[2], ("Query".to_owned(), query));
    assert_eq!(requests[3..], [("Query".to_owned(), next.clone()), ("Query".to_owned(), next)]);
}

#[tokio::test]
async fn the_index_is_read_until_the_limit_or_its_end() {
    let entry = |key: &str, part: &str| json!({"k": {"B": key}, "r": {"B": part}, "q": {"S": "q2"}, "d": {"N": "5"}});
    let last = entry("AQ==", "AA==");
    let http = replay(&[
        (
            200,
            json!({"Items": [entry("AQ==", "AA=="), entry("Ag==", "/w==")], "LastEvaluatedKey": last}),
        ),
        (
            200,
            json!({"Items": [entry("Aw==", "Ag=="), entry("BA==", "AA==")], "LastEvaluatedKey": last}),
        ),
        (200, json!({"Items": [entry("BQ==", "AA==")]})),
    ]);
    let table = table(&http);
    let of = |key, part| ItemKey { key: vec![key], part };
    let found = table.due(2, Time(77), 3).await;
    assert_eq!(found, Ok(vec![of(1, Part::Main), of(3, Part::Sketches), of(4, Part::Main)]));
    assert_eq!(table.due(2, Time(77), 9).await, Ok(vec![of(5, Part::Main)]));
    assert_eq!(table.due(2, Time(77), 0).await, Ok(Vec::new()));
    let query = json!({
        "TableName": "state", "IndexName": "due", "ScanIndexForward": true, "Limit": 3,
        "KeyConditionExpression": "#q = :q AND #d <= :until",
        "ExpressionAttributeNames": {"#q": "q", "#d": "d"},
        "ExpressionAttributeValues": {":q": {"S": "q2"}, ":until": {"N": "77"}},
    });
    let requests = requests(&http);
    assert_eq!(requests.len(), 3, "a limit of 0 asks nobody");
    assert_eq!(requests[0], ("Query".to_owned(), query));
    assert_eq!(requests[1].1["Limit"], 2);
    assert_eq!(requests[1].1["ExclusiveStartKey"], last);
}

/// What kind of error an answer is.
fn kind(error: &TableError) -> &'static str {
    match error {
        TableError::Throttled(_) => "throttled",
        TableError::Unanswered(_) => "unanswered",
        TableError::TooLarge(_) => "too large",
        TableError::Unusable(_) => "unusable",
        TableError::Fatal(_) => "fatal",
    }
}

#[tokio::test]
async fn each_error_says_whether_the_write_may_have_been_applied() {
    let validation = "ValidationException";
    let cases = [
        (400, "ProvisionedThroughputExceededException", "", "throttled"),
        (400, "ThrottlingException", "", "throttled"),
        (400, "RequestLimitExceeded", "", "throttled"),
        (400, "LimitExceededException", "", "throttled"),
        (400, "TransactionConflictException", "", "throttled"),
        (503, "ThrottlingException", "", "throttled"),
        (429, "SomethingNew", "", "throttled"),
        (500, "InternalServerError", "", "unanswered"),
        (400, "InternalServerError", "", "unanswered"),
        (503, "ServiceUnavailable", "", "unanswered"),
        (502, "SomethingNew", "", "unanswered"),
        (400, validation, "Item size to update has exceeded the maximum allowed size", "too large"),
        (400, validation, "Item size has exceeded the maximum allowed size", "too large"),
        (
            400,
            validation,
            "Invalid UpdateExpression: Expression size has exceeded the maximum \
            allowed size; expression size: 4099",
            "fatal",
        ),
        (400, validation, "The provided key element does not match the schema", "fatal"),
        (400, "ResourceNotFoundException", "Requested resource not found", "fatal"),
        (400, "AccessDeniedException", "not authorized", "fatal"),
        (400, "UnrecognizedClientException", "", "fatal"),
        (400, "SomethingNew", "", "fatal"),
    ];
    for (status, code, message, expected) in cases {
        let body = json!({
            "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": message,
        });
        let http = replay(&[(status, body.clone()), (status, body.clone()), (status, body)]);
        let table = table(&http);
        let errors = [
            table.write(&write()).await.unwrap_err(),
            table.get(&key(Part::Main)).await.unwrap_err(),
            table.query(b"k").await.unwrap_err(),
        ];
        for (error, operation) in errors.iter().zip(["UpdateItem", "GetItem", "Query"]) {
            assert_eq!(kind(error), expected, "{status} {code}: {error}");
            let says = error.to_string();
            assert!(says.contains(&format!("{operation} on table `state`")), "{says}");
            assert!(says.contains(code) && says.contains(message), "{says}");
        }
    }
}

#[tokio::test]
async fn an_error_that_no_retry_mends_says_what_to_do() {
    let cases = [
        ("ResourceNotFoundException", "create it, or correct its name or the Region"),
        ("AccessDeniedException", "allow the role dynamodb:UpdateItem on table `state`"),
        ("InvalidSignatureException", "check the credentials, and that the clock is right"),
        ("ValidationException", "does not fit this version's schema"),
    ];
    for (code, advice) in cases {
        let http = replay(&[(400, json!({"__type": code, "message": "m"}))]);
        let says = table(&http).write(&write()).await.unwrap_err().to_string();
        assert!(says.contains(advice), "{says}");
    }
}

/// Answers that no DynamoDB gives, and none at all.
#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_it_open() {
    let broken = r#"{"Attributes": {"s3": {"B": "c2VjcmV0", "#;
    let cases =
        [(200, "<html>"), (200, "{}"), (200, broken), (403, "<html>"), (400, "{}"), (302, "")];
    for (status, body) in cases {
        let http = Replay::of([(status, body.to_owned())]);
        let error = table(&http).write(&write()).await.unwrap_err();
        assert_eq!(kind(&error), "unanswered", "{status} {body}: {error}");
        assert!(!error.to_string().contains("c2VjcmV0"), "it tells what is in the item: {error}");
    }
    // Nobody listens there: a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let table = DynamoTable::new(dynamodb(&local(&format!("http://{free}"))), "state");
    let error = table.write(&write()).await.unwrap_err();
    assert_eq!(kind(&error), "unanswered", "{error}");
}

/// The first byte of TLS is a handshake record (RFC 8446, section 5.1); no certificate would do here.
#[tokio::test]
async fn an_https_endpoint_is_spoken_to_in_tls() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}", server.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut first = [0];
        std::io::Read::read_exact(&mut server.accept().unwrap().0, &mut first).unwrap();
        first
    });
    let table = DynamoTable::new(dynamodb(&local(&endpoint)), "state");
    let error = table.write(&write()).await.unwrap_err();
    assert_eq!(kind(&error), "unanswered", "{error}");
    assert_eq!(heard.join().unwrap(), [22], "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_hangs_is_given_up() {
    let http = replay(&[]);
    let table = table(&http);
    let begun = tokio::time::Instant::now();
    let error = table.write(&write()).await.unwrap_err();
    assert_eq!(kind(&error), "unanswered", "{error}");
    assert_eq!(begun.elapsed().as_secs(), tidewatch_aws::client::DYNAMODB_TIMEOUT.as_secs());
    assert_eq!(http.sent().len(), 1, "retries are on");
}

#[tokio::test]
async fn a_client_tries_once_and_goes_where_it_is_told() {
    for code in ["InternalServerError", "ThrottlingException"] {
        let answer = (500, json!({ "__type": code }));
        let http = replay(&[answer.clone(), answer]);
        table(&http).write(&write()).await.unwrap_err();
        assert_eq!(http.sent().len(), 1, "retries are on");
        assert_eq!(http.sent()[0].uri, "http://127.0.0.1:9/");
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_is_made_with_its_index_and_then_its_ttl() {
    let status = |status: &str| (200, json!({"Table": {"TableStatus": status}}));
    let http = replay(&[(200, json!({})), status("CREATING"), status("ACTIVE"), (200, json!({}))]);
    schema::create_table(&reached_by(&http), "state").await.unwrap();
    let made = json!({
        "TableName": "state", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": "k", "AttributeType": "B"},
            {"AttributeName": "r", "AttributeType": "B"},
            {"AttributeName": "q", "AttributeType": "S"},
            {"AttributeName": "d", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "k", "KeyType": "HASH"}, {"AttributeName": "r", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "due", "Projection": {"ProjectionType": "KEYS_ONLY"},
            "KeySchema": [
                {"AttributeName": "q", "KeyType": "HASH"},
                {"AttributeName": "d", "KeyType": "RANGE"},
            ],
        }],
    });
    let ttl = json!({
        "TableName": "state",
        "TimeToLiveSpecification": {"AttributeName": "t", "Enabled": true},
    });
    let requests = requests(&http);
    let operations: Vec<&str> = requests.iter().map(|(operation, _)| operation.as_str()).collect();
    let expected = ["CreateTable", "DescribeTable", "DescribeTable", "UpdateTimeToLive"];
    assert_eq!(operations, expected);
    assert_eq!((&requests[0].1, &requests[3].1), (&made, &ttl));
}

#[tokio::test(start_paused = true)]
async fn each_request_is_measured_once_and_throttled_ones_are_told_apart() {
    let throttled = (400, json!({"__type": "ThrottlingException"}));
    let page = json!({"Items": [], "LastEvaluatedKey": {"k": {"B": "AQ=="}, "r": {"B": "AA=="}}});
    let http = replay(&[
        (200, json!({"Attributes": {"v": {"N": "1"}}})),
        throttled,
        (400, json!({"__type": "ConditionalCheckFailedException"})),
        (200, page),
        (200, json!({"Items": []})),
    ]);
    let table = table(&http);
    table.write(&write()).await.unwrap();
    table.get(&key(Part::Main)).await.unwrap_err();
    assert_eq!(table.write(&write()).await, Ok(Written::Refused(None)));
    table.query(b"k").await.unwrap();
    // Nobody answers the last one.
    table.clone().due(0, Time(1), 1).await.unwrap_err();
    let found = table.take_latencies();
    assert_eq!((found.requests, found.throttled, found.sample_ms.len()), (6, 1, 6));
    let hung = tidewatch_aws::client::DYNAMODB_TIMEOUT.as_secs_f64() * 1_000.0;
    assert!(found.sample_ms[..5].iter().all(|ms| *ms < 1.0), "{found:?}");
    assert!((hung..hung + 100.0).contains(&found.sample_ms[5]), "{found:?}");
    assert_eq!(found.total_ms, found.sample_ms.iter().sum::<f64>());
    assert_eq!(table.take_latencies().requests, 0);
}
