//! Authentication events of applications: one JSON object a line, alone or behind Lambda's own
//! text prefixes (`time\treqId\tINFO\t{…}` of Node, `[INFO]\ttime\treqId\t{…}` of Python). Objects that
//! are printed instead, `{ user: 'bob' }`, are written as JSON first, by [`super::printed`].
//!
//! There is no standard for these lines, so the reader knows many names for a field and many words
//! for an outcome, and asks for agreement before it believes them: a line is a login if a field that
//! names the event says so; failing that its message or its path; and where nothing names an event,
//! only if it has a user, an address and a decided outcome. Anything that names another event, or a
//! login whose end is not told, says nothing. Resets of passwords and sign-ups are known by the same fields
//! and are never logins; what is asked for is taken unless something says that it was refused. Whether the account exists is told only by words that
//! cannot mean both. Objects inside the object are looked into where [`super::json_holders`] knows their
//! names: the outer of two fields decides.

use std::borrow::Cow;

use tidewatch_core::signal::{Auth, Outcome, Role, SignalKind};

use super::Said;
use super::flat::{self, Seen};
use super::json_fields::{Best, Fields, Holders, Value, passed_or_not};
use super::json_names::{MESSAGE_BEFORE, Part};
use super::json_object;
use super::memo::Memos;
use super::printed::Printed;
use super::words::{Named, Words};
use crate::nesting;
use crate::problem::Problem;
use crate::stamp;
use crate::username::{Names, is_placeholder};
use crate::when::When;

/// Every line that can be read names a login in one word, or has a user's field with one of the
/// plain names. In lower case, with a capital, and in capitals, without the letter that differs.
pub(super) const NEEDLES: &[&str] = &[
    "user", "User", "USER", "usr", "Usr", "USR", "ccount", "CCOUNT", "acct", "Acct", "ACCT",
    "mail", "Mail", "MAIL", "rincipal", "RINCIPAL", "dentity", "DENTITY", "ubject", "UBJECT",
    "ogin", "OGIN", "ogon", "OGON", "ignin", "IGNIN", "ignon", "IGNON", "auth", "Auth", "AUTH",
];

/// How many fields Lambda's prefix has, at most.
const PREFIX_FIELDS_MAX: usize = 3;

/// The longest of them, in bytes.
const PREFIX_FIELD_BYTES_MAX: usize = 64;

/// Reads one message; if it is `timed` from outside, no field of it is read as a time.
pub(super) fn read(message: &str, timed: bool, names: &Names, memos: &mut Memos) -> Said {
    let Some((prefix_time, json)) = object(message) else {
        return read_printed(message, timed, names, memos);
    };
    let mut fields = Fields::new(timed);
    if flat::read::<false>(json, &mut fields, memos).is_some() {
        return said(&fields, prefix_time, names, memos);
    }
    let said = read_any(json, prefix_time, timed, names, memos);
    // A dict of Python's begins like JSON where its first name holds an apostrophe.
    if said == Said::Unreadable(Problem::Json) && is_printed(message) {
        return read_printed(message, timed, names, memos);
    }
    said
}

/// Reads a message that is one flat object and may be still `ESCAPED`; `None` if it is not so simple.
pub(super) fn read_flat<const ESCAPED: bool>(
    message: &str,
    timed: bool,
    names: &Names,
    memos: &mut Memos,
) -> Option<(Said, Seen)> {
    let mut fields = Fields::new(timed);
    let seen = flat::read::<ESCAPED>(message, &mut fields, memos)?;
    Some((said(&fields, None, names, memos), seen))
}

/// Whether an object names a login as its event, with a user, of whatever end.
pub(super) fn lacks_outcome(message: &str, memos: &mut Memos) -> bool {
    let Some((_, json)) = object(message).filter(|(_, json)| !nesting::too_deep(json.as_bytes()))
    else {
        return false;
    };
    let mut fields = Fields::new(true);
    let is_read = json_object::read(json, &mut fields, memos).is_ok();
    let is_login = |login| matches!(login, Some((SignalKind::Auth, Login::Event(_))));
    is_read && fields.has_plain_user() && is_login(login(&fields, memos))
}

