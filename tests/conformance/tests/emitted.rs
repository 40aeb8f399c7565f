//! What is really emitted is what is declared, on this machine and on the recorded one in
//! `crates/otel-vitals-host/tests/fixtures/full`.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conformance::{Declaration, Emitted, Metric, assert_none};
use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::MeterProvider as _;
use otel_vitals::health::{Check, Kind};
use otel_vitals::{Config, Vitals};
use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use otel_vitals_runtime::{
    AllocatorOptions, PauseMonitor, PauseOptions, ProcessOptions, Runtimes, TokioOptions,
};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use test_harness::InMemory;
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

/// Longer than one collection, so that all instruments of a group see one reading, and short enough for shares of
/// the time between two readings to appear at the second collection.
const FRESHNESS: Duration = Duration::from_millis(20);

/// Only here is all emitted that is declared; what other systems emit must still be as declared.
const ALL: bool = cfg!(all(target_os = "linux", not(otel_vitals_portable)));

/// How long rare values may take to appear.
const DEADLINE: Duration = Duration::from_secs(20);

/// Whether the collecting crates emit it themselves, here; the export pipeline's own metrics need a pipeline that
/// exports, and those of the control group one that the kernel has figures of.
fn is_collected(declaration: &Declaration, metric: &Metric) -> bool {
    let is_without_figures = metric.name.starts_with("linux.cgroup.cpu.") && !has_cgroup_figures();
    !metric.name.starts_with("otel.sdk.") && is_built(declaration, metric) && !is_without_figures
}

#[cfg(target_os = "linux")]
fn has_cgroup_figures() -> bool {
    otel_vitals_core::cgroup::Cgroup::own().cpu_stat().is_some()
}

#[cfg(not(target_os = "linux"))]
fn has_cgroup_figures() -> bool {
    false
}

/// Whether this program is built to have it.
fn is_built(declaration: &Declaration, metric: &Metric) -> bool {
    let build = declaration.notes.metric(&metric.name).and_then(|(_, notes)| notes.build.as_deref());
    match build {
        None => true,
        Some("`--cfg tokio_unstable`") => cfg!(tokio_unstable),
        Some(other) => panic!("{}: nobody builds with {other}", metric.name),
    }
}

/// A runtime that tells all that it can.
fn telling_runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(1);
    #[cfg(tokio_unstable)]
    builder.enable_metrics_poll_time_histogram();
    builder.build().unwrap()
}

fn recorded_machine() -> PathBuf {
    conformance::root().join("crates/otel-vitals-host/tests/fixtures/full")
}

fn every_process_option() -> ProcessOptions {
    let mut options = ProcessOptions::default();
    options.cpu_utilization = true;
    options.memory_utilization = true;
    options.signals_pending = true;
    options.disk_operations = true;
    options
}

fn every_allocator_option() -> AllocatorOptions {
    let mut options = AllocatorOptions::default();
    options.size_classes = true;
    options
}

fn every_tokio_option() -> TokioOptions {
    let mut options = TokioOptions::default();
    options.per_worker = true;
    options
}

fn every_host_option() -> HostOptions {
    let mut options = HostOptions::default();
    options.cpu.utilization = true;
    options.cpu.frequency = true;
    options.memory.limit = true;
    options.memory.shared = true;
    options.memory.hugepages = true;
    options.disk.limit = true;
    options.filesystem.limit = true;
    options.filesystem.network = true;
    options
}

/// Of what is of this process.
#[derive(Default)]
struct Options {
    process: ProcessOptions,
    allocator: AllocatorOptions,
    tokio: TokioOptions,
}

struct Watched {
    pipeline: InMemory,
    _pauses: Option<PauseMonitor>,
    /// Who watches, when it is not the collecting crates alone.
    _vitals: Option<Vitals>,
}

/// A pipeline in memory that watches what the options say, in the scopes that otel-vitals gives them.
fn watch(options: &Options, runtimes: &Runtimes, host: &HostOptions) -> Watched {
    let pipeline = InMemory::new();
    let own = InstrumentationScope::builder("otel-vitals")
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(otel_vitals_core::SCHEMA_URL)
        .build();
    let provider = pipeline.provider();
    let context = SourceContext::new(&provider.meter_with_scope(own), FRESHNESS);
    let runtime = provider.meter_with_scope(otel_vitals_runtime::scope());
    otel_vitals_runtime::register(&runtime, &context, &options.process);
    otel_vitals_runtime::register_allocator(&runtime, &context, &options.allocator);
    otel_vitals_runtime::register_tokio(&runtime, &context, runtimes, &options.tokio);
    otel_vitals_host::register(&provider.meter_with_scope(otel_vitals_host::scope()), &context, host);
    let pauses = PauseMonitor::start(&runtime, &context, runtimes, &short_pauses()).unwrap();
    Watched { pipeline, _pauses: pauses, _vitals: None }
}

