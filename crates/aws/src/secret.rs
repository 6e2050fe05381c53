//! The key of the tags, in Secrets Manager.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use tidewatch_core::key_ring::KeyRing;
use tidewatch_core::time::Time;

use crate::failure::Failure;
use crate::pace::TokioPace;

/// One secret.
#[derive(Clone, Debug)]
pub struct SecretSource {
    pub(crate) client: Client,
    pub(crate) arn: String,
}

/// There is no key to be had. No text of it holds any part of the secret's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager does not give it; says what to do.
    #[error(transparent)]
    Service(#[from] Failure),
    /// Its value is not one of ours.
    #[error(
        "the value of secret `{arn}` is no key of this version: {why}; put a value like {{\"id\":1,\"passphrase\":\"…\"}} there, with at least 16 characters"
    )]
    Malformed {
        /// Which secret.
        arn: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl SecretSource {
    /// The secret `arn`. Sends nothing yet.
    pub fn new(config: &SdkConfig, arn: String) -> SecretSource {
        SecretSource { client: crate::client::secrets(config), arn }
    }

    /// The keys as they are now, trying until `deadline`.
    ///
    /// # Errors
    /// If there is no secret, if it may not be read, or if it holds something else.
    pub async fn fetch(&self, pace: &TokioPace, deadline: Time) -> Result<KeyRing, SecretError> {
        Ok(self.fetch_dated(pace, deadline).await?.0)
    }

    /// The same, with the time when the current key was made, where Secrets Manager says so.
    ///
    /// # Errors
    /// As [`SecretSource::fetch`].
    pub async fn fetch_dated(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(KeyRing, Option<Time>), SecretError> {
        todo!()
    }
}
