//! Each change of what a check says is a line in the log, once. One test: a program has one log.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod served;

use otel_vitals::health::{Check, Probe};
use served::{LONG, SHORT, Served, until};
use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use tracing::field::{Field, Visit};

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Keeps what is logged, and panics afterwards, as one does that prints to a closed pipe.
struct Panicking;

#[derive(Default)]
struct Line {
    message: String,
    check: String,
    output: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}").trim_matches('"').to_owned();
        match field.name() {
            "message" => self.message = text,
            "check" => self.check = text,
            "output" => self.output = text,
            _ => {}
        }
    }
}

impl tracing::Subscriber for Panicking {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "otel_vitals"
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        if line.check.is_empty() {
            return;
        }
        let Line { message, check, output } = line;
        LOGGED.lock().unwrap().push(format!("{} {check}: {message}: {output}", event.metadata().level()));
        panic!("a log that cannot be written to");
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn logged(check: &str) -> Vec<String> {
    let of = format!(" {check}: ");
    LOGGED.lock().unwrap().iter().filter(|line| line.contains(&of)).cloned().collect()
}

#[test]
fn each_change_is_a_line() {
    tracing::subscriber::set_global_default(Panicking).unwrap();
    let served = Served::start();
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    // Well, then away five times, then well again.
    let ask = move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move { if (3..8).contains(&run) { Err("away") } else { Ok(()) } }
    };
    served.health().register("store", Check::new(ask).cache(SHORT)).unwrap();
    let fails = "WARN store: a health check fails: away";
    let passes = "INFO store: a health check passes again: ";
    assert!(
        until(|| logged("store").len() >= 2 && runs.load(Ordering::SeqCst) > 12),
        "{:?}",
        logged("store")
    );
    assert_eq!(logged("store"), [fails, passes], "although each panics");

    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let blocks = move || {
        let _ = released.lock().unwrap().recv();
        std::future::ready(())
    };
    served.health().register("stuck", Check::new(blocks).timeout(SHORT).cache(LONG)).unwrap();
    assert!(until(|| !logged("stuck").is_empty()), "also of one that does not come back");
    let lines = logged("stuck");
    assert!(lines[0].starts_with("WARN stuck: a health check fails: has not answered for "), "{lines:?}");
    drop(release);
    assert!(until(|| served.check(Probe::Ready, "stuck").time.is_some()));
}
