//! What is found, and above all what is not.

use proptest::prelude::*;

use super::*;

/// The kinds in `text` as `name×count`; numbers that may be cards as `like_cards/numbers`.
fn found(text: &str) -> String {
    let held = look(text, |address| address == "user@shop.example");
    let kinds = Secret::ALL.into_iter().filter(|kind| held.of(*kind) > 0);
    let mut all: Vec<String> =
        kinds.map(|kind| format!("{}×{}", kind.name(), held.of(kind))).collect();
    if held.numbers > 0 {
        all.push(format!("{}/{}", held.like_cards, held.numbers));
    }
    all.join(" ")
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(found(text), expected, "{text}");
}

/// A token signed by nobody.
const JWT: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl";

#[test]
fn passwords_are_told_by_their_labels() {
    for text in [
        r#"{"user":"ann","password":"correct-horse"}"#,
        r#"{"body":"{\"password\":\"correct-horse\"}"}"#,
        "POST /login user=ann&password=hunter2&x=1",
        "{ user: 'ann', newPassword: 'hunter2' }",
        "{'passwd': 'hunter2'}",
        r#"{"user"=>"ann", "password"=>"hunter2"}"#,
        "User(name=ann, password=hunter2)",
        "db_password: hunter2",
        r#"{"pin":1,"password":123456}"#,
        "connecting to postgres://app:s3cr3tpw@db.internal:5432/shop",
        "Authorization: Basic YW5uOmh1bnRlcjI=",
        r#"{"client_secret":"9f8e7d6c5b4a"}"#,
        "password=$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
    ] {
        check(text, "password×1");
    }
}

#[test]
fn what_is_said_about_passwords_is_none() {
    for text in [
        "sshd[9]: Failed password for root from 192.0.2.1 port 22 ssh2",
        "login failed: bad password",
        "password: must be at least 8 characters",
        "Invalid password: too short.",
        r#"{"password":"[FILTERED]"}"#,
        r#"{"password":"********","passwd":"<redacted>","pwd":null}"#,
        r#"{"password":"is required"}"#,
        r#"{"password":true,"hasPassword":"yes-indeed1"}"#,
        "password= user=ann",
        "password=required&x=1",
        "reset_password=a1b2c3d4",
        "sudo: ann : PWD=/home/ann1 ; USER=root ; COMMAND=/bin/ls",
        "pass=12 fail=0",
        "grant_type=password&scope=all",
        "/etc/passwd: no such file",
        "password_last_changed=2026-11-10",
        "postgres://app:***@db.internal/shop",
        "https://shop.example:8443/login",
        "Authorization: Basic [REDACTED]",
        "basic authentication failed",
    ] {
        check(text, "");
    }
}

