//! OpenSSH's sshd through syslog: the classic stamp, rsyslog's ISO stamp, RFC 5424, or no header but
//! `sshd[pid]: `.
//!
//! Usernames are typed by the attacker and may hold blanks, ` from ` and whole log lines, so nothing
//! is searched for in a line but the fixed grammar at its two ends: the program must stand where the
//! header has it, the body is anchored at its start, and the source is what sshd itself wrote behind
//! the name. Where free text stands behind the source too, two readings may be possible: then
//! neither name nor source is guessed. Which lines are attempts and which are mentions of the same
//! try is the design's table: `Failed` and `Accepted` decide a try, all others repeat it.
//!
//! The wordings are OpenSSH's `auth.c` (`auth_log`), `auth2.c`, `packet.c` and `session.c`.

use tidewatch_core::signal::{Auth, Outcome, Role, SignalKind};

use super::Said;
use super::address::{bare, is_host, is_port};
use crate::problem::Problem;
use crate::stamp;
use crate::username::Names;
use crate::when::When;

/// The programs of one sshd, as they stand in a header.
pub(super) const NEEDLES: &[&str] = &["sshd[", "sshd:", "sshd-session", "sshd-auth", " sshd "];

const PROGRAMS: [&str; 3] = ["sshd", "sshd-session", "sshd-auth"];

/// What a body says, before the name is tagged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Body<'a> {
    Nothing,
    HostnameSource,
    Try { role: Role, outcome: Outcome, known: bool, place: Place<'a>, times: u32 },
}

/// Whose try, and from where.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place<'a> {
    At {
        name: &'a str,
        host: &'a str,
    },
    /// The line can be read in two ways, because free text stands on both sides of the source.
    Ambiguous,
}

/// What stands behind `port N`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tail {
    /// Only what sshd writes: this is the source.
    Fixed,
    /// The grammar, with free text in it: the source, if no other place fits too.
    Free,
    /// Not the grammar: not the source.
    Wrong,
}

/// Reads one message.
pub(super) fn read(message: &str, names: &Names) -> Said {
    let Some((stamp, body)) = header(message) else { return Said::Nothing };
    match read_body(body) {
        Body::Nothing => Said::Nothing,
        Body::HostnameSource => Said::HostnameSource,
        // Without its stamp the header is only a guess, which no other time makes better.
        Body::Try { .. } if stamp == Stamp::Unreadable => Said::Unreadable(Problem::TimeUnreadable),
        Body::Try { role, outcome, known, place, times } => {
            let (user, source) = match place {
                Place::At { name, host } => (Some(names.tag(name)), bare(host)),
                Place::Ambiguous => (None, None),
            };
            let auth = Auth {
                action: SignalKind::Auth,
                role,
                outcome,
                user_known: Some(known),
                user,
                source,
                asn: names.asn(source, None),
                agent: None,
                attempts: times,
            };
            let when = if let Stamp::Read(when) = stamp { Some(when) } else { None };
            Said::Signal { when, time_unreadable: false, auth }
        }
    }
}

/// What a header says of the time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stamp {
    Missing,
    Read(When),
    /// It stands where a time should, and is none: `Jun 31`, 25 o'clock.
    Unreadable,
}

/// The time and the body of a line of sshd's; `None` if another program wrote it.
fn header(message: &str) -> Option<(Stamp, &str)> {
    // No header begins like JSON, which half of the world logs.
    if message.starts_with('{') {
        return None;
    }
    let rest = after_priority(message);
    if let Some(rest) = rest.strip_prefix("1 ") {
        return structured_header(rest);
    }
    if let Some(body) = after_program(rest) {
        return Some((Stamp::Missing, body));
    }
    let (stamp, rest) = after_stamp(rest)?;
    let behind_host = || {
        let (host, rest) = rest.split_once(' ')?;
        if is_host(host) { after_program(rest) } else { None }
    };
    Some((stamp, after_program(rest).or_else(behind_host)?))
}

/// The time that a header begins with, and what follows the blank behind it.
fn after_stamp(text: &str) -> Option<(Stamp, &str)> {
    let classic = stamp::syslog(text.as_bytes()).map(|(civil, end)| (When::Civil(civil), end));
    if let Some((when, end)) = classic.or_else(|| stamp::rfc3339(text.as_bytes())) {
        return Some((Stamp::Read(when), text.get(end..)?.strip_prefix(' ')?));
    }
    // What has the looks of a time and is none: a month and two more words, or one like an ISO time.
    let (first, mut rest) = text.split_once(' ')?;
    let iso = first.starts_with(|c: char| c.is_ascii_digit()) && first.contains('-');
    if stamp::begins_with_month(text) {
        for _ in 0..2 {
            rest = rest.trim_start_matches(' ').split_once(' ')?.1;
        }
    } else if !(iso && first.contains(':')) {
        return None;
    }
    Some((Stamp::Unreadable, rest))
}

