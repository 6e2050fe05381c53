//! The services that the function calls, on a loopback port, of no memory and no delay: every write is
//! applied to an item of which nothing is known, every read finds nothing. For measuring the function
//! itself.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tiny_http::{Header, Request, Response, Server};

/// Requests answered at a time; the function makes dozens at a time.
const THREADS: usize = 4;

/// Serves for as long as the process lives; the address to call.
///
/// # Panics
/// If there is no free loopback port.
pub fn serve() -> String {
    let server = Arc::new(Server::http("127.0.0.1:0").expect("a free loopback port"));
    let address = server.server_addr().to_ip().expect("an address");
    for _ in 0..THREADS {
        let server = Arc::clone(&server);
        std::thread::spawn(move || server.incoming_requests().for_each(answer));
    }
    format!("http://{address}")
}

fn answer(mut request: Request) {
    let target = request.headers().iter().find(|header| header.field.equiv("X-Amz-Target"));
    let action = target.map(|header| header.value.as_str().rsplit('.').next().unwrap_or_default());
    let action = action.unwrap_or_default().to_owned();
    let mut body = String::new();
    // Nobody but our own function asks here.
    request.as_reader().read_to_string(&mut body).expect("text");
    let (kind, body) = match action.as_str() {
        "UpdateItem" => {
            let asked = serde_json::from_str(&body).expect("JSON");
            ("application/x-amz-json-1.0", json!({ "Attributes": updated(&asked) }).to_string())
        }
        "GetItem" => ("application/x-amz-json-1.0", "{}".to_owned()),
        "Query" => {
            let none = json!({ "Items": [], "Count": 0, "ScannedCount": 0 });
            ("application/x-amz-json-1.0", none.to_string())
        }
        "GetSecretValue" => {
            let secret = r#"{"id":1,"passphrase":"nothing but a bench"}"#;
            let value =
                json!({ "ARN": "a", "Name": "n", "VersionId": "v", "SecretString": secret });
            ("application/x-amz-json-1.1", value.to_string())
        }
        // S3 lists no overrides.
        _ => ("application/xml", "<ListBucketResult></ListBucketResult>".to_owned()),
    };
    let kind = Header::from_bytes("Content-Type", kind).expect("a header");
    // A function that has ended takes no answer.
    let _ = request.respond(Response::from_string(body).with_header(kind));
}

/// The item after the `SET` of an UpdateItem request, its version 1.
fn updated(asked: &Value) -> Value {
    let (names, values) = (&asked["ExpressionAttributeNames"], &asked["ExpressionAttributeValues"]);
    let update = asked["UpdateExpression"].as_str().unwrap_or_default();
    let set = update.strip_prefix("SET ").and_then(|rest| rest.split(" REMOVE ").next());
    let set = set.and_then(|rest| rest.split(" ADD ").next()).unwrap_or_default();
    let one = |term: &str| {
        let (name, value) = term.split_once(" = ")?;
        Some((names[name].as_str()?.to_owned(), values[value].clone()))
    };
    let mut item: Map<String, Value> = set.split(", ").filter_map(one).collect();
    item.extend(asked["Key"].as_object().cloned().unwrap_or_default());
    item.insert("v".to_owned(), json!({ "N": "1" }));
    Value::Object(item)
}
