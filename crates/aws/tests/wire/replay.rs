//! An HTTP client that sends nothing: it notes each request and answers what it was given, in order,
//! and after that never.
//!
//! Not the SDK's own one: its `test-util` feature turns on serde_json's `preserve_order`, and cargo
//! would then build the whole workspace's tests with JSON that the shipped binary does not write.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::RuntimeComponents;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;
use tidewatch_aws::client::local;

/// A request as it would have gone out.
#[derive(Clone, Debug)]
pub struct Sent {
    /// GET, PUT or POST.
    pub method: String,
    /// Where to.
    pub uri: String,
    /// The operation's name, for services that put it in a header.
    pub operation: String,
    /// The body.
    pub body: String,
}

impl Sent {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// The body as the fields of a form.
    pub fn form(&self) -> BTreeMap<String, String> {
        let pairs = self.body.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (plain(name), plain(value))).collect()
    }
}

/// Undoes the escapes of a form.
fn plain(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8(digits).expect("ASCII");
                u8::from_str_radix(&digits, 16).expect("two hexadecimal digits")
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}

/// The client; clones share what they note.
#[derive(Clone, Debug)]
pub struct Replay {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

/// One that answers JSON.
pub fn replay(answers: &[(u16, Value)]) -> Replay {
    Replay::of(answers.iter().map(|(status, body)| (*status, body.to_string())))
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

    /// A configuration that reaches this one and nothing else.
    pub fn config(&self) -> SdkConfig {
        local("http://127.0.0.1:9").into_builder().http_client(self.clone()).build()
    }
}

impl HttpConnector for Replay {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let sent = Sent {
            method: request.method().to_owned(),
            uri: request.uri().to_owned(),
            operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
        };
        self.sent.lock().expect("nobody panics inside").push(sent);
        match self.answers.lock().expect("nobody panics inside").pop_front() {
            None => HttpConnectorFuture::new(std::future::pending()),
            Some((status, body)) => {
                let status = status.try_into().expect("a status");
                let length = body.len().to_string();
                let mut answer = HttpResponse::new(status, SdkBody::from(body));
                answer.headers_mut().insert("content-length", length);
                HttpConnectorFuture::ready(Ok(answer))
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
