//! STUB, to be overwritten by the format half of ingest.
#![allow(missing_docs, dead_code)]
use tidewatch_core::tag::TagKey;
pub struct Naming {
    pub key: TagKey,
    pub usernames: Usernames,
}
#[derive(Clone, Copy)]
pub enum Usernames {
    Fold,
    Exact,
}
