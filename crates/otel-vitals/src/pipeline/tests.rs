//! The pipeline against peers that answer, hang, refuse and err; real collectors are in the end-to-end tests.

use super::*;
use crate::config::{Endpoint, Protocol};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, MeterProvider as _};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

const LONG: Duration = Duration::from_secs(30);

/// An HTTP server that answers every request with `status`, or never when that is none.
struct Peer {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Peer {
    fn answering(status: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let (seen, read) = (Arc::clone(&requests), Arc::clone(&bodies));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (seen, read) = (Arc::clone(&seen), Arc::clone(&read));
                std::thread::spawn(move || serve(stream.unwrap(), status, &seen, &read));
            }
        });
        Peer { url, requests, bodies }
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn serve(stream: TcpStream, status: Option<&str>, seen: &Mutex<Vec<String>>, read: &Mutex<Vec<Vec<u8>>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        read.lock().unwrap().push(body);
        seen.lock().unwrap().push(head);
        let Some(status) = status else { continue };
        write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
    }
}

fn config(url: &str) -> Config {
    let mut config = Config::default();
    config.otlp.endpoint = Some(Endpoint::Base(url.to_owned()));
    config.otlp.protocol = Protocol::HttpProtobuf;
    config.metrics.interval = Duration::from_secs(3600);
    config
}

fn started(config: &Config) -> (SdkMeterProvider, Control) {
    let (provider, control) =
        start(config, Resource::builder_empty().build(), Collection::default()).unwrap();
    provider.meter("test").u64_counter("requests").build().add(1, &[]);
    (provider, control)
}

#[test]
fn a_flush_arrives_with_exactly_the_headers_that_are_configured() {
    let peer = Peer::answering(Some("200 OK"));
    let mut config = config(&peer.url);
    config.otlp.headers.insert("Tenant", "blue");
    let (_provider, control) = started(&config);
    control.flush(LONG).unwrap();
    let requests = peer.requests.lock().unwrap();
    let head = requests.first().unwrap();
    assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("tenant: blue\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    assert!(head.contains("user-agent: otel-vitals/"), "{head}");
}

#[test]
fn the_interval_exports_without_being_asked() {
    let peer = Peer::answering(Some("200 OK"));
    let mut config = config(&peer.url);
    config.metrics.interval = Duration::from_millis(20);
    let (_provider, _control) = started(&config);
    let deadline = Instant::now() + LONG;
    while peer.count() < 3 {
        assert!(Instant::now() < deadline, "no three exports within {LONG:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_peer_that_never_answers_costs_no_more_than_the_bound() {
    let peer = Peer::answering(None);
    let (_provider, control) = started(&config(&peer.url));
    let started = Instant::now();
    let error = control.flush(Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, Error::Timeout { operation: "flush", .. }), "{error:?}");
    // The flush is still under way on the pipeline's thread; the shutdown takes its place.
    let error = control.shutdown(Duration::from_millis(300)).unwrap_err();
    assert!(matches!(error, Error::Timeout { operation: "shutdown", .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(9), "the exporter's own ten seconds were waited for");
}

#[test]
fn the_last_export_gets_its_share_when_one_before_it_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let arrived = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&arrived);
    std::thread::spawn(move || {
        // The first connection is never answered, every later one is.
        let _hung = listener.accept().unwrap();
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            serve(stream.unwrap(), Some("200 OK"), &Mutex::default(), &Mutex::default());
        }
    });
    let (_provider, control) = started(&config(&url));
    control.flush(Duration::from_millis(100)).unwrap_err();
    control.shutdown(Duration::from_secs(4)).unwrap();
    assert_eq!(arrived.load(Ordering::SeqCst), 1);
}

#[test]
fn a_peer_that_is_not_there_is_an_error_of_the_flush_alone() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_provider, control) = started(&config(&format!("http://{gone}")));
    let error = control.flush(LONG).unwrap_err();
    assert!(matches!(error, Error::Export { operation: "flush", .. }), "{error:?}");
    let error = control.shutdown(LONG).unwrap_err();
    assert!(matches!(error, Error::Export { operation: "shutdown", .. }), "{error:?}");
}

#[test]
fn an_error_of_the_peer_is_told() {
    let peer = Peer::answering(Some("400 Bad Request"));
    let (_provider, control) = started(&config(&peer.url));
    let error = control.flush(LONG).unwrap_err();
    assert!(error.to_string().contains("400"), "{error}");
}

#[test]
fn flush_and_shutdown_work_from_inside_a_current_thread_runtime() {
    let peer = Peer::answering(Some("200 OK"));
    let (_provider, control) = started(&config(&peer.url));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        control.flush(LONG).unwrap();
        control.shutdown(LONG).unwrap();
    });
    assert_eq!(peer.count(), 2);
}

#[test]
fn a_pipeline_is_made_and_dropped_inside_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let peer = Peer::answering(Some("200 OK"));
    runtime.block_on(async {
        let (provider, _control) = started(&config(&peer.url));
        drop(provider);
    });
    assert_eq!(peer.count(), 1, "the drop of the last provider exports a last time");
}

#[test]
fn flushes_of_many_threads_share_exports() {
    let peer = Peer::answering(Some("200 OK"));
    let (_provider, control) = started(&config(&peer.url));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| control.flush(LONG).unwrap());
        }
    });
    assert!(peer.count() <= 32);
}

