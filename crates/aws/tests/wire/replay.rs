//! An HTTP client that sends nothing: it notes each request and answers what it was given, in order,
//! and after that never.
//!
//! Not the SDK's own one: its `test-util` feature turns on serde_json's `preserve_order`, and cargo
//! would then build the whole workspace's tests with JSON that the shipped binary does not write.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::config::RuntimeComponents;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// A request as it would have gone out.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Where to.
    pub uri: String,
    /// DynamoDB's name of the operation.
    pub operation: String,
    /// The body.
    pub body: Value,
}

/// The client; clones share what they note.
#[derive(Clone, Debug)]
pub struct Replay {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Replay {
    /// One that gives `answers`, each a status and a body.
    pub fn of(answers: impl IntoIterator<Item = (u16, String)>) -> Replay {
        let answers = Arc::new(Mutex::new(answers.into_iter().collect()));
        Replay { answers, sent: Arc::default() }
    }

    /// What was sent so far.
    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().expect("nobody panics inside").clone()
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let sent = Sent {
            uri: request.uri().to_owned(),
            operation: target.trim_start_matches("DynamoDB_20120810.").to_owned(),
            body: serde_json::from_slice(request.body().bytes().unwrap_or_default())
                .unwrap_or(Value::Null),
        };
        self.sent.lock().expect("nobody panics inside").push(sent);
        match self.answers.lock().expect("nobody panics inside").pop_front() {
            None => HttpConnectorFuture::new(std::future::pending()),
            Some((status, body)) => {
                let status = status.try_into().expect("a status");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
        }
    }
}

impl HttpClient for Replay {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
