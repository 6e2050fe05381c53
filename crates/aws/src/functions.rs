//! What Lambda functions run on, as Lambda says now: what no log says, and dollars depend on.

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use tidewatch_core::table_store::table::Pace;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::stack::PATIENCE;

/// What a function runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunsOn {
    /// `x86_64` or `arm64`; the first is meant where Lambda leaves it out.
    pub architecture: String,
    /// Its ephemeral storage, in MB; `None` where Lambda leaves it out.
    pub storage_mb: Option<i32>,
}

/// The functions of an account and Region.
#[derive(Clone, Debug)]
pub struct Functions {
    client: Client,
    pace: TokioPace,
}

impl Functions {
    /// Sends nothing yet.
    pub fn new(config: &SdkConfig, pace: TokioPace) -> Functions {
        Functions { client: client::lambda(config), pace }
    }

    /// What the newest code of a function runs on.
    ///
    /// # Errors
    /// If Lambda does not tell, or there is no such function any more.
    pub async fn runs_on(&self, name: &str) -> Result<RunsOn, Failure> {
        let operation = "GetFunctionConfiguration";
        let asked = Asked { service: Service::Lambda, operation, resource: name };
        let ask = || async {
            let request = self.client.get_function_configuration().function_name(name);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let deadline = self.pace.now().plus(PATIENCE);
        let answer = insist(asked, &self.pace, deadline, ask).await.answer?;
        let architecture = answer.architectures().first().map_or("x86_64", |it| it.as_str());
        Ok(RunsOn {
            architecture: architecture.to_owned(),
            storage_mb: answer.ephemeral_storage().map(|storage| storage.size()),
        })
    }
}
