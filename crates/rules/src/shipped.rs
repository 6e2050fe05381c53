//! The detectors and formats that come with the program, as files of infra/detectors and infra/formats.

/// Names and texts of files in a folder of infra, sorted by name.
macro_rules! files {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../infra/", $folder, "/", $name)))),*]
    };
}

const DETECTORS: &[(&str, &str)] = files!("detectors": "brute-force.toml" "credential-scan.toml");

const FORMATS: &[(&str, &str)] = files!("formats":
    "access-log.toml" "api-gateway.toml" "asterisk.toml" "auth0.toml" "authelia.toml" "authentik.toml"
    "cas.toml" "cloudtrail.toml" "cognito-export.toml" "cpanel.toml" "dovecot.toml" "dropbear.toml"
    "duo.toml" "entra.toml" "exchange.toml" "firefly.toml" "fortinet.toml" "gin.toml" "gitea.toml"
    "google-workspace.toml" "grafana.toml" "hestia.toml" "kasm.toml" "keycloak.toml" "lemonldap.toml"
    "login-text.toml" "magento.toml" "mongodb.toml" "mysql.toml" "nest.toml" "nextcloud.toml"
    "nginx-error.toml" "ntfy.toml" "okta.toml" "onelogin.toml" "onepassword.toml" "openvpn.toml"
    "overseerr.toml" "pam.toml" "postfix.toml" "postgresql.toml" "proxmox.toml" "qbittorrent.toml"
    "salesforce.toml" "sftpgo.toml" "slack.toml" "snowflake.toml" "sshd-protocol.toml" "teleport.toml"
    "thehive.toml" "vaultwarden.toml" "webmin.toml" "windows-json.toml" "windows-xml.toml"
    "wireguard.toml" "zoneminder.toml"
);

/// The shipped detector files: name and text of each, as [`crate::load`] takes them.
pub fn shipped() -> Vec<(String, String)> {
    owned(DETECTORS)
}

/// The shipped format files: name and text of each, as [`crate::formats`] takes them.
pub fn shipped_formats() -> Vec<(String, String)> {
    owned(FORMATS)
}

fn owned(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}
