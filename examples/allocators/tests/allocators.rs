//! Each of the programs as a user runs it: what it tells of its allocator grows and falls with what it keeps.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use allocators::client::Client;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SYSTEM: &str = env!("CARGO_BIN_EXE_system");
const JEMALLOC: &str = env!("CARGO_BIN_EXE_jemalloc");
const MIMALLOC: &str = env!("CARGO_BIN_EXE_mimalloc");

/// Only spent whole by a test that fails.
const PATIENCE: Duration = Duration::from_secs(30);

const DOCUMENTS: u64 = 64;
/// Bytes of the text of each.
const TEXT: u64 = 64 << 10;
const ALL: u64 = DOCUMENTS * TEXT;
/// Bytes that the service may take for connections, ids and the rest.
const BESIDE: u64 = ALL / 4;

#[test]
fn system_tells_what_is_allocated() {
    keeps_documents_and_tells(SYSTEM, "system", &["allocated"]);
}

#[test]
fn jemalloc_tells_all_states() {
    keeps_documents_and_tells(JEMALLOC, "jemalloc", &STATES);
}

#[test]
fn mimalloc_tells_what_is_allocated_and_cached() {
    keeps_documents_and_tells(MIMALLOC, "mimalloc", &["allocated", "cached"]);
}

fn keeps_documents_and_tells(program: &str, name: &str, told: &[&str]) {
    let mut service = Service::start(program);
    let before = service.memstats();
    assert_eq!(service.documents("PUT"), 201);
    let held = service.memstats();
    assert!(number(&held, "HeapAlloc") - number(&before, "HeapAlloc") >= ALL, "{before:?} {held:?}");
    assert!(number(&held, "Mallocs") > number(&before, "Mallocs"));

    // jemalloc gathers what it tells once a second.
    let table = wait_until("the table to have the documents in it", || {
        let table = service.table();
        (mebibytes(&value(&table, "allocated")) >= ALL >> 20).then_some(table)
    });
    assert_eq!(value(&table, "allocator"), name);
    for state in STATES {
        assert_eq!(value(&table, state) != "not told", told.contains(&state), "{state}\n{table}");
    }
    assert!(mebibytes(&value(&table, "counted")) >= ALL >> 20, "{table}");
    assert!(table.contains("objects up to"), "{table}");

    assert_eq!(service.documents("DELETE"), 204);
    wait_until("the heap to be without the documents", || {
        let freed = service.memstats();
        assert_eq!(number(&freed, "HeapAlloc"), number(&freed, "Alloc"));
        (number(&freed, "HeapAlloc") + ALL <= number(&held, "HeapAlloc") + BESIDE).then_some(())
    });
    service.stop();
}

#[test]
fn documents_are_kept_found_and_deleted() {
    let mut service = Service::start(SYSTEM);
    let document = json!({"text": "a needle in hay", "numbers": [1, 2.5, null]});
    assert_eq!(service.ask("PUT", "/documents/a%20b", &document.to_string()).0, 201);
    assert_eq!(service.ask("PUT", "/documents/a%20b", &document.to_string()).0, 204);
    assert_eq!(service.ask("GET", "/documents/a%20b", ""), (200, document.to_string()));
    assert_eq!(service.ask("GET", "/search?text=needle%20in", ""), (200, r#"["a b"]"#.to_owned()));
    assert_eq!(service.ask("DELETE", "/documents/a%20b", "").0, 204);
    assert_eq!(service.ask("DELETE", "/documents/a%20b", "").0, 404);
    assert_eq!(service.ask("GET", "/documents/a%20b", "").0, 404);
    assert_eq!(service.ask("PUT", "/documents/a", "no JSON").0, 400);
    assert_eq!(service.ask("GET", "/search", "").0, 400);
    service.stop();
}

#[test]
fn a_load_ends_with_the_table() {
    let Output { status, stdout, stderr } = command(JEMALLOC).args(["--load", "0.1"]).output().unwrap();
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains(" requests in "), "{stdout}\n{stderr}");
    assert_eq!(value(&stdout, "allocator"), "jemalloc");
}

#[test]
fn an_unknown_argument_is_an_error_with_the_usage() {
    let output = command(SYSTEM).arg("--twice").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("--twice") && told.contains("Usage: "), "{told}");
}

