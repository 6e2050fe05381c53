//! What the function says: JSON, one object a line, on standard output, where Lambda takes it into the
//! log group. ERROR means that somebody must act; nothing of a log that is watched is ever repeated.

use std::io::Write;

use serde_json::{Map, Value, json};

/// Something somebody must act on. `what` is a fixed name, `why` a sentence that says what to do.
pub fn error(what: &str, why: impl std::fmt::Display) {
    say(&json!({ "level": "ERROR", "message": what, "why": why.to_string() }));
}

/// Something worth knowing.
pub fn info(what: &str, why: impl std::fmt::Display) {
    say(&json!({ "level": "INFO", "message": what, "why": why.to_string() }));
}

/// A summary: `document` with its level and name.
pub fn summary(what: &str, mut document: Map<String, Value>) {
    document.insert("level".to_owned(), json!("INFO"));
    document.insert("message".to_owned(), json!(what));
    say(&Value::Object(document));
}

fn say(line: &Value) {
    // Where the log cannot be written there is nowhere to complain.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
