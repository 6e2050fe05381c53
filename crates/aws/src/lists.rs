//! Lists of names from elsewhere that a user has put into the bucket: `lists/1.names` to `lists/6.names`.
//!
//! The number is the place that a list has in tags, which are kept for a day: so a list keeps its place whichever
//! others come and go. What the bytes say is nobody's business here.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use tidewatch_core::lists::LISTS_MAX;
use tidewatch_core::time::Time;

use crate::client;
use crate::failure::Failure;
use crate::folder::{Fingerprint, Folder, OBJECTS_MAX};
use crate::pace::TokioPace;

/// Where a user puts lists.
pub const PREFIX: &str = "lists/";

/// What else below [`PREFIX`] is passed over.
pub const SUFFIX: &str = ".names";

/// Bytes of all lists together: of 29 million names. While they are read and replace others they take three times
/// as much memory.
pub const BYTES_MAX: u64 = 64 * 1_024 * 1_024;

/// Lists in one bucket.
#[derive(Clone, Debug)]
pub struct ListsSource {
    client: Client,
    bucket: String,
}

/// What is below [`PREFIX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The lists that are known already, or none as before.
    Unchanged,
    /// Others, or none any more.
    Lists {
        /// Each list's place, from 0, and its bytes.
        lists: Vec<(usize, Vec<u8>)>,
        /// To know them by.
        fingerprint: Fingerprint,
    },
}

/// Why lists cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListsError {
    /// S3 does not give them.
    #[error(transparent)]
    Storage(#[from] Failure),
    /// There are too many objects.
    #[error(
        "there are more than {OBJECTS_MAX} objects below `{PREFIX}` in bucket `{bucket}`: remove some"
    )]
    TooMany {
        /// Where.
        bucket: String,
    },
    /// They are too large.
    #[error(
        "the lists `{PREFIX}*{SUFFIX}` in bucket `{bucket}` have more than {BYTES_MAX} bytes together: build them of fewer names"
    )]
    TooLarge {
        /// Where.
        bucket: String,
    },
    /// One is called something else.
    #[error(
        "`{PREFIX}{name}` in bucket `{bucket}` is not called `1{SUFFIX}` to `{LISTS_MAX}{SUFFIX}`: the number is its place, which it keeps"
    )]
    Name {
        /// Where.
        bucket: String,
        /// Which.
        name: String,
    },
}

impl ListsSource {
    /// The lists in `bucket`. Sends nothing yet.
    pub fn new(config: &SdkConfig, bucket: String) -> ListsSource {
        ListsSource { client: client::s3(config), bucket }
    }

    /// The lists as they are now, unless they are those with the fingerprint `known`.
    ///
    /// # Errors
    /// If they cannot be read, whole, until `deadline`.
    pub async fn fetch(
        &self,
        known: Option<&Fingerprint>,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Fetched, ListsError> {
        let bucket = || self.bucket.clone();
        let (client, bucket_name) = (&self.client, self.bucket.as_str());
        let folder = Folder { client, bucket: bucket_name, prefix: PREFIX, suffix: SUFFIX };
        let listed = folder.list(pace, deadline).await?;
        let listed = listed.ok_or_else(|| ListsError::TooMany { bucket: bucket() })?;
        let fingerprint = Fingerprint::of(&listed);
        if known == Some(&fingerprint) || (known.is_none() && listed.is_empty()) {
            return Ok(Fetched::Unchanged);
        }
        let mut places = Vec::new();
        for file in &listed {
            let name = file.name(PREFIX);
            let place = place(name);
            let name = || name.to_owned();
            places.push(place.ok_or_else(|| ListsError::Name { bucket: bucket(), name: name() })?);
        }
        let files = folder.read(&listed, BYTES_MAX, pace, deadline).await?;
        let files = files.ok_or_else(|| ListsError::TooLarge { bucket: bucket() })?;
        let lists = places.into_iter().zip(files.into_iter().map(|(_, bytes)| bytes)).collect();
        Ok(Fetched::Lists { lists, fingerprint })
    }
}

/// The place that a list of this name has.
fn place(name: &str) -> Option<usize> {
    (0..LISTS_MAX).find(|place| name.strip_suffix(SUFFIX) == Some((place + 1).to_string().as_str()))
}
