//! Certificates and keys that TLS cannot use are errors of the configuration, the same over every protocol.
#![cfg(all(feature = "tls", feature = "grpc", feature = "http"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals::{Config, ConfigError};
use rcgen::{CertificateParams, KeyPair};
use std::path::PathBuf;

const PROTOCOLS: [&str; 3] = ["grpc", "http/protobuf", "http/json"];
/// An empty sequence, which is DER and neither a certificate nor a key.
const EMPTY: &str = "MAA=";

/// A good certificate with its key, and a folder for what is made of them.
struct Files {
    folder: tempfile::TempDir,
    certificate: String,
    key: String,
}

impl Files {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Files { folder, certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn pem(label: &str, content: &str) -> String {
    format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n")
}

fn load(protocol: &str, variables: &[(&str, &PathBuf)]) -> Result<Config, ConfigError> {
    let fixed = [("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.into())];
    let given = variables.iter().map(|(name, path)| (*name, path.as_os_str().to_owned()));
    Config::load_from(None, fixed.into_iter().chain(given))
}

/// What the load says, the same over every protocol.
fn refused(variables: &[(&str, &PathBuf)]) -> String {
    let mut messages: Vec<_> =
        PROTOCOLS.iter().map(|protocol| load(protocol, variables).unwrap_err().to_string()).collect();
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

const AUTHORITY: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE";
const KEY: &str = "OTEL_EXPORTER_OTLP_CLIENT_KEY";

#[test]
fn good_ones_are_taken() {
    let files = Files::new();
    let certificate = files.write("client.pem", &files.certificate);
    let key = files.write("client.key", &files.key);
    for protocol in PROTOCOLS {
        let variables = [(AUTHORITY, &certificate), (CERTIFICATE, &certificate), (KEY, &key)];
        assert_eq!(load(protocol, &variables).unwrap().validate(), Ok(()), "{protocol}");
    }
}

#[test]
fn an_authority_that_is_no_certificate_is_refused() {
    let files = Files::new();
    let broken = pem("CERTIFICATE", EMPTY);
    for (text, place) in [(broken.clone(), 1), (format!("{}{broken}", files.certificate), 2)] {
        let path = files.write("ca.pem", &text);
        assert_eq!(
            refused(&[(AUTHORITY, &path)]),
            format!(
                "{AUTHORITY}: expected a PEM file with certificates, found {path:?}, which has a certificate that \
                 cannot be used, the {place}. of it: BadEncoding"
            )
        );
    }
}

#[test]
fn a_client_certificate_that_is_none_is_refused() {
    let files = Files::new();
    let certificate = files.write("client.pem", &pem("CERTIFICATE", EMPTY));
    let key = files.write("client.key", &files.key);
    let message = refused(&[(CERTIFICATE, &certificate), (KEY, &key)]);
    let expected =
        format!("{CERTIFICATE}: expected a PEM file with certificates, found {certificate:?}, which has a ");
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_key_that_is_none_is_refused() {
    let files = Files::new();
    let certificate = files.write("client.pem", &files.certificate);
    let key = files.write("client.key", &pem("PRIVATE KEY", EMPTY));
    assert_eq!(
        refused(&[(CERTIFICATE, &certificate), (KEY, &key)]),
        format!(
            "{KEY}: expected a PEM file with a private key, found {key:?}, which has a key that is broken or of an \
             unknown kind"
        )
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let files = Files::new();
    let certificate = files.write("client.pem", &files.certificate);
    let key = files.write("client.key", &Files::new().key);
    assert_eq!(
        refused(&[(CERTIFICATE, &certificate), (KEY, &key)]),
        format!(
            "{KEY}: expected the private key of otlp.client_certificate, found {key:?}, which is the key of another one"
        )
    );
}

#[test]
fn what_code_names_is_checked_too() {
    let mut config = Config::default();
    let files = Files::new();
    let path = files.write("ca.pem", &pem("CERTIFICATE", EMPTY));
    config.otlp.certificate = Some(path.clone());
    let message = config.validate().unwrap_err().to_string();
    let expected =
        format!("configuration: otlp.certificate: expected a PEM file with certificates, found {path:?}");
    assert!(message.starts_with(&expected), "{message}");
}