/// A pipeline in memory of vitals that have a health check of each kind.
fn watch_health() -> Watched {
    let pipeline = InMemory::new();
    let builder = Vitals::builder().config(Config::default()).meter_provider(pipeline.provider().clone());
    let vitals = builder.start().unwrap();
    for kind in Kind::ALL {
        vitals.health().register(kind.as_str(), Check::new(|| async {}).kind(*kind)).unwrap();
    }
    Watched { pipeline, _pauses: None, _vitals: Some(vitals) }
}

/// So short that whatever sleeps has one.
fn short_pauses() -> PauseOptions {
    let mut options = PauseOptions::default();
    options.tick = Duration::from_millis(5);
    options.threshold = Duration::from_micros(1);
    options.runtime_threshold = Duration::from_nanos(1);
    options
}

/// Collects from all of `pipelines` until everything that `expected` chooses has been there, or too long; where not
/// all is emitted, twice.
fn collect<'a>(
    declaration: &'a Declaration,
    pipelines: &[Watched],
    expected: impl Fn(&Metric) -> bool,
) -> Emitted<'a> {
    let started = Instant::now();
    let mut emitted = Emitted::new(declaration);
    for round in 1.. {
        for Watched { pipeline, .. } in pipelines {
            emitted.add(&pipeline.collect());
        }
        let is_done = if ALL { emitted.missing(&expected).is_empty() } else { round == 2 };
        if is_done || started.elapsed() > DEADLINE {
            break;
        }
        std::thread::sleep(2 * FRESHNESS);
    }
    emitted
}

#[test]
fn with_everything_on_all_that_is_declared_is_emitted_and_conforms() {
    let declaration = Declaration::load().unwrap();
    let options = Options {
        process: every_process_option(),
        allocator: every_allocator_option(),
        tokio: every_tokio_option(),
    };
    let (runtime, runtimes) = (telling_runtime(), Runtimes::default());
    runtimes.watch("main", runtime.handle());
    let here = watch(&options, &runtimes, &every_host_option());
    let mut host = every_host_option();
    host.root_path = Some(recorded_machine());
    host.cpu.per_core = true;
    let recorded = watch(&options, &runtimes, &host);

    let is_expected = |metric: &Metric| is_collected(&declaration, metric);
    let emitted = collect(&declaration, &[here, recorded, watch_health()], is_expected);
    assert_none(&emitted.violations());
    if ALL {
        assert_none(&emitted.missing(is_expected));
    }
    let names = emitted.names();
    let of_other_builds = declaration.metrics.iter().filter(|metric| !is_built(&declaration, metric));
    let anyway: Vec<&str> =
        of_other_builds.map(|metric| metric.name.as_str()).filter(|name| names.contains(name)).collect();
    assert_eq!(anyway, Vec::<&str>::new(), "these are here although the notes name another build for them");
}

#[test]
fn by_default_all_that_has_no_option_is_emitted_and_nothing_else() {
    let declaration = Declaration::load().unwrap();
    let has_option = |metric: &Metric| {
        let notes = declaration.notes.metric(&metric.name);
        notes.is_some_and(|(_, notes)| notes.option.is_some())
    };
    // Not all sources are on by default, so our own metrics lack some of their values here.
    let is_expected = |metric: &Metric| {
        is_collected(&declaration, metric) && !has_option(metric) && !metric.name.starts_with("otel_vitals.")
    };
    let options = Options::default();
    let (runtime, runtimes) = (telling_runtime(), Runtimes::default());
    runtimes.watch("main", runtime.handle());
    let here = watch(&options, &runtimes, &HostOptions::default());
    let mut host = HostOptions::default();
    host.root_path = Some(recorded_machine());
    let recorded = watch(&options, &runtimes, &host);

    let emitted = collect(&declaration, &[here, recorded], is_expected);
    assert_none(&emitted.violations());
    if ALL {
        assert_none(&emitted.missing(is_expected));
    }
    let names = emitted.names();
    let optional = declaration.metrics.iter().filter(|metric| has_option(metric));
    let anyway: Vec<&str> =
        optional.map(|metric| metric.name.as_str()).filter(|name| names.contains(name)).collect();
    assert_eq!(anyway, Vec::<&str>::new(), "these are on although the notes name an option for them");
}
