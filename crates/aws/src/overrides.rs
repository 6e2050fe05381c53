//! Detectors that a user has put in place of the packaged ones: `detectors/*.toml` in the bucket, and the
//! last set of them that loaded, which the function keeps for itself; and the allowlist beside them,
//! `allow.toml`, and what is said of functions, `functions.toml`, of which it keeps the last good one as well.
//!
//! What the files say is nobody's business here. Invariant: a set is read whole or not at all, for half
//! of one would be a set nobody wrote.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use serde_json::{Value, json};
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::folder::Folder;
pub use crate::folder::{Fingerprint, OBJECTS_MAX};
use crate::insistence::insist;
use crate::pace::TokioPace;

/// Where a user puts files.
pub const PREFIX: &str = "detectors/";

/// The last set that loaded.
pub const LAST_GOOD: &str = "last-good/overrides.json";

/// Where a user puts the allowlist.
pub const ALLOW: &str = "allow.toml";

/// Where a user says what functions run on.
pub const FUNCTIONS: &str = "functions.toml";

/// The last allowlist that loaded.
pub const LAST_GOOD_ALLOW: &str = "last-good/allow.toml";

/// What was said of functions last and is sound.
pub const LAST_GOOD_FUNCTIONS: &str = "last-good/functions.toml";

/// Bytes of an allowlist, or of what is said of functions, as of any other file of rules.
pub const ALLOW_BYTES_MAX: u64 = 64 * 1_024;

/// What else under [`PREFIX`] is passed over, such as a text for people.
pub const SUFFIX: &str = ".toml";

/// Files of a set.
pub const FILES_MAX: usize = 100;

/// Bytes of all files of a set together.
pub const BYTES_MAX: u64 = 1_024 * 1_024;

/// Bytes of a remembered set: escaped as JSON, a byte takes six at most.
const REMEMBERED_BYTES_MAX: u64 = 8 * BYTES_MAX;

/// The form of a remembered set.
const FORM: u64 = 1;

