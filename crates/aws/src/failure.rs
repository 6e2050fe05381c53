//! What the errors of AWS's services mean: try again, ask what became of it, or give up and say what to
//! do. One classification for all of them.
//!
//! The distinction that matters is whether something may have been done. Only an answer that a service
//! documents as a refusal says that it was not; everything else, from a dropped connection to an answer
//! we cannot read, leaves it open. The pages are those of
//! [DynamoDB](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html),
//! [SNS](https://docs.aws.amazon.com/sns/latest/api/API_Publish.html#API_Publish_Errors),
//! [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) and
//! [Secrets Manager](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html#API_GetSecretValue_Errors).

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tidewatch_core::table_store::table::TableError;

use crate::advice;
use crate::asked::{Asked, Service};
use crate::item::WrongType;

/// Too busy, or in somebody else's way for a moment: refused before anything was done.
const THROTTLED: &[&str] = &[
    "KMSThrottling",
    "KMSThrottlingException",
    "LimitExceededException",
    "OperationAborted",
    "OperationAbortedException",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Not an error of the request, whatever the status of the answer says.
const UNANSWERED: &[&str] = &[
    "InternalError",
    "InternalErrorException",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

/// What is asked for is not there. A bucket that is not there is another matter: somebody must act.
const MISSING: &[&str] = &[
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchKey",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
];

/// Why a request did not do what it was for. Each text names the request and what it was about, never
/// its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The service is too busy; nothing was done.
    #[error("{0}")]
    Throttled(String),
    /// No answer came; it may have been done or not.
    #[error("{0}")]
    Unanswered(String),
    /// What it is about does not exist; says what to do.
    #[error("{0}")]
    Missing(String),
    /// What was sent is larger than the service takes; nothing was done.
    #[error("{0}")]
    TooLarge(String),
    /// It will not work however often it is tried; says what to do.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// Whether another try, or another invocation, may have more luck without anybody's doing.
    pub fn is_passing(&self) -> bool {
        matches!(self, Failure::Throttled(_) | Failure::Unanswered(_))
    }

    /// The same with another text.
    pub(crate) fn says(self, says: String) -> Failure {
        match self {
            Failure::Throttled(_) => Failure::Throttled(says),
            Failure::Unanswered(_) => Failure::Unanswered(says),
            Failure::Missing(_) => Failure::Missing(says),
            Failure::TooLarge(_) => Failure::TooLarge(says),
            Failure::Refused(_) => Failure::Refused(says),
        }
    }
}

/// In the store's words.
impl From<Failure> for TableError {
    fn from(failure: Failure) -> TableError {
        match failure {
            Failure::Throttled(says) => TableError::Throttled(says),
            Failure::Unanswered(says) => TableError::Unanswered(says),
            Failure::TooLarge(says) => TableError::TooLarge(says),
            Failure::Missing(says) | Failure::Refused(says) => TableError::Fatal(says),
        }
    }
}

impl Asked<'_> {
    /// What `error` means.
    pub(crate) fn failed<E>(self, error: &SdkError<E, HttpResponse>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let told = || format!("{self}: {}", chain(error));
        match error {
            SdkError::ConstructionFailure(_) => Failure::Refused(format!(
                "{}; nothing was sent: set a Region and credentials, in the environment or the role",
                told()
            )),
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                self.refused(status, answer.err().code(), answer.err().message(), told)
            }
            // Timeouts, dispatch failures, answers that are not the service's.
            _ => Failure::Unanswered(told()),
        }
    }

    fn refused(
        self,
        status: u16,
        code: Option<&str>,
        message: Option<&str>,
        told: impl Fn() -> String,
    ) -> Failure {
        // A success that cannot be read, or an error page of something in between, has no code.
        let Some(code) = code else { return Failure::Unanswered(told()) };
        let message = message.unwrap_or("no reason given");
        let says = format!("{self}: {code}: {message}");
        // CloudWatch Logs says this of the number of filters, which no waiting mends.
        let is_full = self.service == Service::Logs && code == "LimitExceededException";
        if (THROTTLED.contains(&code) && !is_full) || status == 429 {
            return Failure::Throttled(says);
        }
        if UNANSWERED.contains(&code) || status >= 500 {
            return Failure::Unanswered(says);
        }
        if is_too_large(code, message) {
            return Failure::TooLarge(says);
        }
        let says = format!("{says}; {}", advice::advice(self, code, message));
        if MISSING.contains(&code) { Failure::Missing(says) } else { Failure::Refused(says) }
    }

    /// An answer without what it always has: it says nothing.
    pub(crate) fn incomplete(self, missing: &str) -> Failure {
        Failure::Unanswered(format!("{self}: the answer has no {missing}"))
    }

    /// An item that we cannot have written.
    pub(crate) fn unreadable(self, wrong: &WrongType) -> TableError {
        TableError::Unusable(format!("{self}: {wrong}; remove or mend the item"))
    }
}

/// DynamoDB has no code of its own for this, only the words "Item size has exceeded the maximum
/// allowed size" and "Item size to update has exceeded the maximum allowed size"; expressions and keys
/// that are too long have other words, and are faults of ours. SNS says "Message too long".
fn is_too_large(code: &str, message: &str) -> bool {
    match code {
        "ValidationException" => {
            message.contains("Item size") && message.contains("exceeded the maximum allowed size")
        }
        "InvalidParameter" | "InvalidParameterException" => message.contains("Message too long"),
        "EntityTooLarge" => true,
        _ => false,
    }
}

/// An error and what caused it, in their own words. The SDK's own way to print one adds the answer as
/// it came, and with it what is in the item.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
