//! AWS, as Tidewatch uses it: the shared state's home in DynamoDB with the clock and chance its store
//! waits by, the topics that findings leave by, the secret key and its rotation, a user's overrides,
//! known users and lists, and the quarantine of what cannot be read.
//!
//! Nothing of the shared state's protocol is here. One write is one request with its conditions in it,
//! and every answer is handed on as it is; what a refusal means and when to try again is the store's
//! business, because only it knows the deadline. So the SDK's own retries are off, for all services: the
//! others ask by [`insistence`], with the same patience under the same deadline.
//!
//! This is the only crate that knows AWS. Its invariants: a write to the table is never sent twice, and
//! an error that says "nothing was applied" is only made where the service promises it; making a client
//! or a source sends nothing; no text of an error holds a secret or a line of a log.

mod advice;
mod asked;
pub mod client;
pub mod downstream;
pub mod failure;
mod folder;
pub mod functions;
mod insistence;
mod item;
pub mod latency;
pub mod lists;
pub mod log_groups;
mod object;
pub mod overrides;
pub mod pace;
mod permission;
pub mod proving;
pub mod quarantine;
mod request;
pub mod roots;
pub mod rotation;
pub mod schema;
pub mod secret;
pub mod stack;
pub mod status;
pub mod stream;
pub mod subscriptions;
pub mod table;
pub mod topics;
pub mod users;
mod when;

pub use pace::TokioPace;
pub use table::DynamoTable;

/// The shared store as it is deployed.
pub type DynamoStore = tidewatch_core::table_store::store::SharedStore<DynamoTable, TokioPace>;
