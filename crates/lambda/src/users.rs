//! Who is known to have an account: the filter that the user has put into the bucket, which is looked for
//! every minute and taken in without a new deployment.
//!
//! As with override detectors, a faulty one changes nothing: the last good one stays, also in environments
//! that start later, and every invocation says so. Without any, lines that do not say whether an account exists
//! stay as they are.

use std::sync::Arc;

use tidewatch_aws::pace::TokioPace;
use tidewatch_aws::users::{Fetched, KEY, Tag, UsersSource};
use tidewatch_core::time::Time;
use tidewatch_ingest::known_users::KnownUsers;

use crate::log;

/// The filter in force.
#[derive(Debug, Default)]
pub struct Users {
    /// It, if there is one.
    pub known: Option<Arc<KnownUsers>>,
    /// Where it came from.
    pub origin: Origin,
    /// Why the newest one is not in force, if it is not.
    pub rejected: Option<String>,
    /// The newest one seen, in force or not.
    seen: Option<Tag>,
    /// Whether that is faulty.
    faulty: bool,
}

/// Where a filter came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// There is none.
    #[default]
    None,
    /// The bucket.
    Bucket,
    /// The bucket's copy of the last one that was good.
    LastGood,
}

impl Origin {
    /// As the summary says it.
    pub fn name(self) -> &'static str {
        match self {
            Origin::None => "none",
            Origin::Bucket => KEY,
            Origin::LastGood => "last good",
        }
    }
}

/// Looks for a filter. `known` is what is in force, if anything was ever looked for; the answer is what is from
/// now on.
pub async fn refresh(
    known: Option<Users>,
    source: &UsersSource,
    pace: &TokioPace,
    deadline: Time,
) -> Users {
    let seen = known.as_ref().and_then(|users| users.seen.clone());
    match source.fetch(seen.as_ref(), pace, deadline).await {
        Ok(Fetched::Unchanged) => {
            let mut users = known.unwrap_or_default();
            // Where only the bucket could not be read, that is over.
            users.rejected = users.rejected.filter(|_| users.faulty);
            users
        }
        Ok(Fetched::None) => {
            let is_news = known.is_none_or(|users| users.seen.is_some() || users.known.is_some());
            if is_news && let Err(error) = source.forget(pace, deadline).await {
                log::error("users_not_forgotten", error);
            }
            Users::default()
        }
        Ok(Fetched::Filter { bytes, tag }) => match KnownUsers::parse(&bytes) {
            Ok(filter) => {
                if let Err(error) = source.remember(&tag, pace, deadline).await {
                    log::error("users_not_remembered", error);
                }
                log::info("users", format_args!("{} users are known", filter.names()));
                let (known, origin) = (Some(Arc::new(filter)), Origin::Bucket);
                Users { known, origin, rejected: None, seen: Some(tag), faulty: false }
            }
            Err(why) => {
                drop(bytes);
                let why = format!("`{KEY}` in the bucket: {why}");
                log::error("users_rejected", &why);
                let users = stay(known, why, source, pace, deadline).await;
                Users { seen: Some(tag), faulty: true, ..users }
            }
        },
        Err(error) => {
            let why = error.to_string();
            log::error("users_unreadable", &why);
            stay(known, why, source, pace, deadline).await
        }
    }
}

/// Goes on with what is in force; where nothing was ever looked for, with the last good filter.
async fn stay(
    known: Option<Users>,
    why: String,
    source: &UsersSource,
    pace: &TokioPace,
    deadline: Time,
) -> Users {
    if let Some(users) = known {
        return Users { rejected: Some(why), ..users };
    }
    let remembered = match source.last_good(pace, deadline).await {
        Ok(Some(bytes)) => KnownUsers::parse(&bytes).map(Some).map_err(|why| why.to_string()),
        Ok(None) => Ok(None),
        Err(error) => Err(error.to_string()),
    };
    let remembered = remembered.unwrap_or_else(|error| {
        log::error("last_good_users_unusable", error);
        None
    });
    let origin = if remembered.is_some() { Origin::LastGood } else { Origin::None };
    Users { known: remembered.map(Arc::new), origin, rejected: Some(why), ..Users::default() }
}