/// RFC 5424 behind its version: time, host, program, pid, message id, structured data.
fn structured_header(rest: &str) -> Option<(Stamp, &str)> {
    let (time, rest) = rest.split_once(' ')?;
    let (_host, rest) = rest.split_once(' ')?;
    let (program, rest) = rest.split_once(' ')?;
    let (_pid, rest) = rest.split_once(' ')?;
    let (_id, rest) = rest.split_once(' ')?;
    if !PROGRAMS.contains(&program) {
        return None;
    }
    let rest = rest.strip_prefix('-').or_else(|| after_structured_data(rest))?;
    let body = rest.strip_prefix(' ')?;
    let when = stamp::rfc3339(time.as_bytes()).filter(|(_, end)| *end == time.len());
    let stamp = match when {
        Some((when, _)) => Stamp::Read(when),
        None if time == "-" => Stamp::Missing,
        None => Stamp::Unreadable,
    };
    Some((stamp, body.strip_prefix('\u{feff}').unwrap_or(body)))
}

/// What follows `[id name="value" …][…]`: in a value `"`, `]` and `\` are escaped (RFC 5424, 6.3.3).
fn after_structured_data(text: &str) -> Option<&str> {
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' if !open => open = true,
            b']' if open => open = false,
            _ if open => {}
            _ => return if at > 0 { text.get(at..) } else { None },
        }
    }
    None
}

/// What follows syslog's `<priority>`, which some receivers keep.
fn after_priority(text: &str) -> &str {
    let inner = text.strip_prefix('<').and_then(|text| text.split_once('>'));
    match inner {
        Some((priority, rest)) if priority.len() <= 3 && is_port(priority) => rest,
        _ => text,
    }
}

/// The body behind `sshd[pid]: ` or `sshd: `.
fn after_program(text: &str) -> Option<&str> {
    let name = text.find(['[', ':']).filter(|end| PROGRAMS.contains(&&text[..*end]))?;
    let rest = &text[name..];
    let rest = match rest.strip_prefix('[') {
        Some(inner) => {
            let (pid, rest) = inner.split_once(']')?;
            if pid.is_empty() || pid.len() > 10 || !pid.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            rest
        }
        None => rest,
    };
    rest.strip_prefix(": ")
}

fn read_body(body: &str) -> Body<'_> {
    let Some(inner) = body.strip_prefix("message repeated ") else { return read_once(body) };
    let Some((times, inner)) = inner.split_once(" times: [") else { return Body::Nothing };
    let Some(inner) = inner.strip_suffix(']') else { return Body::Nothing };
    let times = match times.parse::<u128>() {
        Ok(0) | Err(_) => return Body::Nothing,
        Ok(times) => u32::try_from(times).unwrap_or(u32::MAX),
    };
    match read_once(inner.trim_ascii()) {
        Body::Try { role, outcome, known, place, .. } => {
            Body::Try { role, outcome, known, place, times }
        }
        other => other,
    }
}

fn read_once(body: &str) -> Body<'_> {
    let body = after_message_id(body);
    let body = ["error: ", "fatal: "].iter().find_map(|p| body.strip_prefix(p)).unwrap_or(body);
    let said = match body.as_bytes().first() {
        Some(b'F') => decided(body, "Failed ", Outcome::Failure),
        Some(b'A') => decided(body, "Accepted ", Outcome::Success),
        Some(b'I') => ["Invalid user ", "Illegal user "]
            .iter()
            .find_map(|lead| body.strip_prefix(lead))
            .and_then(|rest| Some(mention(false, last_from(rest)?))),
        Some(b'C') => ["Connection closed by ", "Connection reset by "]
            .iter()
            .find_map(|lead| body.strip_prefix(lead))
            .and_then(|rest| left(rest, preauth)),
        Some(b'D') => match body.strip_prefix("Disconnected from ") {
            Some(rest) => left(rest, preauth),
            None => body.strip_prefix("Disconnecting ").and_then(|rest| left(rest, reason)),
        },
        Some(b'm') => {
            body.strip_prefix("maximum authentication attempts exceeded for ").and_then(|rest| {
                let (known, rest) = after_invalid(rest);
                Some(mention(known, place(rest, " from ", protocol)?))
            })
        }
        Some(b'p' | b'P') if repeats_a_failure(body) => return pam_source(body),
        _ => None,
    };
    said.unwrap_or(Body::Nothing)
}

/// Solaris writes `[ID 800047 auth.info] ` before the text.
fn after_message_id(body: &str) -> &str {
    let id = body.strip_prefix("[ID ").and_then(|rest| rest.split_once("] "));
    match id {
        Some((id, rest)) if id.len() <= 40 => rest,
        _ => body,
    }
}

/// `Failed METHOD for [invalid user ]NAME from HOST port N ssh2[: …]`, and `Accepted` likewise.
fn decided<'a>(body: &'a str, lead: &str, outcome: Outcome) -> Option<Body<'a>> {
    let (_method, rest) = body.strip_prefix(lead)?.split_once(' ')?;
    let rest = rest.strip_prefix("for ")?;
    let (known, rest) = match outcome {
        Outcome::Failure => after_invalid(rest),
        Outcome::Success => (true, rest),
    };
    let place = place(rest, " from ", protocol)?;
    Some(Body::Try { role: Role::Attempt, outcome, known, place, times: 1 })
}

