//! What a person does about an error that no retry mends: which permission is missing on what, what does
//! not exist, which key is switched off.

use crate::asked::{Asked, Service};
use crate::permission;

/// Who we say we are is not believed.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSecurityException",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// We are believed, and may not.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "KMSAccessDenied",
    "KMSAccessDeniedException",
];

/// S3 knows the bucket, but not here.
const ELSEWHERE: &[&str] =
    &["AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"];

/// What to do about the error `code` of `asked`, whose text is `message`.
pub(crate) fn advice(asked: Asked<'_>, code: &str, message: &str) -> String {
    let Asked { service, resource, .. } = asked;
    let noun = service.noun();
    if CREDENTIALS.contains(&code) {
        return "check the credentials, and that the clock is right".to_owned();
    }
    if DENIED.contains(&code) {
        let to_add = permission::to_add(message).map_or(String::new(), |how| format!("; {how}"));
        return denied(asked, code, message) + &to_add;
    }
    if is_of_kms(code) {
        return format!(
            "the KMS key of {noun} `{resource}` is disabled, waits for its deletion, or is gone: \
             enable it, or give the {noun} another"
        );
    }
    match service {
        Service::DynamoDb => of_table(resource, code),
        Service::Sns => of_topic(resource, code),
        Service::Sqs => format!("check queue `{resource}` in SQS"),
        Service::S3 => of_object(resource, code),
        Service::SecretsManager => of_secret(resource, code, message),
        Service::Kinesis => of_stream(resource, code),
        Service::Logs => of_log_group(resource, code),
        Service::CloudFormation => format!(
            "there is no stack `{resource}` in this account and Region, or it cannot be asked for: check its \
             name and the Region"
        ),
        Service::CloudWatch => "report it: CloudWatch does not take this request".to_owned(),
        Service::Lambda => format!(
            "there is no such function or event source mapping (`{resource}`): deploy the stack again"
        ),
    }
}

/// Codes that tell of a key's state. SNS has names of its own for these, S3 writes `KMS.` before KMS's,
/// Secrets Manager has one for reading and one for writing.
fn is_of_kms(code: &str) -> bool {
    code.starts_with("KMS") || matches!(code, "DecryptionFailure" | "EncryptionFailure")
}

/// Where KMS refuses on the service's behalf, AWS puts `kms:` and the action, or just KMS, in the text.
fn denied(asked: Asked<'_>, code: &str, message: &str) -> String {
    let Asked { service, operation, resource } = asked;
    let (noun, actions) = (service.noun(), service.actions());
    let kms = match service {
        Service::Sns | Service::S3 if operation != "GetObject" => {
            "kms:GenerateDataKey and kms:Decrypt"
        }
        Service::SecretsManager if operation == "PutSecretValue" => {
            "kms:GenerateDataKey and kms:Decrypt"
        }
        _ => "kms:Decrypt",
    };
    if code.starts_with("KMS") || message.contains("KMS") || message.contains("kms:") {
        return format!(
            "allow the role {kms} on the KMS key of {noun} `{resource}`, in its policy and the key's"
        );
    }
    match service {
        Service::DynamoDb => format!(
            "allow the role dynamodb:{operation} on table `{resource}` and its index `due`, and \
             the use of the table's KMS key where it has one"
        ),
        Service::S3 if operation == "ListObjectsV2" => {
            let bucket = resource.split('/').next().unwrap_or(resource);
            format!("allow the role s3:ListBucket on bucket `{bucket}`")
        }
        Service::S3 if operation == "GetObject" => format!(
            "allow the role s3:GetObject on `{resource}`, {kms} on the bucket's KMS key where it has \
             one, and s3:ListBucket on the bucket: without that, S3 says this of an object that does \
             not exist"
        ),
        Service::Logs
        | Service::CloudFormation
        | Service::CloudWatch
        | Service::Lambda
        | Service::Sqs => {
            format!("allow {actions}:{operation} on {noun} `{resource}`")
        }
        _ => format!(
            "allow the role {actions}:{operation} on {noun} `{resource}`, and {kms} on its KMS key \
             where it has one"
        ),
    }
}

fn of_table(table: &str, code: &str) -> String {
    match code {
        "ResourceNotFoundException" => format!(
            "there is no table `{table}` (with an index `due`) in this account and Region: create \
             it, or correct its name or the Region"
        ),
        "ResourceInUseException" => {
            format!("table `{table}` exists or is being changed: use another name, or wait")
        }
        _ => format!(
            "table `{table}` does not fit this version's schema, or this version is at fault: \
             compare its keys with the ones documented, and report it if they agree"
        ),
    }
}

fn of_stream(stream: &str, code: &str) -> String {
    match code {
        "ResourceNotFoundException" => format!(
            "there is no stream `{stream}`, or no such shard of it, in this account and Region: correct its \
             name or the Region"
        ),
        "ResourceInUseException" => {
            format!("stream `{stream}` is being made or deleted: wait until it is ACTIVE")
        }
        _ => format!("check stream `{stream}` in Kinesis, and report it if it is ACTIVE"),
    }
}

fn of_log_group(group: &str, code: &str) -> String {
    match code {
        "ResourceNotFoundException" => {
            format!("there is no log group `{group}` in this account and Region: check its name")
        }
        "LimitExceededException" => format!(
            "log group `{group}` has two subscription filters already, which is all that CloudWatch Logs \
             allows: remove one, or subscribe the whole account with --account"
        ),
        "InvalidParameterException" => format!(
            "CloudWatch Logs could not send a test record for `{group}`: check that the stream is there and \
             that the role may put records on it and use its KMS key"
        ),
        _ => format!("check log group `{group}` in CloudWatch Logs"),
    }
}

fn of_topic(topic: &str, code: &str) -> String {
    match code {
        "NotFound" | "NotFoundException" => format!(
            "there is no topic `{topic}`: it was deleted, or belongs to another Region than the one \
             that was asked. Create it again under its old name, subscriptions too, or deploy the \
             stack again"
        ),
        _ => format!(
            "SNS does not take this message for topic `{topic}`: check that the ARN is a standard \
             topic's, and report it if it is"
        ),
    }
}

fn of_object(resource: &str, code: &str) -> String {
    let bucket = resource.split('/').next().unwrap_or(resource);
    match code {
        "NoSuchBucket" => {
            format!("there is no bucket `{bucket}`: correct its name, or create it, in this Region")
        }
        "NoSuchKey" => format!("there is no object `{resource}`"),
        code if ELSEWHERE.contains(&code) => {
            format!("bucket `{bucket}` is in another Region: use one in the Region of the function")
        }
        _ => format!("check bucket `{bucket}`, its policy and its object lock"),
    }
}

fn of_secret(secret: &str, code: &str, message: &str) -> String {
    match code {
        "ResourceNotFoundException" => format!(
            "there is no secret `{secret}` with such a version in this account and Region: create \
             it, or correct its ARN"
        ),
        "InvalidRequestException" if message.contains("deletion") => format!(
            "secret `{secret}` is to be deleted: restore it (`aws secretsmanager restore-secret`), \
             before its recovery window ends; without it usernames cannot be counted"
        ),
        _ => format!("check the state of secret `{secret}` in Secrets Manager"),
    }
}
