//! Detectors that a user has put in place of the packaged ones: `detectors/*.toml` in the bucket, and the
//! last set of them that loaded, which the function keeps for itself.
//!
//! What the files say is nobody's business here. Invariant: a set is read whole or not at all, for half
//! of one would be a set nobody wrote.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use tidewatch_core::time::Time;

use crate::failure::Failure;
use crate::pace::TokioPace;

/// Where a user puts files.
pub const PREFIX: &str = "detectors/";

/// The last set that loaded.
pub const LAST_GOOD: &str = "last-good/overrides.json";

/// Files of a set.
pub const FILES_MAX: usize = 100;

/// Bytes of all files of a set together.
pub const BYTES_MAX: usize = 1_024 * 1_024;

/// Overrides in one bucket.
#[derive(Clone, Debug)]
pub struct OverrideSource {
    client: Client,
    bucket: String,
}

/// Tells one set of files from another, without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

/// What is under [`PREFIX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// No override.
    None,
    /// The set that is known already.
    Unchanged,
    /// Another set.
    Files {
        /// Each file's name below [`PREFIX`] and its text, in the order of the names.
        files: Vec<(String, String)>,
        /// To know it by.
        fingerprint: Fingerprint,
    },
}

/// Why a set cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// S3 does not give or take it.
    #[error(transparent)]
    Storage(#[from] Failure),
    /// There are too many.
    #[error(
        "there are more than {FILES_MAX} files `{PREFIX}*.toml` in bucket `{bucket}`, or more than {OBJECTS_MAX} objects in all: put several detectors in one file, or remove some"
    )]
    TooMany {
        /// Where.
        bucket: String,
    },
    /// They are too large.
    #[error(
        "the files `{PREFIX}*.toml` in bucket `{bucket}` have more than {BYTES_MAX} bytes together: remove some"
    )]
    TooLarge {
        /// Where.
        bucket: String,
    },
    /// A file is not text.
    #[error("`{key}` in bucket `{bucket}` is not UTF-8 text: put it there again as such")]
    NotText {
        /// Where.
        bucket: String,
        /// Which.
        key: String,
    },
    /// The set that was remembered is not in the form this version writes.
    #[error(
        "`{LAST_GOOD}` in bucket `{bucket}` is in no form known to this version ({why}): remove it"
    )]
    Malformed {
        /// Where.
        bucket: String,
        /// What is wrong.
        why: String,
    },
}

/// Objects under [`PREFIX`] that are looked at, whatever they are called.
pub const OBJECTS_MAX: usize = 5_000;

impl OverrideSource {
    /// The overrides in `bucket`. Sends nothing yet.
    pub fn new(config: &SdkConfig, bucket: String) -> OverrideSource {
        OverrideSource { client: crate::client::s3(config), bucket }
    }

    /// The set as it is now, unless it is the one with the fingerprint `known`: then one request tells
    /// so.
    ///
    /// # Errors
    /// If it cannot be read, whole, until `deadline`.
    pub async fn fetch(
        &self,
        known: Option<&Fingerprint>,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Fetched, OverrideError> {
        todo!()
    }

    /// The set that was remembered last.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn last_good(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Vec<(String, String)>>, OverrideError> {
        todo!()
    }

    /// Remembers a set that loaded.
    ///
    /// # Errors
    /// If S3 does not take it until `deadline`.
    pub async fn remember(
        &self,
        files: &[(String, String)],
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(), OverrideError> {
        todo!()
    }
}