/// `invalid user NAME HOST port N …` or `authenticating user …`; other users are logged in already.
fn left(rest: &str, tail: fn(&str) -> Tail) -> Option<Body<'_>> {
    let (known, rest) = match rest.strip_prefix("authenticating user ") {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix("invalid user ")?),
    };
    Some(mention(known, place(rest, " ", tail)?))
}

fn mention(known: bool, place: Place<'_>) -> Body<'_> {
    Body::Try { role: Role::Mention, outcome: Outcome::Failure, known, place, times: 1 }
}

/// Strips what sshd writes before the name of a user that does not exist.
fn after_invalid(rest: &str) -> (bool, &str) {
    match ["invalid user ", "illegal user "].iter().find_map(|lead| rest.strip_prefix(lead)) {
        Some(rest) => (false, rest),
        None => (true, rest),
    }
}

/// Finds `NAME{lead}HOST port N{tail}` in the whole of `text`, from its end: the last place whose
/// tail is fixed is the source, whatever the name looks like. A free tail decides only if no other
/// place fits.
fn place<'a>(text: &'a str, lead: &str, tail: fn(&str) -> Tail) -> Option<Place<'a>> {
    let mut free = None;
    for (at, _) in text.rmatch_indices(" port ") {
        let behind = &text[at + " port ".len()..];
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        if !is_port(&behind[..digits]) {
            continue;
        }
        let Some(host_at) = text[..at].rfind(' ') else { continue };
        let host = &text[host_at + 1..at];
        let Some(name) = text[..=host_at].strip_suffix(lead) else { continue };
        if !is_host(host) {
            continue;
        }
        match (tail(&behind[digits..]), free) {
            (Tail::Wrong, _) => {}
            (Tail::Fixed, None) => return Some(Place::At { name, host }),
            (Tail::Free, None) => free = Some(Place::At { name, host }),
            (Tail::Fixed | Tail::Free, Some(_)) => return Some(Place::Ambiguous),
        }
    }
    free
}

/// `NAME from HOST` or `NAME from HOST port N`, to the end of the line.
fn last_from(text: &str) -> Option<Place<'_>> {
    let ends_here = |tail: &str| if tail.is_empty() { Tail::Fixed } else { Tail::Wrong };
    place(text, " from ", ends_here).or_else(|| {
        let at = text.rfind(" from ")?;
        let host = &text[at + " from ".len()..];
        is_host(host).then_some(Place::At { name: &text[..at], host })
    })
}

/// Behind the source of a decided try: the protocol and, for keys, `: TYPE FINGERPRINT`. A
/// certificate's key id and a client's host name stand there too, and are free text.
fn protocol(tail: &str) -> Tail {
    let tail = [" ssh2", " ssh1", " ssh"].iter().find_map(|p| tail.strip_prefix(p)).unwrap_or(tail);
    if tail.is_empty() || tail == " [preauth]" {
        return Tail::Fixed;
    }
    let Some(key) = tail.strip_prefix(": ") else { return Tail::Wrong };
    let fingerprint = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=:-_".contains(&byte);
    let fixed = key
        .split_once(' ')
        .is_some_and(|(kind, print)| kind.len() <= 32 && print.bytes().all(fingerprint));
    if fixed { Tail::Fixed } else { Tail::Free }
}

fn preauth(tail: &str) -> Tail {
    if matches!(tail, "" | " [preauth]") { Tail::Fixed } else { Tail::Wrong }
}

/// Behind the source of `Disconnecting`: a reason, which for a changed name quotes both names.
fn reason(tail: &str) -> Tail {
    let Some(reason) = tail.strip_prefix(": ") else { return Tail::Wrong };
    let reason = reason.strip_suffix(" [preauth]").unwrap_or(reason);
    if reason == "Too many authentication failures" { Tail::Fixed } else { Tail::Free }
}

/// PAM's lines about a failure, which another line of the same try decides.
fn repeats_a_failure(body: &str) -> bool {
    let module = body.strip_prefix("pam_").and_then(|rest| rest.split_once('('));
    if let Some((_, rest)) = module {
        return rest.starts_with("sshd:auth): authentication failure");
    }
    let more = body.strip_prefix("PAM ").and_then(|rest| rest.split_once(' '));
    more.is_some_and(|(_, rest)| rest.starts_with("more authentication failure"))
}

/// Feeds nothing, but says whether the source is a host name.
fn pam_source(body: &str) -> Body<'_> {
    let Some((_, rest)) = body.split_once(" rhost=") else { return Body::Nothing };
    let host = rest.split(' ').next().unwrap_or(rest);
    if host.is_empty() || bare(host).is_some() { Body::Nothing } else { Body::HostnameSource }
}

#[cfg(test)]
mod tests;
