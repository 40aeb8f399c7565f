//! What happens to the group when the kernel does not say what it should.

use super::*;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use test_harness::{Collection, InMemory};

/// Another process, which does nothing, so that what the kernel says of it does not change.
pub(super) struct Sleeper(Child);

impl Sleeper {
    pub(super) fn start() -> Self {
        // `cat` waits for its input; once it has echoed a line, it has opened all that it will open.
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.as_mut().unwrap(), child.stdout.as_mut().unwrap());
        std::io::Write::write_all(input, b"\n").unwrap();
        std::io::Read::read_exact(output, &mut [0]).unwrap();
        Sleeper(child)
    }

    pub(super) fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.0.id().to_string()).join(name)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn every_option() -> ProcessOptions {
    ProcessOptions {
        memory_utilization: true,
        signals_pending: true,
        disk_operations: true,
        ..ProcessOptions::default()
    }
}

/// A proc file system of recorded files. The folders are the kernel's, which alone gives a folder such a size.
fn recorded(root: &Path) -> ProcFiles {
    let files = ProcFiles::at(root);
    std::fs::create_dir(root.join("self")).unwrap();
    std::os::unix::fs::symlink("/proc/self/fd", files.own("fd")).unwrap();
    std::os::unix::fs::symlink("/proc/self/task", files.own("task")).unwrap();
    for (name, content) in [
        ("statm", "765 443 414 5 0 123 0\n"),
        ("io", "syscr: 35\nsyscw: 11\nread_bytes: 262144\nwrite_bytes: 8396800\n"),
        ("stat", "4711 (a b) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 42 0 0 8192 17\n"),
        ("status", "SigPnd:\t1\nShdPnd:\t6\n"),
        ("../meminfo", "MemTotal: 24684084 kB\n"),
    ] {
        std::fs::write(files.own(name), content).unwrap();
    }
    files
}

/// The group over `files`, and what it collected.
fn collect(files: &ProcFiles) -> (InMemory, Collection) {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("test");
    // Fresh for longer than any test runs: every source is read once.
    let context = SourceContext::new(&meter, Duration::from_secs(86_400));
    register_from(&meter, &context, &every_option(), files);
    let collection = pipeline.collect();
    (pipeline, collection)
}

/// Names of the process metrics that have a value.
fn present(collection: &Collection) -> Vec<&str> {
    let mut names: Vec<_> = collection
        .metrics
        .iter()
        .filter(|metric| !metric.points.is_empty())
        .map(|metric| &*metric.name)
        .collect();
    names.retain(|name| name.starts_with("process."));
    names.sort_unstable();
    names
}

/// Errors by source.
fn errors(collection: &Collection) -> BTreeMap<&str, f64> {
    let points = &collection.metric("otel_vitals.source.errors").unwrap().points;
    points.iter().map(|point| (&*point.attributes["otel_vitals.source"], point.value)).collect()
}

const ALL: [&str; 9] = [
    "process.disk.io",
    "process.disk.operations",
    "process.memory.usage",
    "process.memory.utilization",
    "process.memory.virtual",
    "process.signals_pending",
    "process.thread.count",
    "process.unix.file_descriptor.count",
    "process.uptime",
];

#[test]
fn recorded_files_give_every_metric() {
    let root = tempfile::tempdir().unwrap();
    let (_pipeline, collection) = collect(&recorded(root.path()));
    assert_eq!(present(&collection), ALL);
    assert_eq!(errors(&collection).values().sum::<f64>(), 0.0);
    assert_eq!(collection.value("process.memory.usage", &[]), Some(443.0 * page()));
    assert_eq!(collection.value("process.signals_pending", &[]), Some(3.0));
    let utilization = collection.value("process.memory.utilization", &[]).unwrap();
    assert!((utilization - 443.0 * page() / (24_684_084.0 * 1024.0)).abs() < 1e-12);
}

fn page() -> f64 {
    otel_vitals_core::clock::page_size() as f64
}

#[test]
fn a_missing_file_costs_only_its_own_values() {
    for (missing, lost, source) in [
        (
            "statm",
            &["process.memory.usage", "process.memory.utilization", "process.memory.virtual"][..],
            "memory",
        ),
        ("../meminfo", &["process.memory.utilization"], "memory"),
        ("io", &["process.disk.io", "process.disk.operations"], "disk"),
        ("fd", &["process.unix.file_descriptor.count"], "descriptors"),
        ("stat", &["process.uptime"], "uptime"),
        ("status", &["process.signals_pending"], "signals"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let files = recorded(root.path());
        let path = files.own(missing);
        std::fs::rename(&path, root.path().join("elsewhere")).unwrap();
        let (_pipeline, collection) = collect(&files);

        let expected: Vec<_> = ALL.into_iter().filter(|name| !lost.contains(name)).collect();
        assert_eq!(present(&collection), expected, "without {missing}");
        let failed: Vec<_> = errors(&collection).into_iter().filter(|(_, errors)| *errors > 0.0).collect();
        assert_eq!(failed, [(&*format!("process.{source}"), 1.0)], "without {missing}");
    }
}

#[test]
fn a_file_that_comes_late_is_found() {
    let root = tempfile::tempdir().unwrap();
    let files = recorded(root.path());
    let hidden = root.path().join("hidden");
    std::fs::rename(files.own("io"), &hidden).unwrap();
    let pipeline = InMemory::new();
    let meter = pipeline.meter("test");
    let context = SourceContext::new(&meter, Duration::ZERO);
    register_from(&meter, &context, &every_option(), &files);
    assert_eq!(pipeline.collect().value("process.disk.io", &[("disk.io.direction", "read")]), None);
    std::fs::rename(&hidden, files.own("io")).unwrap();
    let now = pipeline.collect().value("process.disk.io", &[("disk.io.direction", "read")]);
    assert_eq!(now, Some(262_144.0));
}

#[test]
fn garbage_in_every_file_gives_no_value_and_no_panic() {
    let root = tempfile::tempdir().unwrap();
    let files = recorded(root.path());
    for name in ["statm", "io", "stat", "status", "../meminfo"] {
        std::fs::write(files.own(name), [0xff, b':', b'\n', b')', 0, b' ', b'-', b'1']).unwrap();
    }
    let (_pipeline, collection) = collect(&files);
    // What the folders tell is still known.
    assert_eq!(present(&collection), ["process.thread.count", "process.unix.file_descriptor.count"]);
    for source in ["memory", "disk", "uptime", "signals"] {
        assert_eq!(errors(&collection)[&*format!("process.{source}")], 1.0, "{source}");
    }
}
