//! What a finding does not know itself: who tells it, and from where.

/// The circumstances of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// Tidewatch's own version.
    pub version: &'static str,
    /// The AWS Region, for links; none outside AWS.
    pub region: Option<String>,
    /// Whether the log events behind it were made up.
    pub simulated: bool,
}

impl Context {
    /// A message that is made on one machine.
    pub fn embedded(version: &'static str) -> Context {
        Context { version, region: None, simulated: false }
    }
}