/// Fields of Go's `runtime.MemStats` that are whole numbers.
const NUMBERS: [&str; 26] = [
    "Alloc",
    "TotalAlloc",
    "Sys",
    "Lookups",
    "Mallocs",
    "Frees",
    "HeapAlloc",
    "HeapSys",
    "HeapIdle",
    "HeapInuse",
    "HeapReleased",
    "HeapObjects",
    "StackInuse",
    "StackSys",
    "MSpanInuse",
    "MSpanSys",
    "MCacheInuse",
    "MCacheSys",
    "BuckHashSys",
    "GCSys",
    "OtherSys",
    "NextGC",
    "LastGC",
    "PauseTotalNs",
    "NumGC",
    "NumForcedGC",
];
const OTHERS: [&str; 6] = ["PauseNs", "PauseEnd", "GCCPUFraction", "EnableGC", "DebugGC", "BySize"];

/// In the order of the table.
const STATES: [&str; 5] = ["allocated", "fragmented", "metadata", "cached", "retained"];

/// A program that is running. Killed when dropped.
struct Service {
    child: Child,
    client: Client,
}

impl Service {
    fn start(program: &str) -> Self {
        let mut child = command(program).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim_end().strip_prefix("listening on http://").expect("an address").parse().unwrap();
        Service { child, client: Client::connect(address).unwrap() }
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.client.request(method, path, body.as_bytes()).unwrap();
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    /// Does the same to each document, and tells with which status that was answered, which is always the same.
    fn documents(&mut self, method: &str) -> u16 {
        let body = json!({"text": "x".repeat(TEXT as usize)}).to_string();
        let ask =
            |id| self.ask(method, &format!("/documents/{id}"), if method == "PUT" { &body } else { "" }).0;
        let answers: BTreeSet<u16> = (0..DOCUMENTS).map(ask).collect();
        assert_eq!(answers.len(), 1, "{answers:?}");
        *answers.first().unwrap()
    }

    fn table(&mut self) -> String {
        let (status, table) = self.ask("GET", "/allocator", "");
        assert_eq!(status, 200, "{table}");
        table
    }

    /// All fields of Go's, and what always holds of them.
    fn memstats(&mut self) -> Map<String, Value> {
        let (status, json) = self.ask("GET", "/memstats", "");
        assert_eq!(status, 200, "{json}");
        let stats: Map<String, Value> = serde_json::from_str(&json).unwrap();
        let expected: BTreeSet<&str> = NUMBERS.into_iter().chain(OTHERS).collect();
        assert_eq!(stats.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);

        let number = |field| number(&stats, field);
        assert_eq!(number("Mallocs") - number("Frees"), number("HeapObjects"), "{json}");
        assert_eq!(number("HeapSys"), number("HeapInuse") + number("HeapIdle"), "{json}");
        assert!(number("HeapInuse") >= number("HeapAlloc"), "{json}");
        assert!(number("HeapIdle") >= number("HeapReleased"), "{json}");
        let parts = NUMBERS.into_iter().filter(|field| field.len() > 3 && field.ends_with("Sys"));
        assert_eq!(number("Sys"), parts.map(number).sum::<u64>(), "{json}");
        stats
    }

    /// As an operator does, by a signal; the service then ends by itself.
    fn stop(mut self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = wait_until("the service to end", || self.child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `program` on a free port, with no environment and no `vitals.yaml` but those of the test, and nobody to export to.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("OTEL_METRICS_EXPORTER", "none").current_dir(env!("CARGO_TARGET_TMPDIR"));
    command.args(["--port", "0"]);
    command
}

fn number(stats: &Map<String, Value>, field: &str) -> u64 {
    stats[field].as_u64().unwrap()
}

/// What the table says of `name`.
fn value(table: &str, name: &str) -> String {
    let line = table.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim_start().split("  ").next().unwrap().to_owned()
}

/// Whole ones of a size as the table writes it.
fn mebibytes(size: &str) -> u64 {
    match size.split_once(' ').unwrap() {
        (size, "MiB") => size.parse::<f64>().unwrap() as u64,
        (size, "GiB") => (size.parse::<f64>().unwrap() * 1024.0) as u64,
        _ => 0,
    }
}

fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
