//! Whom TLS believes: the certificates that come with the program are the ones they claim to be, and a
//! server of another authority is not spoken to.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest, Sha256};
use tidewatch_aws::client::{dynamodb, https, local};
use tidewatch_aws::roots::{BUILT_IN, Roots, RootsError};
use tidewatch_aws::{DynamoTable, client};
use tidewatch_core::table_store::table::{ItemKey, Part, Table, TableError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A DER element: its tag, its content, and what follows it (ITU-T X.690, section 8.1).
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (length, start) = match usize::from(der[1]) {
        short @ 0..0x80 => (short, 2),
        long => {
            let bytes = &der[2..2 + (long & 0x7f)];
            let length = bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, 2 + bytes.len())
        }
    };
    (der[0], &der[start..start + length], &der[start + length..])
}

/// The day a certificate ends: the second time of the fifth element, after version, number, algorithm
/// and issuer (RFC 5280, section 4.1).
fn ends(certificate: &[u8]) -> String {
    let (_, body, _) = element(certificate);
    let (_, mut rest, _) = element(body);
    for _ in 0..4 {
        rest = element(rest).2;
    }
    let (_, validity, _) = element(rest);
    let (kind, time, _) = element(element(validity).2);
    let time = std::str::from_utf8(time).expect("digits");
    let time = if kind == 0x17 { format!("20{time}") } else { time.to_owned() };
    format!("{}-{}-{}", &time[..4], &time[4..6], &time[6..8])
}

#[test]
fn the_built_in_certificates_are_the_ones_they_are_said_to_be() {
    let found: Vec<(String, String)> = Roots::built_in()
        .certificates()
        .map(|certificate| (hexadecimal(&Sha256::digest(certificate)), ends(certificate)))
        .collect();
    // As published by the authority, and as the file says.
    let expected = [
        ("8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e", "2038-01-17"),
        ("1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4", "2040-05-26"),
        ("18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4", "2040-05-26"),
        ("e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092", "2040-05-26"),
        ("568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5", "2037-12-31"),
    ];
    assert_eq!(found, expected.map(|(hash, day)| (hash.to_owned(), day.to_owned())));
    for (hash, day) in found {
        assert!(BUILT_IN.contains(&format!("\n{hash}\n{day}\n-----BEGIN")), "{hash} {day}");
        let left = std::time::Duration::from_secs(366 * 24 * 3_600);
        let soon = std::time::SystemTime::now() + left;
        let soon = jiff::Timestamp::try_from(soon).expect("a time").to_string();
        assert!(soon[..10] < *day, "{hash} ends within a year: look for its successor");
    }
}

/// A server on a loopback port that answers every request as a DynamoDB that has no such item; and the
/// certificate of its authority.
async fn server() -> (String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = certificate.signed_by(&key, &authority).expect("a certificate");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let Ok(mut connection) = acceptor.accept(connection).await else { continue };
            let mut request = [0; 4_096];
            if connection.read(&mut request).await.is_ok() {
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = connection.write_all(answer.as_bytes()).await;
                let _ = connection.shutdown().await;
            }
        }
    });
    (format!("https://localhost:{port}"), pem(authority.der()))
}

fn pem(certificate: &[u8]) -> String {
    let base64 = base64_simd::STANDARD.encode_to_string(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n")
}

async fn ask(endpoint: &str, roots: &Roots) -> Result<(), TableError> {
    let config = local(endpoint).into_builder().http_client(https(roots)).build();
    let table = DynamoTable::new(dynamodb(&config), "state");
    table.get(&ItemKey { key: vec![1], part: Part::Main }).await.map(drop)
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text.as_bytes()).expect("it is written");
    file
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused_unless_that_one_is_named() {
    let (endpoint, authority) = server().await;
    let error = ask(&endpoint, &Roots::built_in()).await.unwrap_err();
    assert!(matches!(error, TableError::Unanswered(_)), "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "refused for another reason: {error}");
    let bundle = file(&authority);
    let named = Roots::from_file(bundle.path()).expect("certificates");
    ask(&endpoint, &named).await.expect("an answer");
    // What is named takes the place of what is built in.
    assert_eq!(named.certificates().count(), 1);
}

#[test]
fn a_bundle_is_read_as_far_as_it_is_of_use_and_refused_if_it_is_not() {
    let odd = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let mixed = file(&format!("a word\n{odd}{BUILT_IN}"));
    assert_eq!(Roots::from_file(mixed.path()).expect("certificates"), Roots::built_in());
    for text in ["", "no certificate", odd, "-----BEGIN CERTIFICATE-----\nMAA="] {
        let file = file(text);
        let error = Roots::from_file(file.path()).unwrap_err();
        assert!(matches!(error, RootsError::Empty { .. }), "{error}");
        assert!(error.to_string().contains("AWS_CA_BUNDLE names "), "{error}");
    }
    let error = Roots::from_file(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(error.to_string().starts_with("AWS_CA_BUNDLE names /nowhere/at/all"), "{error}");
}

/// Runs itself again with an environment as a user would set it, because a test must not change its own.
#[tokio::test]
async fn the_environment_names_a_bundle() {
    if let Ok(expected) = std::env::var("TIDEWATCH_INNER_RUN") {
        let found = client::from_environment().await.map(drop).map_err(|error| error.to_string());
        assert_eq!(found.is_ok(), expected == "good", "{found:?}");
        let roots = Roots::from_environment().map(|roots| roots.certificates().count());
        assert_eq!(roots.unwrap_or(0), if expected == "good" { 5 } else { 0 });
        return;
    }
    let good = file(BUILT_IN);
    for (path, expected) in
        [(good.path().to_str(), "good"), (Some("/nowhere"), "bad"), (None, "good")]
    {
        let mut run = std::process::Command::new(std::env::current_exe().expect("this test"));
        run.args(["--exact", "tls::the_environment_names_a_bundle"]).env_remove("AWS_CA_BUNDLE");
        run.envs(path.map(|path| ("AWS_CA_BUNDLE", path)));
        run.envs([
            ("TIDEWATCH_INNER_RUN", expected),
            ("AWS_REGION", "us-east-1"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]);
        let run = run.output().expect("it runs");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
    }
}
