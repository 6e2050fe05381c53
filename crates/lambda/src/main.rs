//! The `bootstrap` of both functions of the stack: the detector, and the rotation of its key. The event
//! tells which one is meant. Wiring only.

use std::sync::Arc;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use tidewatch_aws::client::{self, SdkConfig};
use tidewatch_lambda::event::Event;
use tidewatch_lambda::function::Detector;
use tidewatch_lambda::settings::Settings;
use tidewatch_lambda::{log, rotation};
use tokio::sync::Mutex;

/// One execution environment: clients are made once; a detector where the settings are those of one.
struct Environment {
    config: SdkConfig,
    detector: Result<Detector, String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = Box::pin(client::from_environment())
        .await
        .inspect_err(|error| log::error("start", error))?;
    let settings = Settings::read(|name| std::env::var(name).ok());
    let detector = settings.map_err(|error| error.to_string()).and_then(|settings| {
        Detector::new(settings, &config).map_err(|error| format!("{error:#}"))
    });
    let environment = Arc::new(Mutex::new(Environment { config, detector }));
    lambda_runtime::run(service_fn(move |event| {
        let environment = Arc::clone(&environment);
        async move { Box::pin(environment.lock().await.handle(event)).await }
    }))
    .await
}

impl Environment {
    async fn handle(&mut self, event: LambdaEvent<Event>) -> Result<Value, String> {
        let LambdaEvent { payload, context } = event;
        let deadline = context.deadline();
        match payload {
            Event::Batch(records) => {
                let response = Box::pin(self.detector()?.batch(&records, deadline)).await;
                serde_json::to_value(response).map_err(|error| error.to_string())
            }
            Event::Tick => {
                let ticked = Box::pin(self.detector()?.tick(deadline)).await;
                ticked.map(|()| Value::Null).map_err(|error| format!("{error:#}"))
            }
            Event::Rotation(step) => Box::pin(rotation::rotate(&self.config, step, deadline))
                .await
                .map(|()| Value::Null)
                .map_err(|error| format!("{error:#}")),
        }
    }

    fn detector(&mut self) -> Result<&mut Detector, String> {
        if let Err(why) = &self.detector {
            log::error("settings", why);
        }
        self.detector.as_mut().map_err(|why| why.clone())
    }
}
