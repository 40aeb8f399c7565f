//! Profiles without HTTP: in any runtime or none, one CPU profile at a time, and the heap as it is configured.
#![cfg(feature = "profiling")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::profiling::{self, heap};
use otel_vitals::{Config, Error, HeapSource, Vitals};
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const DEADLINE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(600);

/// Vitals, of which a process has one set at a time.
struct Started {
    vitals: Vitals,
    _alone: MutexGuard<'static, ()>,
}

fn vitals(change: impl FnOnce(&mut Config) + Send + 'static) -> Started {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let builder = Vitals::builder().config(Config::default()).meter_provider(SdkMeterProvider::default());
    Started { vitals: builder.configure(change).start().unwrap(), _alone: alone }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.vitals.shutdown();
    }
}

/// Waits for a future in no runtime at all.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (mut future, deadline) = (pin!(future), Instant::now() + DEADLINE);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        assert!(Instant::now() < deadline, "it is not ready");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[track_caller]
fn assert_gzip(profile: &[u8]) {
    assert!(profile.starts_with(&[0x1f, 0x8b]) && profile.len() > 20, "{} bytes", profile.len());
}

#[test]
fn a_cpu_profile_is_taken_in_any_runtime_or_none() {
    let started = vitals(|_| {});
    assert_gzip(&wait(started.vitals.profile_cpu(SHORT)).unwrap());
    let runtime = Builder::new_current_thread().build().unwrap();
    assert_gzip(&runtime.block_on(started.vitals.profile_cpu(SHORT)).unwrap());
    let spawned = runtime.spawn(started.vitals.profile_cpu(SHORT));
    assert_gzip(&runtime.block_on(spawned).unwrap().unwrap());
}

#[test]
fn one_that_is_longer_than_it_may_be_is_refused_with_both() {
    let started = vitals(|config| config.profiling.max_duration = Duration::from_secs(5));
    let error = wait(started.vitals.profile_cpu(Duration::from_secs(6))).unwrap_err();
    assert!(
        matches!(error, Error::ProfileTooLong { asked, most } if (asked, most) == (Duration::from_secs(6), Duration::from_secs(5)))
    );
    assert_eq!(error.to_string(), "a profile of 6s is longer than profiling.max_duration, which is 5s");
}

#[test]
fn one_is_taken_at_a_time_and_dropping_it_ends_it() {
    let started = vitals(|config| config.profiling.max_duration = LONG);
    let first = wait(started.vitals.record_cpu(None, LONG, |profile| profile.text())).unwrap();
    let error = wait(started.vitals.profile_cpu(SHORT)).unwrap_err();
    assert!(matches!(error, Error::Profile(profiling::Error::Busy)), "{error}");
    drop(first);
    // A future that was polled once is as good.
    let (mut begun, deadline) = (false, Instant::now() + DEADLINE);
    while !begun {
        assert!(Instant::now() < deadline, "it has not ended");
        let mut future = Box::pin(started.vitals.profile_cpu(SHORT));
        begun = wait(&mut future).is_ok();
    }
    let mut abandoned = Box::pin(started.vitals.profile_cpu(LONG));
    let _ = abandoned.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(abandoned);
    while wait(started.vitals.profile_cpu(SHORT)).is_err() {
        assert!(Instant::now() < deadline, "it has not ended");
    }
}

#[test]
fn one_that_is_told_to_end_has_what_it_has_until_then() {
    let started = vitals(|config| config.profiling.max_duration = LONG);
    let recording = wait(started.vitals.record_cpu(Some(997), LONG, |profile| profile.text())).unwrap();
    recording.end();
    recording.end();
    assert!(wait(recording).unwrap().contains("profile"));
}

#[test]
fn what_writes_it_may_panic() {
    let started = vitals(|_| {});
    let recording =
        wait(started.vitals.record_cpu(None, SHORT, |_| -> u8 { panic!("of the test") })).unwrap();
    assert!(matches!(wait(recording), Err(Error::Start { .. })));
    assert_gzip(&wait(started.vitals.profile_cpu(SHORT)).unwrap());
}

#[test]
fn the_heap_is_sampled_as_configured_until_the_shutdown() {
    let started = vitals(|config| config.profiling.heap.interval = 1 << 10);
    assert_eq!(heap::interval(), 1 << 10);
    let block = black_box(vec![1_u8; 64 << 20]);
    assert_gzip(&wait(started.vitals.profile_heap()).unwrap());
    let held = started.vitals.heap_snapshot().unwrap();
    assert!(held.total("inuse_space").unwrap() >= 64 << 20, "{:?}", held.total("inuse_space"));
    drop(block);
    // Names that were looked up may be kept.
    let freed = started.vitals.heap_snapshot().unwrap().since(&held);
    assert!(freed.total("inuse_space").unwrap() <= -(48 << 20), "{:?}", freed.total("inuse_space"));
    let _ = started.vitals.shutdown();
    assert_eq!(heap::interval(), 0, "after a shutdown nobody samples");
    heap::set_interval(1 << 10);
    let _ = started.vitals.shutdown();
    assert_eq!(heap::interval(), 1 << 10, "a second shutdown leaves alone what others sample");
    heap::set_interval(0);
}

#[test]
fn sampling_that_is_somebody_elses_is_left_as_it_is() {
    let started = vitals(|config| config.profiling.heap.interval = 1 << 20);
    heap::set_interval(1 << 15);
    let _ = started.vitals.shutdown();
    assert_eq!(heap::interval(), 1 << 15, "it was changed meanwhile");
    drop(started);
    let started = vitals(|config| config.profiling.heap.interval = 1 << 20);
    assert_eq!(heap::interval(), 1 << 15, "it was on before");
    let _ = started.vitals.shutdown();
    assert_eq!(heap::interval(), 1 << 15, "it was on before");
    heap::set_interval(0);
}

#[test]
fn what_is_switched_off_samples_nothing() {
    type Change = fn(&mut Config);
    let changes: [Change; 3] = [
        |config| config.disabled = true,
        |config| config.profiling.heap.enabled = false,
        |config| config.profiling.heap.source = HeapSource::Jemalloc,
    ];
    for change in changes {
        let started = vitals(change);
        assert_eq!(heap::interval(), 0);
        drop(started);
    }
}

#[test]
fn the_tables_of_the_heap_are_where_go_has_them() {
    let started = vitals(|_| {});
    let stats = started.vitals.memstats();
    assert!(stats.buck_hash_sys > 0);
    let parts = [stats.heap_sys, stats.stack_sys, stats.buck_hash_sys, stats.other_sys];
    assert_eq!(stats.sys, parts.iter().sum::<u64>());
    let published = started.vitals.vars().to_json();
    assert!(!published.contains("\"BuckHashSys\":0,"), "{published}");
}

#[test]
fn tasks_are_counted_by_runtime() {
    let started = vitals(|_| {});
    let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
    started.vitals.watch_runtime("orders", runtime.handle());
    for _ in 0..3 {
        runtime.spawn(std::future::pending::<()>());
    }
    let tasks = started.vitals.task_snapshot();
    assert_eq!(tasks.total("tasks"), Some(3));
    assert_eq!(started.vitals.alive_tasks(), 3);
    assert!(tasks.text().contains("orders"), "{}", tasks.text());
}