#[test]
fn tokens_are_told_by_their_shape() {
    check(&format!("Authorization: Bearer {JWT}"), "jwt×1");
    check(&format!(r#"{{"idToken":"{JWT}","n":1}}"#), "jwt×1");
    check("Authorization: Bearer 7c9e6679f4f0a1b2c3d4e5f6", "bearer_token×1");
    check("GET /cb?access_token=7c9e6679f4f0a1b2c3d4e5f6&x=1", "bearer_token×1");
    for text in [
        "the bearer of this letter, bearer authentication_of_clients_is_off",
        "Bearer <token>",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbm4ifQ.[signature]",
        "eyJzdWIiOiJhbm4ifQ.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJlc2lnbmF0dXJl",
        r#"{"next_token":"abc","token_type":"Bearer"}"#,
    ] {
        check(text, "");
    }
}

#[test]
fn keys_of_aws_are_told_by_their_shape_and_their_neighbours() {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    check("using AKIAIOSFODNN7EXAMPLE", "aws_access_key_id×1");
    check(&format!("aws_secret_access_key = {secret}"), "aws_secret_key×1");
    check(
        &format!(r#"{{"accessKeyId":"ASIAIOSFODNN7EXAMPLE","secretAccessKey":"{secret}"}}"#),
        "aws_access_key_id×1 aws_secret_key×1",
    );
    check(&format!("AKIAIOSFODNN7EXAMPLE {secret}"), "aws_access_key_id×1 aws_secret_key×1");
    // A hash and an id that are as long.
    check("AKIAIOSFODNN7EXAMPLE 3f786850e387550fdab836ed7e6dc881de23001b", "aws_access_key_id×1");
    check(secret, "");
    check("XAKIAIOSFODNN7EXAMPLE AKIAIOSFODNN7EXAMPLE2 AKIA akiaiosfodnn7example", "");
}

#[test]
fn cards_are_told_by_check_digit_issuer_and_label() {
    for text in [
        "card number: 4111 1111 1111 1111",
        r#"{"cardNumber":"4111111111111111"}"#,
        "pan=5555555555554444",
        "amex 3782-822463-10005",
        "Card 6011000990139424 declined",
    ] {
        check(text, "card_number×1");
    }
    // Labelled, but with another check digit; or what stands for a card.
    check("card number: 4111 1111 1111 1112", "");
    check("card_id=4111111111111111", "1/1");
    check("paid with 4111111111111111 at last", "1/1");
    check("paid with 4111-1111-1111-1111, then 4111-1111-1111-1112", "1/2");
    for text in [
        "order-4111111111111111",
        "score 0.4111111111111111",
        "4111111111111111-4",
        "x4111111111111111",
        "/orders/4111111111111111",
        "1794290400000 1794290400000123 1794290400000123456",
        "36949840289484018394840294840184938472910384756610293847",
    ] {
        check(text, "");
    }
}

#[test]
fn addresses_of_people_are_told_from_what_looks_like_them() {
    check("sent to ann.lee+x@mail.shop.example.", "email_address×1");
    check("login of user@shop.example by ann@shop.example", "email_address×1 email_as_user×1");
    check("<mailto:ann@shop.example>", "email_address×1");
    for text in [
        "kex: hmac-sha2-256-etm@openssh.com curve25519-sha256@libssh.org",
        "Started user@1000.service, getty@tty1.service",
        "icon@2x.png lodash@4.17.21 left@right",
        "ann@localhost root@ip-10-0-0-1.ec2.internal",
        "message-id=<20261110.1234@mail.shop.example>",
        "git@github.com:shop/app.git",
        "a@.b.com @example.com a@b..com",
    ] {
        check(text, "");
    }
}

#[test]
fn sessions_are_told_by_their_cookies() {
    for text in [
        "Cookie: theme=dark; JSESSIONID=0123456789ABCDEF0123",
        r#"{"headers":{"cookie":"a=b; session_id=s%3Aabcdefghijklmnop"}}"#,
        "Set-Cookie: connect.sid=s%3Aabcdefghijklmnopqrst; Path=/",
        "PHPSESSID=abcdefghij0123456789",
        "> Cookie: theme=dark; session_id=abcdefghij0123456789; x=1",
    ] {
        check(text, "session_cookie×1");
    }
    for text in [
        "Cookie: theme=dark; _ga=GA1.2.1234567890.1234567890",
        "cookie: [redacted]",
        "session_id=12 opened",
        "pam_unix(sshd:session): session opened for user ann",
    ] {
        check(text, "");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Ids, hashes, times, order numbers and versions in lines of the usual kinds.
    #[test]
    fn what_is_random_is_no_secret(
        bytes in any::<[u8; 32]>(), number in any::<u64>(), ms in 1_000_000_000_000..2_000_000_000_000u64,
        nth in 0..8usize,
    ) {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let uuid = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]);
        let base64 = base64_simd::STANDARD.encode_to_string(bytes);
        let line = match nth {
            0 => format!("START RequestId: {uuid} Version: $LATEST"),
            1 => format!(r#"{{"trace_id":"{}","span_id":"{}","ts":{ms}}}"#, &hex[..32], &hex[..16]),
            2 => format!("commit {} digest sha256:{hex} etag \"{}\"", &hex[..40], &hex[..32]),
            3 => format!("order {} shipped at {ms} after {}", number % 1_000_000_000_000, number % 1000),
            4 => format!("x-amz-id-2: {base64} x-amzn-trace-id: Root=1-{}-{}", &hex[..8], &hex[8..32]),
            5 => format!("{{\"session\":\"{uuid}\",\"token\":\"{uuid}\",\"user_id\":{number}}}"),
            6 => format!("2026-11-10T06:00:00.{:06}Z latency={}.{ms}", number % 1_000_000, number % 10),
            _ => format!("id={ms}{:06} took {} ms, {}00{}", number % 1_000_000, number % 9999, ms, number % 1_000_000),
        };
        let held = look(&line, |_| false);
        for kind in Secret::ALL {
            prop_assert_eq!(held.of(kind), 0, "{} in {}", kind.name(), line);
        }
    }

    #[test]
    fn anything_is_survived(text in "\\PC*", parts in proptest::collection::vec(
        prop::sample::select(vec!["password", "=", ":", "\"", "\\", "@", "a.b", "Bearer ", "eyJ", ".", "4111 ", "-",
            "://", "cookie", ";", "AKIA", "é", "[", "Basic "]), 0..60)) {
        look(&text, |_| false);
        look(&parts.concat(), |_| true);
    }
}

/// A long text of what is looked at most closely takes no longer a byte than a short one: counted in what is
/// found, as a text twice as long holds twice as much.
#[test]
fn what_is_found_grows_with_the_text() {
    for part in [
        "password=hunter2 ",
        "ann@shop.example ",
        "Bearer 7c9e6679f4f0a1b2c3d4e5f6 ",
        "card 4111111111111111 ",
    ] {
        let count = |times: usize| {
            let held = look(&part.repeat(times), |_| false);
            Secret::ALL.into_iter().map(|kind| held.of(kind)).sum::<u64>()
        };
        assert_eq!(count(2_000), 2_000, "{part}");
        assert_eq!(count(4_000), 4_000, "{part}");
    }
    for part in ["@", "=", "eyJ", "://", "4 ", "4", "AKIA", "password=", "Bearer ", "a@"] {
        // Quadratic time would not end before anybody's patience.
        look(&part.repeat((1 << 20) / part.len()), |_| false);
    }
}
