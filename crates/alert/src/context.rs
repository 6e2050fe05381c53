//! What a finding does not know itself: who tells it, and from where.

use tidewatch_core::finding::Finding;
use tidewatch_core::signal::Origin;

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
    /// Whether the log events behind `finding` were made up: all of this teller's are, or all of which it
    /// has samples come from a rehearsal. A real event among them makes it a real finding.
    pub fn is_simulated(&self, finding: &Finding) -> bool {
        let of_rehearsal = |sample: &Origin| sample.stream.is_simulated();
        self.simulated || (!finding.samples.is_empty() && finding.samples.iter().all(of_rehearsal))
    }

    /// A message that is made on one machine.
    pub fn embedded(version: &'static str) -> Context {
        Context { version, region: None, simulated: false }
    }
}
