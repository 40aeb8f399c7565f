//! The service as a process.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and each uses what it needs"
)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PASSWORD: &str = "VITALS_ADMIN_PASSWORD";
/// Only spent whole by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Where the README has the service.
const PRINTED: &str = "http://127.0.0.1:38000";

/// The service, until this is dropped.
pub(crate) struct Service {
    process: Child,
    pub(crate) url: String,
}

impl Service {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        // Its log says where it is.
        let url = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended");
            if let Some((_, rest)) = line.split_once("http://127.0.0.1:") {
                break format!("http://127.0.0.1:{}", rest.split_once('/').unwrap().0);
            }
        };
        std::thread::spawn(move || output.read_to_end(&mut Vec::new()));
        Service { process, url }
    }

    /// Its checks that are critical have run once then.
    pub(crate) fn wait_until_ready(&self) {
        let ready = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:38000/status/ready";
        let deadline = Instant::now() + PATIENCE;
        while self.run(ready) != "200" {
            assert!(Instant::now() < deadline, "it is not ready");
        }
    }

    pub(crate) fn run(&self, line: &str) -> String {
        let line = line.replace(PRINTED, &self.url);
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(&line).env(PASSWORD, "correct horse");
        // Where Go's tool keeps what it fetches.
        shell.env("PPROF_TMPDIR", std::env::temp_dir().join("actix-service-pprof"));
        let output = shell.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The service with this file, on a free port, with a store in memory, and with nothing that the test itself was configured with.
pub(crate) fn command(file: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_actix-service"));
    for (name, _) in std::env::vars_os() {
        if ["OTEL_", "VITALS_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.env("VITALS_CONFIG", Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    command.env("ACTIX_SERVICE_ADDRESS", "127.0.0.1:0").env("ACTIX_SERVICE_DATABASE", ":memory:");
    command.env(PASSWORD, "correct horse");
    command
}
