//! What `init` takes with nobody listening, and what vitals hold in memory beyond the SDK and its OTLP exporter alone.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::Table;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

const PROGRAMS: [(&str, &str); 2] = [
    ("SDK and OTLP exporter alone", env!("CARGO_BIN_EXE_footprint_alone")),
    ("otel-vitals", env!("CARGO_BIN_EXE_footprint_vitals")),
];

/// Starts of each program.
const STARTS: usize = 25;
/// Exports before anything is measured, and exports that are.
const WARM_UP: usize = 10;
const EXPORTS: usize = 100;
const INTERVAL: Duration = Duration::from_millis(20);

fn main() {
    start_times();
    running();
}

fn start_times() {
    // Bound and then closed, so that nobody listens there.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let mut table = Table::new(["start with nobody listening, ms", "fastest", "median", "slowest"]);
    for (name, program) in PROGRAMS {
        let mut times: Vec<_> = (0..STARTS).map(|_| Started::new(program, port).took).collect();
        times.sort_unstable();
        let millis = |time: Option<&Duration>| format!("{:.2}", time.unwrap().as_secs_f64() * 1e3);
        table.row([
            name.to_owned(),
            millis(times.first()),
            millis(times.get(times.len() / 2)),
            millis(times.last()),
        ]);
    }
    println!("\n## Start ({STARTS} times; budget of `init`: 10 ms)\n\n{table}");
}

fn running() {
    let mut table = Table::new([
        "running",
        "resident, KiB",
        "proportional, KiB",
        "anonymous, KiB",
        "threads",
        "CPU time an export, µs",
    ]);
    let mut row = |name: &str, values: [i64; 5]| {
        let [resident, proportional, anonymous, threads, cpu_time] = values.map(|value| value.to_string());
        table.row([name.to_owned(), resident, proportional, anonymous, threads, cpu_time]);
    };
    let [alone, vitals] = PROGRAMS.map(|(name, program)| {
        let runs: Vec<_> = (0..5).map(|_| Running::measure(program)).collect();
        let least = |value: fn(&Running) -> u64| runs.iter().map(value).min().unwrap().cast_signed();
        let values = [
            least(|run| run.resident),
            least(|run| run.proportional),
            least(|run| run.anonymous),
            least(|run| run.threads),
            least(|run| run.cpu_time),
        ];
        row(name, values);
        values
    });
    let mut differences = vitals;
    for (difference, alone) in differences.iter_mut().zip(alone) {
        *difference -= alone;
    }
    row("difference", differences);
    println!(
        "\n## Exporting to a receiver on this machine (least of 5 runs of {EXPORTS} exports; budget of the difference: \
         4096 KiB resident)\n\n{table}"
    );
}

/// A program that runs until this is dropped.
struct Started {
    child: Child,
    /// How long it took to start, as it says.
    took: Duration,
}

impl Started {
    fn new(program: &str, port: u16) -> Self {
        let mut command = Command::new(program);
        command.env_clear().env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{port}"));
        command.env("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL.as_millis().to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Started { child, took: Duration::from_nanos(line.trim().parse().unwrap()) }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// What the kernel says of a process that exports.
struct Running {
    /// KiB.
    resident: u64,
    /// KiB.
    proportional: u64,
    /// KiB.
    anonymous: u64,
    threads: u64,
    /// Of all threads for one export (µs).
    cpu_time: u64,
}

impl Running {
    fn measure(program: &str) -> Self {
        let receiver = Receiver::start();
        let started = Started::new(program, receiver.port);
        receiver.wait(WARM_UP);
        let (exports, cpu_time) = (receiver.exports(), started.cpu_time());
        receiver.wait(exports + EXPORTS);
        let exports = receiver.exports() - exports;
        let cpu_time = (started.cpu_time() - cpu_time) / 1000 / exports as u64;
        let (rollup, status) = (started.file("smaps_rollup"), started.file("status"));
        let value = |text: &str, key: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
            rest.split_whitespace().next().unwrap().parse().unwrap()
        };
        Running {
            resident: value(&rollup, "Rss:"),
            proportional: value(&rollup, "Pss:"),
            anonymous: value(&rollup, "Anonymous:"),
            threads: value(&status, "Threads:"),
            cpu_time,
        }
    }
}

impl Started {
    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    /// What all threads have had of the processors (ns).
    fn cpu_time(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let schedstat =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap());
        schedstat.map(|text| text.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum()
    }
}

/// Takes exports and counts them, on a thread of its own that stays.
struct Receiver {
    port: u16,
    exports: Exports,
}

#[derive(Clone, Default)]
struct Exports(Arc<AtomicUsize>);

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let exports = Exports::default();
        let service = MetricsServiceServer::new(exports.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
                Server::builder().add_service(service).serve_with_incoming(listener).await.unwrap();
            });
        });
        Receiver { port, exports }
    }

    /// Exports that have arrived.
    fn exports(&self) -> usize {
        self.exports.0.load(Ordering::Relaxed)
    }

    /// Waits until `exports` have arrived.
    fn wait(&self, exports: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.exports() < exports {
            assert!(Instant::now() < deadline, "{exports} exports within a minute");
            std::thread::sleep(INTERVAL);
        }
    }
}

#[tonic::async_trait]
impl MetricsService for Exports {
    async fn export(
        &self,
        _request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
