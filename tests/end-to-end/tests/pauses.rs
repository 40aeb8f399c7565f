//! Pauses arrive, with scope and cause, and what does not end arrives while it goes on.

use end_to_end::received::{Export, Metric, Point, Temporality};
use end_to_end::{Collector, Launch, Setup, Subject, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use crate::programs::STALLING;
use crate::prometheus::value;

const SCOPE: &str = "rust.pause.scope";
const NAME: &str = "tokio.runtime.name";
/// How long a pause that is over may take to be told.
const TOLD: Duration = Duration::from_secs(5);

/// A program whose runtime is blocked when told, once its stamps have come back.
struct Stalling {
    collector: Collector,
    subject: Subject,
}

/// What there was, as the program itself says or as it arrived.
#[derive(Clone, Debug, Default)]
struct Told {
    count: u64,
    seconds: f64,
    causes: BTreeSet<String>,
}

impl Stalling {
    fn start(launch: impl FnOnce(Launch) -> Launch) -> Option<Self> {
        Self::start_with(Setup::default(), launch)
    }

    fn start_with(setup: Setup, launch: impl FnOnce(Launch) -> Launch) -> Option<Self> {
        let mut collector = Collector::start_with(setup)?;
        let subject = launch(Launch::new(STALLING).grpc(collector.grpc())).start();
        collector.wait_for("stamps of the runtime", |exports| {
            let delays = exports.iter().filter_map(|export| delays(export)).map(|delays| delays.count);
            (delays.sum::<Option<u64>>()? >= 2).then_some(())
        });
        Some(Stalling { collector, subject })
    }

    /// Blocks the runtime until a pause that may be that is told: of how many seconds it is at least, and all that is told by then.
    ///
    /// One during most of which a busy machine held up the whole process is no pause of the runtime, and then there is another.
    fn block(&mut self, milliseconds: u64) -> (f64, Told) {
        wait_until("a pause of the runtime", || {
            let before = self.told("runtime");
            let blocked = self.subject.tell(&format!("block {milliseconds}")).ok().value.as_f64().unwrap();
            // A tick may have gone by before the first stamp was sent.
            let expected = 0.8 * (blocked - 0.1);
            let deadline = Instant::now() + TOLD;
            let told = loop {
                let told = self.told("runtime");
                if told.seconds - before.seconds >= expected {
                    break told;
                }
                if Instant::now() >= deadline {
                    println!("{blocked} s were blocked, {told:?} after {before:?}");
                    return None;
                }
                thread::sleep(Duration::from_millis(20));
            };
            assert!(told.count > before.count, "{told:?} after {before:?}");
            Some((expected, told))
        })
    }

    fn told(&mut self, scope: &str) -> Told {
        let told = &self.subject.tell("pauses").ok().value[scope];
        let causes = told["causes"].as_array().unwrap().iter();
        Told {
            count: told["count"].as_u64().unwrap(),
            seconds: told["seconds"].as_f64().unwrap(),
            causes: causes.map(|cause| cause.as_str().unwrap().to_owned()).collect(),
        }
    }
}

fn delays(export: &Export) -> Option<&Point> {
    export.metric("tokio.schedule.delay")?.point(Some((NAME, "stalled")))
}

fn has(point: &Point, key: &str, value: &str) -> bool {
    point.attributes.get(key).and_then(Value::as_str) == Some(value)
}

/// The pauses of `scope` in `metric`.
fn pauses(metric: &Metric, scope: &str) -> Told {
    let mut all = Told::default();
    for point in metric.points.iter().filter(|point| has(point, SCOPE, scope)) {
        all.count += point.count.unwrap();
        all.seconds += point.value;
        all.causes.insert(point.attributes["rust.pause.cause"].as_str().unwrap().to_owned());
    }
    all
}

/// What arrived is what the program said at some moment between two.
fn assert_between(arrived: &Told, before: &Told, after: &Told) {
    let counts = before.count..=after.count;
    assert!(counts.contains(&arrived.count), "{arrived:?} between {before:?} and {after:?}");
    if arrived.count == after.count {
        assert!((arrived.seconds - after.seconds).abs() < 1e-6, "{arrived:?} of {after:?}");
        assert_eq!(arrived.causes, after.causes);
    }
}

#[test]
fn pauses_arrive_with_scope_and_cause() {
    let Some(mut stalling) = Stalling::start(|launch| launch) else { return };
    let (expected, told) = stalling.block(300);
    let metric = stalling.collector.wait_for("the pause", |exports| {
        let export = exports.last()?;
        let metric = export.metric("rust.pause.duration")?;
        // A stamp waited for nearly all of it, and so would those of the ticks meanwhile.
        let waited = delays(export)?.value;
        (pauses(metric, "runtime").count >= told.count && waited >= expected).then(|| metric.clone())
    });
    assert_between(&pauses(&metric, "runtime"), &told, &stalling.told("runtime"));
    for point in &metric.points {
        let keys: Vec<_> = point.attributes.keys().map(String::as_str).collect();
        assert_eq!(keys, ["rust.pause.cause", SCOPE], "{point:?}");
    }
}

#[test]
fn metrics_arrive_while_a_runtime_is_stuck() {
    let Some(mut stalling) = Stalling::start(|launch| launch) else { return };
    let ongoing = |export: &Export| {
        let gauge = export.metric("rust.pause.ongoing.duration")?;
        assert_eq!(gauge.instrument, "gauge");
        let point = gauge.points.iter().find(|point| has(point, NAME, "stalled"))?;
        assert!(has(point, SCOPE, "runtime"), "{point:?}");
        Some(point.value)
    };
    stalling.subject.tell("hold").ok();
    // In what is collected from here on, and in nothing before.
    stalling.subject.tell("count 1").ok();
    let rising = stalling.collector.wait_for("five exports while it is stuck", |exports| {
        let held = exports.iter().filter(|export| export.sum("subject.count").is_some());
        let stuck = held.filter_map(ongoing).filter(|seconds| *seconds > 0.0);
        Some(stuck.collect::<Vec<_>>()).filter(|stuck| stuck.len() >= 5)
    });
    assert!(rising.is_sorted_by(|one, next| one < next), "{rising:?}");
    stalling.subject.tell("release").ok();
    let longest = rising.last().unwrap();
    stalling.collector.wait_for("the pause that is over", |exports| {
        let export = exports.last()?;
        let over = pauses(export.metric("rust.pause.duration")?, "runtime");
        (ongoing(export) == Some(0.0) && over.seconds >= *longest).then_some(())
    });
}

#[test]
fn pauses_arrive_once_as_deltas() {
    let delta = |launch: Launch| launch.env("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta");
    let Some(mut stalling) = Stalling::start(delta) else { return };
    for _ in 0..2 {
        stalling.block(200);
    }
    // Whatever there was until the last export is in one of them, and in no other.
    let told = stalling.told("runtime");
    stalling.subject.tell("shutdown").ok();
    let sum = stalling.collector.wait_for("all pauses", |exports| {
        let metrics = exports.iter().filter_map(|export| export.metric("rust.pause.duration"));
        let mut sum = Told::default();
        for metric in metrics {
            assert_eq!(metric.temporality, Some(Temporality::Delta));
            let more = pauses(metric, "runtime");
            sum.count += more.count;
            sum.seconds += more.seconds;
            sum.causes.extend(more.causes);
        }
        (sum.count >= told.count).then_some(sum)
    });
    assert_between(&sum, &told, &stalling.told("runtime"));
}

#[test]
fn the_collector_shows_pauses_to_prometheus() {
    let setup = Setup { prometheus: true, ..Setup::default() };
    let Some(mut stalling) = Stalling::start_with(setup, |launch| launch) else { return };
    stalling.block(300);
    let page = wait_until("the pause on the page", || {
        let seen = |page: &String| value(page, "rust_pause_duration_seconds_count", "").is_some();
        stalling.collector.scrape().filter(seen)
    });
    for (name, label) in [
        ("rust_pause_duration_seconds_sum", r#"rust_pause_scope=""#),
        ("rust_pause_duration_seconds_bucket", r#"rust_pause_cause=""#),
        ("rust_pause_ongoing_duration_seconds", r#"tokio_runtime_name="stalled""#),
        ("rust_wakeup_delay_seconds_bucket", r#"le="0.001""#),
        ("tokio_schedule_delay_seconds_bucket", r#"tokio_runtime_name="stalled""#),
    ] {
        assert!(value(&page, name, label).is_some(), "no {name} with {label} on the page");
    }
    for line in [
        "# TYPE rust_pause_duration_seconds histogram",
        "# TYPE rust_pause_ongoing_duration_seconds gauge",
        "# TYPE tokio_schedule_delay_seconds histogram",
    ] {
        assert!(page.contains(line), "no {line:?} on the page");
    }
}
