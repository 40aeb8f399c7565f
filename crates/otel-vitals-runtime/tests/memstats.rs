//! The JSON of a snapshot is what Go writes, and what Go reads: a recorded text of Go's, and Go itself where it is
//! installed (`OTEL_VITALS_REQUIRE_GO=1` makes it a failure where it is not).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals_alloc::Counting;
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{MemStats, PauseMonitor, PauseOptions, Pauses, Runtimes};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};
use test_harness::go::Program;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// What `go run main.go numbered` wrote with Go 1.26.
const NUMBERED: &str = include_str!("memstats/numbered.json");

/// A snapshot whose values are 1, 2, 3 and so on in the order of Go's fields.
fn numbered() -> MemStats {
    let mut stats = MemStats::read();
    let mut last = 0;
    let mut next = || {
        last += 1;
        last
    };
    for field in [
        &mut stats.alloc,
        &mut stats.total_alloc,
        &mut stats.sys,
        &mut stats.lookups,
        &mut stats.mallocs,
        &mut stats.frees,
        &mut stats.heap_alloc,
        &mut stats.heap_sys,
        &mut stats.heap_idle,
        &mut stats.heap_inuse,
        &mut stats.heap_released,
        &mut stats.heap_objects,
        &mut stats.stack_inuse,
        &mut stats.stack_sys,
        &mut stats.mspan_inuse,
        &mut stats.mspan_sys,
        &mut stats.mcache_inuse,
        &mut stats.mcache_sys,
        &mut stats.buck_hash_sys,
        &mut stats.gc_sys,
        &mut stats.other_sys,
        &mut stats.next_gc,
        &mut stats.last_gc,
        &mut stats.pause_total_ns,
    ] {
        *field = next();
    }
    stats.pause_ns.iter_mut().chain(&mut stats.pause_end).for_each(|entry| *entry = next());
    stats.num_gc = next() as u32;
    stats.num_forced_gc = next() as u32;
    stats.gc_cpu_fraction = next() as f64 / 1024.0;
    (stats.enable_gc, stats.debug_gc) = (true, true);
    let _truths = [next(), next()];
    for class in &mut stats.by_size {
        class.size = next() as u32;
        class.mallocs = next();
        class.frees = next();
    }
    stats
}

/// The greatest values that there are.
fn extreme() -> MemStats {
    let mut stats = numbered();
    (stats.alloc, stats.other_sys, stats.pause_total_ns) = (u64::MAX, u64::MAX, u64::MAX);
    stats.pause_ns = [u64::MAX; 256];
    (stats.num_gc, stats.num_forced_gc) = (u32::MAX, u32::MAX);
    for class in &mut stats.by_size {
        (class.size, class.mallocs, class.frees) = (u32::MAX, u64::MAX, u64::MAX);
    }
    stats
}

#[test]
fn the_json_is_what_go_wrote() {
    assert_eq!(numbered().to_json(), NUMBERED);
}

#[test]
fn go_reads_every_field_and_writes_the_same() {
    let Some(go) = go() else { return };
    assert_eq!(go.run(&["numbered"], ""), NUMBERED, "the recorded text is old");
    let block = std::hint::black_box(vec![1_u8; 1 << 20]);
    let real = MemStats::read();
    assert!(real.heap_alloc >= 1 << 20);
    for stats in [real, numbered(), extreme()] {
        let json = stats.to_json();
        assert_eq!(go.run(&[], &json), json);
    }
    drop(block);
}

#[test]
fn go_writes_fractions_as_we_do() {
    let Some(go) = go() else { return };
    let mut stats = MemStats::read();
    for fraction in [1.0, 0.1, 1.0 / 3.0, 1e-6, 9.9e-7, -2.5e-7, 5e-324, 1e20, 1e21, 1.5e300, -0.0] {
        stats.gc_cpu_fraction = fraction;
        let json = stats.to_json();
        assert_eq!(go.run(&[], &json), json);
    }
}

#[test]
fn go_finds_the_pauses_where_it_has_its_own() {
    let Some(go) = go() else { return };
    // Late each time, by any measure: more pauses than are kept.
    let mut options = PauseOptions::default();
    (options.tick, options.threshold) = (Duration::from_micros(100), Duration::from_nanos(1));
    options.warnings.enabled = false;
    let meter = opentelemetry::global::meter_provider().meter_with_scope(otel_vitals_runtime::scope());
    let context = SourceContext::new(&meter, Duration::from_millis(100));
    let monitor = PauseMonitor::start(&meter, &context, &Runtimes::default(), &options).unwrap().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    for least in [1, 300] {
        while monitor.pauses().count() < least {
            assert!(Instant::now() < deadline, "{} pauses", monitor.pauses().count());
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_go_finds(go, &monitor.pauses());
    }
}

/// What `pauses` has is what Go finds in a snapshot that they are filled into, newest first.
fn assert_go_finds(go: &Program, pauses: &Pauses) {
    let (stats, last) = std::iter::repeat_with(|| {
        let (mut stats, last) = (MemStats::read(), pauses.last());
        pauses.fill(&mut stats);
        (stats, last, pauses.count())
    })
    .take(100_000)
    // None came meanwhile.
    .find_map(|(stats, last, count)| {
        let newest = stats.pause_end.iter().max().copied();
        let is_newest = last.last().map(|pause| since_1970(pause.ended_at)) == newest;
        (is_newest && u64::from(stats.num_gc) == count).then_some((stats, last))
    })
    .unwrap();
    let found = go.run(&["pauses"], &stats.to_json());
    let told = last.iter().rev().map(|pause| (pause.duration.as_nanos(), since_1970(pause.ended_at)));
    let told: Vec<String> = told.map(|(duration, ended)| format!("{duration} {ended}")).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), told);
    assert_eq!(told.len(), (stats.num_gc as usize).min(256));
    let kept: u128 = last.iter().map(|pause| pause.duration.as_nanos()).sum();
    assert!(u128::from(stats.pause_total_ns) >= kept);
}

fn since_1970(moment: SystemTime) -> u64 {
    moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// The program beside this file, built once; none where Go is not installed.
fn go() -> Option<&'static Program> {
    static PROGRAM: OnceLock<Option<Program>> = OnceLock::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/memstats");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("memstats");
    PROGRAM.get_or_init(|| Program::build(&source, &to)).as_ref()
}
