//! The section `profiling`, in the file, the environment and code.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals::{Config, ConfigError, HeapSource};
use std::time::Duration;

const NONE: [(&str, &str); 0] = [];

fn of_file(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vitals.yaml");
    std::fs::write(&file, text).unwrap();
    Config::load_from(Some(&file), NONE)
}

#[test]
fn the_heap_is_sampled_by_default_and_a_profile_takes_a_minute_at_most() {
    let profiling = Config::default().profiling;
    assert!(profiling.heap.enabled);
    assert_eq!((profiling.heap.interval, profiling.heap.source), (512 << 10, HeapSource::Sampler));
    assert_eq!((profiling.cpu.frequency, profiling.max_duration), (100, Duration::from_secs(60)));
}

#[test]
fn every_key_is_taken_from_the_file_and_the_environment() {
    let file = of_file(
        "profiling: {heap: {enabled: false, interval: 1024, source: jemalloc}, cpu: {frequency: 997}, max_duration: 10m}",
    );
    let environment = Config::load_from(
        None,
        [
            ("VITALS_PROFILING_HEAP_ENABLED", "false"),
            ("VITALS_PROFILING_HEAP_INTERVAL", "1024"),
            ("VITALS_PROFILING_HEAP_SOURCE", "jemalloc"),
            ("VITALS_PROFILING_CPU_FREQUENCY", "997"),
            ("VITALS_PROFILING_MAX_DURATION", "10m"),
        ],
    );
    for config in [file, environment] {
        let profiling = config.unwrap().profiling;
        assert!(!profiling.heap.enabled);
        assert_eq!((profiling.heap.interval, profiling.heap.source), (1024, HeapSource::Jemalloc));
        assert_eq!((profiling.cpu.frequency, profiling.max_duration), (997, Duration::from_secs(600)));
    }
}

#[test]
fn the_heap_is_switched_off_as_a_group() {
    assert!(!of_file("profiling: {heap: false}").unwrap().profiling.heap.enabled);
    let config = Config::load_from(None, [("VITALS_PROFILING_HEAP", "false")]);
    assert!(!config.unwrap().profiling.heap.enabled);
}

#[test]
fn what_is_out_of_range_is_refused_and_told() {
    for (text, expected) in [
        (
            "heap: {interval: 1023}",
            "profiling.heap.interval: expected a whole number from 1024 to 1073741824",
        ),
        ("heap: {interval: 1073741825}", "from 1024 to 1073741824"),
        ("heap: {source: mimalloc}", "profiling.heap.source: expected sampler or jemalloc"),
        ("cpu: {frequency: 0}", "profiling.cpu.frequency: expected a whole number from 1 to 1000"),
        ("cpu: {frequency: 1001}", "from 1 to 1000"),
        ("max_duration: 999ms", "profiling.max_duration: expected a time with its unit"),
        ("max_duration: 601s", "from 1s to 10m"),
        ("maxDuration: 1s", "the nearest known one is profiling.max_duration"),
    ] {
        let error = of_file(&format!("profiling: {{{text}}}")).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let mut config = Config::default();
    config.profiling.max_duration = Duration::ZERO;
    let error = config.validate().unwrap_err();
    assert_eq!(error.key(), Some("profiling.max_duration"));
}
