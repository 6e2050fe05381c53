//! How AWS is reached: one HTTP client with one TLS stack for all services, timeouts, and no retries.
//!
//! Retries are off because everything here has a deadline and the SDK has not: three hidden attempts
//! of an SDK would outlive a Lambda's last second, and would hide that a write may have been applied.
//! Nothing here sends anything, or waits: clients are cheap to make.

use std::time::Duration;

pub use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};

use crate::roots::{Roots, RootsError};

/// How long a connection may take to come about, TLS included. Inside a Region it takes milliseconds.
/// The same for all services, so that they share one connector and its parsed certificates.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a request to DynamoDB may take as a whole. It answers in milliseconds; what takes this
/// long is lost, and a fresh request is the better bet.
pub const DYNAMODB_TIMEOUT: Duration = Duration::from_secs(3);

/// The same for SNS, which answers in tens of milliseconds.
pub const SNS_TIMEOUT: Duration = Duration::from_secs(3);

/// The same for S3, where a request may carry some megabytes.
pub const S3_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for Secrets Manager, which decrypts with KMS on the way.
pub const SECRETS_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for Kinesis, where a request may carry 10 MiB.
pub const KINESIS_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for the services that operators ask: CloudFormation, CloudWatch, CloudWatch Logs, Lambda,
/// SQS.
pub const OPERATOR_TIMEOUT: Duration = Duration::from_secs(20);

/// What the environment says: Region, credentials, `AWS_ENDPOINT_URL` or `AWS_ENDPOINT_URL_<SERVICE>`
/// where one is set (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>), and
/// the certificates of `AWS_CA_BUNDLE` in the place of those that come with the program.
///
/// # Errors
/// If `AWS_CA_BUNDLE` names a file without certificates. What is missing otherwise is told by the
/// first request.
pub async fn from_environment() -> Result<SdkConfig, RootsError> {
    let http = https(&Roots::from_environment()?);
    Ok(aws_config::defaults(behavior()).http_client(http).load().await)
}

/// A local cloud at `endpoint`, such as `http://127.0.0.1:4566`. The credentials are no secret: they
/// only fill the place of some.
pub fn local(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("local", "local", None, None, "a local cloud");
    SdkConfig::builder()
        .behavior_version(behavior())
        .endpoint_url(endpoint)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(https(&Roots::built_in()))
        .build()
}

/// A client for DynamoDB. This one and the others reach AWS as `config` says, by its HTTP client; its
/// retries and timeouts are not used.
pub fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&within(DYNAMODB_TIMEOUT, config))
}

/// A client for SNS.
pub fn sns(config: &SdkConfig) -> aws_sdk_sns::Client {
    aws_sdk_sns::Client::new(&within(SNS_TIMEOUT, config))
}

/// A client for SQS.
pub fn sqs(config: &SdkConfig) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&within(OPERATOR_TIMEOUT, config))
}

/// A client for S3.
pub fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&within(S3_TIMEOUT, config))
}

/// A client for Secrets Manager.
pub fn secrets(config: &SdkConfig) -> aws_sdk_secretsmanager::Client {
    aws_sdk_secretsmanager::Client::new(&within(SECRETS_TIMEOUT, config))
}

/// A client for Kinesis.
pub fn kinesis(config: &SdkConfig) -> aws_sdk_kinesis::Client {
    aws_sdk_kinesis::Client::new(&within(KINESIS_TIMEOUT, config))
}

/// A client for CloudWatch Logs.
pub fn logs(config: &SdkConfig) -> aws_sdk_cloudwatchlogs::Client {
    aws_sdk_cloudwatchlogs::Client::new(&within(OPERATOR_TIMEOUT, config))
}

/// A client for CloudFormation.
pub fn cloudformation(config: &SdkConfig) -> aws_sdk_cloudformation::Client {
    aws_sdk_cloudformation::Client::new(&within(OPERATOR_TIMEOUT, config))
}

/// A client for CloudWatch.
pub fn cloudwatch(config: &SdkConfig) -> aws_sdk_cloudwatch::Client {
    aws_sdk_cloudwatch::Client::new(&within(OPERATOR_TIMEOUT, config))
}

/// A client for Lambda.
pub fn lambda(config: &SdkConfig) -> aws_sdk_lambda::Client {
    aws_sdk_lambda::Client::new(&within(OPERATOR_TIMEOUT, config))
}

/// An HTTP client that believes servers certified under `roots`: rustls over ring. It parses them when
/// it first connects.
pub fn https(roots: &Roots) -> SharedHttpClient {
    use aws_smithy_http_client::tls::Provider;
    use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(roots.context())
        .build_https()
}

fn within(operation: Duration, config: &SdkConfig) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(operation)
        .build();
    let http = config.http_client().unwrap_or_else(|| https(&Roots::built_in()));
    let ours = config.clone().into_builder();
    ours.behavior_version(behavior())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .http_client(http)
        .build()
}

/// The SDK's defaults of this date; the lock file keeps them what they were when tested.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::latest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_and_retries_are_ours_whatever_the_config_says() {
        let slow = TimeoutConfig::builder().operation_timeout(Duration::from_secs(900)).build();
        let config = local("http://127.0.0.1:9").into_builder().timeout_config(slow);
        let config = config.retry_config(RetryConfig::standard().with_max_attempts(9)).build();
        let found = [
            (dynamodb(&config).config().timeout_config().cloned(), DYNAMODB_TIMEOUT),
            (sns(&config).config().timeout_config().cloned(), SNS_TIMEOUT),
            (sqs(&config).config().timeout_config().cloned(), OPERATOR_TIMEOUT),
            (s3(&config).config().timeout_config().cloned(), S3_TIMEOUT),
            (secrets(&config).config().timeout_config().cloned(), SECRETS_TIMEOUT),
            (kinesis(&config).config().timeout_config().cloned(), KINESIS_TIMEOUT),
            (logs(&config).config().timeout_config().cloned(), OPERATOR_TIMEOUT),
            (cloudformation(&config).config().timeout_config().cloned(), OPERATOR_TIMEOUT),
            (cloudwatch(&config).config().timeout_config().cloned(), OPERATOR_TIMEOUT),
            (lambda(&config).config().timeout_config().cloned(), OPERATOR_TIMEOUT),
        ];
        for (timeouts, operation) in found {
            let timeouts = timeouts.expect("timeouts");
            assert_eq!(timeouts.operation_timeout(), Some(operation));
            assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
        }
        let retries = [
            dynamodb(&config).config().retry_config().cloned(),
            sns(&config).config().retry_config().cloned(),
            sqs(&config).config().retry_config().cloned(),
            s3(&config).config().retry_config().cloned(),
            secrets(&config).config().retry_config().cloned(),
            kinesis(&config).config().retry_config().cloned(),
            logs(&config).config().retry_config().cloned(),
            cloudformation(&config).config().retry_config().cloned(),
            cloudwatch(&config).config().retry_config().cloned(),
            lambda(&config).config().retry_config().cloned(),
        ];
        assert!(retries.iter().flatten().all(|retries| retries.max_attempts() == 1));
        assert_eq!(retries.iter().flatten().count(), 10);
    }
}
