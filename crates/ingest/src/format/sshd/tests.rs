//! Lines of every shape sshd has, and lines an attacker would like it to have. The names and
//! addresses are made up; the addresses are from the ranges kept for documentation.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use tidewatch_core::tag::TagKey;

use super::*;
use crate::username::{Naming, Usernames};

const HEADER: &str = "Nov 10 06:00:00 web-1 sshd[4711]: ";

fn shown(body: Body<'_>) -> String {
    match body {
        Body::Nothing => "nothing".into(),
        Body::HostnameSource => "hostname source".into(),
        Body::Try { role, outcome, known, place, times } => {
            let place = match place {
                Place::At { name, host } => format!(
                    "{name:?} from {}",
                    bare(host).map_or(format!("host {host}"), |address| address.to_string())
                ),
                Place::Ambiguous => "ambiguous".into(),
            };
            format!("{role:?} {outcome:?} known={known} {times}x {place}")
        }
    }
}

fn check(bodies: &[&str], expected: Expect) {
    let lines = bodies.iter().map(|body| format!("{body}\n  {}\n", shown(read_body(body))));
    expected.assert_eq(&lines.collect::<String>());
}

fn naming() -> Names {
    let naming = Naming { key: TagKey::new([1; 16]), usernames: Usernames::Exact };
    Names::new(naming)
}

