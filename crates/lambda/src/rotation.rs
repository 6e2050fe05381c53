//! The rotation function: one step of the replacement of the tag key, as Secrets Manager asks for it.

use std::time::SystemTime;

use anyhow::{Context, Result};
use tidewatch_aws::TokioPace;
use tidewatch_aws::client::SdkConfig;
use tidewatch_aws::rotation::{self, Step};
use tidewatch_aws::secret::SecretSource;

use crate::event::RotationStep;
use crate::log;
use crate::settings::until;

/// Does the step until `deadline`.
///
/// # Errors
/// If it cannot be done; Secrets Manager tries again, and shows the reason.
pub async fn rotate(config: &SdkConfig, step: RotationStep, deadline: SystemTime) -> Result<()> {
    let RotationStep { step: name, secret, token } = step;
    let done = async {
        let step = Step::from_name(&name)
            .with_context(|| format!("`{name}` is no step of a rotation of Secrets Manager's"))?;
        let pace = TokioPace::start()?;
        let deadline = until(&pace, deadline);
        rotation::rotate(&SecretSource::new(config, secret), step, &token, &pace, deadline).await?;
        anyhow::Ok(())
    }
    .await;
    match &done {
        Ok(()) => log::info("rotation", format_args!("{name} is done")),
        Err(error) => log::error("rotation_failed", format_args!("{name}: {error:#}")),
    }
    done
}
