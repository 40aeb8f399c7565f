//! The program as a user runs it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::process::{Command, Output};

/// Runs the program without whatever OpenTelemetry configuration the test itself was started with, in a folder
/// without a `vitals.yaml`.
fn quickstart(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    for (name, _) in std::env::vars_os() {
        if ["OTEL_", "VITALS_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder.path()).output().unwrap()
}

#[test]
fn one_table_shows_what_arrived() {
    let output = quickstart(&["--once", "--interval", "200ms"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}\n{table}", String::from_utf8_lossy(&output.stderr));

    let names: BTreeSet<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() >= 48, "{} metrics\n{table}", names.len());
    assert!(names.contains("rust.memory.used"), "{table}");
    assert!(table.contains(&format!(" · {} metrics, ", names.len())), "{table}");

    let orders: Vec<&str> =
        table.lines().skip_while(|line| !line.contains("quickstart.orders")).take(2).collect();
    for (line, size) in orders.iter().zip(["large", "small"]) {
        assert!(line.ends_with(&format!("quickstart.order.size={size}")), "{table}");
        assert!(line.contains("/s"), "a counter has a rate in the second export\n{table}");
    }
    assert_eq!(orders.len(), 2, "{table}");
    assert!(!table.contains('\x1b'), "stdout is no terminal\n{table}");
}

#[test]
fn a_stall_is_shown_with_its_cause() {
    let output = quickstart(&["--once", "--stall", "--interval", "200ms"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}\n{table}", String::from_utf8_lossy(&output.stderr));

    let pauses = |line: &&str| line.contains(" × ") && line.ends_with("rust.pause.scope=runtime");
    let mut rows = table.lines().skip_while(|line| !line.contains("rust.pause.duration"));
    let row = rows.find(pauses);
    assert!(row.is_some_and(|row| row.contains("rust.pause.cause=") && row.contains(" ms")), "{table}");
    assert!(table.contains("tokio.runtime.name=stalling"), "{table}");

    let mut lines = table.lines().skip_while(|line| !line.starts_with("pauses: "));
    let line = lines.find(|line| line.contains("  runtime stalling, worker 0  "));
    assert!(line.is_some_and(|line| line.contains(" ago ")), "{table}");
}

#[test]
fn help_is_not_an_error() {
    let output = quickstart(&["--help"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("--interval DURATION"));
}

#[test]
fn an_unknown_argument_is_an_error_with_the_usage() {
    let output = quickstart(&["--twice"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--twice") && told.contains("Usage: quickstart"), "{told}");
    assert_eq!(output.stdout, b"");
}
