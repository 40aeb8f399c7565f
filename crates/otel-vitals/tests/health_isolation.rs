//! Checks that hang, block, panic or are asked for all the time cost nobody else, and end when vitals do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod served;

use otel_vitals::health::{Check, Kind, Probe, Status};
use served::{DEADLINE, LONG, SHORT, Served, until};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A check that counts how often it runs.
fn counted(runs: &Arc<AtomicUsize>) -> Check {
    let runs = Arc::clone(runs);
    let ask = move || {
        runs.fetch_add(1, Ordering::SeqCst);
        std::future::ready(())
    };
    Check::new(ask)
}

/// A check that blocks its thread until the sender is dropped, and says when it begins to.
fn blocking(begun: &Arc<AtomicUsize>) -> (Check, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel::<()>();
    let (released, begun) = (Mutex::new(released), Arc::clone(begun));
    let ask = move || {
        begun.fetch_add(1, Ordering::SeqCst);
        let _ = released.lock().unwrap().recv();
        std::future::ready(())
    };
    (Check::new(ask), release)
}

#[test]
fn one_that_hangs_or_blocks_holds_up_neither_a_report_nor_another() {
    let served = Served::start();
    let health = served.health();
    let begun = Arc::new(AtomicUsize::new(0));
    let (blocks, release) = blocking(&begun);
    health.register("hangs", Check::new(std::future::pending::<()>).timeout(LONG)).unwrap();
    health.register("blocks", blocks.timeout(SHORT)).unwrap();
    assert!(until(|| begun.load(Ordering::SeqCst) == 1));
    let runs = Arc::new(AtomicUsize::new(0));
    health.register("runs", counted(&runs).cache(SHORT)).unwrap();
    assert!(until(|| runs.load(Ordering::SeqCst) > 10), "the others run on");
    assert_eq!(served.check(Probe::Ready, "runs").status, Status::Pass);
    assert_eq!(served.check(Probe::Ready, "hangs").output.as_deref(), Some("has not run yet"));

    served.wait_for(Probe::Ready, |report| {
        report.reasons.iter().any(|reason| reason.starts_with("blocks: has not answered for "))
    });
    let check = served.check(Probe::Ready, "blocks");
    assert_eq!((check.status, check.time), (Status::Fail, None));
    assert!(check.duration.unwrap() >= Duration::from_secs(1));
    assert_eq!(begun.load(Ordering::SeqCst), 1, "it is not started again while it runs");
    drop(release);
    // It blocked for longer than it may, and polled once it was ready.
    assert!(until(|| served.check(Probe::Ready, "blocks").time.is_some()));
}

#[test]
fn a_living_service_fails_when_its_check_never_answers() {
    let served = Served::start();
    let (patient, release_patient) = blocking(&Arc::default());
    served.health().register("patient", patient.kind(Kind::Liveness).timeout(LONG)).unwrap();
    assert_eq!(served.health().report(Probe::Live).status, Status::Warn);
    let (blocks, release) = blocking(&Arc::default());
    served.health().register("stuck", blocks.kind(Kind::Liveness).timeout(SHORT)).unwrap();
    let report = served.wait_for_status(Probe::Live, Status::Fail);
    assert!(report.reasons[0].starts_with("stuck: has not answered for "), "{:?}", report.reasons);
    drop((release, release_patient));
}

#[test]
fn a_storm_of_probes_is_no_storm_of_checks() {
    let served = Served::start();
    let runs = Arc::new(AtomicUsize::new(0));
    served.health().register("counted", counted(&runs).cache(LONG)).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| (0..1_000).for_each(|_| drop(served.health().report(Probe::Ready))));
        }
    });
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn a_check_never_runs_twice_at_a_time() {
    let served = Served::start();
    let (now, most, runs) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let ask = {
        let (now, most, runs) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&runs));
        move || {
            let (now, most, runs) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&runs));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(3 * SHORT).await;
                now.fetch_sub(1, Ordering::SeqCst);
                runs.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    served.health().register("slow", Check::new(ask).cache(SHORT)).unwrap();
    assert!(until(|| runs.load(Ordering::SeqCst) >= 10));
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn one_that_takes_too_long_fails_and_its_future_is_dropped() {
    struct Noted(Arc<AtomicBool>);
    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let served = Served::start();
    let dropped = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&dropped);
    let ask = move || {
        let noted = Noted(Arc::clone(&noted));
        async move {
            let _noted = noted;
            std::future::pending::<()>().await;
        }
    };
    let limit = Duration::from_millis(50);
    served.health().register("slow", Check::new(ask).timeout(limit).cache(LONG)).unwrap();
    served.wait_for(Probe::Ready, |report| report.reasons == ["slow: did not answer within 50ms"]);
    assert!(until(|| dropped.load(Ordering::SeqCst)));
    assert!(served.check(Probe::Ready, "slow").duration.unwrap() >= limit);
}

