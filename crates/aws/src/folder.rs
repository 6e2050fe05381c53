//! A set of files that a user keeps below a prefix of the bucket: listed, told from another set without being
//! read, and read whole or not at all, within bounds.

use aws_sdk_s3::Client;
use sha2::{Digest, Sha256};
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::failure::Failure;
use crate::insistence::insist;
use crate::object::{Object, Wanted};
use crate::pace::TokioPace;

/// Objects below a prefix that are looked at, whatever they are called.
pub const OBJECTS_MAX: usize = 5_000;

/// Where the files are.
pub(crate) struct Folder<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'static str,
    /// What else is there, such as a text for people, is passed over.
    pub(crate) suffix: &'static str,
}

/// Tells one set of files from another, without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

/// A file as a listing shows it.
pub(crate) struct Listed {
    key: String,
    tag: String,
    size: Option<i64>,
}

impl Listed {
    /// Its name below a prefix.
    pub(crate) fn name(&self, prefix: &str) -> &str {
        self.key.strip_prefix(prefix).unwrap_or(&self.key)
    }
}

impl Folder<'_> {
    /// The files, in the order of their names; `None` where there are too many objects.
    pub(crate) async fn list(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Vec<Listed>>, Failure> {
        let resource = format!("{}/{}", self.bucket, self.prefix);
        let asked = Asked { service: Service::S3, operation: "ListObjectsV2", resource: &resource };
        let mut files = Vec::new();
        let (mut seen, mut next) = (0, None);
        loop {
            let list = || async {
                let request = self.client.list_objects_v2().bucket(self.bucket).prefix(self.prefix);
                let sent = request.set_continuation_token(next.clone()).send().await;
                sent.map_err(|error| asked.failed(&error))
            };
            let page = insist(asked, pace, deadline, list).await.answer?;
            let objects = page.contents.unwrap_or_default();
            seen += objects.len();
            if seen > OBJECTS_MAX {
                return Ok(None);
            }
            for object in objects {
                let key = object.key.filter(|key| key.ends_with(self.suffix));
                let Some(key) = key else { continue };
                let (tag, size) = (object.e_tag.unwrap_or_default(), object.size);
                files.push(Listed { key, tag, size });
            }
            next = page.next_continuation_token;
            if next.is_none() {
                files.sort_by(|a, b| a.key.cmp(&b.key));
                return Ok(Some(files));
            }
        }
    }

    /// The files of a listing, each by its name below the prefix; `None` where they have more bytes together.
    pub(crate) async fn read(
        &self,
        listed: &[Listed],
        bytes_max: u64,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Vec<(String, Vec<u8>)>>, Failure> {
        let mut left = bytes_max;
        let mut files = Vec::with_capacity(listed.len());
        for file in listed {
            let read = self.get(&file.key, left, pace, deadline).await.map_err(went)?;
            let Some(bytes) = read else { return Ok(None) };
            left = left.saturating_sub(bytes.len() as u64);
            files.push((file.name(self.prefix).to_owned(), bytes));
        }
        Ok(Some(files))
    }

    /// The bytes of an object; `None` where they are more than `bytes_max`.
    pub(crate) async fn get(
        &self,
        key: &str,
        bytes_max: u64,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let Folder { client, bucket, .. } = *self;
        let wanted = Wanted { client, bucket, key, known: None, bytes_max };
        match wanted.get(pace, deadline).await? {
            Object::Whole { bytes, .. } => Ok(Some(bytes)),
            Object::Larger(_) | Object::Unchanged => Ok(None),
        }
    }
}

/// A file that was listed and is not there any more: the next look will see the set as it is then.
fn went(failure: Failure) -> Failure {
    match failure {
        Failure::Missing(says) => {
            Failure::Unanswered(format!("{says}: it was removed while the set was read"))
        }
        failure => failure,
    }
}

impl Fingerprint {
    /// The same for the same names, entity tags and sizes.
    pub(crate) fn of(listed: &[Listed]) -> Fingerprint {
        let mut hash = Sha256::new();
        for Listed { key, tag, size } in listed {
            // Lengths first, so that no two lists run together to the same bytes.
            for text in [key, tag] {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
            hash.update(size.unwrap_or(-1).to_be_bytes());
        }
        Fingerprint(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
