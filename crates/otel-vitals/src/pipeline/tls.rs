//! TLS of OTLP/HTTP: rustls with ring, the system's roots or a given authority, and a client certificate.

use otel_vitals_core::quietly;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::sync::{Arc, Once};

use super::otlp::{Link, Roots};
use crate::config::OtlpConfig;
use crate::error::Error;

/// The TLS settings of `config`. The roots are only loaded for a connection that will be encrypted.
pub(super) fn client(config: &OtlpConfig, link: &Link) -> Result<ClientConfig, Error> {
    let failed = |reason: String| Error::Exporter { endpoint: config.url(), reason };
    let roots = if link.is_encrypted() { trusted(config, link.roots)? } else { RootCertStore::empty() };
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .with_root_certificates(roots);
    let Some((certificate, key)) = config.read_identity()? else {
        return Ok(builder.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let chain = chain.map_err(|error| failed(format!("client certificate: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| failed(format!("client key: {error}")))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| failed(format!("client certificate and key: {error}")))
}

fn trusted(config: &OtlpConfig, system: Roots) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    match (config.read_certificate()?, system) {
        (Some(pem), _) => {
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let added = certificate
                    .map_err(|error| error.to_string())
                    .and_then(|certificate| roots.add(certificate).map_err(|error| error.to_string()));
                added.map_err(|reason| Error::Exporter {
                    endpoint: config.url(),
                    reason: format!("certificate authority: {reason}"),
                })?;
            }
        }
        (None, Roots::NotYet) => {}
        (None, Roots::System) => {
            let found = rustls_native_certs::load_native_certs();
            // Single roots that cannot be parsed are common on old machines; the others still count.
            let (usable, _) = roots.add_parsable_certificates(found.certs);
            if usable == 0 {
                // Every connection that is made anew comes by here.
                static TOLD: Once = Once::new();
                TOLD.call_once(|| {
                    quietly(|| {
                        tracing::warn!(target: "otel_vitals", errors = ?found.errors,
                            "the system has no certificate authority: no https endpoint can be trusted");
                    });
                });
            }
        }
    }
    Ok(roots)
}
