//! One object of a bucket, read whole or not at all, within a bound on its bytes.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;

/// An object, and what is taken of it.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    /// The entity tag of what is known already: then none of its bytes are sent.
    pub(crate) known: Option<&'a str>,
    pub(crate) bytes_max: u64,
}

/// What is there.
pub(crate) enum Object {
    /// What was known.
    Unchanged,
    /// More bytes than are taken: so many.
    Larger(u64),
    /// Its bytes.
    Whole {
        bytes: Vec<u8>,
        /// The entity tag, where the answer has one.
        tag: Option<String>,
    },
}

impl Wanted<'_> {
    /// Reads it.
    ///
    /// # Errors
    /// If it is not there, or cannot be read whole until `deadline`.
    pub(crate) async fn get(self, pace: &TokioPace, deadline: Time) -> Result<Object, Failure> {
        let resource = format!("{}/{}", self.bucket, self.key);
        let asked = Asked { service: Service::S3, operation: "GetObject", resource: &resource };
        let get = || async {
            let request = self.client.get_object().bucket(self.bucket).key(self.key);
            let request = request.set_if_none_match(self.known.map(str::to_owned));
            let object = match request.send().await {
                Err(error) if status(&error) == Some(304) => return Ok(Object::Unchanged),
                sent => sent.map_err(|error| asked.failed(&error))?,
            };
            if self.known.is_some() && object.e_tag() == self.known {
                return Ok(Object::Unchanged);
            }
            let length = object.content_length.and_then(|length| u64::try_from(length).ok());
            // Without a length nothing would bound what is read.
            let length = length.ok_or_else(|| asked.incomplete("length"))?;
            if length > self.bytes_max {
                return Ok(Object::Larger(length));
            }
            let tag = object.e_tag;
            let body = object.body.collect().await;
            let body = body.map_err(|error| Failure::Unanswered(format!("{asked}: {error}")))?;
            Ok(Object::Whole { bytes: body.to_vec(), tag })
        };
        insist(asked, pace, deadline, get).await.answer
    }
}

/// The status of an answer that is an error.
pub(crate) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    Some(error.raw_response()?.status().as_u16())
}
