//! `process.*`.

use opentelemetry::KeyValue;

/// Name of the executable's file.
pub(super) fn executable() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let name = path.file_name()?.to_str()?;
    Some(without_mark(name).to_owned())
}

pub(super) fn attributes(executable: Option<String>) -> impl Iterator<Item = KeyValue> {
    let created = otel_vitals_runtime::creation_time();
    let created = created.map(|time| humantime::format_rfc3339_millis(time).to_string());
    let compiler = option_env!("OTEL_VITALS_RUSTC_VERSION");
    let known = [
        Some(KeyValue::new("process.pid", i64::from(std::process::id()))),
        created.map(|time| KeyValue::new("process.creation.time", time)),
        executable.map(|name| KeyValue::new("process.executable.name", name)),
        // The conventions ask a compiled program for the name of its compiler.
        Some(KeyValue::new("process.runtime.name", "rustc")),
        compiler.map(|version| KeyValue::new("process.runtime.version", version)),
    ];
    known.into_iter().flatten()
}

/// Linux marks the name of an executable that was replaced while it runs.
fn without_mark(name: &str) -> &str {
    name.strip_suffix(" (deleted)").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_executable_keeps_its_name() {
        assert_eq!(without_mark("checkout (deleted)"), "checkout");
        assert_eq!(without_mark("checkout"), "checkout");
    }
}
