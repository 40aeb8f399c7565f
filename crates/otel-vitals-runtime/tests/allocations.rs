//! After warm-up, neither the callbacks of all groups nor a snapshot allocate anything.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]

mod callbacks;

use callbacks::Callbacks;
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{AllocatorOptions, MemStats, ProcessOptions, Runtimes, TokioOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// The one of this crate counts what all threads do; only what this one does is to be counted here.
#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting<sys::PerThread> =
    otel_vitals_alloc::Counting::new(sys::PerThread);

#[allow(unsafe_code)]
mod sys {
    //! An allocator that counts by thread, and nothing else.

    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) struct PerThread;

    // SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the heap.
    unsafe impl GlobalAlloc for PerThread {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: what the caller promised us is what the system's allocator asks for.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.realloc(pointer, layout, size) }
        }
    }

    fn count() {
        ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
    }

    /// Allocations of this thread so far.
    pub(super) fn allocations() -> u64 {
        ALLOCATIONS.with(Cell::get)
    }
}

/// Fourteen of the process, of which six have two series, eight of the allocator, two that have a series for each of
/// 68 classes, and those of tokio.
const INSTRUMENTS: usize = 14 + 8 + if BY_SIZE { 2 } else { 0 } + 5 + if TELLS_ALL { 13 } else { 0 };
const SERIES: u64 = 14 + 6 + 8 + if BY_SIZE { 2 * 68 } else { 0 } + RUNTIMES * OF_A_RUNTIME;
const BY_SIZE: bool = cfg!(feature = "size-classes");
const RUNTIMES: u64 = 3;
/// Two of its one worker; of the others one has two states, and one the ten buckets that tokio has by default.
const OF_A_RUNTIME: u64 = 5 + if TELLS_ALL { 13 + 1 + 9 } else { 0 };
const TELLS_ALL: bool = cfg!(tokio_unstable);

fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    #[cfg(tokio_unstable)]
    builder.enable_metrics_poll_time_histogram();
    builder.build().unwrap()
}

fn registered(runtimes: &Runtimes) -> Arc<Callbacks> {
    let callbacks = Arc::new(Callbacks::default());
    let meter = callbacks.meter();
    let context = SourceContext::new(&meter, Duration::ZERO);
    let mut process = ProcessOptions::default();
    process.cpu_utilization = true;
    process.memory_utilization = true;
    process.signals_pending = true;
    process.disk_operations = true;
    otel_vitals_runtime::register(&meter, &context, &process);
    let mut allocator = AllocatorOptions::default();
    allocator.size_classes = true;
    otel_vitals_runtime::register_allocator(&meter, &context, &allocator);
    let mut tokio = TokioOptions::default();
    tokio.per_worker = true;
    otel_vitals_runtime::register_tokio(&meter, &context, runtimes, &tokio);
    callbacks
}

#[test]
fn after_warm_up_no_callback_allocates() {
    let (running, runtimes) = ([runtime(), runtime(), runtime()], Runtimes::default());
    running.iter().for_each(|runtime| runtimes.watch("alike", runtime.handle()));
    let callbacks = registered(&runtimes);
    assert_eq!(callbacks.instruments(), INSTRUMENTS);
    let _warm = callbacks.count();

    let before = sys::allocations();
    for _ in 0..100 {
        assert_eq!(callbacks.count(), SERIES);
    }
    assert_eq!(sys::allocations() - before, 0);
    drop(std::hint::black_box(Box::new(1)));
    assert!(sys::allocations() > before, "the allocator counts");
}

#[test]
fn a_snapshot_allocates_nothing() {
    let before = sys::allocations();
    let stats = MemStats::read();
    assert_eq!(sys::allocations() - before, 0);
    assert!(stats.mallocs > 0);
}