/// Reads whatever an object may hold.
fn read_any(
    json: &str,
    prefix_time: Option<When>,
    timed: bool,
    names: &Names,
    memos: &mut Memos,
) -> Said {
    if nesting::too_deep(json.as_bytes()) {
        return Said::Unreadable(Problem::Nesting);
    }
    let mut fields = Fields::new(timed);
    if json_object::read(json, &mut fields, memos).is_err() {
        return Said::Unreadable(Problem::Json);
    }
    said(&fields, prefix_time, names, memos)
}

fn said(fields: &Fields<'_>, prefix_time: Option<When>, names: &Names, memos: &mut Memos) -> Said {
    let Some((action, outcome, told)) = judge(fields, memos) else { return Said::Nothing };
    let name = fields.user.get().and_then(name);
    let own_time = fields.time.get();
    let when = own_time.copied().flatten().or(prefix_time);
    let source = fields.source.get().copied().flatten();
    let auth = Auth {
        action,
        role: Role::Attempt,
        outcome,
        user_known: names.user_known(action, told, outcome, name.as_deref()),
        user: name.map(|name| names.tag(&name)),
        source,
        asn: names.asn(source, fields.asn.get().copied().flatten()),
        agent: names.agent(fields.agent.get().map(AsRef::as_ref)),
        attempts: 1,
    };
    Said::Signal { when, time_unreadable: own_time.is_some() && when.is_none(), auth }
}

/// The time in the prefix and the JSON object behind it.
pub(crate) fn object(message: &str) -> Option<(Option<When>, &str)> {
    let (time, rest) = behind_prefix(message);
    let inside = rest.strip_prefix('{')?;
    inside.trim_ascii_start().starts_with(['"', '}']).then_some((time, rest))
}

/// The time in Lambda's prefix, and what stands behind the prefix.
fn behind_prefix(message: &str) -> (Option<When>, &str) {
    let (mut rest, mut time) = (message.trim_start_matches(' '), None);
    for _ in 0..PREFIX_FIELDS_MAX {
        let Some((field, behind)) = rest.split_once('\t') else { break };
        if field.is_empty() || field.len() > PREFIX_FIELD_BYTES_MAX {
            break;
        }
        match stamp::rfc3339(field.as_bytes()) {
            Some((when, end)) if end == field.len() => time = Some(when),
            _ if field.bytes().all(|b| b.is_ascii_alphanumeric() || b"[]-_".contains(&b)) => {}
            _ => break,
        }
        rest = behind;
    }
    (time, rest)
}

/// Whether a message is an object as a program prints it, and not JSON.
pub(crate) fn is_printed(message: &str) -> bool {
    Printed::of(behind_prefix(message).1).is_some()
}

/// Reads an object that is no JSON but printed as a program prints it, perhaps behind words. Those are its
/// message unless it has one. They may also be a sentence of which the object is only a part, so then the
/// object must tell both user and source.
fn read_printed(message: &str, timed: bool, names: &Names, memos: &mut Memos) -> Said {
    let (prefix_time, text) = behind_prefix(message);
    let Some(Printed { words, json }) = Printed::of(text) else { return Said::Nothing };
    // Behind a time and a blank stands what `aws logs tail` prints: it is read without them.
    let tailed = |(_, end)| words[end..].is_empty() || words[end..].starts_with(' ');
    if !timed && stamp::rfc3339(words.as_bytes()).is_some_and(tailed) {
        return Said::Nothing;
    }
    let mut fields = Fields::new(timed);
    if json_object::read(&json, &mut fields, memos).is_err() {
        return Said::Nothing;
    }
    if !words.is_empty() {
        let tells_source = fields.source.get().copied().flatten().is_some();
        if fields.user.get().is_none() || !tells_source {
            return Said::Nothing;
        }
        fields.offer(Part::Message, MESSAGE_BEFORE, Value::Text(Cow::Borrowed(words)), memos);
    }
    said(&fields, prefix_time, names, memos)
}

