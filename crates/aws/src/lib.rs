//! The shared state's home in DynamoDB: the table under `tidewatch_core::table_store`, and the clock and
//! chance its store waits by.
//!
//! Nothing of the protocol is here. One write is one request with its conditions in it, and every
//! answer is handed on as it is; what a refusal means and when to try again is the store's business,
//! because only it knows the deadline. So the SDK's own retries are off.
//!
//! This is the only crate that knows AWS. Its invariant: a write is never sent twice, and an error
//! that says "nothing was applied" is only made where DynamoDB promises it.

pub mod client;
mod failure;
mod item;
pub mod pace;
mod request;
pub mod schema;
pub mod table;

pub use pace::TokioPace;
pub use table::DynamoTable;

/// The shared store as it is deployed.
pub type DynamoStore = tidewatch_core::table_store::store::SharedStore<DynamoTable, TokioPace>;
