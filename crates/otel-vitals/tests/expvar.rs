//! Published variables are written as Go's `expvar` writes them, and read by what reads that: Go itself, where it is
//! installed (`OTEL_VITALS_REQUIRE_GO=1` makes it a failure where it is not).
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::Vitals;
use otel_vitals::vars::{Counter, Gauge, Map, Text, Value};
use std::path::Path;
use test_harness::go::Program;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

/// Those that only one of the two has, or has with values of its own.
const OWN: [&str; 9] = [
    "build",
    "cmdline",
    "last_pause",
    "memstats",
    "os",
    "os_cores",
    "rust_version",
    "tasks",
    "uptime_seconds",
];

#[test]
fn what_go_writes_is_what_we_write_and_what_we_write_go_reads() {
    let Some(go) = go() else { return };
    let vitals = Vitals::builder().meter_provider(SdkMeterProvider::default()).start().unwrap();
    publish(&vitals);
    let ours = vitals.vars().to_json();

    let theirs = go.run(&["write"], "");
    let (content_type, theirs) = theirs.split_once('\n').unwrap();
    assert_eq!(content_type, "application/json; charset=utf-8");
    assert_eq!(shared(&ours), shared(theirs));
    for document in [ours.as_str(), theirs] {
        assert!(document.starts_with("{\n\"") && document.ends_with("\n}\n"), "{document}");
    }

    assert_eq!(go.run(&["read"], &ours), "1 true -3 x\n");
    vitals.shutdown().unwrap();
}

fn publish(vitals: &Vitals) {
    let vars = vitals.vars();
    let (counter, gauge, text, map) = (Counter::new(), Gauge::new(), Text::new(), Map::new());
    counter.add(-3);
    gauge.set(1.75);
    text.set("<a & \"b\"\\\n\t\r\u{8}\u{c}\u{1}ü\u{2028}🦀");
    map.add("z", 3);
    map.set("half", 0.5);
    map.set("a", "x");
    vars.publish("counter", counter).unwrap();
    vars.publish("gauge", gauge).unwrap();
    vars.publish("text", text).unwrap();
    vars.publish("map", map).unwrap();
    vars.publish("empty", Map::new()).unwrap();
    vars.publish("nothing", || Value::Null).unwrap();
    vars.publish("yes", || true).unwrap();
    vars.publish("huge", || 1.5e300).unwrap();
    vars.publish("tiny", || -2.5e-9).unwrap();
    vars.publish("large", || u64::MAX).unwrap();
}

/// The lines of the variables that both have, without the comma that only the last of all has not.
fn shared(document: &str) -> Vec<&str> {
    let own = |line: &&str| OWN.iter().any(|name| line.starts_with(&format!("\"{name}\": ")));
    let lines = document.lines().filter(|line| line.starts_with('"') && !own(line));
    lines.map(|line| line.trim_end_matches(',')).collect()
}

fn go() -> Option<Program> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expvar");
    Program::build(&source, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("expvar"))
}
