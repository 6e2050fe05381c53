//! Whom a TLS connection believes: the few authorities behind AWS, which come with the program.
//!
//! The system's bundle holds some 140, and a cold start would spend milliseconds on parsing them. Behind
//! a proxy that opens TLS another one is needed: `AWS_CA_BUNDLE`, the SDKs' own setting, names a file
//! that is used instead (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>).
//! Invariant: what is handed to the TLS stack can be parsed, for it would panic.

use std::path::{Path, PathBuf};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The certificates that come with the program; roots.pem says which and where they are from.
pub const BUILT_IN: &str = include_str!("roots.pem");

/// The variable that names a file of others.
pub const VARIABLE: &str = "AWS_CA_BUNDLE";

/// Certificates of authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roots(Vec<CertificateDer<'static>>);

/// There are no certificates to go by.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The file cannot be read.
    #[error("{VARIABLE} names {path}, which cannot be read: {why}; correct it, or unset it")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// There is nothing in it that is of use.
    #[error(
        "{VARIABLE} names {path}, which holds no certificate of an authority in PEM form; correct it, or unset it"
    )]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

impl Roots {
    /// Those that come with the program.
    pub fn built_in() -> Roots {
        Roots(usable(BUILT_IN.as_bytes()))
    }

    /// Those of the file that `AWS_CA_BUNDLE` names, else the built-in ones.
    ///
    /// # Errors
    /// If the file has none.
    pub fn from_environment() -> Result<Roots, RootsError> {
        match std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => Roots::from_file(Path::new(&path)),
            None => Ok(Roots::built_in()),
        }
    }

    /// Those of a PEM file. Certificates in it that cannot be used are passed over, as long as there
    /// is one that can.
    ///
    /// # Errors
    /// If there is none.
    pub fn from_file(path: &Path) -> Result<Roots, RootsError> {
        let text = std::fs::read(path)
            .map_err(|why| RootsError::Unreadable { path: path.to_owned(), why })?;
        let roots = usable(&text);
        if roots.is_empty() {
            return Err(RootsError::Empty { path: path.to_owned() });
        }
        Ok(Roots(roots))
    }

    /// The certificates, DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }

    pub(crate) fn context(&self) -> TlsContext {
        let mut store = TrustStore::empty();
        for certificate in self.certificates() {
            let base64 = base64_simd::STANDARD.encode_to_string(certificate);
            store.add_pem_certificate(format!(
                "-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n"
            ));
        }
        // It takes what it is given and cannot fail.
        TlsContext::builder().with_trust_store(store).build().unwrap_or_default()
    }
}

/// The certificates in a text that the TLS stack can use.
fn usable(text: &[u8]) -> Vec<CertificateDer<'static>> {
    let parsable = |certificate: &CertificateDer<'static>| {
        RootCertStore::empty().add(certificate.clone()).is_ok()
    };
    CertificateDer::pem_slice_iter(text).filter_map(Result::ok).filter(parsable).collect()
}
