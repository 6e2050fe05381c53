//! The secret: whether the function has its key, and how its rotation does.
//!
//! Its value is not asked for: that the function reads it is told by the age of the key, which it measures.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use tidewatch_core::table_store::table::Pace;
use tidewatch_core::time::{Span, Time};

use super::parts::Numbers;
use super::{Line, Status, Verdict};
use crate::asked::{Asked, Service};
use crate::client;
use crate::failure::Failure;
use crate::secret::{CURRENT, PENDING};

/// A rotation takes seconds; what is pending for longer than this was left behind.
const ROTATING: Span = Span::minutes(60);

/// How often a rotation may be due and not have been, before it is said.
const ROTATIONS_MISSED: i64 = 2;

const DAY: Span = Span::minutes(24 * 60);

impl Status<'_> {
    /// The line of the secret.
    pub(super) async fn secret(&self, numbers: &Result<Numbers, Failure>) -> Line {
        let line = |verdict, facts| Line::part("secret", verdict, facts);
        let Some(arn) = self.stack.outputs.get("SecretArn") else {
            let why =
                "the stack does not tell its secret, for it is an older version's: deploy it anew";
            return line(Verdict::Unknown { why: why.to_owned() }, Vec::new());
        };
        let client = client::secrets(self.config);
        let asked =
            Asked { service: Service::SecretsManager, operation: "DescribeSecret", resource: arn };
        let ask = || async {
            let request = client.describe_secret().secret_id(arn);
            request.send().await.map_err(|error| asked.failed(&error))
        };
        let secret = match self.insist(asked, ask).await {
            Ok(secret) => secret,
            Err(failure) => return line(Verdict::of(failure), Vec::new()),
        };
        let rotation = Rotation::of(&secret);
        let age = numbers.as_ref().map(|numbers| numbers.key_age_days);
        let mut facts = vec![("rotation", rotation.shown())];
        facts.extend(age.ok().flatten().map(|days| ("key_age_days", format!("{days:.0}"))));
        facts.push(("pending_version", rotation.pending.clone().unwrap_or("none".to_owned())));
        line(rotation.judge(self.pace.now(), age), facts)
    }
}

/// What Secrets Manager says of a secret, of what matters here.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rotation {
    deleted: bool,
    /// The version that a rotation has made and not put in force.
    pending: Option<String>,
    changed: Option<Time>,
    rotated: Option<Time>,
    /// Days between two; `None` where none is scheduled.
    every_days: Option<i64>,
}

impl Rotation {
    fn of(secret: &DescribeSecretOutput) -> Rotation {
        let time = |at: Option<&aws_sdk_secretsmanager::primitives::DateTime>| {
            at.and_then(|at| at.to_millis().ok()).map(Time)
        };
        let has = |labels: &[String], label: &str| labels.iter().any(|known| known == label);
        let versions = secret.version_ids_to_stages();
        let pending = versions.and_then(|all| {
            let mut left =
                all.iter().filter(|(_, labels)| has(labels, PENDING) && !has(labels, CURRENT));
            left.next().map(|(version, _)| version.clone())
        });
        let rules = secret.rotation_rules().filter(|_| secret.rotation_enabled() == Some(true));
        Rotation {
            deleted: secret.deleted_date().is_some(),
            pending,
            changed: time(secret.last_changed_date()),
            rotated: time(secret.last_rotated_date()).or_else(|| time(secret.created_date())),
            every_days: rules.and_then(|rules| rules.automatically_after_days()),
        }
    }

    fn shown(&self) -> String {
        self.every_days.map_or("none".to_owned(), |days| format!("every {days} days"))
    }

    fn judge(&self, now: Time, key_age_days: Result<Option<f64>, &Failure>) -> Verdict {
        if self.deleted {
            return Verdict::blind(
                "it is to be deleted; without it nothing is counted",
                "aws secretsmanager restore-secret, before its recovery window ends",
            );
        }
        let is_old = self.changed.is_none_or(|changed| changed.plus(ROTATING) < now);
        if let Some(version) = self.pending.as_ref().filter(|_| is_old) {
            return Verdict::blind(
                format!(
                    "a rotation has left version {version} pending, and no other can end before it does"
                ),
                "the rotation's log group says why; rotate again (`aws secretsmanager rotate-secret`), or take the \
                 label AWSPENDING from that version",
            );
        }
        let overdue = |days: i64| {
            let last = self.rotated?;
            let since = (now.0 - last.0) / DAY.0;
            (days > 0 && since > days * ROTATIONS_MISSED).then_some(since)
        };
        if let Some(since) = self.every_days.and_then(overdue) {
            return Verdict::blind(
                format!("it was not rotated for {since} days; it should be {}", self.shown()),
                "the rotation's log group says why; rotate it (`aws secretsmanager rotate-secret`)",
            );
        }
        match key_age_days {
            Err(failure) => Verdict::Unknown { why: failure.to_string() },
            Ok(Some(_)) => Verdict::Healthy,
            Ok(None) => Verdict::Unknown {
                why: "the function has not told within a quarter of an hour that it has the key: look at its log, or \
                      wait for its next tick"
                    .to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_that_hangs_or_does_not_come_is_blind() {
        const NOW: Time = Time(1_000 * DAY.0);
        let ago = |days: i64| Some(NOW.minus(Span(days * DAY.0)));
        let calm = Rotation { rotated: ago(100), every_days: Some(90), ..Rotation::default() };
        let check = |rotation: Rotation, expected: Option<&str>| match (
            rotation.judge(NOW, Ok(Some(3.0))),
            expected,
        ) {
            (Verdict::Healthy, None) => {}
            (Verdict::Blind { why, .. }, Some(part)) if why.contains(part) => {}
            (verdict, expected) => panic!("{verdict:?}, not {expected:?}"),
        };
        let pending = Some("v2".to_owned());
        check(calm.clone(), None);
        check(Rotation { rotated: ago(181), ..calm.clone() }, Some("for 181 days"));
        check(Rotation { rotated: ago(999), every_days: None, ..calm.clone() }, None);
        check(Rotation { deleted: true, ..calm.clone() }, Some("to be deleted"));
        let begun = Some(NOW.minus(Span::minutes(5)));
        check(Rotation { pending: pending.clone(), changed: begun, ..calm.clone() }, None);
        check(Rotation { pending, changed: ago(1), ..calm.clone() }, Some("version v2 pending"));
        assert_eq!(calm.judge(NOW, Ok(None)).name(), "unknown");
    }
}
