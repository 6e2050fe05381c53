//! The key of the tags, in Secrets Manager.
//!
//! The value is JSON: `{"id":1,"passphrase":"…"}` as the stack makes it, and after a rotation
//! `{"id":2,"from":"2026-11-25T12:00:00Z","passphrase":"…","previous":{"id":1,"passphrase":"…"}}`.
//! Other fields are passed over. Invariant: no passphrase is printed, by no error and by no `Debug`.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use serde_json::{Value as Json, json};
use tidewatch_core::key_ring::{KeyRing, LiveKey};
use tidewatch_core::tag::TagKey;
use tidewatch_core::time::Time;

use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::when;

/// Characters of a passphrase, at least: below, names could be found by trying passphrases.
pub const PASSPHRASE_CHARS_MIN: usize = 16;

/// The label of the version in use.
pub(crate) const CURRENT: &str = "AWSCURRENT";
/// The label of the version a rotation makes.
pub(crate) const PENDING: &str = "AWSPENDING";

/// One secret.
#[derive(Clone, Debug)]
pub struct SecretSource {
    pub(crate) client: Client,
    pub(crate) arn: String,
}

/// There is no key to be had. No text of it holds any part of the secret's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager does not give it; says what to do.
    #[error(transparent)]
    Service(#[from] Failure),
    /// Its value is not one of ours.
    #[error(
        "the value of secret `{arn}` is no key of this version: {why}; put one like \
         {{\"id\":1,\"passphrase\":\"…\"}} there, with {PASSPHRASE_CHARS_MIN} characters or more"
    )]
    Malformed {
        /// Which secret.
        arn: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// A value of the secret, whole.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Value {
    pub current: Key,
    pub previous: Option<Key>,
}

/// One key of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub id: u32,
    pub from: Option<Time>,
    pub passphrase: String,
}

/// A version that was found.
pub(crate) struct Found {
    pub value: Value,
    /// When the version was made.
    pub made: Option<Time>,
}

impl SecretSource {
    /// The secret `arn`. Sends nothing yet.
    pub fn new(config: &SdkConfig, arn: String) -> SecretSource {
        SecretSource { client: client::secrets(config), arn }
    }

    /// The keys as they are now, trying until `deadline`.
    ///
    /// # Errors
    /// If there is no secret, if it may not be read, or if it holds something else.
    pub async fn fetch(&self, pace: &TokioPace, deadline: Time) -> Result<KeyRing, SecretError> {
        Ok(self.fetch_dated(pace, deadline).await?.0)
    }

