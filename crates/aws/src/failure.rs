//! What DynamoDB's errors mean for the store above: try again, ask what became of it, or give up.
//!
//! The distinction that matters is whether a write may have been applied. Only an answer that
//! DynamoDB documents as a refusal says that it was not
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>);
//! everything else, from a dropped connection to an answer we cannot read, leaves it open.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use tidewatch_core::table_store::table::TableError;

use crate::item::WrongType;

/// Too busy, or in somebody else's way for a moment: refused before anything was applied.
const THROTTLED: &[&str] = &[
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

/// Not an error of the request, whatever the status of the answer says.
const UNANSWERED: &[&str] = &[
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

/// Who we say we are is not believed.
const CREDENTIALS: &[&str] = &[
    "ExpiredTokenException",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
];

/// Which request failed, for the messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The API's name of it.
    pub operation: &'static str,
    /// The table's name.
    pub table: &'a str,
}

impl Asked<'_> {
    /// What `error` means.
    pub(crate) fn failed<E>(self, error: &SdkError<E, HttpResponse>) -> TableError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let told = || format!("{}: {}", self.name(), chain(error));
        match error {
            SdkError::ConstructionFailure(_) => TableError::Fatal(format!(
                "{}; nothing was sent: set a Region and credentials, in the environment or the role",
                told()
            )),
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                self.refused(status, answer.err().code(), answer.err().message(), told)
            }
            // Timeouts, dispatch failures, answers that are no DynamoDB's.
            _ => TableError::Unanswered(told()),
        }
    }

    fn refused(
        self,
        status: u16,
        code: Option<&str>,
        message: Option<&str>,
        told: impl Fn() -> String,
    ) -> TableError {
        // A success that cannot be read, or an error page of something in between, has no code.
        let Some(code) = code else { return TableError::Unanswered(told()) };
        let message = message.unwrap_or("no reason given");
        let says = format!("{}: {code}: {message}", self.name());
        if THROTTLED.contains(&code) || status == 429 {
            return TableError::Throttled(says);
        }
        if UNANSWERED.contains(&code) || status >= 500 {
            return TableError::Unanswered(says);
        }
        if is_too_large(code, message) {
            return TableError::TooLarge(says);
        }
        TableError::Fatal(format!("{says}; {}", self.advice(code)))
    }

    /// What to do about an error that no retry mends.
    fn advice(self, code: &str) -> String {
        let Asked { operation, table } = self;
        match code {
            "ResourceNotFoundException" => format!(
                "there is no table `{table}` (with an index `due`) in this account and Region: \
                 create it, or correct its name or the Region"
            ),
            "AccessDeniedException" => format!(
                "allow the role dynamodb:{operation} on table `{table}` and its index `due`, and \
                 the use of the table's KMS key where it has one"
            ),
            "ResourceInUseException" => {
                format!("table `{table}` exists or is being changed: use another name, or wait")
            }
            code if CREDENTIALS.contains(&code) => {
                "check the credentials, and that the clock is right".to_owned()
            }
            _ => format!(
                "table `{table}` does not fit this version's schema, or this version is at fault: \
                 compare its keys with the ones documented, and report it if they agree"
            ),
        }
    }

    fn name(self) -> String {
        format!("{} on table `{}`", self.operation, self.table)
    }

    /// An answer without what it always has: it says nothing.
    pub(crate) fn incomplete(self, missing: &str) -> TableError {
        TableError::Unanswered(format!("{}: the answer has no {missing}", self.name()))
    }

    /// An item that we cannot have written.
    pub(crate) fn unreadable(self, wrong: &WrongType) -> TableError {
        TableError::Unusable(format!("{}: {wrong}; remove or mend the item", self.name()))
    }
}

/// DynamoDB has no code of its own for this, only the words "Item size has exceeded the maximum
/// allowed size" and "Item size to update has exceeded the maximum allowed size". Expressions and
/// keys that are too long have other words, and are faults of ours.
fn is_too_large(code: &str, message: &str) -> bool {
    code == "ValidationException"
        && message.contains("Item size")
        && message.contains("exceeded the maximum allowed size")
}

/// An error and what caused it, in their own words. The SDK's own way to print one adds the answer as
/// it came, and with it what is in the item.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
