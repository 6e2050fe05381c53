//! Texts as applications write them, and what is read in them.

use expect_test::{Expect, expect};

use super::*;

fn check(texts: &[&str], read: impl Fn(&Words) -> String, expected: Expect) {
    let line = |text: &&str| format!("{text}: {}\n", read(&Words::of(text)));
    expected.assert_eq(&texts.iter().map(line).collect::<String>());
}

#[test]
fn names_of_events() {
    check(
        &[
            "login_failed",
            "LoginSuccess",
            "auth.failure",
            "AUTH",
            "auth",
            "user.login",
            "USER_LOGGED_IN",
            "Sign In",
            "signInAttempt",
            "log_on",
            "ConsoleLogin",
            "authenticate",
            "UserAuthenticated",
            "password check",
            "invalid_credentials",
            "loginfailed",
            "OAuthLogin",
            "failure",
            "",
            "user_logged_out",
            "logout",
            "sign_up",
            "password_reset",
            "auth.token.refresh",
            "login_page_view",
            "order_created",
            "blogging",
            "authority",
            "mfa_challenge",
            "payment",
            "log",
            "http_request",
        ],
        |words| format!("{:?} {:?}", words.named(), words.outcome()),
        expect![[r#"
            login_failed: Login Some(Failure)
            LoginSuccess: Login Some(Success)
            auth.failure: Login Some(Failure)
            AUTH: Generic None
            auth: Generic None
            user.login: Login None
            USER_LOGGED_IN: Login Some(Success)
            Sign In: Login None
            signInAttempt: Login None
            log_on: Login None
            ConsoleLogin: Login None
            authenticate: Login None
            UserAuthenticated: Login Some(Success)
            password check: Login None
            invalid_credentials: Login Some(Failure)
            loginfailed: Login Some(Failure)
            OAuthLogin: Login None
            failure: Generic Some(Failure)
            : Generic None
            user_logged_out: NotLogin None
            logout: NotLogin None
            sign_up: SignUp None
            password_reset: Reset None
            auth.token.refresh: NotLogin None
            login_page_view: NotLogin None
            order_created: NotLogin None
            blogging: Other None
            authority: Other None
            mfa_challenge: Other None
            payment: Other None
            log: Other None
            http_request: Other None
        "#]],
    );
}

#[test]
fn outcomes() {
    check(
        &[
            "success",
            "Successful",
            "unsuccessful",
            "OK",
            "NOT_OK",
            "not authorized",
            "denied",
            "AccessDenied",
            "no error",
            "valid",
            "INVALID",
            "bad_password",
            "user_not_found",
            "unknown",
            "pending",
            "mfa_required",
            "failed after success",
            "token",
            "blocked",
            "ALLOW",
            "ok!",
        ],
        |words| format!("{:?}", words.outcome()),
        expect![[r#"
            success: Some(Success)
            Successful: Some(Success)
            unsuccessful: Some(Failure)
            OK: Some(Success)
            NOT_OK: Some(Failure)
            not authorized: Some(Failure)
            denied: Some(Failure)
            AccessDenied: Some(Failure)
            no error: None
            valid: Some(Success)
            INVALID: Some(Failure)
            bad_password: Some(Failure)
            user_not_found: Some(Failure)
            unknown: None
            pending: None
            mfa_required: None
            failed after success: Some(Failure)
            token: None
            blocked: Some(Failure)
            ALLOW: Some(Success)
            ok!: Some(Success)
        "#]],
    );
}

#[test]
fn reasons() {
    check(
        &[
            "unknown_user",
            "UnknownUser",
            "unknown user",
            "unknownuser",
            "ERR_USER_NOT_FOUND",
            "UserNotFoundException",
            "no such user",
            "no_user",
            "Account does not exist.",
            "user doesn't exist",
            "email not registered",
            "unrecognized email address",
            "invalid username",
            "not a valid user",
            "login unknown",
            "unknown login",
            "Failed password for invalid user",
            "bad_password",
            "wrong-password",
            "Password mismatch",
            "password does not match",
            "invalid passwd",
            "password_expired",
            "account_locked",
            "user disabled",
            "UserNotConfirmedException",
            "invalid_otp",
            "MFA failed",
            "known_user",
            "user exists",
            "invalid_credentials",
            "Bad credentials",
            "invalid username or password",
            "unknown user/password",
            "user not found or wrong password",
            "unknown",
            "unknown error",
            "token expired",
            "NotAuthorizedException",
            "ip blocked",
            "user_password_incorrect",
            "user wrong password",
            "",
        ],
        |words| format!("{:?}", words.user_known()),
        expect![[r#"
            unknown_user: Some(false)
            UnknownUser: Some(false)
            unknown user: Some(false)
            unknownuser: Some(false)
            ERR_USER_NOT_FOUND: Some(false)
            UserNotFoundException: Some(false)
            no such user: Some(false)
            no_user: Some(false)
            Account does not exist.: Some(false)
            user doesn't exist: Some(false)
            email not registered: Some(false)
            unrecognized email address: Some(false)
            invalid username: Some(false)
            not a valid user: Some(false)
            login unknown: None
            unknown login: Some(false)
            Failed password for invalid user: Some(false)
            bad_password: Some(true)
            wrong-password: Some(true)
            Password mismatch: Some(true)
            password does not match: Some(true)
            invalid passwd: Some(true)
            password_expired: Some(true)
            account_locked: Some(true)
            user disabled: Some(true)
            UserNotConfirmedException: Some(true)
            invalid_otp: Some(true)
            MFA failed: Some(true)
            known_user: Some(true)
            user exists: Some(true)
            invalid_credentials: None
            Bad credentials: None
            invalid username or password: None
            unknown user/password: None
            user not found or wrong password: None
            unknown: None
            unknown error: None
            token expired: None
            NotAuthorizedException: None
            ip blocked: None
            user_password_incorrect: Some(true)
            user wrong password: Some(true)
            : None
        "#]],
    );
}

#[test]
fn every_known_word_fits_the_limits() {
    for (word, _) in WORDS.names() {
        assert!(word.len() <= WORD_BYTES_MAX && word.is_ascii(), "{word}");
    }
}