/// What makes a line a login, a reset or a sign-up.
enum Login {
    /// A field that names the event, or the message: the words of it.
    Event(Words),
    /// The path of a request.
    Path,
    /// Only that it has all that a login has.
    Alone,
}

/// What was tried, the outcome, and whether the account exists; `None` if the line is no decided try.
fn judge(fields: &Fields<'_>, memos: &mut Memos) -> Option<(SignalKind, Outcome, Option<bool>)> {
    let (action, login) = login(fields, memos)?;
    let mut words = |text: &Best<Cow<'_, str>>| text.get().map(|text| memos.words(text));
    let mut message = None;
    // What only looks like a login must have its end told where its address is told.
    let beside = |holders: Option<Holders>| match login {
        Login::Alone => {
            holders.zip(fields.source.holders()).is_some_and(|(said, source)| said.meet(source))
        }
        Login::Event(_) | Login::Path => true,
    };
    let outcome = told_outcome(fields)
        .filter(|(_, holder)| beside(*holder))
        .map(|(outcome, _)| outcome)
        .or_else(|| match &login {
            Login::Event(event) => event.outcome(),
            Login::Path | Login::Alone => None,
        })
        .or_else(|| match &login {
            Login::Event(_) | Login::Path => status_outcome(*fields.status.get()?, action),
            Login::Alone => None,
        })
        .or_else(|| words(&fields.reason).filter(|_| beside(fields.reason.holders()))?.outcome())
        .or_else(|| match &login {
            Login::Event(_) | Login::Path => words(&fields.error)?.outcome().or_else(|| {
                message = words(&fields.message);
                message?.outcome()
            }),
            Login::Alone => None,
        });
    if action == SignalKind::Auth && outcome? == Outcome::Success {
        return Some((action, Outcome::Success, Some(true)));
    }
    let (reason, error) = (words(&fields.reason), words(&fields.error));
    let event = if let Login::Event(event) = login { Some(event) } else { None };
    let told = fields.outcome.get().and_then(|outcome| outcome.words);
    // A message quotes what the client sent, so it is asked only where nothing else gives a reason.
    if reason.is_none() && error.is_none() {
        message = message.or_else(|| words(&fields.message));
    }
    let known = fields.user_known.get().copied().or_else(|| {
        let texts = [reason, error, told, event, message];
        // A user who registers is there afterwards, and was not there before.
        let old = |words: &&Words| action == SignalKind::Auth || !words.names_new_user();
        texts.iter().flatten().filter(old).find_map(Words::user_known)
    });
    match action {
        SignalKind::Auth => Some((action, outcome?, known)),
        _ => asked(action, outcome, known, fields.status.get().is_some()),
    }
}

/// A reset or a sign-up. Without an outcome it was asked for, unless a status says neither yes nor no. Of an
/// account that is still to be, nothing but that it is there already tells anything.
fn asked(
    action: SignalKind,
    outcome: Option<Outcome>,
    known: Option<bool>,
    has_status: bool,
) -> Option<(SignalKind, Outcome, Option<bool>)> {
    let taken = action == SignalKind::SignUp && known == Some(true);
    let known = known.filter(|known| action == SignalKind::Reset || *known);
    let outcome = match outcome {
        Some(outcome) => outcome,
        None if taken => Outcome::Failure,
        None if has_status => return None,
        None => Outcome::Success,
    };
    Some((action, outcome, known))
}

