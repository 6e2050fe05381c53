//! Scores a file laid out like the unit tests of Panther's rules: a JSON line a test, with the `log_type`
//! and the event itself as `log`.
//!
//! The events were written for other people's rules, so they say nothing about logins by themselves. Which
//! of them are authentication events, and of whom, from where and with what end, is told by a table of
//! each service's documented fields ([`services`]), which knows nothing of our formats. Each event is then
//! heard as one line, and what is heard is compared with the table.

pub mod score;
pub mod services;
pub mod truth;

use serde_json::Value;

/// One test of a rule.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whose event it is, as Panther names it.
    pub log_type: String,
    /// The test's name.
    pub test: String,
    /// The event.
    pub log: Value,
}

/// The events in the text of a file.
///
/// # Errors
/// At the first line that is no JSON object with both fields; says which.
pub fn events(text: &str) -> Result<Vec<Event>, String> {
    let mut events = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let json: Value =
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))?;
        let (Some(log_type), true) = (json["log_type"].as_str(), json["log"].is_object()) else {
            return Err(format!("line {}: no `log_type`, or no object `log`", at + 1));
        };
        let test = json["test"].as_str().unwrap_or_default().to_owned();
        events.push(Event { log_type: log_type.to_owned(), test, log: json["log"].clone() });
    }
    Ok(events)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_line_that_is_no_test_is_named() {
        let good = r#"{"log_type": "X", "test": "t", "log": {"a": 1}, "expected": true}"#;
        let found = events(&format!("{good}\n\n{good}\n")).expect("two events");
        assert_eq!((found.len(), found[1].test.as_str()), (2, "t"));
        for bad in ["{", "{}", r#"{"log_type": "X", "log": "text"}"#] {
            let error = events(&format!("{good}\n{bad}\n")).expect_err("no test");
            assert!(error.starts_with("line 2: "), "{error}");
        }
    }
}
