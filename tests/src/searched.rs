//! The local cloud's CloudWatch Logs as AWS searches them: FilterLogEvents with patterns of phrases, any of which is
//! enough, and in pages. The local cloud has neither; all else is passed on to it.
//!
//! The syntax is that of
//! [AWS's page](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tiny_http::{Header, Request, Response, Server};

use crate::cloud::Cloud;
use crate::ministack::Ministack;

/// Events of one page: few, so that there are several of what tests write.
const PAGE: usize = 3;

/// A server before a local cloud.
pub struct Searched {
    server: Arc<Server>,
    asked: Arc<Mutex<Vec<Value>>>,
    thread: Option<JoinHandle<()>>,
}

impl Searched {
    /// Starts it.
    ///
    /// # Panics
    /// If there is no free loopback port.
    pub fn start(cloud: &Ministack) -> Searched {
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a free loopback port"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let behind = cloud.endpoint().trim_start_matches("http://").to_owned();
        let (serving, noting) = (Arc::clone(&server), Arc::clone(&asked));
        let root = Cloud::start(cloud);
        let thread = std::thread::spawn(move || {
            for request in serving.incoming_requests() {
                answer(request, &behind, &root, &noting);
            }
        });
        Searched { server, asked, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.server_addr())
    }

    /// What FilterLogEvents was asked for since the last look.
    ///
    /// # Panics
    /// If it has failed.
    pub fn asked(&self) -> Vec<Value> {
        std::mem::take(&mut *self.asked.lock().expect("it goes on"))
    }
}

impl Drop for Searched {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut request: Request, behind: &str, root: &Cloud, asked: &Mutex<Vec<Value>>) {
    let mut body = String::new();
    request.as_reader().read_to_string(&mut body).expect("a request of text");
    let target = request.headers().iter().find(|header| header.field.equiv("X-Amz-Target"));
    let is_search = target.is_some_and(|it| it.value.as_str().ends_with(".FilterLogEvents"));
    // As it is, for it is signed; so whoever may not ask is told.
    let mut passed = passed_on(&request, behind, &body);
    if is_search && passed.status == 200 {
        let wanted: Value = serde_json::from_str(&body).expect("JSON");
        let mut all = wanted.clone();
        for field in ["filterPattern", "nextToken", "limit"] {
            all.as_object_mut().expect("an object").remove(field);
        }
        passed.text = page(&wanted, &root.must("logs", "FilterLogEvents", all));
        asked.lock().expect("it goes on").push(wanted);
    }
    let Passed { status, headers, text } = passed;
    let mut response = Response::from_string(text).with_status_code(status);
    for header in headers {
        response.add_header(header);
    }
    // The asker may be gone.
    let _ = request.respond(response);
}

/// An answer of the local cloud.
struct Passed {
    status: u16,
    headers: Vec<Header>,
    text: String,
}

/// Whether a header is about the connection, and not the message.
fn is_between(header: &Header) -> bool {
    let between = ["Content-Length", "Connection", "Transfer-Encoding", "Date", "Server"];
    between.iter().any(|name| header.field.as_str().as_str().eq_ignore_ascii_case(name))
}

/// The local cloud's answer to a request with `body`.
fn passed_on(request: &Request, behind: &str, body: &str) -> Passed {
    let mut ask = format!("{} {} HTTP/1.0\r\n", request.method(), request.url());
    for header in request.headers().iter().filter(|header| !is_between(header)) {
        ask += &format!("{}: {}\r\n", header.field, header.value);
    }
    ask += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    let mut stream = TcpStream::connect(behind).expect("the local cloud");
    stream.write_all(ask.as_bytes()).expect("it listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let headers = head.lines().skip(1).map(|line| line.parse::<Header>().expect("a header"));
    let headers = headers.filter(|header| !is_between(header)).collect();
    Passed { status: status.expect("a status"), headers, text: text.to_owned() }
}

/// A page of all events that were `found`.
fn page(wanted: &Value, found: &Value) -> String {
    let phrases = phrases(wanted["filterPattern"].as_str().unwrap_or_default());
    let fits = |event: &&Value| {
        let message = event["message"].as_str().unwrap_or_default();
        phrases.is_empty() || phrases.iter().any(|phrase| message.contains(phrase))
    };
    let all: Vec<&Value> =
        found["events"].as_array().expect("events").iter().filter(fits).collect();
    let from: usize = wanted["nextToken"].as_str().map_or(0, |token| token.parse().expect("ours"));
    let limit = wanted["limit"].as_u64().map_or(PAGE, |limit| PAGE.min(limit as usize));
    let until = all.len().min(from + limit);
    let token = (until < all.len()).then(|| until.to_string());
    json!({ "events": all[from..until], "nextToken": token }).to_string()
}

/// The phrases of a pattern `?"one" ?"another"`.
fn phrases(pattern: &str) -> Vec<&str> {
    let parts: Vec<&str> = pattern.split('"').collect();
    let is_optional = |part: &&str| part.trim() == "?";
    assert!(parts.iter().step_by(2).filter(|part| !part.is_empty()).all(is_optional), "{pattern}");
    parts.into_iter().skip(1).step_by(2).collect()
}
