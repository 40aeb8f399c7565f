//! Profiles over HTTP as `go tool pprof` reads them, of work that is known.
#![cfg(all(target_os = "linux", feature = "profiling"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

mod wire;

use actix_web::App;
use otel_vitals_actix::routes;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use test_harness::pprof::Pprof;
use tokio::runtime::{Builder, Runtime};
use wire::{get, vitals};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const HELD: usize = 64 << 20;
const TASKS: usize = 7;
const SLEEPER: &str = "known-sleeper";
const BUSY: &str = "known-busy";

/// What is known to be there.
struct Work {
    orders: Runtime,
    held: Vec<u8>,
    stop: Arc<AtomicBool>,
    wake: Sender<()>,
    threads: [JoinHandle<()>; 2],
}

#[inline(never)]
fn hold_a_known_block() -> Vec<u8> {
    black_box(vec![1; HELD])
}

#[inline(never)]
fn spend_known_time(stop: &AtomicBool) {
    let mut number = 1_u64;
    while !stop.load(Ordering::Relaxed) {
        number = black_box(number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

impl Work {
    fn begin() -> Self {
        let orders = Builder::new_current_thread().build().unwrap();
        for _ in 0..TASKS {
            orders.spawn(std::future::pending::<()>());
        }
        let stop = Arc::new(AtomicBool::new(false));
        let (wake, woken) = channel();
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let until = Arc::clone(&stop);
        let busy = named(BUSY).spawn(move || spend_known_time(&until)).unwrap();
        let sleeper = named(SLEEPER).spawn(move || _ = woken.recv()).unwrap();
        Work { orders, held: hold_a_known_block(), stop, wake, threads: [busy, sleeper] }
    }

    fn end(self) {
        drop(self.wake);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        drop((self.held, self.orders));
    }
}

/// What each profile says of itself.
struct Expected {
    place: &'static str,
    period: &'static str,
    types: &'static str,
    /// Whether it says how long it took.
    has_duration: bool,
    /// Whether it has code in it, of a program that has a build id.
    has_code: bool,
}

const HEAP: &str = "space bytes\nPeriod: 524288\n";
const ALL: [Expected; 9] = [
    Expected {
        place: "profile?seconds=1",
        period: "cpu nanoseconds\nPeriod: 10000000\n",
        types: "samples/count cpu/nanoseconds[dflt]",
        has_duration: true,
        has_code: true,
    },
    Expected {
        place: "heap",
        period: HEAP,
        types: "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]",
        has_duration: false,
        has_code: true,
    },
    Expected {
        place: "heap?seconds=1",
        period: HEAP,
        types: "alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes[dflt]",
        has_duration: true,
        has_code: false,
    },
    Expected {
        place: "allocs",
        period: HEAP,
        types: "alloc_objects/count alloc_space/bytes[dflt] inuse_objects/count inuse_space/bytes",
        has_duration: false,
        has_code: true,
    },
    Expected {
        place: "threadcreate",
        period: "threads count\nPeriod: 1\n",
        types: "threads/count[dflt] cpu/nanoseconds",
        has_duration: false,
        has_code: false,
    },
    Expected { place: "tasks", ..TASKS_PROFILE },
    Expected { place: "goroutine", ..TASKS_PROFILE },
    Expected { place: "block", ..CONTENTIONS },
    Expected { place: "mutex", ..CONTENTIONS },
];
const TASKS_PROFILE: Expected = Expected {
    place: "",
    period: "tasks count\nPeriod: 1\n",
    types: "tasks/count[dflt]",
    has_duration: false,
    has_code: false,
};
const CONTENTIONS: Expected = Expected {
    place: "",
    period: "contentions count\nPeriod: 1\n",
    types: "contentions/count delay/nanoseconds[dflt]",
    has_duration: false,
    has_code: false,
};

#[test]
fn gos_own_tool_reads_each_over_http_and_finds_what_is_known_to_be_there() {
    let Some(pprof) = Pprof::find() else { return eprintln!("skipped: Go is not installed") };
    let started = vitals(|config| config.monitor.pprof = true);
    let mounted = routes(&started.vitals);
    let server = serve!(App::new().configure(mounted.clone()));
    let work = Work::begin();
    started.vitals.watch_runtime("orders", work.orders.handle());
    let [of_time, others @ ..] = &ALL;
    assert_is_as_expected(&pprof, server.address, of_time);
    assert_time_is_found(&pprof, server.address);
    // Others want the processor, too.
    work.stop.store(true, Ordering::Relaxed);
    for expected in others {
        assert_is_as_expected(&pprof, server.address, expected);
    }
    assert_work_is_found(&pprof, server.address);
    work.end();
}

fn assert_is_as_expected(pprof: &Pprof, address: SocketAddr, expected: &Expected) {
    let Expected { place, period, types, has_duration, has_code } = expected;
    let url = format!("http://{address}/debug/pprof/{place}");
    let raw = pprof.fetch(&url, &["-raw"]);
    assert!(raw.contains(&format!("PeriodType: {period}")), "{place}: {raw}");
    assert!(raw.contains(&format!("\nSamples:\n{types}\n")), "{place}: {raw}");
    assert!(raw.contains("\nTime: 2"), "{place}: {raw}");
    let duration = raw.lines().find_map(|line| line.strip_prefix("Duration: "));
    let seconds = duration.map(|duration| duration.parse::<f64>().unwrap());
    assert_eq!(seconds.is_some_and(|seconds| seconds >= 1.0), *has_duration, "{place}: {duration:?}");
    if let Some(id) = own_build_id().filter(|_| *has_code) {
        let name = std::env::current_exe().unwrap();
        let name = name.to_str().unwrap();
        let mapping = raw.lines().skip_while(|line| *line != "Mappings").find(|line| line.contains(name));
        assert!(mapping.is_some_and(|mapping| mapping.contains(&format!("{name} {id}"))), "{mapping:?}");
    }
}

/// That which the linker has written into this program, if it does.
fn own_build_id() -> Option<String> {
    // Length of the name, length of the id, the type of the note, the name.
    const HEAD: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let at = program.windows(HEAD.len()).position(|bytes| bytes == HEAD)? + HEAD.len();
    Some(program[at..at + 20].iter().map(|byte| format!("{byte:02x}")).collect())
}

fn fetch(address: SocketAddr, place: &str) -> Vec<u8> {
    get(address, &format!("/debug/pprof/{place}")).body
}

fn assert_time_is_found(pprof: &Pprof, address: SocketAddr) {
    let cpu = fetch(address, "profile?seconds=1");
    let rows = pprof.top(&cpu, "cpu", &[]);
    let found = rows.iter().find(|row| row.name.contains("::spend_known_time"));
    let all = rows.iter().map(|row| row.flat).sum::<i64>();
    assert!(found.is_some_and(|row| row.cumulative * 2 > all), "{rows:?}");
    assert!(pprof.raw(&cpu).contains(&format!("thread:[{BUSY}]")));
}

fn assert_work_is_found(pprof: &Pprof, address: SocketAddr) {
    for (place, index) in [("heap", "inuse_space"), ("allocs", "alloc_space")] {
        let rows = pprof.top(&fetch(address, place), index, &[]);
        let found = rows.iter().find(|row| row.name.contains("::hold_a_known_block"));
        assert_eq!(found.map(|row| row.cumulative), Some(HELD as i64), "{place}: {rows:?}");
    }

    let threads = pprof.raw(&fetch(address, "threadcreate"));
    assert!(threads.contains(&format!("state:[sleeping] thread:[{SLEEPER}]")), "{threads}");

    for place in ["tasks", "goroutine"] {
        let rows = pprof.top(&fetch(address, place), "tasks", &[]);
        let found = rows.iter().find(|row| row.name == "orders");
        assert_eq!(found.map(|row| row.flat), Some(TASKS as i64), "{place}: {rows:?}");
    }
}
