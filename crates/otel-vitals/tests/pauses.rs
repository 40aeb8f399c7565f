//! What stands still is told by vitals, whoever exports, unless it is turned off.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::runtime::{PauseCause, PauseScope};
use otel_vitals::{Config, Vitals};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

const LONG: Duration = Duration::from_millis(200);

/// A process has one set of vitals at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// Runs until `condition` holds, or too long.
async fn until(condition: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    while !condition() && started.elapsed() < Duration::from_secs(20) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    condition()
}

#[test]
fn a_blocked_runtime_is_told_also_when_nobody_exports() {
    let _alone = alone();
    for exports in [true, false] {
        let mut config = Config::default();
        config.metrics.exporters.clear();
        let mut builder = Vitals::builder().config(config);
        if exports {
            builder = builder.meter_provider(SdkMeterProvider::default());
        }
        runtime().block_on(async move {
            let vitals = builder.start().unwrap();
            // A busy machine may stop the whole process as well.
            let seen = || {
                let last = vitals.pauses().last();
                last.into_iter()
                    .find(|pause| pause.scope == PauseScope::Runtime && pause.duration >= LONG / 2)
            };
            // Until a tick falls into one; the first begin before there was any.
            let started = Instant::now();
            let pause = loop {
                if let Some(pause) = seen() {
                    break pause;
                }
                assert!(started.elapsed() < Duration::from_secs(20), "{:?}", vitals.pauses().last());
                thread::sleep(LONG);
                tokio::time::sleep(Duration::from_millis(150)).await;
            };
            let pauses = vitals.pauses();
            assert_eq!(pause.runtime.as_deref(), Some("main"));
            assert_ne!(pause.cause, PauseCause::Unknown);
            let stats = vitals.memstats();
            assert!(stats.num_gc > 0 && stats.pause_total_ns >= pause.duration.as_nanos() as u64);
            let newest = stats.pause_ns[(stats.num_gc as usize + 255) % 256];
            assert!(newest > 0);
            vitals.shutdown().unwrap();
            assert!(pauses.count() > 0, "what was is still known");
            assert!(until(|| pauses.ongoing().is_empty()).await);
        });
    }
}

#[test]
fn switched_off_nothing_is_watched() {
    let _alone = alone();
    for part in ["disabled", "pauses"] {
        let mut config = Config::default();
        match part {
            "disabled" => config.disabled = true,
            _ => config.metrics.pauses.enabled = false,
        }
        let vitals =
            Vitals::builder().config(config).meter_provider(SdkMeterProvider::default()).start().unwrap();
        assert_eq!((vitals.pauses().count(), vitals.pauses().ongoing()), (0, vec![]), "{part}");
        assert_eq!(vitals.memstats().num_gc, 0);
    }
}

#[test]
fn without_the_group_of_tokio_only_the_process_is_watched() {
    let _alone = alone();
    let mut config = Config::default();
    config.metrics.tokio.enabled = false;
    let main = runtime();
    let vitals = main.block_on(async {
        Vitals::builder().config(config).meter_provider(SdkMeterProvider::default()).start().unwrap()
    });
    assert!(vitals.runtimes().is_empty());
    assert_eq!(main.metrics().num_alive_tasks(), 0);
}
