//! The real collector as a child process.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

use crate::procfs;
use crate::received::{Export, Tail};
use crate::reserved::Reserved;
use crate::waiting::wait_until;
use crate::web;

/// A collector with OTLP receivers and a file exporter, on ports of its own. Killed when dropped.
#[derive(Debug)]
pub struct Collector {
    binary: PathBuf,
    folder: TempDir,
    setup: Setup,
    ports: Ports,
    running: Option<Child>,
    runs: u32,
    received: Vec<Export>,
    tail: Tail,
}

/// What a test wants of its collector.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// TLS on both receivers.
    pub tls: Option<Tls>,
    /// The Prometheus exporter too.
    pub prometheus: bool,
    /// A configuration file to run with instead of a generated one. The settings that follow it are set on top; in
    /// both, `{grpc}`, `{http}`, `{health}`, `{prometheus}` and `{telemetry}` stand for this collector's ports,
    /// `{file}` and `{folder}` for its paths.
    pub config: Option<(PathBuf, Vec<String>)>,
    /// Environment of the collector.
    pub environment: Vec<(String, String)>,
}

/// PEM files of a receiver that asks its clients for certificates.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The receiver's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority of the clients' certificates.
    pub client_authority: PathBuf,
}

/// Kept also while the process is away.
#[derive(Debug)]
struct Ports {
    grpc: Reserved,
    http: Reserved,
    health: Reserved,
    prometheus: Reserved,
    telemetry: Reserved,
}

/// The collector's binary. None, said on standard error, when it is not there.
///
/// # Panics
/// When it is not there and `OTEL_VITALS_REQUIRE_COLLECTOR` is `1`.
#[must_use]
pub fn binary() -> Option<PathBuf> {
    let path = env::var_os("OTELCOL").map_or_else(cached, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    let how = "build it with collector-config/build-collector.sh (needs Go), or set OTELCOL to its path";
    let required = env::var("OTEL_VITALS_REQUIRE_COLLECTOR").is_ok_and(|value| value == "1");
    assert!(!required, "no collector at {path:?}: {how}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not eprintln!, which the test runner swallows when the test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: no collector at {path:?}; {how}");
    None
}

/// Where the build script keeps the binary, whether it is there or not; empty where the script cannot run.
fn cached() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../collector-config/build-collector.sh");
    let output = Command::new(script).arg("--path").output();
    let path = output.map_or_else(|_| Vec::new(), |output| output.stdout);
    PathBuf::from(String::from_utf8_lossy(&path).trim_end())
}