/// Overrides in one bucket.
#[derive(Clone, Debug)]
pub struct OverrideSource {
    client: Client,
    bucket: String,
}

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
    /// The allowlist is too large.
    #[error(
        "`{ALLOW}` in bucket `{bucket}` has more than {ALLOW_BYTES_MAX} bytes: join networks, or remove what ran out"
    )]
    AllowTooLarge {
        /// Where.
        bucket: String,
    },
    /// What is said of functions is too large.
    #[error(
        "`{FUNCTIONS}` in bucket `{bucket}` has more than {ALLOW_BYTES_MAX} bytes: name functions by patterns"
    )]
    FunctionsTooLarge {
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

impl OverrideSource {
    /// The overrides in `bucket`. Sends nothing yet.
    pub fn new(config: &SdkConfig, bucket: String) -> OverrideSource {
        OverrideSource { client: client::s3(config), bucket }
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
        let too_many = || OverrideError::TooMany { bucket: self.bucket.clone() };
        let listed = self.folder().list(pace, deadline).await?.ok_or_else(too_many)?;
        if listed.is_empty() {
            return Ok(Fetched::None);
        }
        let fingerprint = Fingerprint::of(&listed);
        if known == Some(&fingerprint) {
            return Ok(Fetched::Unchanged);
        }
        if listed.len() > FILES_MAX {
            return Err(too_many());
        }
        let files = self.folder().read(&listed, BYTES_MAX, pace, deadline).await?;
        let files = files.ok_or_else(|| OverrideError::TooLarge { bucket: self.bucket.clone() })?;
        let text = |(name, bytes): (String, Vec<u8>)| {
            let text = self.text(&format!("{PREFIX}{name}"), bytes)?;
            Ok::<_, OverrideError>((name, text))
        };
        let files = files.into_iter().map(text).collect::<Result<_, _>>()?;
        Ok(Fetched::Files { files, fingerprint })
    }

    /// The set that was remembered last; `None` also where it was forgotten since.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn last_good(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Vec<(String, String)>>, OverrideError> {
        let bytes = match self.get(LAST_GOOD, REMEMBERED_BYTES_MAX, pace, deadline).await {
            Err(OverrideError::Storage(Failure::Missing(_))) => return Ok(None),
            answer => answer?,
        };
        let malformed = |why: &str| OverrideError::Malformed {
            bucket: self.bucket.clone(),
            why: why.to_owned(),
        };
        let set: Value =
            serde_json::from_slice(&bytes).map_err(|error| malformed(&error.to_string()))?;
        if set["version"].as_u64() != Some(FORM) {
            return Err(malformed("another version of the form"));
        }
        let file = |file: &Value| {
            Some((file["name"].as_str()?.to_owned(), file["text"].as_str()?.to_owned()))
        };
        let files = set["files"].as_array().and_then(|files| files.iter().map(file).collect());
        let files: Option<Vec<_>> = files;
        let files = files.ok_or_else(|| malformed("it has no files with names and texts"))?;
        Ok(Some(files).filter(|files| !files.is_empty()))
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
        let file = |(name, text): &(String, String)| json!({"name": name, "text": text});
        let files: Vec<Value> = files.iter().map(file).collect();
        let content = json!({"files": files, "version": FORM}).to_string();
        self.put(LAST_GOOD, (&content, "application/json"), pace, deadline).await
    }

    /// Forgets the remembered set, because the user has removed theirs: it is replaced by one without
    /// files, for the role may remove nothing. Where none is remembered one request tells so.
    ///
    /// # Errors
    /// If S3 does not tell or take it until `deadline`.
    pub async fn forget(&self, pace: &TokioPace, deadline: Time) -> Result<(), OverrideError> {
        match self.last_good(pace, deadline).await {
            Ok(None) => Ok(()),
            Err(error @ OverrideError::Storage(_)) => Err(error),
            Ok(Some(_)) | Err(_) => self.remember(&[], pace, deadline).await,
        }
    }

    /// The allowlist as it is now; `None` where there is none. It is small, so it is read each time.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn allow(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<String>, OverrideError> {
        self.text_at(ALLOW, pace, deadline).await
    }

    /// What functions run on, as it is said now; `None` where nothing is.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn functions(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<String>, OverrideError> {
        match self.text_at(FUNCTIONS, pace, deadline).await {
            Err(OverrideError::AllowTooLarge { bucket }) => {
                Err(OverrideError::FunctionsTooLarge { bucket })
            }
            answer => answer,
        }
    }

    /// What was said of functions and was remembered last.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn last_good_functions(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<String>, OverrideError> {
        self.text_at(LAST_GOOD_FUNCTIONS, pace, deadline).await
    }

    /// Remembers what is said of functions; nothing where the user has removed it.
    ///
    /// # Errors
    /// If S3 does not take it until `deadline`.
    pub async fn remember_functions(
        &self,
        text: &str,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(), OverrideError> {
        self.put(LAST_GOOD_FUNCTIONS, (text, "application/toml"), pace, deadline).await
    }

    /// The allowlist that was remembered last.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn last_good_allow(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<String>, OverrideError> {
        self.text_at(LAST_GOOD_ALLOW, pace, deadline).await
    }

    /// Remembers an allowlist that loaded; an empty one where the user has removed theirs.
    ///
    /// # Errors
    /// If S3 does not take it until `deadline`.
    pub async fn remember_allow(
        &self,
        text: &str,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(), OverrideError> {
        self.put(LAST_GOOD_ALLOW, (text, "application/toml"), pace, deadline).await
    }

    /// An allowlist, or another small text, where there is one.
    async fn text_at(
        &self,
        key: &str,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<String>, OverrideError> {
        match self.get(key, ALLOW_BYTES_MAX, pace, deadline).await {
            Ok(bytes) => self.text(key, bytes).map(Some),
            Err(OverrideError::Storage(Failure::Missing(_))) => Ok(None),
            Err(OverrideError::TooLarge { bucket }) => Err(OverrideError::AllowTooLarge { bucket }),
            Err(error) => Err(error),
        }
    }

    fn text(&self, key: &str, bytes: Vec<u8>) -> Result<String, OverrideError> {
        let not_text =
            |_| OverrideError::NotText { bucket: self.bucket.clone(), key: key.to_owned() };
        String::from_utf8(bytes).map_err(not_text)
    }

    async fn put(
        &self,
        key: &str,
        (content, kind): (&str, &str),
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(), OverrideError> {
        let resource = self.resource(key);
        let asked = Asked { service: Service::S3, operation: "PutObject", resource: &resource };
        let put = || async {
            let body = ByteStream::from(content.as_bytes().to_vec());
            let request = self.client.put_object().bucket(&self.bucket).key(key).body(body);
            let sent = request.content_type(kind).send().await;
            sent.map_err(|error| asked.failed(&error))
        };
        insist(asked, pace, deadline, put).await.answer?;
        Ok(())
    }

    fn resource(&self, key: &str) -> String {
        format!("{}/{key}", self.bucket)
    }

    fn folder(&self) -> Folder<'_> {
        Folder { client: &self.client, bucket: &self.bucket, prefix: PREFIX, suffix: SUFFIX }
    }

    /// The bytes of an object, at most `bytes_max`.
    async fn get(
        &self,
        key: &str,
        bytes_max: u64,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Vec<u8>, OverrideError> {
        let bytes = self.folder().get(key, bytes_max, pace, deadline).await?;
        bytes.ok_or_else(|| OverrideError::TooLarge { bucket: self.bucket.clone() })
    }
}
