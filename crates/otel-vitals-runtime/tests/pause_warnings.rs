//! Long pauses are in the log, with what a machine needs to read them. One test: a program has one log.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]
#![allow(dead_code, reason = "what the tests of pauses share is more than is used here")]

mod watch;

use otel_vitals_runtime::{PauseOptions, PauseScope};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tracing::field::{Field, Visit};
use watch::{Driven, Watch, block, until, warm};

type Event = BTreeMap<&'static str, String>;

static LOGGED: Mutex<Vec<Event>> = Mutex::new(Vec::new());

/// How many milliseconds the log takes.
static SLOW: AtomicU64 = AtomicU64::new(0);

/// Keeps what is logged, and panics afterwards, as one does that prints to a closed pipe.
struct Panicking;

struct Fields(Event);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl tracing::Subscriber for Panicking {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "otel_vitals" && *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields(Event::new());
        event.record(&mut fields);
        LOGGED.lock().unwrap().push(fields.0);
        thread::sleep(Duration::from_millis(SLOW.load(Ordering::Relaxed)));
        panic!("a log that cannot be written to");
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

fn logged(runtime: &str) -> Vec<Event> {
    let of_runtime =
        |event: &Event| event.get("runtime").is_some_and(|name| name.trim_matches('"') == runtime);
    LOGGED.lock().unwrap().iter().filter(|event| of_runtime(event)).cloned().collect()
}

#[test]
fn long_pauses_are_logged_while_they_last_and_when_they_end() {
    tracing::subscriber::set_global_default(Panicking).unwrap();
    let mut options = PauseOptions::default();
    options.tick = Duration::from_millis(20);
    options.warnings.threshold = Duration::from_millis(200);
    options.warnings.interval = Duration::from_millis(1);
    let watch = Watch::start(&options);
    let runtime = Driven::start();
    watch.runtimes.watch("blocked", &runtime.handle);
    warm(&watch);

    let _ = block(&runtime.handle, || thread::sleep(Duration::from_millis(100)));
    until("the short one is seen", || !watch.pauses_of("blocked").is_empty());
    assert_eq!(logged("blocked"), Vec::<Event>::new(), "it is too short");

    let (release, released) = mpsc::channel::<()>();
    runtime.handle.spawn(async move { released.recv() });
    until("it is logged before it ends", || logged("blocked").len() == 1);
    assert!(logged("blocked")[0]["message"].starts_with("runtime blocked has stood still for"));
    thread::sleep(Duration::from_millis(100));
    assert_eq!(logged("blocked").len(), 1, "once");
    drop(release);
    until("and when it ends", || logged("blocked").len() == 2);
    let event = &logged("blocked")[1];
    assert!(event["message"].starts_with("runtime blocked stood still for"), "{event:?}");
    assert_eq!((&*event["scope"], &*event["worker"]), ("\"runtime\"", "0"));
    assert!(event["duration_ms"].parse::<u64>().unwrap() >= 200, "{event:?}");
    assert!(event.contains_key("cause") && event.contains_key("left_out"), "{event:?}");
    until("the watch goes on", || watch.pauses().ongoing().is_empty());

    // A log that is slow holds up the watch, which is no pause of the process.
    SLOW.store(500, Ordering::Relaxed);
    // What happens while it is held up is not seen.
    until("some are logged", || {
        let _ = block(&runtime.handle, || thread::sleep(Duration::from_millis(300)));
        logged("blocked").len() >= 5
    });
    SLOW.store(0, Ordering::Relaxed);
    let seen = watch.pauses_of("blocked").len();
    until("the watch goes on", || {
        let _ = block(&runtime.handle, || thread::sleep(Duration::from_millis(300)));
        watch.pauses_of("blocked").len() > seen
    });
    let mut process = watch.pauses().last();
    process.retain(|pause| pause.scope == PauseScope::Process && pause.duration > Duration::from_millis(250));
    assert_eq!(process, []);
}