impl Collector {
    /// A collector that is ready to receive. None when there is no binary, see [`binary`].
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_with(Setup::default())
    }

    /// A collector with more than receivers and a file.
    #[must_use]
    pub fn start_with(setup: Setup) -> Option<Self> {
        let binary = binary()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tail = Tail::new(folder.path().join("received-1.json"));
        let mut collector = Collector {
            binary,
            folder,
            setup,
            ports: Ports::reserve(),
            running: None,
            runs: 1,
            received: Vec::new(),
            tail,
        };
        wait_until("free ports for a collector", || {
            let up = collector.run();
            if !up {
                collector.ports = Ports::reserve();
            }
            up.then_some(())
        });
        Some(collector)
    }

    /// Kills it where it stands.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a killed child ends");
        }
    }

    /// Starts it again after [`kill`](Self::kill), on the same ports.
    pub fn restart(&mut self) {
        assert!(self.running.is_none(), "the collector is running");
        self.receive();
        self.runs += 1;
        self.tail = Tail::new(self.file());
        wait_until("the collector's ports to be free again", || self.run().then_some(()));
    }

    /// Stops it from running: connections stay, and new ones are made, but nobody answers.
    pub fn freeze(&self) {
        let pid = self.signal("STOP");
        // A thread that is on a processor stops a little later.
        wait_until("every thread of the collector to stop", || procfs::is_stopped(pid).then_some(()));
    }

    /// Lets it run again after [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// OTLP/gRPC endpoint.
    #[must_use]
    pub fn grpc(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.ports.grpc.port())
    }

    /// OTLP/HTTP endpoint, without path.
    #[must_use]
    pub fn http(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.ports.http.port())
    }

    /// What the Prometheus exporter shows now.
    #[must_use]
    pub fn scrape(&self) -> Option<String> {
        page(self.ports.prometheus.port())
    }

    /// What it says of itself, in the Prometheus format, where its configuration serves that on `{telemetry}`.
    #[must_use]
    pub fn telemetry(&self) -> Option<String> {
        page(self.ports.telemetry.port())
    }

    /// Everything received so far, over all restarts, in order.
    pub fn received(&mut self) -> &[Export] {
        self.receive();
        &self.received
    }

    /// Waits until `condition` finds in everything received what it looks for.
    pub fn wait_for<T>(&mut self, what: &str, mut condition: impl FnMut(&[Export]) -> Option<T>) -> T {
        wait_until(what, || condition(self.received()))
    }

    /// Signals the process; gives its id.
    fn signal(&self, name: &str) -> u32 {
        let child = self.running.as_ref().expect("the collector is running");
        let status = Command::new("kill").args(["-s", name]).arg(child.id().to_string()).status();
        assert!(status.expect("there is a kill").success(), "the collector takes no signal");
        child.id()
    }

    fn receive(&mut self) {
        self.received.extend(self.tail.more());
    }

    fn scheme(&self) -> &'static str {
        if self.setup.tls.is_some() { "https" } else { "http" }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join(format!("received-{}.json", self.runs))
    }

    /// Starts the process; whether it came up. It does not when one of its ports was taken meanwhile.
    fn run(&mut self) -> bool {
        let log = self.folder.path().join("log");
        let output = File::create(&log).expect("a file in a temporary folder");
        let mut child = self.command().stderr(output).spawn().expect("the collector starts");
        let up = wait_until("a collector that is ready", || {
            if child.try_wait().expect("a child can be asked").is_some() {
                return Some(false);
            }
            web::get(self.ports.health.port(), "/").filter(|(status, _)| *status == 200).map(|_| true)
        });
        let said = fs::read_to_string(log).unwrap_or_default();
        assert!(up || said.contains("address already in use"), "the collector does not start:\n{said}");
        self.running = up.then_some(child);
        up
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.envs(self.setup.environment.iter().map(|(key, value)| (key, value)));
        match &self.setup.config {
            Some((config, settings)) => {
                command.arg("--config").arg(config);
                command.args(settings.iter().map(|setting| format!("--set={}", self.filled(setting))));
            }
            None => {
                let config = self.folder.path().join("config.yaml");
                fs::write(&config, self.generated()).expect("a file in a temporary folder");
                command.arg("--config").arg(config);
            }
        }
        command
    }

    fn generated(&self) -> String {
        let tls = self.setup.tls.as_ref().map_or_else(String::new, |tls| {
            format!(
                ", tls: {{cert_file: {:?}, key_file: {:?}, client_ca_file: {:?}}}",
                tls.certificate, tls.key, tls.client_authority
            )
        });
        let mut config = format!(
            "receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:{{grpc}}'{tls}}}, \
             http: {{endpoint: '127.0.0.1:{{http}}'{tls}}}}}}}}}\n"
        );
        let mut exporters = "file";
        config.push_str("exporters:\n  file: {path: '{file}', flush_interval: 20ms}\n");
        if self.setup.prometheus {
            exporters = "file, prometheus";
            config.push_str("  prometheus: {endpoint: '127.0.0.1:{prometheus}'}\n");
        }
        let _ = write!(
            config,
            "extensions: {{health_check: {{endpoint: '127.0.0.1:{{health}}'}}}}\n\
             service:\n  extensions: [health_check]\n\
             \x20 pipelines: {{metrics: {{receivers: [otlp], exporters: [{exporters}]}}}}\n\
             \x20 telemetry: {{metrics: {{level: none}}}}\n"
        );
        self.filled(&config)
    }

    /// `text` with this collector's own ports and paths.
    fn filled(&self, text: &str) -> String {
        let Ports { grpc, http, health, prometheus, telemetry } = &self.ports;
        let ports = [
            ("{grpc}", grpc),
            ("{http}", http),
            ("{health}", health),
            ("{prometheus}", prometheus),
            ("{telemetry}", telemetry),
        ];
        let text = ports
            .iter()
            .fold(text.to_owned(), |text, (name, port)| text.replace(name, &port.port().to_string()));
        let file = self.file();
        text.replace("{file}", &file.to_string_lossy())
            .replace("{folder}", &self.folder.path().to_string_lossy())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Ports {
    fn reserve() -> Self {
        let [grpc, http, health, prometheus, telemetry] = [(); 5].map(|()| Reserved::new());
        Ports { grpc, http, health, prometheus, telemetry }
    }
}

fn page(port: u16) -> Option<String> {
    web::get(port, "/metrics").filter(|(status, _)| *status == 200).map(|(_, body)| body)
}
