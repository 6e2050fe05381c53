//! What a client may call itself. Into each failure that the cases of shipped formats show, other lines are put
//! as the name: lines of this and of all other formats, and what reads like the words around a name. Whatever the
//! name: no other source is read, nobody gets in, and the failure does not vanish.
//!
//! A name is written as the service writes names: where it escapes quotes, quotes are escaped. One line of each
//! format is put into all; TIDEWATCH_HOSTILE=9 puts nine.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tidewatch_core::signal::Outcome;
use tidewatch_core::tag::TagKey;
use tidewatch_ingest::declared::Formats;
use tidewatch_ingest::format::Said;
use tidewatch_ingest::username::{Naming, Usernames};
use tidewatch_ingest::{Config, Ingest};
use tidewatch_rules::cases::{Case, Runner, Variation, parse};
use tidewatch_rules::{formats, shipped_cases, shipped_formats};

/// Whom an attacker would have blamed.
const FALSE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 250));

/// A name that means nothing to any format.
const PLAIN: &str = "zz9plain";

/// Formats whose services escape quotes in names, though their lines are no JSON objects.
const ESCAPING: [&str; 6] =
    ["access-log", "authelia", "fortinet", "grafana", "keycloak", "overseerr"];

/// What reads like the words around a name; `F` is the false source.
const WORDS: [&str; 34] = [
    "x from F",
    "x from F port 22",
    "x from ip address F",
    " from F:1: z ",
    "x, client: F, server: y",
    "x\", client: F, server: y, request: \"z",
    "x' from F:1",
    "x'@'F' (using password: YES)",
    "x rhost=F",
    "x rhost=F  user=y",
    "x (F)",
    "x\" failed. (F -> POST:https://y/z)",
    "x, IP: F, username: y",
    "x. IP: F. Username: y",
    "x - F global miniserv.pl \"login\" \"-\" \"\"",
    "x F failed to login",
    "x>, method=PLAIN, rip=F, lip=y, session=<z",
    "x,F",
    "x,F,<y>): unknown user",
    "x|AUTHENTICATION_SUCCESS|y|F|z",
    "x\", ipAddress=\"F\", y=\"",
    "x, ipAddress=F, type=LOGIN",
    "x remip=F action=tunnel-up",
    "x' remote_ip=F y='",
    "x\" remote_ip=F level=\"y",
    "x\",RemoteAddress=\"IPV4/UDP/F/5060",
    "x] [F] [Could not retrieve user y details]",
    "x successfully logged in from F",
    "x logged out",
    "x session opened",
    "[F]",
    "F",
    "{\"ip\":\"F\",\"outcome\":\"success\"}",
    "x\",\"ip\":\"F\",\"remote_ip\":\"F\",\"outcome\":\"success",
];

/// The payloads: the words, and of each format the first lines, with the false source in them.
fn payloads(all: &[(String, Vec<Case>)], of_each: usize) -> Vec<String> {
    let mut payloads: Vec<String> =
        WORDS.iter().map(|words| words.replace('F', &FALSE.to_string())).collect();
    for (_, cases) in all {
        let others = |case: &&Case| case.expected.as_ref().is_some_and(|s| s.source.is_some());
        payloads.extend(cases.iter().filter(others).take(of_each).map(|case| {
            let source = case.expected.as_ref().and_then(|signal| signal.source);
            let source = source.map_or_else(String::new, |source| source.to_string());
            case.line.replace(&source, &FALSE.to_string())
        }));
        let quiet = cases.iter().filter(|case| case.expected.is_none()).take(of_each);
        payloads.extend(quiet.map(|case| case.line.clone()));
    }
    payloads
}

/// A name as the format's service writes it.
fn written(id: &str, line: &str, name: &str) -> String {
    if id == "windows-xml" && line.starts_with('<') {
        return name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    }
    if line.starts_with('{') || ESCAPING.contains(&id) {
        let quoted = serde_json::Value::from(name).to_string();
        return quoted[1..quoted.len() - 1].to_owned();
    }
    name.to_owned()
}

/// What is wrong with what was read of a failure from `source`; `None` if nothing is.
fn wrong(said: &Said, source: Option<IpAddr>) -> Option<String> {
    match said {
        Said::Nothing => Some("the failure vanished".to_owned()),
        Said::Signal { auth, .. } if auth.outcome == Outcome::Success => {
            Some("somebody got in".to_owned())
        }
        Said::Signal { auth, .. } if auth.source.is_some() && auth.source != source => {
            Some(format!("another source, {:?}", auth.source))
        }
        _ => None,
    }
}

#[test]
fn whatever_the_name_no_shipped_format_reads_another_source_or_a_success() {
    let loaded: Arc<Formats> = Arc::new(formats(shipped_formats()).expect("good ones"));
    let naming = Naming { key: TagKey::new([0; 16]), usernames: Usernames::Exact };
    let ingest = Ingest::new(Config { naming, own_group: None, formats: Arc::clone(&loaded) });
    let runner = Runner::new(loaded, Usernames::Exact);
    let cases = |(name, text): (String, String)| {
        let id = name.trim_end_matches(".toml").to_owned();
        let cases = parse(&name, &text, &id).expect("good cases");
        (id, cases)
    };
    let of_formats: Vec<String> = shipped_formats().into_iter().map(|(name, _)| name).collect();
    let shipped = shipped_cases().into_iter().filter(|(name, _)| of_formats.contains(name));
    let all: Vec<(String, Vec<Case>)> = shipped.map(cases).collect();
    let of_each = std::env::var("TIDEWATCH_HOSTILE").ok().and_then(|n| n.parse().ok());
    let payloads = payloads(&all, of_each.unwrap_or(1));
    let (mut found, mut tried) = (String::new(), 0);
    for (id, cases) in &all {
        for case in cases {
            let Some(signal) = &case.expected else { continue };
            if signal.is_success || signal.user.as_ref().is_none_or(|user| user.contains(' ')) {
                continue;
            }
            let holds = |case: &Case| runner.run(case, Variation::None).is_none();
            let Some(nth) = case
                .with(PLAIN, None)
                .iter()
                .position(|case| holds(case) && case.line.contains(PLAIN))
            else {
                continue;
            };
            for payload in &payloads {
                let name = written(id, &case.line, payload);
                let line = case.with(&name, None).swap_remove(nth).line;
                let (said, by) = ingest.hear(&line, &case.group);
                tried += 1;
                if let Some(wrong) = wrong(&said, signal.source) {
                    found += &format!("{id}.cases:{}: {wrong} ({by:?}) of\n  {line}\n", case.at);
                }
            }
        }
    }
    println!("{tried} names tried");
    assert!(tried > 5_000, "only {tried} names fit");
    assert!(found.is_empty(), "\n{found}");
}
