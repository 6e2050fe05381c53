//! The second seam: where findings go. Standard output and SNS outside, a `Vec` in tests.

use std::future::Future;

use crate::finding::Finding;

/// Takes findings.
pub trait AlertSink: Send + Sync {
    /// Publishes one message. Returning `Ok` means it left: the episode is then marked so.
    fn publish(&mut self, finding: &Finding) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// A finding did not leave.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// Nobody reads any more (a broken pipe): stop, without complaint.
    #[error("nobody reads the findings any more")]
    Closed,
    /// It may work later.
    #[error("a finding could not be published: {0}")]
    Failed(String),
}

/// Keeps findings, for tests.
impl AlertSink for Vec<Finding> {
    async fn publish(&mut self, finding: &Finding) -> Result<(), SinkError> {
        self.push(finding.clone());
        Ok(())
    }
}