fn login(fields: &Fields<'_>, memos: &mut Memos) -> Option<(SignalKind, Login)> {
    let mut other = false;
    for depth in 0..=fields.deepest {
        match named_at(depth, fields, memos) {
            (Named::Login, words) => {
                return Some((SignalKind::Auth, by_event(fields, words?)?));
            }
            (named @ (Named::Reset | Named::SignUp), words) => {
                let event = words.filter(|_| fields.has_plain_user()).map(Login::Event);
                return named.action().zip(event);
            }
            (Named::NotLogin, _) => return None,
            // What a field names counts more than what a message, or an object further in, does.
            (Named::Other, None) => return None,
            (Named::Other, Some(_)) => other = true,
            (Named::Generic, _) => {}
        }
    }
    let whole = fields.has_plain_user() && fields.source.get().copied().flatten().is_some();
    let Some(path) = fields.path.get() else {
        return (whole && !other).then_some((SignalKind::Auth, Login::Alone));
    };
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let asks = ["GET", "HEAD", "OPTIONS"];
    // Further in, a path may be any: one that the request was sent on from, or to.
    let is_of_request = fields.path.holders().is_some_and(|holder| holder.depth == 0);
    let posts =
        fields.method.get().map_or(is_of_request, |method| !asks.contains(&method.as_ref()));
    let action = memos.words(path).named().action().filter(|_| whole && posts);
    Some((action?, Login::Path))
}

/// What the fields of one depth name, those that name events before the message; with the words that do so,
/// but none for another event.
fn named_at(depth: u8, fields: &Fields<'_>, memos: &mut Memos) -> (Named, Option<Words>) {
    let mut other = false;
    for event in fields.events().filter(|event| event.depth == depth) {
        let words = memos.words(event.text);
        match words.named() {
            named @ (Named::Login | Named::Reset | Named::SignUp | Named::NotLogin) => {
                return (named, Some(words));
            }
            Named::Other => other |= event.names_only_events,
            Named::Generic => {}
        }
    }
    if other {
        return (Named::Other, None);
    }
    let message = fields.message.get();
    let message = message.filter(|_| fields.message.holders().is_some_and(|it| it.depth == depth));
    let Some(words) = message.map(|message| memos.words(message)) else {
        return (Named::Generic, None);
    };
    (words.named(), Some(words))
}

/// A login named in several words, as in `log in` or `bad password`, must have a user's field: no
/// needle could find all ways to write them.
fn by_event(fields: &Fields<'_>, words: Words) -> Option<Login> {
    let found = words.names_login_in_one_word() || fields.has_plain_user();
    found.then_some(Login::Event(words))
}

/// The outcome that a field of that purpose gives, and where it stands.
fn told_outcome(fields: &Fields<'_>) -> Option<(Outcome, Option<Holders>)> {
    let (told, passed, failed) = (&fields.outcome, &fields.passed, &fields.failed);
    let outcome = told.get().and_then(|said| said.outcome).map(|told_so| (told_so, told.holders()));
    outcome
        .or_else(|| passed.get().map(|yes| (passed_or_not(*yes), passed.holders())))
        .or_else(|| failed.get().map(|yes| (passed_or_not(!yes), failed.holders())))
}

/// The outcome of a try that an HTTP status tells. Forms redirect after a login, and refuse with
/// 400 or 422 as often as with 401; 404 is an unknown user, 409 one that has
/// signed up before, 423 a locked one; 429 refuses a try
/// unseen, but refuses it. Other client errors are not about the login; a server's own failure (5xx)
/// decides nothing.
fn status_outcome(status: i64, action: SignalKind) -> Option<Outcome> {
    match status {
        409 if action == SignalKind::SignUp => Some(Outcome::Failure),
        200..400 => Some(Outcome::Success),
        400 | 401 | 403 | 404 | 422 | 423 | 429 => Some(Outcome::Failure),
        _ => None,
    }
}

/// The name of the user; `None` where the source hides it.
fn name<'a>(user: &'a Value<'_>) -> Option<Cow<'a, str>> {
    match user {
        Value::Text(name) if is_placeholder(name) => None,
        Value::Text(name) => Some(Cow::Borrowed(name)),
        Value::Integer(id) => Some(Cow::Owned(id.to_string())),
        Value::Float(id) => Some(Cow::Owned(id.to_string())),
        Value::Null | Value::Bool(_) | Value::Nested => None,
    }
}

#[cfg(test)]
mod tests;
