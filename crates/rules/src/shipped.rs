//! The detectors and formats that come with the program, as files of infra/detectors and infra/formats.

/// A file and the cases beside it.
struct Shipped {
    name: &'static str,
    text: &'static str,
    cases: &'static str,
}

/// The files in a folder of infra, sorted by name.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(Shipped {
            name: concat!($name, ".toml"),
            text: include_str!(concat!("../../../infra/", $folder, "/", $name, ".toml")),
            cases: include_str!(concat!("../../../infra/", $folder, "/", $name, ".cases")),
        }),*]
    };
}

const DETECTORS: &[Shipped] = files!("detectors":
    "account-takeover" "account-under-attack" "account-under-slow-attack" "asn-spray" "brute-force" "budget-burn"
    "bulk-download" "client-spray" "cold-start-storm" "cost-drift" "cost-spike" "credential-scan"
    "credential-stuffing" "denial-of-wallet" "distributed-attack" "distributed-scan" "duration-regression"
    "error-storm" "exposed-data" "first-contacts" "free-rider" "guessed-account" "network-spray" "network-takeover"
    "object-enumeration" "out-of-memory" "password-spray" "patient-spray"
    "reset-abuse" "runaway-function" "signup-abuse" "slow-scan" "slow-spray" "timeout-storm"
    "unknown-user-surge" "went-silent");

const FORMATS: &[Shipped] = files!("formats":
    "access-log" "api-gateway" "asterisk" "auth0" "authelia" "authentik" "cas" "cloudtrail"
    "cognito-export" "cpanel" "dovecot" "dropbear" "duo" "entra" "exchange" "firefly" "fortinet"
    "gin" "gitea" "google-workspace" "grafana" "hestia" "kasm" "keycloak" "lemonldap"
    "login-text" "magento" "mongodb" "mysql" "nest" "nextcloud" "nginx-error" "ntfy" "okta"
    "onelogin" "onepassword" "openvpn" "overseerr" "pam" "postfix" "postgresql" "proxmox"
    "qbittorrent" "salesforce" "sftpgo" "slack" "snowflake" "sshd-protocol" "teleport" "thehive"
    "vaultwarden" "waf" "webmin" "windows-json" "windows-xml" "wireguard" "zoneminder"
);

/// The shipped detector files: name and text of each, as [`crate::load`] takes them.
pub fn shipped() -> Vec<(String, String)> {
    owned(DETECTORS)
}

/// The shipped detector files that a stack runs unless its bucket says otherwise: all but those about accesses, of
/// which there are many times as many as of logins, and each is written to its table.
pub fn packaged() -> Vec<(String, String)> {
    let counts_accesses = |text: &str| text.lines().any(|line| line == "signal = \"access\"");
    shipped().into_iter().filter(|(_, text)| !counts_accesses(text)).collect()
}

/// The shipped format files: name and text of each, as [`crate::formats`] takes them.
pub fn shipped_formats() -> Vec<(String, String)> {
    owned(FORMATS)
}

/// The cases beside the shipped files, detectors and formats: the `*.toml` they stand beside, and their
/// text.
pub fn shipped_cases() -> Vec<(String, String)> {
    let all = DETECTORS.iter().chain(FORMATS);
    all.map(|file| (file.name.to_owned(), file.cases.to_owned())).collect()
}

fn owned(files: &[Shipped]) -> Vec<(String, String)> {
    files.iter().map(|file| (file.name.to_owned(), file.text.to_owned())).collect()
}
