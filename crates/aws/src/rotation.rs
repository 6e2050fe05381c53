//! A new key in the place of the old one: Secrets Manager's four steps.

use tidewatch_core::time::Time;

use crate::failure::Failure;
use crate::pace::TokioPace;
use crate::secret::{SecretError, SecretSource};

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `createSecret`.
    Create,
    /// `setSecret`.
    Set,
    /// `testSecret`.
    Test,
    /// `finishSecret`.
    Finish,
}

/// A rotation does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// Secrets Manager does not do its part; says what to do.
    #[error(transparent)]
    Service(#[from] Failure),
    /// A value is not one of ours.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Step {
    /// Reads the `Step` of the event.
    pub fn from_name(name: &str) -> Option<Step> {
        match name {
            "createSecret" => Some(Step::Create),
            "setSecret" => Some(Step::Set),
            "testSecret" => Some(Step::Test),
            "finishSecret" => Some(Step::Finish),
            _ => None,
        }
    }
}

/// Does one step of the rotation that is known by `token` (the event's `ClientRequestToken`), trying
/// until `deadline` on the clock of `pace`. A step that was done already is done again without effect.
///
/// # Errors
/// If the step cannot be done now, or must not be.
pub async fn rotate(
    source: &SecretSource,
    step: Step,
    token: &str,
    pace: &TokioPace,
    deadline: Time,
) -> Result<(), RotationError> {
    todo!()
}