#[test]
fn nobody_waits_again_for_a_shutdown_that_was_waited_for_in_vain() {
    let peer = Peer::answering(Some("200 OK"));
    let (provider, control) = started(&config(&peer.url));
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let hang = move |_: &dyn AsyncInstrument<u64>| {
        let _ = released.lock().unwrap().recv();
    };
    provider.meter("test").u64_observable_gauge("hangs").with_callback(hang).build();
    let error = control.shutdown(Duration::from_millis(100)).unwrap_err();
    assert!(matches!(error, Error::Timeout { operation: "shutdown", .. }), "{error:?}");
    let started = Instant::now();
    drop(provider);
    assert!(started.elapsed() < Duration::from_secs(4), "the SDK's own five seconds were waited for");
    drop(release);
}

#[test]
fn a_flush_inside_of_a_callback_is_refused() {
    let peer = Peer::answering(Some("200 OK"));
    let (provider, control) = started(&config(&peer.url));
    let (refused, outcome) = mpsc::channel();
    let inside = control.clone();
    let flush = move |_: &dyn AsyncInstrument<u64>| drop(refused.send(inside.flush(LONG)));
    provider.meter("test").u64_observable_gauge("flushes").with_callback(flush).build();
    control.flush(LONG).unwrap();
    let error = outcome.recv_timeout(LONG).unwrap().unwrap_err();
    assert!(error.to_string().contains("callback"), "{error}");
}

#[test]
fn no_bound_is_too_long() {
    let peer = Peer::answering(Some("200 OK"));
    let (_provider, control) = started(&config(&peer.url));
    control.flush(Duration::MAX).unwrap();
    control.shutdown(Duration::MAX).unwrap();
    assert_eq!(peer.count(), 2);
}

#[test]
fn every_mode_of_a_thousand_processors_is_a_series_of_its_own() {
    let peer = Peer::answering(Some("200 OK"));
    let mut config = config(&peer.url);
    config.metrics.host.cpu.per_core = true;
    let (provider, control) = started(&config);
    let meter = provider.meter_with_scope(otel_vitals_host::scope());
    let modes = ["user", "system", "nice", "idle", "iowait", "interrupt", "steal"];
    let observed = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&observed);
    meter
        .f64_observable_counter("system.cpu.time")
        .with_callback(move |instrument| {
            for processor in 0..1024 {
                for mode in modes {
                    let attributes =
                        [KeyValue::new("cpu.logical_number", processor), KeyValue::new("cpu.mode", mode)];
                    instrument.observe(1.0, &attributes);
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
        .build();
    control.flush(LONG).unwrap();
    assert_eq!(observed.load(Ordering::Relaxed), 7168);
    let bodies = peer.bodies.lock().unwrap();
    let body = bodies.first().unwrap();
    assert!(!body.windows(20).any(|window| window == b"otel.metric.overflow"), "series were dropped");
    assert!(body.windows(18).filter(|window| *window == b"cpu.logical_number").count() >= 7168);
}

#[test]
fn a_second_shutdown_reports_what_the_first_came_to() {
    let peer = Peer::answering(Some("200 OK"));
    let (provider, control) = started(&config(&peer.url));
    control.shutdown(LONG).unwrap();
    control.shutdown(LONG).unwrap();
    assert!(matches!(control.flush(LONG), Err(Error::Stopped)));
    provider.shutdown().unwrap();
    assert_eq!(peer.count(), 1);
}

#[test]
fn a_panicking_callback_of_the_application_leaves_the_thread_alive() {
    let peer = Peer::answering(Some("200 OK"));
    let (provider, control) = started(&config(&peer.url));
    let meter = provider.meter("test");
    meter.u64_observable_gauge("broken").with_callback(|_| panic!("of the application")).build();
    let error = control.flush(LONG).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    let error = control.shutdown(LONG).unwrap_err();
    assert!(matches!(error, Error::Export { .. }), "{error:?}");
}

#[test]
fn a_wrong_endpoint_is_an_error_of_the_start() {
    let error =
        start(&config("http://[not a host"), Resource::builder_empty().build(), Collection::default())
            .unwrap_err();
    assert!(matches!(error, Error::Exporter { .. }), "{error:?}");
}

/// How many series of `name`, out of `wanted`, come through.
fn series(name: &'static str, wanted: i64, many: Many) -> usize {
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
    use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader};
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_reader(PeriodicReader::builder(exporter.clone()).build())
        .with_view(move |instrument| series_limit(instrument, many))
        .build();
    provider
        .meter("otel-vitals-runtime")
        .u64_observable_counter(name)
        .with_callback(move |instrument| {
            (0..wanted).for_each(|index| instrument.observe(1, &[KeyValue::new("index", index)]));
        })
        .build();
    provider.force_flush().unwrap();
    let batches = exporter.get_finished_metrics().unwrap();
    let metric = batches[0].scope_metrics().next().unwrap().metrics().next().unwrap();
    match metric.data() {
        AggregatedMetrics::U64(MetricData::Sum(sum)) => sum.data_points().count(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_runtime_and_every_worker_that_is_asked_for_has_its_series() {
    let (together, each) = (Many { cores: false, workers: false }, Many { cores: false, workers: true });
    assert_eq!(series("tokio.worker.parks", 900, together), 900);
    assert_eq!(series("tokio.worker.parks", 9_000, each), 9_000);
    assert_eq!(series("tokio.task.poll_time.polls", 9_000, together), 9_000);
    assert!(series("tokio.worker.parks", 9_000, together) <= 1_001);
    assert!(series("process.cpu.time", 9_000, each) <= 101);
}
