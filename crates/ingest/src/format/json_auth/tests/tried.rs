//! Resets of passwords and sign-ups: read as what they are, and never as logins.

use super::*;

/// The action, outcome and account's existence that are read in a line; nothing where nothing is.
fn said(line: &str) -> Option<(SignalKind, Outcome, Option<bool>)> {
    match read(line, false, &naming(), &mut Memos::default()) {
        Said::Signal { auth, .. } => Some((auth.action, auth.outcome, auth.user_known)),
        _ => None,
    }
}

/// A line of ann's from an address, with these fields too.
fn line(fields: &str) -> String {
    format!(r#"{{{fields},"user":"alice","ip":"192.0.2.1"}}"#)
}

const RESETS: [&str; 14] = [
    "password_reset_requested",
    "PasswordResetRequested",
    "forgot_password",
    "FORGOT_PASSWORD",
    "forgotPassword",
    "reset_password",
    "user.password.reset",
    "auth.password_reset.requested",
    "password_recovery",
    "account_recovery",
    "password_reset_link_sent",
    "password_reset_otp_sent",
    "passwordreset",
    "forgot_username",
];

const SIGN_UPS: [&str; 12] = [
    "signup",
    "sign_up",
    "SignUp",
    "user_signed_up",
    "signup_requested",
    "register",
    "registration",
    "user_registered",
    "UserRegistered",
    "user_registration_completed",
    "auth.register",
    "customer.signup",
];

#[test]
fn they_are_known_by_their_events() {
    for (names, action) in [(&RESETS[..], SignalKind::Reset), (&SIGN_UPS[..], SignalKind::SignUp)] {
        for name in names {
            let asked = said(&line(&format!(r#""event":"{name}""#)));
            let asked = asked.map(|(action, outcome, _)| (action, outcome));
            assert_eq!(asked, Some((action, Outcome::Success)), "{name}");
            let refused = said(&line(&format!(r#""event":"{name}","success":false"#)));
            let refused = refused.map(|(action, outcome, _)| (action, outcome));
            assert_eq!(refused, Some((action, Outcome::Failure)), "{name}");
        }
    }
}

#[test]
fn they_are_found_in_objects_inside() {
    let inside = r#"{"message":{"event":"password_reset_mail_sent","user":"alice","ip":"192.0.2.1","success":true}}"#;
    assert_eq!(said(inside), Some((SignalKind::Reset, Outcome::Success, None)));
    let beside = r#"{"event":{"action":"user-signup","outcome":"failure"},"user":{"name":"alice"},"source":{"ip":"192.0.2.1"}}"#;
    assert_eq!(said(beside), Some((SignalKind::SignUp, Outcome::Failure, None)));
}

#[test]
fn what_they_tell_of_the_account() {
    let (reset, sign_up) = (SignalKind::Reset, SignalKind::SignUp);
    let (yes, no) = (Some(true), Some(false));
    let (success, failure) = (Outcome::Success, Outcome::Failure);
    for (fields, expected) in [
        (r#""event":"password_reset_failed","reason":"user_not_found""#, (reset, failure, no)),
        (r#""event":"password_reset","reason":"user_not_found""#, (reset, failure, no)),
        (r#""event":"password_reset_failed","reason":"invalid_code""#, (reset, failure, None)),
        (r#""event":"password_reset_requested","user_exists":false"#, (reset, success, no)),
        (r#""event":"registration_failed","reason":"invalid_captcha""#, (sign_up, failure, None)),
        (r#""event":"signup","reason":"email_already_exists""#, (sign_up, failure, yes)),
        (r#""event":"signup","reason":"email already registered""#, (sign_up, failure, yes)),
        (r#""message":"User registered via google""#, (sign_up, success, None)),
        (r#""event":"signup","status":409"#, (sign_up, failure, None)),
        (r#""event":"signup","status":201"#, (sign_up, success, None)),
        (r#""method":"POST","path":"/auth/register","status":201"#, (sign_up, success, None)),
        (r#""method":"POST","path":"/forgot-password","status":404"#, (reset, failure, None)),
        (r#""message":"Password reset requested""#, (reset, success, None)),
    ] {
        assert_eq!(said(&line(fields)), Some(expected), "{fields}");
    }
}

/// Events around them of which nobody can say who asked for what, or whether anything was asked for.
#[test]
fn what_only_looks_like_one_says_nothing() {
    for fields in [
        r#""event":"signup","status":503"#,
        r#""event":"mfa_reset""#,
        r#""event":"settings_reset""#,
        r#""event":"password_changed""#,
        r#""event":"user_created""#,
        r#""event":"device_registration""#,
        r#""event":"register_webhook""#,
        r#""event":"signup_page_view""#,
        r#""event":"password_reset_required""#,
        r#""method":"GET","path":"/auth/register","status":200"#,
        r#""message":"Login refused: the password must be reset""#,
    ] {
        assert_eq!(said(&line(fields)), None, "{fields}");
    }
    let nobody = r#"{"event":"password_reset_requested","ip":"192.0.2.1"}"#;
    assert_eq!(said(nobody), None, "without a name no needle could find it");
}

proptest! {
    /// Whatever else stands in the line: a word for a reset or a sign-up in the event's name is no login.
    #[test]
    fn none_is_ever_a_login(
        event in prop::sample::select([&RESETS[..], &SIGN_UPS[..]].concat()),
        field in prop::sample::select(vec!["event", "action", "type", "eventType", "message"]),
        tail in prop::sample::select(vec!["", "_failed", ".success", " denied", "_attempt", "_confirmed"]),
        outcome in prop::sample::select(vec![
            "", r#""outcome":"success","#, r#""success":false,"#, r#""status":200,"#, r#""status":401,"#,
            r#""path":"/login","#, r#""reason":"bad_password","#, r#""authenticated":true,"#,
        ]),
    ) {
        let line = line(&format!(r#"{outcome}"{field}":"{event}{tail}""#));
        let action = said(&line).map(|(action, _, _)| action);
        prop_assert!(action != Some(SignalKind::Auth), "{}", line);
    }
}
