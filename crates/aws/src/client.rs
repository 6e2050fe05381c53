//! How AWS is reached: one HTTP client with one TLS stack, timeouts, and no retries.
//!
//! Retries are off because the store above has a deadline and the SDK has not: three hidden attempts
//! of an SDK would outlive a Lambda's last second, and would hide that a write may have been applied.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// How long a connection may take to come about, TLS included. Inside a Region it takes milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a request may take as a whole. DynamoDB answers in milliseconds; what takes this long is
/// lost, and a fresh request is the better bet.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(3);

/// What the environment says: Region, credentials, and `AWS_ENDPOINT_URL` or
/// `AWS_ENDPOINT_URL_DYNAMODB` where one is set
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>).
pub async fn from_environment() -> SdkConfig {
    aws_config::defaults(behavior()).http_client(https()).load().await
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
        .build()
}

/// A DynamoDB client for `config`. Its HTTP client is used where it has one, else one is made; its
/// retries and timeouts are not used.
pub fn client(config: &SdkConfig) -> Client {
    let http = config.http_client().unwrap_or_else(https);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let built = Builder::from(config)
        .behavior_version(behavior())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .http_client(http)
        .build();
    Client::from_conf(built)
}

/// The SDK's defaults of this date; the lock file keeps them what they were when tested.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::latest()
}

/// The one TLS stack: rustls over ring, with the system's certificates.
fn https() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeouts_are_ours_whatever_the_config_says() {
        let slow = TimeoutConfig::builder().operation_timeout(Duration::from_secs(900)).build();
        let config = local("http://127.0.0.1:9").into_builder().timeout_config(slow).build();
        let client = client(&config);
        let timeouts = client.config().timeout_config().expect("timeouts");
        assert_eq!(timeouts.operation_timeout(), Some(OPERATION_TIMEOUT));
        assert_eq!(timeouts.connect_timeout(), Some(CONNECT_TIMEOUT));
    }
}
