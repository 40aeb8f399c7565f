//! Every configuration key that the reference names is a key of the configuration, and does what the reference says.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use conformance::Declaration;
use otel_vitals::Vitals;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use test_harness::InMemory;

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

const FRESHNESS: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(20);

/// `a.b.c` set to `value`, as a file.
fn file(key: &str, value: bool) -> String {
    key.split('.').rev().fold(value.to_string(), |inner, name| format!("{{{name}: {inner}}}"))
}

/// The names of what is emitted of this machine and of the recorded one when a file sets only `key`; tries again until
/// `expected` is in it.
fn emitted(key: &str, value: bool, expected: &BTreeSet<&str>) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.yaml");
    std::fs::write(&path, file(key, value)).unwrap();
    let recorded = conformance::root().join("crates/otel-vitals-host/tests/fixtures/full");
    let started = Instant::now();
    let mut names = BTreeSet::new();
    loop {
        for root in [None, Some(recorded.clone())] {
            names.extend(emitted_of(root, &path));
        }
        if expected.iter().all(|name| names.contains(*name)) || started.elapsed() > DEADLINE {
            return names;
        }
    }
}

/// What two collections give, of which the second has what changed since the first.
fn emitted_of(root: Option<PathBuf>, file: &Path) -> BTreeSet<String> {
    let pipeline = InMemory::new();
    let vitals = Vitals::builder()
        .config_file(file)
        .configure(|config| {
            config.disabled = false;
            config.metrics.freshness = FRESHNESS;
            config.metrics.host.root_path = root;
        })
        .meter_provider(pipeline.provider().clone())
        .health_check("checked", || async {})
        .start()
        .unwrap();
    let first = pipeline.collect();
    std::thread::sleep(2 * FRESHNESS);
    let second = pipeline.collect();
    vitals.shutdown().unwrap();
    first.metrics.into_iter().chain(second.metrics).map(|metric| metric.name).collect()
}

/// One test, because a process has one set of vitals at a time.
#[test]
fn options_turn_on_what_they_are_noted_for_and_switches_turn_off_their_group() {
    // To be watched.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _inside = runtime.enter();
    let notes = Declaration::load().unwrap().notes;
    let mut options = BTreeMap::<&str, BTreeSet<&str>>::new();
    for (name, metric) in notes.groups.iter().flat_map(|group| &group.metrics) {
        if let Some(option) = &metric.option {
            options.entry(option).or_default().insert(name);
        }
    }
    let optional: BTreeSet<&str> = options.values().flatten().copied().collect();
    for (option, expected) in &options {
        let names = emitted(option, true, expected);
        let found: BTreeSet<&str> = optional.iter().copied().filter(|name| names.contains(*name)).collect();
        assert_eq!(found, *expected, "{option}: true");
    }
    for group in &notes.groups {
        let Some(switch) = &group.switch else { continue };
        let names = emitted(switch, false, &BTreeSet::new());
        assert!(names.len() > 10, "with {switch}: false there is only {names:?}");
        let found: Vec<&String> = group.metrics.keys().filter(|name| names.contains(*name)).collect();
        assert_eq!(found, Vec::<&String>::new(), "{switch}: false");
    }
}
