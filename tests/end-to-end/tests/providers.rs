//! Instruments of the application's own, on our provider and ours on theirs.

use end_to_end::{Behaviour, Collector, Launch, Peer};

use crate::programs::{OWN_PROVIDER, plain};

#[test]
fn instruments_of_the_application_arrive_with_ours() {
    let Some(mut collector) = Collector::start() else { return };
    let mut subject = plain().grpc(collector.grpc()).start();
    subject.tell("count 3").ok();
    subject.tell("count-global 4").ok();
    subject.tell("flush").ok();
    let export = collector.wait_for("both counters", |exports| {
        let both = |name| move |export: &&end_to_end::received::Export| export.metric(name).is_some();
        exports.iter().filter(both("subject.count")).find(both("subject.global")).cloned()
    });
    assert_eq!(export.sum("subject.count"), Some(3.0));
    assert_eq!(export.sum("subject.global"), Some(4.0));
    assert_eq!(export.metric("subject.count").unwrap().scope.name, "subject");
    assert_eq!(export.metric("subject.count").unwrap().unit, "{thing}");
    assert!(export.metric("process.cpu.time").is_some(), "ours are in another export");
    subject.tell("shutdown").ok();
}

#[test]
fn a_provider_of_the_application_gets_ours_and_no_exporter() {
    let peer = Peer::start(Behaviour::Silent);
    let mut subject = Launch::new(OWN_PROVIDER).grpc(peer.endpoint()).start();
    subject.init().clone().ok();
    subject.tell("count 1").ok();
    subject.tell("flush").ok();
    let seen = subject.tell("seen").ok().value;
    let seen: Vec<&str> = seen.as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    for name in ["subject.count", "process.cpu.time", "system.memory.usage", "otel_vitals.source.errors"] {
        assert!(seen.contains(&name), "no {name} in {seen:?}");
    }
    // Its allocator does not count.
    for prefix in ["rust.memory", "rust.allocator"] {
        assert!(!seen.iter().any(|name| name.starts_with(prefix)), "{seen:?}");
    }
    assert!(seen.contains(&"rust.pause.ongoing.duration"), "{seen:?}");
    subject.tell("shutdown").ok();
    // It is not ours to stop.
    subject.tell("seen").ok();
    assert!(subject.finish().success());
    assert_eq!(peer.connections(), 0, "an exporter was made");
}
