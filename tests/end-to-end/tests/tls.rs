//! TLS with an authority of our own and certificates on both sides, against the real collector.

use end_to_end::{Collector, Launch, Setup, Tls};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

use crate::programs::plain;

/// An authority that both sides trust, a certificate and key for each, and an authority that nobody knows.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let authority = authority(at, "authority");
        issue(at, "server", &authority, ExtendedKeyUsagePurpose::ServerAuth);
        issue(at, "client", &authority, ExtendedKeyUsagePurpose::ClientAuth);
        self::authority(at, "stranger");
        Certificates { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn server(&self) -> Tls {
        Tls {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_authority: self.path("authority.pem"),
        }
    }

    /// As a client that knows the authority and shows its certificate.
    fn trusted(&self, launch: Launch) -> Launch {
        launch
            .env("OTEL_EXPORTER_OTLP_CERTIFICATE", self.text("authority.pem"))
            .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", self.text("client.pem"))
            .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", self.text("client.key"))
            .env("OTEL_METRIC_EXPORT_TIMEOUT", "20000")
    }
}

fn authority(folder: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join(format!("{name}.pem")), parameters.self_signed(&key).unwrap().pem()).unwrap();
    Issuer::new(parameters, key)
}

fn issue(folder: &Path, name: &str, authority: &Issuer<'_, KeyPair>, usage: ExtendedKeyUsagePurpose) {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    parameters.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.signed_by(&key, authority).unwrap();
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
}

fn collector(certificates: &Certificates) -> Option<Collector> {
    Collector::start_with(Setup { tls: Some(certificates.server()), ..Setup::default() })
}

#[test]
fn both_sides_know_each_other() {
    arrives(|certificates, launch| certificates.trusted(launch));
}

/// Without an authority in the configuration those of the system count, which this variable stands for.
#[test]
fn the_system_knows_the_server() {
    arrives(|certificates, launch| {
        let launch = certificates.trusted(launch).env("OTEL_EXPORTER_OTLP_CERTIFICATE", "");
        launch.env("SSL_CERT_FILE", certificates.text("authority.pem"))
    });
}

/// Over both transports.
fn arrives(prepared: impl Fn(&Certificates, Launch) -> Launch) {
    let certificates = Certificates::new();
    let Some(mut collector) = collector(&certificates) else { return };
    for launch in [plain().grpc(collector.grpc()), plain().http(collector.http())] {
        let mut subject = prepared(&certificates, launch).start();
        subject.init().clone().ok();
        subject.tell("count 7").ok();
        subject.tell("flush").ok();
        let pid = subject.pid();
        collector.wait_for("the count over TLS", |exports| {
            let own = exports.iter().rfind(|export| export.resource["process.pid"] == pid)?;
            (own.sum("subject.count") == Some(7.0)).then_some(())
        });
        subject.tell("shutdown").ok();
    }
}

#[test]
fn strangers_are_refused() {
    let certificates = Certificates::new();
    let Some(mut collector) = collector(&certificates) else { return };
    let stranger = certificates.text("stranger.pem");
    for launch in [plain().grpc(collector.grpc()), plain().http(collector.http())] {
        let launch = certificates.trusted(launch).env("OTEL_EXPORTER_OTLP_CERTIFICATE", &stranger);
        refused(launch, "invalid peer certificate: UnknownIssuer");
    }
    for launch in [plain().grpc(collector.grpc()), plain().http(collector.http())] {
        let anonymous = certificates.trusted(launch);
        let anonymous = anonymous.env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "");
        // The server says so only after the handshake, and may hang up before that is read.
        refused(anonymous.env("OTEL_EXPORTER_OTLP_CLIENT_KEY", ""), "");
    }
    assert!(collector.received().is_empty(), "a stranger got through");
}

/// A flush fails and its error says why.
fn refused(launch: Launch, why: &str) {
    let answer = launch.start().tell("flush");
    assert!(answer.is("Export"), "{answer:?}");
    let error = answer.error.unwrap_or_default();
    assert!(error.contains(why), "{error:?} does not say {why:?}");
}