#[test]
fn attempts() {
    check(
        &[
            "Failed password for alice from 192.0.2.1 port 22 ssh2",
            "Failed password for invalid user bob from 2001:db8::7 port 50022 ssh2",
            "Failed password for illegal user bob from 192.0.2.1 port 1 ssh2",
            "Failed none for invalid user  from 192.0.2.1 port 1 ssh2",
            "Failed none for invalid user  x y  from 192.0.2.1 port 1 ssh2",
            "Failed keyboard-interactive/pam for alice from ::ffff:192.0.2.1 port 1 ssh2 [preauth]",
            "Failed publickey for alice from fe80::1%eth0 port 1 ssh2: RSA SHA256:ab+c/d",
            "error: Failed gssapi-with-mic for alice from host.example port 1",
            "[ID 800047 auth.info] Failed password for alice from 192.0.2.1 port 1 ssh2",
            "Accepted publickey for alice from 192.0.2.1 port 1 ssh2: ED25519 SHA256:abc",
            "Accepted publickey for alice from 192.0.2.1 port 1 ssh2: ED25519-CERT SHA256:abc ID \
             alice laptop (serial 7) CA ED25519 SHA256:def",
            "Failed password for alice from UNKNOWN port 65535 ssh2",
        ],
        expect![[r#"
            Failed password for alice from 192.0.2.1 port 22 ssh2
              Attempt Failure known=true 1x "alice" from 192.0.2.1
            Failed password for invalid user bob from 2001:db8::7 port 50022 ssh2
              Attempt Failure known=false 1x "bob" from 2001:db8::7
            Failed password for illegal user bob from 192.0.2.1 port 1 ssh2
              Attempt Failure known=false 1x "bob" from 192.0.2.1
            Failed none for invalid user  from 192.0.2.1 port 1 ssh2
              Attempt Failure known=false 1x "" from 192.0.2.1
            Failed none for invalid user  x y  from 192.0.2.1 port 1 ssh2
              Attempt Failure known=false 1x " x y " from 192.0.2.1
            Failed keyboard-interactive/pam for alice from ::ffff:192.0.2.1 port 1 ssh2 [preauth]
              Attempt Failure known=true 1x "alice" from 192.0.2.1
            Failed publickey for alice from fe80::1%eth0 port 1 ssh2: RSA SHA256:ab+c/d
              Attempt Failure known=true 1x "alice" from fe80::1
            error: Failed gssapi-with-mic for alice from host.example port 1
              Attempt Failure known=true 1x "alice" from host host.example
            [ID 800047 auth.info] Failed password for alice from 192.0.2.1 port 1 ssh2
              Attempt Failure known=true 1x "alice" from 192.0.2.1
            Accepted publickey for alice from 192.0.2.1 port 1 ssh2: ED25519 SHA256:abc
              Attempt Success known=true 1x "alice" from 192.0.2.1
            Accepted publickey for alice from 192.0.2.1 port 1 ssh2: ED25519-CERT SHA256:abc ID alice laptop (serial 7) CA ED25519 SHA256:def
              Attempt Success known=true 1x "alice" from 192.0.2.1
            Failed password for alice from UNKNOWN port 65535 ssh2
              Attempt Failure known=true 1x "alice" from host UNKNOWN
        "#]],
    );
}

#[test]
fn repeated() {
    check(
        &[
            "message repeated 5 times: [ Failed password for alice from 192.0.2.1 port 1 ssh2]",
            "message repeated 2 times: [Invalid user bob from 192.0.2.1]",
            "message repeated 99999999999 times: [ Failed none for a from 192.0.2.1 port 1 ssh2]",
            "message repeated 0 times: [ Failed password for a from 192.0.2.1 port 1 ssh2]",
            "message repeated -1 times: [ Failed password for a from 192.0.2.1 port 1 ssh2]",
            "message repeated 2 times: [ Failed password for a from 192.0.2.1 port 1 ssh2",
            "message repeated 2 times: [ message repeated 2 times: [ Invalid user b from 192.0.2.1]]",
        ],
        expect![[r#"
            message repeated 5 times: [ Failed password for alice from 192.0.2.1 port 1 ssh2]
              Attempt Failure known=true 5x "alice" from 192.0.2.1
            message repeated 2 times: [Invalid user bob from 192.0.2.1]
              Mention Failure known=false 2x "bob" from 192.0.2.1
            message repeated 99999999999 times: [ Failed none for a from 192.0.2.1 port 1 ssh2]
              Attempt Failure known=true 4294967295x "a" from 192.0.2.1
            message repeated 0 times: [ Failed password for a from 192.0.2.1 port 1 ssh2]
              nothing
            message repeated -1 times: [ Failed password for a from 192.0.2.1 port 1 ssh2]
              nothing
            message repeated 2 times: [ Failed password for a from 192.0.2.1 port 1 ssh2
              nothing
            message repeated 2 times: [ message repeated 2 times: [ Invalid user b from 192.0.2.1]]
              nothing
        "#]],
    );
}

#[test]
fn mentions() {
    check(
        &[
            "Invalid user bob from 192.0.2.1",
            "Invalid user bob from 192.0.2.1 port 22",
            "Invalid user  from 192.0.2.1",
            "Illegal user  0 1 from host.example",
            "Connection closed by invalid user bob 192.0.2.1 port 22 [preauth]",
            "Connection reset by authenticating user alice 192.0.2.1 port 22 [preauth]",
            "Disconnected from invalid user  192.0.2.1 port 22 [preauth]",
            "Disconnected from authenticating user alice 2001:db8::1 port 22 [preauth]",
            "Disconnecting invalid user bob 192.0.2.1 port 22: Too many authentication failures \
             [preauth]",
            "Disconnecting authenticating user alice 192.0.2.1 port 22: Change of username or \
             service not allowed: (alice,ssh-connection) -> (bob,ssh-connection) [preauth]",
            "error: maximum authentication attempts exceeded for alice from 192.0.2.1 port 22 ssh2 \
             [preauth]",
            "maximum authentication attempts exceeded for invalid user bob from 192.0.2.1 port 22 \
             ssh2 [preauth]",
        ],
        expect![[r#"
            Invalid user bob from 192.0.2.1
              Mention Failure known=false 1x "bob" from 192.0.2.1
            Invalid user bob from 192.0.2.1 port 22
              Mention Failure known=false 1x "bob" from 192.0.2.1
            Invalid user  from 192.0.2.1
              Mention Failure known=false 1x "" from 192.0.2.1
            Illegal user  0 1 from host.example
              Mention Failure known=false 1x " 0 1" from host host.example
            Connection closed by invalid user bob 192.0.2.1 port 22 [preauth]
              Mention Failure known=false 1x "bob" from 192.0.2.1
            Connection reset by authenticating user alice 192.0.2.1 port 22 [preauth]
              Mention Failure known=true 1x "alice" from 192.0.2.1
            Disconnected from invalid user  192.0.2.1 port 22 [preauth]
              Mention Failure known=false 1x "" from 192.0.2.1
            Disconnected from authenticating user alice 2001:db8::1 port 22 [preauth]
              Mention Failure known=true 1x "alice" from 2001:db8::1
            Disconnecting invalid user bob 192.0.2.1 port 22: Too many authentication failures [preauth]
              Mention Failure known=false 1x "bob" from 192.0.2.1
            Disconnecting authenticating user alice 192.0.2.1 port 22: Change of username or service not allowed: (alice,ssh-connection) -> (bob,ssh-connection) [preauth]
              Mention Failure known=true 1x "alice" from 192.0.2.1
            error: maximum authentication attempts exceeded for alice from 192.0.2.1 port 22 ssh2 [preauth]
              Mention Failure known=true 1x "alice" from 192.0.2.1
            maximum authentication attempts exceeded for invalid user bob from 192.0.2.1 port 22 ssh2 [preauth]
              Mention Failure known=false 1x "bob" from 192.0.2.1
        "#]],
    );
}

#[test]
fn lines_that_say_nothing() {
    check(
        &[
            "Connection closed by 192.0.2.1 port 22 [preauth]",
            "Connection closed by user alice 192.0.2.1 port 22",
            "Disconnected from user alice 192.0.2.1 port 22",
            "Disconnecting: Too many authentication failures for alice [preauth]",
            "Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]",
            "input_userauth_request: invalid user bob [preauth]",
            "Failed to allocate internet-domain X11 display socket.",
            "Postponed publickey for alice from 192.0.2.1 port 22 ssh2 [preauth]",
            "pam_unix(sshd:session): session opened for user alice by (uid=0)",
            "pam_unix(sshd:auth): check pass; user unknown",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= \
             rhost=192.0.2.1  user=alice",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=",
            "pam_sss(sshd:auth): authentication failure; tty=ssh ruser= rhost=host.example user=a",
            "PAM 2 more authentication failures; logname= uid=0 tty=ssh ruser= rhost=host.example ",
            "PAM 1 more authentication failure; logname= uid=0 tty=ssh ruser= rhost=192.0.2.1 ",
            "PAM service(sshd) ignoring max retries; 6 > 3",
            "",
        ],
        expect![[r#"
            Connection closed by 192.0.2.1 port 22 [preauth]
              nothing
            Connection closed by user alice 192.0.2.1 port 22
              nothing
            Disconnected from user alice 192.0.2.1 port 22
              nothing
            Disconnecting: Too many authentication failures for alice [preauth]
              nothing
            Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]
              nothing
            input_userauth_request: invalid user bob [preauth]
              nothing
            Failed to allocate internet-domain X11 display socket.
              nothing
            Postponed publickey for alice from 192.0.2.1 port 22 ssh2 [preauth]
              nothing
            pam_unix(sshd:session): session opened for user alice by (uid=0)
              nothing
            pam_unix(sshd:auth): check pass; user unknown
              nothing
            pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=192.0.2.1  user=alice
              nothing
            pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=
              nothing
            pam_sss(sshd:auth): authentication failure; tty=ssh ruser= rhost=host.example user=a
              hostname source
            PAM 2 more authentication failures; logname= uid=0 tty=ssh ruser= rhost=host.example 
              hostname source
            PAM 1 more authentication failure; logname= uid=0 tty=ssh ruser= rhost=192.0.2.1 
              nothing
            PAM service(sshd) ignoring max retries; 6 > 3
              nothing

              nothing
        "#]],
    );
}

#[test]
fn truncated_lines() {
    check(
        &[
            "Failed password for alice from 192.0.2.1 port ",
            "Failed password for alice from 192.0.2.1 po",
            "Failed password for alice from 192.0.2.1",
            "Failed password for",
            "Invalid user bob from 192.0.2",
            "Invalid user bob from 192.0.2.1 por",
            "Invalid user bob from 2001:db8:",
            "Invalid user bob from ",
            "Invalid user bob",
            "Connection closed by invalid user bob 192.0.2.1 port 22 [prea",
            "Connection closed by invalid user bob 192.0.2.1",
            "maximum authentication attempts exceeded for alice from 192.0.2.1 port 22 ss",
        ],
        expect![[r#"
            Failed password for alice from 192.0.2.1 port 
              nothing
            Failed password for alice from 192.0.2.1 po
              nothing
            Failed password for alice from 192.0.2.1
              nothing
            Failed password for
              nothing
            Invalid user bob from 192.0.2
              nothing
            Invalid user bob from 192.0.2.1 por
              nothing
            Invalid user bob from 2001:db8:
              nothing
            Invalid user bob from 
              nothing
            Invalid user bob
              nothing
            Connection closed by invalid user bob 192.0.2.1 port 22 [prea
              nothing
            Connection closed by invalid user bob 192.0.2.1
              nothing
            maximum authentication attempts exceeded for alice from 192.0.2.1 port 22 ss
              nothing
        "#]],
    );
}

#[test]
fn crafted_names() {
    check(
        &[
            "Failed password for invalid user x from 203.0.113.6 port 1 ssh2 from 192.0.2.1 port 2 \
             ssh2",
            "Failed password for invalid user invalid user root from 192.0.2.1 port 2 ssh2",
            "Failed publickey for invalid user x from 203.0.113.6 port 1 ssh2: RSA SHA256:a from \
             192.0.2.1 port 2 ssh2: RSA SHA256:b",
            "Failed publickey for alice from 192.0.2.1 port 2 ssh2: RSA-CERT SHA256:a ID x from \
             203.0.113.6 port 1 ssh2: RSA SHA256:a (serial 0) CA RSA SHA256:b",
            "Failed hostbased for alice from 192.0.2.1 port 2 ssh2: RSA SHA256:a, client user \"x\", \
             client host \"h from 203.0.113.6 port 1 ssh2: RSA b\"",
            "Invalid user x from 203.0.113.6 from 192.0.2.1",
            "Invalid user x from 203.0.113.6 port 1 from 192.0.2.1 port 2",
            "Invalid user x from 203.0.113.6 port 1 from 192.0.2.1",
            "Connection closed by invalid user x 203.0.113.6 port 1 [preauth] 192.0.2.1 port 2 \
             [preauth]",
            "Disconnecting invalid user x 203.0.113.6 port 1: a 192.0.2.1 port 2: Too many \
             authentication failures [preauth]",
            "Disconnecting authenticating user a 192.0.2.1 port 22: Change of username or service \
             not allowed: (a,ssh-connection) -> (b 203.0.113.6 port 1: c,ssh-connection) [preauth]",
        ],
        expect![[r#"
            Failed password for invalid user x from 203.0.113.6 port 1 ssh2 from 192.0.2.1 port 2 ssh2
              Attempt Failure known=false 1x "x from 203.0.113.6 port 1 ssh2" from 192.0.2.1
            Failed password for invalid user invalid user root from 192.0.2.1 port 2 ssh2
              Attempt Failure known=false 1x "invalid user root" from 192.0.2.1
            Failed publickey for invalid user x from 203.0.113.6 port 1 ssh2: RSA SHA256:a from 192.0.2.1 port 2 ssh2: RSA SHA256:b
              Attempt Failure known=false 1x "x from 203.0.113.6 port 1 ssh2: RSA SHA256:a" from 192.0.2.1
            Failed publickey for alice from 192.0.2.1 port 2 ssh2: RSA-CERT SHA256:a ID x from 203.0.113.6 port 1 ssh2: RSA SHA256:a (serial 0) CA RSA SHA256:b
              Attempt Failure known=true 1x ambiguous
            Failed hostbased for alice from 192.0.2.1 port 2 ssh2: RSA SHA256:a, client user "x", client host "h from 203.0.113.6 port 1 ssh2: RSA b"
              Attempt Failure known=true 1x ambiguous
            Invalid user x from 203.0.113.6 from 192.0.2.1
              Mention Failure known=false 1x "x from 203.0.113.6" from 192.0.2.1
            Invalid user x from 203.0.113.6 port 1 from 192.0.2.1 port 2
              Mention Failure known=false 1x "x from 203.0.113.6 port 1" from 192.0.2.1
            Invalid user x from 203.0.113.6 port 1 from 192.0.2.1
              Mention Failure known=false 1x "x from 203.0.113.6 port 1" from 192.0.2.1
            Connection closed by invalid user x 203.0.113.6 port 1 [preauth] 192.0.2.1 port 2 [preauth]
              Mention Failure known=false 1x "x 203.0.113.6 port 1 [preauth]" from 192.0.2.1
            Disconnecting invalid user x 203.0.113.6 port 1: a 192.0.2.1 port 2: Too many authentication failures [preauth]
              Mention Failure known=false 1x "x 203.0.113.6 port 1: a" from 192.0.2.1
            Disconnecting authenticating user a 192.0.2.1 port 22: Change of username or service not allowed: (a,ssh-connection) -> (b 203.0.113.6 port 1: c,ssh-connection) [preauth]
              Mention Failure known=true 1x ambiguous
        "#]],
    );
}

#[test]
fn headers() {
    let body = "Invalid user bob from 192.0.2.1";
    let heads = [
        "Nov 10 06:00:00 web-1 sshd[4711]: ",
        "Nov  1 06:00:00.123456 web-1 sshd-session[4711]: ",
        "<38>Nov 10 06:00:00 web-1 sshd-auth: ",
        "Nov 10 06:00:00 sshd[4711]: ",
        "2026-11-10T06:00:00.123456+01:00 web-1 sshd[4711]: ",
        "2026-11-10T06:00:00 web-1 sshd[4711]: ",
        "<38>1 2026-11-10T06:00:00Z web-1 sshd 4711 - - ",
        "<38>1 - web-1 sshd 4711 - [meta a=\"]\\\"\" b=\"1\"][x] \u{feff}",
        "sshd[4711]: ",
        "sshd: ",
        "",
        "web-1 sshd[4711]: ",
        "Nov 10 06:00:00 web-1 cron[1]: sshd[4711]: ",
        "Nov 10 06:00:00 web-1 app sshd[4711]: ",
        "Nov 10 06:00:00 app: sshd[4711]: ",
        "Nov 10 06:00:00 web-1 xsshd[4711]: ",
        "Nov 10 06:00:00 web-1 sshd[47x]: ",
        "Nov 10 06:00:00 web-1 sshd(pam_unix)[4711]: ",
        "Nov 31 06:00:00 web-1 sshd[4711]: ",
        "Nov 10 25:00:00 web-1 sshd[4711]: ",
        "2026-13-10T06:00:00Z web-1 sshd[4711]: ",
        "Nov 1 06:00:00 web-1 sshd[4711]: ",
        "Nov 1 06:00:00.250 web-1 sshd[4711]: ",
        "Nov 31 06:00:00 web-1 app: sshd[4711]: ",
        "10.0.0.1 web-1 sshd[4711]: ",
        "<38>1 2026-11-10T06:00:00Z web-1 app 1 - [x a=\"sshd 1 - - \"] ",
    ];
    let lines = heads.iter().map(|head| match read(&format!("{head}{body}"), &naming()) {
        Said::Signal { when, .. } => format!("{head}\n  {when:?}\n"),
        other => format!("{head}\n  {other:?}\n"),
    });
    expect![[r#"
        Nov 10 06:00:00 web-1 sshd[4711]: 
          Some(Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 0, millisecond: 0 }))
        Nov  1 06:00:00.123456 web-1 sshd-session[4711]: 
          Some(Civil(Civil { year: None, month: 11, day: 1, hour: 6, minute: 0, second: 0, millisecond: 123 }))
        <38>Nov 10 06:00:00 web-1 sshd-auth: 
          Some(Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 0, millisecond: 0 }))
        Nov 10 06:00:00 sshd[4711]: 
          Some(Civil(Civil { year: None, month: 11, day: 10, hour: 6, minute: 0, second: 0, millisecond: 0 }))
        2026-11-10T06:00:00.123456+01:00 web-1 sshd[4711]: 
          Some(At(Time(1794286800123)))
        2026-11-10T06:00:00 web-1 sshd[4711]: 
          Some(Civil(Civil { year: Some(2026), month: 11, day: 10, hour: 6, minute: 0, second: 0, millisecond: 0 }))
        <38>1 2026-11-10T06:00:00Z web-1 sshd 4711 - - 
          Some(At(Time(1794290400000)))
        <38>1 - web-1 sshd 4711 - [meta a="]\"" b="1"][x] ﻿
          None
        sshd[4711]: 
          None
        sshd: 
          None

          Nothing
        web-1 sshd[4711]: 
          Nothing
        Nov 10 06:00:00 web-1 cron[1]: sshd[4711]: 
          Nothing
        Nov 10 06:00:00 web-1 app sshd[4711]: 
          Nothing
        Nov 10 06:00:00 app: sshd[4711]: 
          Nothing
        Nov 10 06:00:00 web-1 xsshd[4711]: 
          Nothing
        Nov 10 06:00:00 web-1 sshd[47x]: 
          Nothing
        Nov 10 06:00:00 web-1 sshd(pam_unix)[4711]: 
          Nothing
        Nov 31 06:00:00 web-1 sshd[4711]: 
          Unreadable(TimeUnreadable)
        Nov 10 25:00:00 web-1 sshd[4711]: 
          Unreadable(TimeUnreadable)
        2026-13-10T06:00:00Z web-1 sshd[4711]: 
          Unreadable(TimeUnreadable)
        Nov 1 06:00:00 web-1 sshd[4711]: 
          Some(Civil(Civil { year: None, month: 11, day: 1, hour: 6, minute: 0, second: 0, millisecond: 0 }))
        Nov 1 06:00:00.250 web-1 sshd[4711]: 
          Some(Civil(Civil { year: None, month: 11, day: 1, hour: 6, minute: 0, second: 0, millisecond: 250 }))
        Nov 31 06:00:00 web-1 app: sshd[4711]: 
          Nothing
        10.0.0.1 web-1 sshd[4711]: 
          Nothing
        <38>1 2026-11-10T06:00:00Z web-1 app 1 - [x a="sshd 1 - - "] 
          Nothing
    "#]].assert_eq(&lines.collect::<String>());
}

/// The lines in which sshd writes a name, with `{}` for it.
const TEMPLATES: [&str; 8] = [
    "Failed password for invalid user {} from 192.0.2.1 port 2 ssh2",
    "Failed publickey for invalid user {} from 192.0.2.1 port 2 ssh2: RSA SHA256:abc",
    "Failed publickey for invalid user {} from 192.0.2.1 port 2 ssh2: RSA-CERT SHA256:a ID x (serial \
     0) CA RSA SHA256:b",
    "Invalid user {} from 192.0.2.1",
    "Invalid user {} from 192.0.2.1 port 2",
    "Disconnected from invalid user {} 192.0.2.1 port 2 [preauth]",
    "Disconnecting invalid user {} 192.0.2.1 port 2: Too many authentication failures [preauth]",
    "maximum authentication attempts exceeded for invalid user {} from 192.0.2.1 port 2 ssh2 \
     [preauth]",
];

/// Any text without a line end, and text made of the grammar's own pieces.
fn names() -> impl Strategy<Value = String> {
    let pieces = [
        "x",
        " ",
        " from ",
        " port ",
        "203.0.113.6",
        "1",
        " ssh2",
        ": RSA SHA256:a",
        " [preauth]",
        ": Too many authentication failures",
        "invalid user ",
        " ID x (serial 0) CA RSA SHA256:b",
    ];
    let pieces = proptest::collection::vec(proptest::sample::select(pieces.to_vec()), 0..12);
    prop_oneof!["[^\n]*", pieces.prop_map(|pieces| pieces.concat())]
}

proptest! {
    #[test]
    fn a_name_never_moves_the_source(
            name in names(),
            template in proptest::sample::select(&TEMPLATES[..]),
        ) {
        let line = format!("{HEADER}{}", template.replace("{}", &name));
        let Said::Signal { auth, .. } = read(&line, &naming()) else {
            return Err(TestCaseError::fail(format!("not read: {line}")));
        };
        let free_tail = template.contains("serial");
        let guessed_nothing = free_tail && auth.source.is_none() && auth.user.is_none();
        let right = auth.source == bare("192.0.2.1") && auth.user == Some(naming().tag(&name));
        prop_assert!(right || guessed_nothing, "{}", line);
    }

    #[test]
    fn any_text_is_read(text in ".*", name in names()) {
        for line in [format!("{HEADER}{text}"), format!("{HEADER}{name}"), text] {
            let _ = read(&line, &naming());
        }
    }
}
