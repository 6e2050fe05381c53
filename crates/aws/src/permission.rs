//! What a person adds to a policy so that what was denied is allowed, from AWS's own words about it.
//!
//! The words are those of [AWS's page on access-denied messages](https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html):
//! who asked, the action, the resource, and whether a statement is missing or one forbids it. Nothing is
//! made up: where the words are others there is no statement.

use serde_json::json;

/// What to add to which policy after `message`; `None` where it does not say what was denied.
pub(crate) fn to_add(message: &str) -> Option<String> {
    let action = behind(message, "not authorized to perform: ")?;
    let is_action =
        |text: &str| text.split_once(':').is_some_and(|(service, _)| !service.is_empty());
    if !is_action(action) {
        return None;
    }
    // Where an action is about nothing in particular, AWS names no resource.
    let resource = behind(message, "on resource: ").unwrap_or("*");
    let whose = behind(message, "User: ");
    let whose = whose.map_or("the policy".to_owned(), |user| format!("a policy of {user}"));
    if message.contains("explicit deny") {
        return Some(format!(
            "a statement denies {action} on {resource} explicitly, and no other can allow it: change that one"
        ));
    }
    let statement = json!({ "Effect": "Allow", "Action": action, "Resource": resource });
    Some(format!("add to {whose}: {statement}"))
}

/// The word of `text` behind `words`.
fn behind<'t>(text: &'t str, words: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(words)?;
    let word = rest.split_whitespace().next()?;
    Some(word.trim_matches(|c| matches!(c, '"' | '\'' | ',' | ';')).trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_made_of_what_was_denied_and_of_nothing_else() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(to_add(message).as_deref(), expected, "{message}");
        };
        check(
            "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: kinesis:GetRecords on \
             resource: arn:aws:kinesis:eu-west-1:123456789012:stream/logs because no identity-based policy \
             allows the kinesis:GetRecords action",
            Some(
                r#"add to a policy of arn:aws:iam::123456789012:user/ann: {"Action":"kinesis:GetRecords","Effect":"Allow","Resource":"arn:aws:kinesis:eu-west-1:123456789012:stream/logs"}"#,
            ),
        );
        check(
            "User: arn:aws:iam::1:user/b is not authorized to perform: logs:DescribeLogGroups",
            Some(
                r#"add to a policy of arn:aws:iam::1:user/b: {"Action":"logs:DescribeLogGroups","Effect":"Allow","Resource":"*"}"#,
            ),
        );
        check(
            "User: u is not authorized to perform: kms:Decrypt on resource: k with an explicit deny in a \
             service control policy",
            Some(
                "a statement denies kms:Decrypt on k explicitly, and no other can allow it: change that one",
            ),
        );
        check("Access Denied", None);
        check("not authorized to perform: something", None);
    }
}
