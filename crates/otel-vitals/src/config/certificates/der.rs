//! What is inside of the PEM sections, by what TLS will make of it, whatever transport TLS is under.

use rustls::crypto::ring::sign;
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why a certificate and a key cannot be shown to a server. Nothing in it is of the key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Chain(String),
    Key(String),
    /// Each is good, but they are not a pair.
    Pair,
}

/// Whether servers can be checked against the certificates in `pem`, or else why not.
pub(super) fn authorities(pem: &[u8]) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    each(pem, |certificate| roots.add(certificate.clone())).map(drop)
}

/// Whether a server can be shown the certificates in `certificates` with the key in `key`.
pub(super) fn identity(certificates: &[u8], key: &[u8]) -> Result<(), Fault> {
    let parsed = |certificate: &CertificateDer<'_>| ParsedCertificate::try_from(certificate).map(drop);
    let chain = each(certificates, parsed).map_err(Fault::Chain)?;
    let unusable = || Fault::Key("has a key that is broken or of an unknown kind".to_owned());
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unusable())?;
    let key = sign::any_supported_type(&key).map_err(|_| unusable())?;
    match CertifiedKey::new(chain, key).keys_match() {
        // A kind of key that does not tell its public half is none that can be compared.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(_) => Err(Fault::Pair),
    }
}

/// The certificates in `pem`, each of which must pass `check`.
fn each(
    pem: &[u8],
    mut check: impl FnMut(&CertificateDer<'static>) -> Result<(), Error>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let sections = CertificateDer::pem_slice_iter(pem).enumerate();
    let checked = sections.map(|(before, section)| {
        let certificate = section.map_err(|_| "has a broken section".to_owned())?;
        let reason = match check(&certificate) {
            Ok(()) => return Ok(certificate),
            // Without the words around it, which speak of a peer.
            Err(Error::InvalidCertificate(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(format!("has a certificate that cannot be used, the {}. of it: {reason}", before + 1))
    });
    checked.collect()
}
