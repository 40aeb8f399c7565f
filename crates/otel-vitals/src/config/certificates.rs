//! Certificates and keys: PEM files that are read before anything starts.

#[cfg(feature = "tls")]
mod der;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;

use super::check::Complaint;
use super::{OtlpConfig, file};
#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
use crate::error::ConfigError;
use crate::error::Found;

const MAX_SIZE: u64 = 1024 * 1024;

/// A certificate, as PEM, and its private key.
type Identity = (Vec<u8>, Vec<u8>);

/// What a PEM file must have in it.
#[derive(Clone, Copy)]
enum Content {
    Certificates,
    Key,
}

#[cfg(all(feature = "tls", any(feature = "grpc", feature = "http")))]
impl OtlpConfig {
    /// The certificate authorities in [`certificate`](OtlpConfig::certificate), as PEM.
    pub(crate) fn read_certificate(&self) -> Result<Option<Vec<u8>>, ConfigError> {
        self.authorities().map_err(Complaint::in_code)
    }

    /// The client certificate and its key, as PEM.
    pub(crate) fn read_identity(&self) -> Result<Option<Identity>, ConfigError> {
        self.identity().map_err(Complaint::in_code)
    }
}

impl OtlpConfig {
    pub(super) fn authorities(&self) -> Result<Option<Vec<u8>>, Complaint> {
        let Some(path) = self.certificate.as_deref() else { return Ok(None) };
        const KEY: &str = "otlp.certificate";
        let pem = read(path, KEY, Content::Certificates)?;
        #[cfg(feature = "tls")]
        der::authorities(&pem).map_err(|reason| Content::Certificates.complaint(path, KEY, reason))?;
        Ok(Some(pem))
    }

    pub(super) fn identity(&self) -> Result<Option<Identity>, Complaint> {
        const CERTIFICATE: &str = "otlp.client_certificate";
        const KEY: &str = "otlp.client_key";
        let alone = |key: &str, path: &Path, other: &str| {
            let found = Found::File { path: path.to_owned(), reason: "is alone".to_owned() };
            Complaint::new(key, found, format!("{other} as well"))
        };
        match (self.client_certificate.as_deref(), self.client_key.as_deref()) {
            (None, None) => Ok(None),
            (Some(certificate), None) => Err(alone(CERTIFICATE, certificate, KEY)),
            (None, Some(key)) => Err(alone(KEY, key, CERTIFICATE)),
            (Some(certificate), Some(key)) => {
                let pem = read(certificate, CERTIFICATE, Content::Certificates)?;
                let key_pem = read(key, KEY, Content::Key)?;
                #[cfg(feature = "tls")]
                der::identity(&pem, &key_pem).map_err(|fault| match fault {
                    der::Fault::Chain(reason) => {
                        Content::Certificates.complaint(certificate, CERTIFICATE, reason)
                    }
                    der::Fault::Key(reason) => Content::Key.complaint(key, KEY, reason),
                    der::Fault::Pair => {
                        let reason = "is the key of another one".to_owned();
                        let found = Found::File { path: key.to_owned(), reason };
                        Complaint::new(KEY, found, format!("the private key of {CERTIFICATE}"))
                    }
                })?;
                Ok(Some((pem, key_pem)))
            }
        }
    }
}

impl Content {
    /// Why the file `path`, which `key` names, does not do.
    fn complaint(self, path: &Path, key: &'static str, reason: String) -> Complaint {
        let expected = match self {
            Content::Certificates => "a PEM file with certificates",
            Content::Key => "a PEM file with a private key",
        };
        Complaint::new(key, Found::File { path: path.to_owned(), reason }, expected)
    }
}

fn read(path: &Path, key: &'static str, content: Content) -> Result<Vec<u8>, Complaint> {
    let complaint = |reason| content.complaint(path, key, reason);
    let pem = file::read(path, MAX_SIZE).map_err(|error| complaint(format!("cannot be read: {error}")))?;
    let outcome = match content {
        Content::Certificates => certificates(&pem),
        Content::Key => key_in(&pem),
    };
    outcome.map(|()| pem).map_err(|reason| complaint(reason.to_owned()))
}

fn certificates(pem: &[u8]) -> Result<(), &'static str> {
    let mut found = 0;
    for certificate in CertificateDer::pem_slice_iter(pem) {
        certificate.map_err(|_| "has a broken section")?;
        found += 1;
    }
    if found == 0 { Err("has no certificate in it") } else { Ok(()) }
}

/// Says nothing of what it finds: a key has no place in a message.
fn key_in(pem: &[u8]) -> Result<(), &'static str> {
    PrivateKeyDer::from_pem_slice(pem).map(drop).map_err(|_| "has no private key in it")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    const KEY: &[u8] = b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";

    #[test]
    fn pem_is_recognised() {
        assert_eq!(certificates(CERTIFICATE), Ok(()));
        assert_eq!(certificates(&[CERTIFICATE, CERTIFICATE].concat()), Ok(()));
        assert_eq!(key_in(KEY), Ok(()));
        assert_eq!(certificates(KEY), Err("has no certificate in it"));
        assert_eq!(certificates(b"\x30\x82\x01"), Err("has no certificate in it"));
        assert_eq!(certificates(b"-----BEGIN CERTIFICATE-----\n!"), Err("has a broken section"));
        assert_eq!(key_in(CERTIFICATE), Err("has no private key in it"));
    }
}
