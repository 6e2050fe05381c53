//! The least a Lambda function in Rust can be: the runtime and a handler that does nothing. The peer of
//! the cold start bench.

use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(|event: LambdaEvent<serde::de::IgnoredAny>| async move {
        let _ = event;
        Ok::<(), lambda_runtime::Error>(())
    }))
    .await
}
