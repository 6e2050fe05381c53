//! The whole of it, end to end: infra/template.yaml deployed into a local cloud, the real `bootstrap`
//! invoked by the event source mapping of a Kinesis stream with two shards, and alerts read from queues
//! that are subscribed to the topics.
//!
//! What the local cloud cannot show, and what shows it instead: it takes no notice of
//! `batchItemFailures`, retries, bisecting, record age, the on-failure destination, the batching window
//! and resharding, and runs one process for all shards. What the function answers is in
//! `tests/function`; what follows from such answers, with zombies and environments that come and go, is
//! played by the simulator (`tests/simulation.rs`) and by `tests/shared_state.rs`; that the template
//! asks for all of it is in `tests/stack.rs`. It delivers no subscriptions either: records are packed
//! here as CloudWatch Logs packs them. Permissions are enforced, encryption is not.

mod alert;
mod overrides;
mod prove;
mod recovery;
mod riding;
mod rotation;
mod spending;
mod world;
