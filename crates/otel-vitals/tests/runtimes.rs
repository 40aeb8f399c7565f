//! Which tokio runtimes are watched.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::{Config, Vitals, VitalsBuilder};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::runtime::{Builder, Runtime};

/// A process has one set of vitals at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn builder() -> VitalsBuilder {
    Vitals::builder().config(Config::default()).meter_provider(SdkMeterProvider::default())
}

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

#[test]
fn the_runtime_of_the_start_is_watched_under_its_name_or_as_main() {
    let _alone = alone();
    let vitals = builder().start().unwrap();
    assert!(vitals.runtimes().is_empty(), "there is none");
    drop(vitals);

    let unnamed = runtime();
    let vitals = unnamed.block_on(async { builder().start().unwrap() });
    assert_eq!(vitals.runtimes(), ["main"]);
    drop(unnamed);
    assert!(vitals.runtimes().is_empty());
    drop(vitals);

    let named = Builder::new_current_thread().name("kitchen").build().unwrap();
    let vitals = named.block_on(async { builder().start().unwrap() });
    assert_eq!(vitals.runtimes(), ["kitchen"]);
}

#[test]
fn others_are_named_before_the_start_or_later() {
    let _alone = alone();
    let (main, early, late) = (runtime(), runtime(), runtime());
    let named = builder().watch_runtime("early", early.handle());
    let vitals = main.block_on(async { named.start().unwrap() });
    vitals.watch_runtime("late", late.handle());
    vitals.watch_runtime("again", late.handle());
    assert_eq!(vitals.runtimes(), ["early", "main", "late"]);
    late.block_on(async { vitals.watch_worker("worker") });
    vitals.watch_worker("outside");
    assert_eq!(vitals.runtimes(), ["early", "main", "late"]);
    drop(vitals);

    let vitals = main.block_on(async { builder().watch_runtime("shop", main.handle()).start().unwrap() });
    assert_eq!(vitals.runtimes(), ["shop"], "what is said wins");
}

#[test]
fn after_the_shutdown_none_is_watched_and_none_comes() {
    let _alone = alone();
    let (main, other) = (runtime(), runtime());
    let vitals = main.block_on(async { builder().start().unwrap() });
    vitals.shutdown().unwrap();
    assert!(vitals.runtimes().is_empty());
    vitals.watch_runtime("other", other.handle());
    other.block_on(async { vitals.watch_worker("worker") });
    assert!(vitals.runtimes().is_empty());
    // Not even a task of ours is left.
    for runtime in [main, other] {
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    }
}

#[test]
fn where_runtimes_are_of_no_interest_none_is_watched() {
    let _alone = alone();
    let main = runtime();
    let changes: [fn(&mut Config); 2] =
        [|config| config.disabled = true, |config| config.metrics.tokio.enabled = false];
    for change in changes {
        let builder = builder().configure(change).watch_runtime("named", main.handle());
        let vitals = main.block_on(async { builder.start().unwrap() });
        vitals.watch_runtime("other", main.handle());
        main.block_on(async { vitals.watch_worker("worker") });
        assert!(vitals.runtimes().is_empty());
        assert_eq!(main.metrics().num_alive_tasks(), 0);
    }
}
