//! The filter of known users that a user has put into the bucket, and the last one that was good, which the
//! function keeps for itself.
//!
//! What its bytes say is nobody's business here. While it is as it was known, one request tells so and none of
//! its bytes are sent. The last good one is a copy that S3 makes of the very object that was read, so that
//! 64 MiB need not go back.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::object::{Object, Wanted, status};
use crate::pace::TokioPace;

/// Where a user puts the filter.
pub const KEY: &str = "users/known.users";

/// The last one that was good.
pub const LAST_GOOD: &str = "last-good/known.users";

/// The largest filter that is read, in bytes: one of 29 million names. While it is read and replaces another
/// it takes three times as much memory.
pub const BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Filters of known users in one bucket.
#[derive(Clone, Debug)]
pub struct UsersSource {
    client: Client,
    bucket: String,
}

/// Tells one filter from another: S3's entity tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// Nothing.
    None,
    /// The filter that is known already.
    Unchanged,
    /// Another one.
    Filter {
        /// Its bytes.
        bytes: Vec<u8>,
        /// To know it by.
        tag: Tag,
    },
}

/// Why a filter cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsersError {
    /// S3 does not give or take it.
    #[error(transparent)]
    Storage(#[from] Failure),
    /// It is too large.
    #[error(
        "`{key}` in bucket `{bucket}` has {bytes} bytes, and {BYTES_MAX} are read at most: build it of fewer names"
    )]
    TooLarge {
        /// Where.
        bucket: String,
        /// Which.
        key: String,
        /// How large it is.
        bytes: u64,
    },
}

impl UsersSource {
    /// The filters in `bucket`. Sends nothing yet.
    pub fn new(config: &SdkConfig, bucket: String) -> UsersSource {
        UsersSource { client: client::s3(config), bucket }
    }

    /// The filter as it is now, unless it is the one with the tag `known`.
    ///
    /// # Errors
    /// If it cannot be read, whole, until `deadline`.
    pub async fn fetch(
        &self,
        known: Option<&Tag>,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Fetched, UsersError> {
        match self.get(KEY, known, BYTES_MAX, pace, deadline).await {
            Err(UsersError::Storage(Failure::Missing(_))) => Ok(Fetched::None),
            answer => answer,
        }
    }

    /// The filter that was remembered last; `None` also where it was forgotten since.
    ///
    /// # Errors
    /// If it cannot be read until `deadline`.
    pub async fn last_good(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Vec<u8>>, UsersError> {
        match self.get(LAST_GOOD, None, BYTES_MAX, pace, deadline).await {
            Ok(Fetched::Filter { bytes, .. }) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Ok(Fetched::None | Fetched::Unchanged) => Ok(None),
            Err(UsersError::Storage(Failure::Missing(_))) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Remembers the filter with this tag, which was good. Where it was replaced meanwhile nothing is
    /// remembered: the next look will see that one.
    ///
    /// # Errors
    /// If S3 does not copy it until `deadline`.
    pub async fn remember(
        &self,
        tag: &Tag,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(), UsersError> {
        let resource = self.resource(LAST_GOOD);
        let asked = Asked { service: Service::S3, operation: "CopyObject", resource: &resource };
        let copy = || async {
            let request = self.client.copy_object().bucket(&self.bucket).key(LAST_GOOD);
            let request = request.copy_source(self.resource(KEY)).copy_source_if_match(&tag.0);
            // What people wrote beside it would need more permissions, and serves nothing here.
            let request = request.metadata_directive(MetadataDirective::Replace);
            let sent = request.tagging_directive(TaggingDirective::Replace).send().await;
            match sent {
                Err(error) if status(&error) == Some(412) => Ok(()),
                sent => sent.map(drop).map_err(|error| asked.failed(&error)),
            }
        };
        insist(asked, pace, deadline, copy).await.answer?;
        Ok(())
    }

    /// Forgets the remembered filter, because the user has removed theirs: an empty object takes its place,
    /// for the role may remove nothing. Where none is remembered one request tells so.
    ///
    /// # Errors
    /// If S3 does not tell or take it until `deadline`.
    pub async fn forget(&self, pace: &TokioPace, deadline: Time) -> Result<(), UsersError> {
        match self.get(LAST_GOOD, None, 0, pace, deadline).await {
            Ok(_) | Err(UsersError::Storage(Failure::Missing(_))) => return Ok(()),
            Err(error @ UsersError::Storage(_)) => return Err(error),
            Err(UsersError::TooLarge { .. }) => {}
        }
        let resource = self.resource(LAST_GOOD);
        let asked = Asked { service: Service::S3, operation: "PutObject", resource: &resource };
        let put = || async {
            let request = self.client.put_object().bucket(&self.bucket).key(LAST_GOOD);
            let sent = request.body(ByteStream::from_static(b"")).send().await;
            sent.map(drop).map_err(|error| asked.failed(&error))
        };
        insist(asked, pace, deadline, put).await.answer?;
        Ok(())
    }

    fn resource(&self, key: &str) -> String {
        format!("{}/{key}", self.bucket)
    }

    /// An object of at most `bytes_max` bytes, unless it has the tag `known`.
    async fn get(
        &self,
        key: &str,
        known: Option<&Tag>,
        bytes_max: u64,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Fetched, UsersError> {
        let known = known.map(|tag| tag.0.as_str());
        let (client, bucket) = (&self.client, &self.bucket);
        match (Wanted { client, bucket, key, known, bytes_max }).get(pace, deadline).await? {
            Object::Unchanged => Ok(Fetched::Unchanged),
            Object::Whole { bytes, tag } => {
                // By which it is known again, and copied.
                let resource = self.resource(key);
                let asked =
                    Asked { service: Service::S3, operation: "GetObject", resource: &resource };
                let tag = Tag(tag.ok_or_else(|| asked.incomplete("entity tag"))?);
                Ok(Fetched::Filter { bytes, tag })
            }
            Object::Larger(bytes) => {
                let (bucket, key) = (bucket.clone(), key.to_owned());
                Err(UsersError::TooLarge { bucket, key, bytes })
            }
        }
    }
}
