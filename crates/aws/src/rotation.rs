//! A new key in the place of the old one: the four steps by which Secrets Manager has a function rotate a
//! secret (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html>).
//!
//! createSecret makes the new value, with the old key in it as the previous one, as the version labelled
//! AWSPENDING. setSecret has nothing to set: nobody else holds the key. testSecret reads it back.
//! finishSecret moves the label AWSCURRENT to it. Each step may be asked for again, and does then what
//! is left of it to do.
//!
//! A new key is not used before [`LEAD`] has passed, so that every function has read it by then; and
//! no newer one is made while two are written side by side, for a third would have no place.

use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError;
use tidewatch_core::limits::{ROTATION_OVERLAP, SHARED_WINDOW_MAX};
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use crate::failure::Failure;
use crate::insistence::insist;
use crate::pace::TokioPace;
use crate::secret::{CURRENT, Key, PENDING, SecretError, SecretSource, Value};
use crate::when;

/// From when a key is made until it is used: a function must read the secret more often than that.
pub const LEAD: Span = Span::minutes(15);

/// How long after the time it was to be used from a key may still become the current one, as it does where
/// Secrets Manager had to repeat a step. Those who learn of it then are late, but within the margin.
pub const LATE_MAX: Span = Span::minutes(30);

// A function reads the secret every quarter of an hour or more often; a quarter is left for clocks that differ.
const _: () = assert!(
    2 * SHARED_WINDOW_MAX.0 + LATE_MAX.0 + LEAD.0 <= ROTATION_OVERLAP.0,
    "in the hour that an overlap has for it everybody learns of the new key"
);

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// `createSecret`.
    Create,
    /// `setSecret`.
    Set,
    /// `testSecret`.
    Test,
    /// `finishSecret`.
    Finish,
}

/// A rotation does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// Secrets Manager does not do its part; says what to do.
    #[error(transparent)]
    Service(#[from] Failure),
    /// A value is not one of ours.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Two keys are in use already.
    #[error(
        "secret `{arn}` was rotated a short while ago: the last key and the one before it are both \
         needed until {free_at}; rotate it again then"
    )]
    TooSoon {
        /// Which secret.
        arn: String,
        /// From when on it may be rotated, RFC 3339.
        free_at: String,
    },
    /// Nobody has asked Secrets Manager to rotate, or it is over.
    #[error(
        "version `{token}` of secret `{arn}` is not labelled AWSPENDING, so no such rotation is under \
         way: start one with `aws secretsmanager rotate-secret`"
    )]
    NotPending {
        /// Which secret.
        arn: String,
        /// Which version.
        token: String,
    },
    /// The new version does not follow upon the current one, or comes too late.
    #[error(
        "version `{token}` of secret `{arn}` {why}: take its label away (`aws secretsmanager \
         update-secret-version-stage --secret-id {arn} --version-stage AWSPENDING \
         --remove-from-version-id {token}`) and rotate again"
    )]
    Unfit {
        /// Which secret.
        arn: String,
        /// Which version.
        token: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The system has no source of chance.
    #[error("the system gives no random numbers for a new key: {0}")]
    NoChance(String),
}

impl Step {
    /// Reads the `Step` of the event, in either of the spellings that AWS's pages have.
    pub fn from_name(name: &str) -> Option<Step> {
        match name {
            "createSecret" | "create_secret" => Some(Step::Create),
            "setSecret" | "set_secret" => Some(Step::Set),
            "testSecret" | "test_secret" => Some(Step::Test),
            "finishSecret" | "finish_secret" => Some(Step::Finish),
            _ => None,
        }
    }
}

/// Does one step of the rotation that is known by `token` (the event's `ClientRequestToken`), trying
/// until `deadline` on the clock of `pace`. A step that was done already is done again without effect.
///
/// # Errors
/// If the step cannot be done now, or must not be.
pub async fn rotate(
    source: &SecretSource,
    step: Step,
    token: &str,
    pace: &TokioPace,
    deadline: Time,
) -> Result<(), RotationError> {
    let rotation = Rotation { source, token, pace, deadline };
    let current = match rotation.labels().await? {
        Labels::Done => return Ok(()),
        Labels::Pending { current } => current,
    };
    match step {
        Step::Create => rotation.create().await,
        Step::Set => Ok(()),
        Step::Test => rotation.test().await,
        Step::Finish => rotation.finish(current).await,
    }
}

struct Rotation<'a> {
    source: &'a SecretSource,
    token: &'a str,
    pace: &'a TokioPace,
    deadline: Time,
}

/// How far a rotation is.
enum Labels {
    /// The new version is the current one.
    Done,
    /// It is the pending one.
    Pending {
        /// The current version.
        current: String,
    },
}