    /// The same, with the time when the current key was made, where Secrets Manager says so.
    ///
    /// # Errors
    /// As [`SecretSource::fetch`].
    pub async fn fetch_dated(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<(KeyRing, Option<Time>), SecretError> {
        let found = self.current(pace, deadline).await?;
        Ok((found.value.ring(), found.made))
    }

    /// The version in use.
    pub(crate) async fn current(
        &self,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Found, SecretError> {
        let found = self.version(None, pace, deadline).await?;
        found.ok_or_else(|| self.malformed("it is no text"))
    }

    /// The version that the rotation `token` makes; `None` while it has no value.
    pub(crate) async fn pending(
        &self,
        token: &str,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Found>, SecretError> {
        match self.version(Some(token), pace, deadline).await {
            Err(SecretError::Service(Failure::Missing(_))) => Ok(None),
            found => found,
        }
    }

    async fn version(
        &self,
        pending: Option<&str>,
        pace: &TokioPace,
        deadline: Time,
    ) -> Result<Option<Found>, SecretError> {
        let asked = self.asked("GetSecretValue");
        let stage = if pending.is_some() { PENDING } else { CURRENT };
        let get = || async {
            let request = self.client.get_secret_value().secret_id(&self.arn).version_stage(stage);
            let sent = request.set_version_id(pending.map(str::to_owned)).send().await;
            sent.map_err(|error| asked.failed(&error))
        };
        let answer = insist(asked, pace, deadline, get).await.answer?;
        let Some(text) = answer.secret_string else { return Ok(None) };
        let value = Value::read(&text).map_err(|why| self.malformed(why))?;
        let made = answer.created_date.and_then(|date| date.to_millis().ok()).map(Time);
        Ok(Some(Found { value, made }))
    }

    pub(crate) fn asked(&self, operation: &'static str) -> Asked<'_> {
        Asked { service: Service::SecretsManager, operation, resource: &self.arn }
    }

    fn malformed(&self, why: &'static str) -> SecretError {
        SecretError::Malformed { arn: self.arn.clone(), why }
    }
}

impl Value {
    /// Reads a value; says what is wrong with it, and nothing of what is in it.
    pub(crate) fn read(text: &str) -> Result<Value, &'static str> {
        // The parser's own errors may quote what they choke on.
        let json: Json = serde_json::from_str(text).map_err(|_| "it is no JSON")?;
        let current = Key::read(&json)?;
        let previous = match &json["previous"] {
            Json::Null => None,
            previous => Some(Key::read(previous)?),
        };
        if let Some(previous) = &previous {
            if previous.id.checked_add(1) != Some(current.id) {
                return Err("the `id` is not the one after the previous key's");
            }
            if previous.passphrase == current.passphrase {
                return Err("the previous key has the same `passphrase`");
            }
            if current.from.is_none() {
                return Err("there is a previous key, and no `from`");
            }
        }
        Ok(Value { current, previous })
    }

    /// The value as it is written.
    pub(crate) fn text(&self) -> String {
        let mut json = self.current.json();
        if let Some(previous) = &self.previous {
            json["previous"] = previous.json();
        }
        json.to_string()
    }

    fn ring(&self) -> KeyRing {
        KeyRing { current: self.current.live(), previous: self.previous.as_ref().map(Key::live) }
    }
}

impl Key {
    fn read(json: &Json) -> Result<Key, &'static str> {
        let id = json["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let id = id.ok_or("`id` is no number below 2^32")?;
        let from = match &json["from"] {
            Json::Null => None,
            from => {
                let from = from.as_str().and_then(when::parse);
                Some(from.ok_or("`from` is no time like \"2026-11-25T12:00:00Z\"")?)
            }
        };
        let passphrase = json["passphrase"].as_str().ok_or("`passphrase` is no text")?;
        if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err("`passphrase` is too short");
        }
        Ok(Key { id, from, passphrase: passphrase.to_owned() })
    }

    fn json(&self) -> Json {
        let mut json = json!({"id": self.id, "passphrase": self.passphrase});
        if let Some(from) = self.from {
            json["from"] = when::text(from).into();
        }
        json
    }

    fn live(&self) -> LiveKey {
        let key = TagKey::from_passphrase(&self.passphrase);
        LiveKey { id: self.id, key, from: self.from.unwrap_or(Time::MIN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdef";

    #[test]
    fn values_are_read_and_written() {
        let first = format!("{{\"id\":1,\"passphrase\":\"{LONG}\"}}");
        let second = format!(
            "{{\"from\":\"2026-11-25T12:00:00Z\",\"id\":2,\"passphrase\":\"{LONG}2\",\"previous\":{first}}}"
        );
        for text in [&first, &second] {
            assert_eq!(&Value::read(text).expect("a value").text(), text);
        }
        let ring = Value::read(&second).expect("a value").ring();
        assert_eq!((ring.current.id, ring.current.from), (2, Time(1_795_608_000_000)));
        let previous = ring.previous.expect("a previous key");
        assert_eq!((previous.id, previous.from), (1, Time::MIN));
        let tags = [LONG, &format!("{LONG}2")].map(|p| TagKey::from_passphrase(p).user(b"x"));
        assert_eq!([previous.key.user(b"x"), ring.current.key.user(b"x")], tags);
    }

    #[test]
    fn what_is_no_value_is_refused_and_never_quoted() {
        let with = |previous: Json, from: Option<&str>| {
            let mut json =
                json!({"id": 2, "passphrase": "hidden-0123456789", "previous": previous});
            if let Some(from) = from {
                json["from"] = from.into();
            }
            json.to_string()
        };
        let old = json!({"id": 1, "passphrase": LONG});
        let cases = [
            ("hidden-0123456789".to_owned(), "it is no JSON"),
            ("[\"hidden-0123456789\"]".to_owned(), "`id` is no number below 2^32"),
            ("{\"id\":4294967296}".to_owned(), "`id` is no number below 2^32"),
            ("{\"id\":1,\"passphrase\":7}".to_owned(), "`passphrase` is no text"),
            (
                "{\"id\":1,\"passphrase\":\"hidden-01234567\"}".to_owned(),
                "`passphrase` is too short",
            ),
            (with(old.clone(), Some("soon")), "`from` is no time like \"2026-11-25T12:00:00Z\""),
            (with(old.clone(), None), "there is a previous key, and no `from`"),
            (
                with(json!({"id": 2, "passphrase": LONG}), Some("2026-11-25T12:00:00Z")),
                "the `id` is not the one after the previous key's",
            ),
            (
                with(
                    json!({"id": 1, "passphrase": "hidden-0123456789"}),
                    Some("2026-11-25T12:00:00Z"),
                ),
                "the previous key has the same `passphrase`",
            ),
            (with(json!({"id": 1}), Some("2026-11-25T12:00:00Z")), "`passphrase` is no text"),
        ];
        for (text, why) in cases {
            assert_eq!(Value::read(&text).err(), Some(why), "{text}");
            let arn = "arn:aws:secretsmanager:eu-west-1:1:secret:x".to_owned();
            let says = SecretError::Malformed { arn, why }.to_string();
            assert!(!says.contains("hidden"), "{says}");
        }
        // Fifteen characters of two bytes each are fifteen.
        let short = json!({"id": 1, "passphrase": "é".repeat(15)}).to_string();
        assert_eq!(Value::read(&short).err(), Some("`passphrase` is too short"));
    }
}