#[test]
fn a_panic_is_a_failure_with_its_message() {
    let served = Served::start();
    let health = served.health();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let once = move || {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move { assert!(call > 0, "the first time is one too many") }
    };
    health.register("before", || -> std::future::Ready<()> { panic!("no {}", "future") }).unwrap();
    health.register("within", Check::new(once).cache(SHORT)).unwrap();
    let before = |report: &otel_vitals::health::Report| report.checks[0].output.clone();
    served.wait_for(Probe::Ready, |report| before(report).as_deref() == Some("panicked: no future"));
    assert!(until(|| calls.load(Ordering::SeqCst) >= 2), "it runs again");
    assert!(until(|| served.check(Probe::Ready, "within").status == Status::Pass));
}

#[test]
fn checks_have_timers_sockets_and_tasks_of_their_own() {
    let served = Served::start();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ask = move || async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let connected = tokio::spawn(tokio::net::TcpStream::connect(address)).await.unwrap();
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        connected.map(drop)
    };
    // Also where the caller has no runtime, as here, and in one that nobody runs.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    served.health().register("store", ask).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
}

#[test]
fn a_check_that_is_removed_while_it_runs_tells_nothing_more() {
    let served = Served::start();
    let begun = Arc::new(AtomicUsize::new(0));
    let (blocks, release) = blocking(&begun);
    served.health().register("gone", blocks.cache(SHORT)).unwrap();
    assert!(until(|| begun.load(Ordering::SeqCst) == 1));
    assert!(served.health().remove("gone"));
    assert!(served.health().report(Probe::Ready).checks.is_empty());
    served.health().register("gone", || async {}).unwrap();
    served.wait_for_status(Probe::Ready, Status::Pass);
    drop(release);
    let runs = Arc::new(AtomicUsize::new(0));
    served.health().register("other", counted(&runs).cache(SHORT)).unwrap();
    assert!(until(|| runs.load(Ordering::SeqCst) > 10));
    assert_eq!(begun.load(Ordering::SeqCst), 1);
}

#[test]
fn what_checks_hold_is_let_go_at_the_end_and_one_that_blocks_holds_nobody_up() {
    let served = Served::start();
    let (kept, begun) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
    let (blocks, release) = blocking(&begun);
    served.health().register("blocks", blocks).unwrap();
    for name in ["hangs", "waits"] {
        let kept = Arc::clone(&kept);
        let ask = move || {
            let kept = Arc::clone(&kept);
            async move {
                if name == "hangs" {
                    std::future::pending::<()>().await;
                }
                drop(kept);
            }
        };
        served.health().register(name, Check::new(ask).timeout(LONG)).unwrap();
    }
    assert!(until(|| served.check(Probe::Ready, "waits").status == Status::Pass));
    assert!(until(|| begun.load(Ordering::SeqCst) == 1));
    let started = Instant::now();
    served.shutdown().unwrap();
    assert!(started.elapsed() < DEADLINE, "the check that blocks would never have ended");
    assert!(until(|| Arc::strong_count(&kept) == 1), "closures and futures are dropped");
    #[cfg(target_os = "linux")]
    assert!(until(|| served::threads("vitals-health") == 0));
    drop(release);
    #[cfg(target_os = "linux")]
    assert!(until(|| served::threads("vitals-check") == 0));
}

#[test]
#[cfg(target_os = "linux")]
fn the_thread_is_there_once_it_is_needed_and_until_the_last_handle_is_dropped() {
    let served = Served::start();
    // Those of other tests end by themselves.
    assert!(until(|| served::threads("vitals-health") == 0));
    let _ = served.health().report(Probe::Live);
    assert!(until(|| served::threads("vitals-health") == 1));
    let health = served.health().clone();
    drop(served);
    assert!(until(|| served::threads("vitals-health") == 0));
    assert_eq!(health.report(Probe::Live).status, Status::Pass, "one can still ask");
    assert!(health.register("late", || async {}).is_err());
}

/// Not even those that know vitals.
#[test]
#[cfg(target_os = "linux")]
fn ready_made_checks_do_not_keep_vitals() {
    let _alone = served::alone();
    let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    let vitals = otel_vitals::Vitals::builder()
        .config(otel_vitals::Config::default())
        .meter_provider(provider)
        .start()
        .unwrap();
    vitals.health().register("delay", Check::event_loop_delay(&vitals, LONG)).unwrap();
    vitals.health().register("export", Check::export(&vitals)).unwrap();
    assert!(until(|| served::threads("vitals-health") == 1));
    drop(vitals);
    assert!(until(|| served::threads("vitals-health") == 0 && served::threads("vitals-pauses") == 0));
}
