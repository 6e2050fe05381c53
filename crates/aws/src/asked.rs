//! A request as errors speak of it: of whom, what, about which resource.

/// Whom a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    DynamoDb,
    Sns,
    Sqs,
    S3,
    SecretsManager,
    Kinesis,
    Logs,
    CloudFormation,
    CloudWatch,
    Lambda,
}

impl Service {
    /// What its resources are called.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Service::DynamoDb => "table",
            Service::Sns => "topic",
            Service::Sqs => "queue",
            Service::S3 => "object",
            Service::SecretsManager => "secret",
            Service::Kinesis => "stream",
            Service::Logs => "log group",
            Service::CloudFormation => "stack",
            Service::CloudWatch => "metrics",
            Service::Lambda => "function",
        }
    }

    /// The prefix of its actions in policies.
    pub(crate) fn actions(self) -> &'static str {
        match self {
            Service::DynamoDb => "dynamodb",
            Service::Sns => "sns",
            Service::Sqs => "sqs",
            Service::S3 => "s3",
            Service::SecretsManager => "secretsmanager",
            Service::Kinesis => "kinesis",
            Service::Logs => "logs",
            Service::CloudFormation => "cloudformation",
            Service::CloudWatch => "cloudwatch",
            Service::Lambda => "lambda",
        }
    }
}

/// Which request failed, for the messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// Whom.
    pub service: Service,
    /// The API's name of it.
    pub operation: &'static str,
    /// What it is about: the table's name, the topic's or the secret's ARN, `bucket/key`.
    pub resource: &'a str,
}

/// `UpdateItem on table `state``.
impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {} `{}`", self.operation, self.service.noun(), self.resource)
    }
}
