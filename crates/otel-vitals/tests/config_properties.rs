//! Whatever a file or a variable holds, reading it never panics.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals::Config;
use proptest::prelude::*;
use std::path::PathBuf;

/// A folder with a `vitals.yaml` that holds `content`.
fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vitals.yaml");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn arbitrary_files_never_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        let (_folder, path) = file(content);
        let _ = Config::load_from(Some(&path), [("A", "b")]);
    }

    #[test]
    fn files_that_look_like_configuration_never_panic(
        content in "(metrics|host|cpu|otlp|headers|service|name|interval|[a-z$:{}\\[\\]\"'?&*!|>#, \n-]){0,30}",
    ) {
        let (_folder, path) = file(content);
        let _ = Config::load_from(Some(&path), [("A", "b")]);
    }

    #[test]
    fn an_unknown_key_always_has_a_suggestion(key in "x_[a-z_]{0,20}", section in 0usize..4) {
        let content = match section {
            0 => format!("{key}: 1"),
            1 => format!("metrics: {{{key}: 1}}"),
            2 => format!("metrics: {{host: {{cpu: {{{key}: 1}}}}}}"),
            _ => format!("otlp: {{{key}: 1}}"),
        };
        let (_folder, path) = file(content);
        let error = Config::load_from(Some(&path), [("A", "b")]).unwrap_err();
        prop_assert!(error.suggestion().is_some_and(|suggestion| !suggestion.is_empty()), "{}", error);
    }

    #[test]
    fn arbitrary_variables_never_panic(value in any::<String>(), which in 0usize..6) {
        let name = [
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_EXPORTER_OTLP_HEADERS",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_METRICS_EXPORTER",
            "OTEL_METRIC_EXPORT_INTERVAL",
            "VITALS_METRICS_HOST_DISK_DEVICES_INCLUDE",
        ][which];
        let _ = Config::load_from(None, [(name, value)]);
    }
}
