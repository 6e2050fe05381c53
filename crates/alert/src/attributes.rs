//! What subscribers of a topic filter by, beside the document. No address and no name is among it.

use tidewatch_core::finding::{Activity, Finding};

use crate::context::Context;

/// Attributes of a message: SNS hands on up to 10 to a queue that takes messages raw
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>); more would lose the message.
pub const ATTRIBUTES_MAX: usize = 8;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its value, never empty.
    pub value: String,
    /// Whether filters compare it as a number.
    pub is_number: bool,
}

/// The attributes of a message about `finding`.
pub fn attributes(finding: &Finding, context: &Context) -> Vec<Attribute> {
    let text = |name, value: &str| Attribute { name, value: value.to_owned(), is_number: false };
    let activity = match finding.activity {
        Activity::Create => "create",
        Activity::Update => "update",
        Activity::Close => "close",
    };
    let severity_id = (finding.severity as u8).to_string();
    let all = vec![
        text("schema", "ocsf-1.6.0"),
        text("detector", &finding.detector),
        text("category", if finding.spending.is_some() { "cost" } else { "credential" }),
        text("severity", finding.severity.name()),
        Attribute { name: "severity_id", value: severity_id, is_number: true },
        text("activity", activity),
        text("finding_uid", &finding.uid),
        text("simulated", if context.is_simulated(finding) { "true" } else { "false" }),
    ];
    debug_assert!(all.len() <= ATTRIBUTES_MAX);
    all
}
