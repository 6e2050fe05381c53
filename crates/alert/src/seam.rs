//! The least of what a publisher needs: attributes and a readable text.

use serde_json::Value as Json;
use tidewatch_core::detector::Severity;
use tidewatch_core::finding::{Activity, Finding};

/// What a document says of where it was made.
#[derive(Clone, Debug)]
pub struct Context {
    /// Tidewatch's own version.
    pub version: &'static str,
    /// The Region, for links.
    pub region: Option<String>,
    /// Whether the logs were made up.
    pub simulated: bool,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its value, as text.
    pub value: String,
    /// Whether the value is a number.
    pub is_number: bool,
}

/// A readable message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Below 100 characters of ASCII.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// A context of which only the version is known.
impl From<&'static str> for Context {
    fn from(version: &'static str) -> Context {
        Context { version, region: None, simulated: false }
    }
}

impl From<&Context> for Context {
    fn from(context: &Context) -> Context {
        context.clone()
    }
}

/// The OCSF document.
pub fn ocsf(finding: &Finding, context: impl Into<Context>) -> Json {
    crate::ocsf::ocsf(finding, context.into().version)
}

/// What subscribers filter by.
pub fn attributes(finding: &Finding, context: &Context) -> Vec<Attribute> {
    let text = |name, value: &str| Attribute { name, value: value.to_owned(), is_number: false };
    let severity = match finding.severity {
        Severity::Informational => "informational",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    };
    let activity = match finding.activity {
        Activity::Create => "create",
        Activity::Update => "update",
        Activity::Close => "close",
    };
    let id = (finding.severity as u8).to_string();
    vec![
        text("schema", "ocsf-1.6.0"),
        text("detector", &finding.detector),
        text("category", "credential"),
        text("severity", severity),
        Attribute { name: "severity_id", value: id, is_number: true },
        text("activity", activity),
        text("finding_uid", &finding.uid),
        text("simulated", if context.simulated { "true" } else { "false" }),
    ]
}

/// The readable message.
pub fn notice(finding: &Finding, _: &Context) -> Notice {
    let subject = format!("Tidewatch: {}", finding.detector);
    Notice { subject, body: crate::text::text(finding) }
}
