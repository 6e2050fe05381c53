//! A deployed stack, as CloudFormation tells of it: its outputs and parameters.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::Span;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;

/// How long an operator's request is tried, with what may pass waited out.
pub(crate) const PATIENCE: Span = Span::seconds(90);

/// A stack of infra/template.yaml.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// What CloudFormation says of its state, as `UPDATE_COMPLETE`.
    pub status: String,
    /// What it tells, by name.
    pub outputs: BTreeMap<String, String>,
    /// What it was asked for, by name.
    pub parameters: BTreeMap<String, String>,
}

/// It is there, and is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StackError {
    /// CloudFormation does not tell.
    #[error(transparent)]
    Service(#[from] Failure),
    /// Another template's.
    #[error(
        "stack `{stack}` has no output `{output}`: it is not one of infra/template.yaml, or its deployment has not \
         ended; name Tidewatch's stack"
    )]
    NoOutput {
        /// Which stack.
        stack: String,
        /// What it lacks.
        output: &'static str,
    },
}

impl Stack {
    /// Asks for the stack `name`.
    ///
    /// # Errors
    /// If CloudFormation does not tell.
    pub async fn describe(
        config: &SdkConfig,
        name: &str,
        pace: &TokioPace,
    ) -> Result<Stack, StackError> {
        let client = client::cloudformation(config);
        let asked =
            Asked { service: Service::CloudFormation, operation: "DescribeStacks", resource: name };
        let ask = || async {
            let request = client.describe_stacks().stack_name(name);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let insisted = insist(asked, pace, pace.now().plus(PATIENCE), ask).await;
        let answer = insisted.answer?;
        let Some(stack) = answer.stacks().first() else {
            return Err(asked.incomplete("stack").into());
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let outputs = stack.outputs().iter();
        let parameters = stack.parameters().iter();
        Ok(Stack {
            name: name.to_owned(),
            status: stack.stack_status().map_or("", |status| status.as_str()).to_owned(),
            outputs: outputs
                .map(|output| (text(output.output_key()), text(output.output_value())))
                .collect(),
            parameters: parameters
                .map(|one| (text(one.parameter_key()), text(one.parameter_value())))
                .collect(),
        })
    }

    /// An output that every stack of ours has.
    ///
    /// # Errors
    /// If this one has not.
    pub fn output(&self, output: &'static str) -> Result<&str, StackError> {
        let found = self.outputs.get(output).map(String::as_str);
        found.ok_or_else(|| StackError::NoOutput { stack: self.name.clone(), output })
    }

    /// The name of its subscription filters.
    pub fn filter_name(&self) -> &str {
        self.parameters.get("SubscriptionFilterName").map_or("tidewatch", String::as_str)
    }

    /// The log groups that it writes itself, never to be read by it.
    ///
    /// # Errors
    /// If it is none of ours.
    pub fn own_groups(&self) -> Result<[&str; 2], StackError> {
        Ok([self.output("DetectorLogGroup")?, self.output("RotationLogGroup")?])
    }
}