impl Rotation<'_> {
    async fn labels(&self) -> Result<Labels, RotationError> {
        let asked = self.source.asked("DescribeSecret");
        let describe = || async {
            let sent =
                self.source.client.describe_secret().secret_id(&self.source.arn).send().await;
            sent.map_err(|error: SdkError<DescribeSecretError>| asked.failed(&error))
        };
        let answer = insist(asked, self.pace, self.deadline, describe).await.answer?;
        let versions = answer.version_ids_to_stages.unwrap_or_default();
        let has = |version: &str, label: &str| {
            versions.get(version).is_some_and(|labels| labels.iter().any(|known| known == label))
        };
        if has(self.token, CURRENT) {
            return Ok(Labels::Done);
        }
        if !has(self.token, PENDING) {
            let (arn, token) = (self.source.arn.clone(), self.token.to_owned());
            return Err(RotationError::NotPending { arn, token });
        }
        let current = versions.keys().find(|version| has(version, CURRENT)).cloned();
        let current = current.ok_or_else(|| asked.incomplete("version labelled AWSCURRENT"))?;
        Ok(Labels::Pending { current })
    }

    async fn create(&self) -> Result<(), RotationError> {
        let current = self.current().await?;
        if let Some(pending) = self.pending().await? {
            if pending == current {
                return Err(self.unfit("holds the current value already"));
            }
            return self.must_follow(&pending, &current);
        }
        let now = self.pace.now();
        if let Some(from) = current.current.from {
            let free_at = from.plus(ROTATION_OVERLAP).plus(ROTATION_OVERLAP);
            if now < free_at {
                let (arn, free_at) = (self.source.arn.clone(), when::text(free_at));
                return Err(RotationError::TooSoon { arn, free_at });
            }
        }
        let id =
            current.current.id.checked_add(1).ok_or_else(|| self.unfit("has no number left"))?;
        let key = Key { id, from: Some(now.plus(LEAD)), passphrase: passphrase()? };
        let new = Value { current: key, previous: Some(current.current.clone()) };
        match self.put(&new).await {
            // Somebody else who does the same step was faster: what they made is as good.
            Err(Failure::Refused(says)) => match self.pending().await? {
                Some(pending) => self.must_follow(&pending, &current),
                None => Err(Failure::Refused(says).into()),
            },
            done => Ok(done?),
        }
    }

    async fn put(&self, value: &Value) -> Result<(), Failure> {
        let asked = self.source.asked("PutSecretValue");
        let text = value.text();
        let put = || async {
            let request = self.source.client.put_secret_value().secret_id(&self.source.arn);
            let request = request.client_request_token(self.token).version_stages(PENDING);
            let sent = request.secret_string(&text).send().await;
            sent.map_err(|error| asked.failed(&error))
        };
        insist(asked, self.pace, self.deadline, put).await.answer.map(drop)
    }

    /// A copy of the current value passes, and so does none: where a schedule is made, Secrets Manager
    /// tries by this step alone whether a function can rotate at all, and never finishes.
    async fn test(&self) -> Result<(), RotationError> {
        let current = self.current().await?;
        match self.pending().await? {
            Some(pending) if pending != current => self.must_follow(&pending, &current),
            _ => Ok(()),
        }
    }

    async fn finish(&self, version: String) -> Result<(), RotationError> {
        let current = self.current().await?;
        let pending = self.pending().await?.ok_or_else(|| self.unfit("has no value"))?;
        self.must_follow(&pending, &current)?;
        let from = pending.current.from.unwrap_or(Time::MIN);
        if self.pace.now() > from.plus(LATE_MAX) {
            return Err(self.unfit("was to be used long ago, and some would use it and some not"));
        }
        let asked = self.source.asked("UpdateSecretVersionStage");
        let advance = || async {
            let request = self.source.client.update_secret_version_stage();
            let request = request.secret_id(&self.source.arn).version_stage(CURRENT);
            let request = request.move_to_version_id(self.token).remove_from_version_id(&version);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        match insist(asked, self.pace, self.deadline, advance).await.answer {
            Ok(_) => Ok(()),
            // It may have been moved by a try whose answer was lost.
            Err(failure) => match self.labels().await {
                Ok(Labels::Done) => Ok(()),
                _ => Err(failure.into()),
            },
        }
    }

    /// Whether `pending` is what a rotation of `current` makes.
    fn must_follow(&self, pending: &Value, current: &Value) -> Result<(), RotationError> {
        // That the number is the next one, and the passphrase another, was seen when it was read.
        if pending.previous.as_ref() == Some(&current.current) {
            return Ok(());
        }
        Err(self.unfit("does not follow upon the current one, which was changed meanwhile"))
    }

    async fn current(&self) -> Result<Value, RotationError> {
        Ok(self.source.current(self.pace, self.deadline).await?.value)
    }

    async fn pending(&self) -> Result<Option<Value>, RotationError> {
        let found = self.source.pending(self.token, self.pace, self.deadline).await?;
        Ok(found.map(|found| found.value))
    }

    fn unfit(&self, why: &'static str) -> RotationError {
        let (arn, token) = (self.source.arn.clone(), self.token.to_owned());
        RotationError::Unfit { arn, token, why }
    }
}

/// 64 hexadecimal digits of chance.
fn passphrase() -> Result<String, RotationError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| RotationError::NoChance(error.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
