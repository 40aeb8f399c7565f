//! What the kernel says of a process, read from outside of it and by other files than the library reads.

use std::fs;
use std::time::Duration;

/// Resident memory, bytes (`VmRSS` of `status`; the library reads `statm`).
#[must_use]
pub fn resident(pid: u32) -> u64 {
    kibibytes(pid, "VmRSS:") * 1024
}

/// What of the resident memory are pages of files, the program's own among them, bytes (`RssFile` of `status`).
#[must_use]
pub fn resident_of_files(pid: u32) -> u64 {
    kibibytes(pid, "RssFile:") * 1024
}

/// What of the resident memory is of no file: heap and stacks, bytes (`Anonymous` of `smaps_rollup`, for which the kernel looks at each
/// page, where `status` tells what each core has counted by itself up to half a MiB late).
#[must_use]
pub fn anonymous(pid: u32) -> u64 {
    kibibytes_in(&format!("/proc/{pid}/smaps_rollup"), "Anonymous:") * 1024
}

/// Virtual memory, bytes (`VmSize` of `status`).
#[must_use]
pub fn virtual_size(pid: u32) -> u64 {
    kibibytes(pid, "VmSize:") * 1024
}

/// Threads (entries of `task`).
#[must_use]
pub fn threads(pid: u32) -> u64 {
    entries(pid, "task")
}

/// Open descriptors (entries of `fd`).
#[must_use]
pub fn descriptors(pid: u32) -> u64 {
    entries(pid, "fd")
}

/// CPU time of all threads that are alive (the scheduler's own account, `task/*/schedstat`, in nanoseconds).
#[must_use]
pub fn cpu_time(pid: u32) -> Duration {
    schedstat(pid, 0)
}

/// How long all threads that are alive have waited for a core (`task/*/schedstat`).
#[must_use]
pub fn waited(pid: u32) -> Duration {
    schedstat(pid, 1)
}

/// How long some tasks of the machine have waited for `resource`. None where the kernel does not count that.
#[must_use]
pub fn pressure(resource: &str) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/pressure/{resource}")).ok()?;
    let (_, total) = text.lines().next()?.split_once("total=")?;
    total.parse().ok().map(Duration::from_micros)
}

/// Whether every thread is stopped by a signal.
#[must_use]
pub fn is_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tT"))
    })
}

/// Nanoseconds in a field of `schedstat`, of all threads that are alive.
fn schedstat(pid: u32, field: usize) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process is there");
    let time = |task: fs::DirEntry| -> Option<u64> {
        // A thread may end between the listing and the reading.
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().nth(field)?.parse().ok()
    };
    Duration::from_nanos(tasks.filter_map(|task| time(task.ok()?)).sum())
}

fn kibibytes(pid: u32, key: &str) -> u64 {
    kibibytes_in(&format!("/proc/{pid}/status"), key)
}

fn kibibytes_in(path: &str, key: &str) -> u64 {
    let text = fs::read_to_string(path).expect("the process is there");
    let line = text.lines().find(|line| line.starts_with(key)).expect("the kernel tells it");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of kB")
}

fn entries(pid: u32, folder: &str) -> u64 {
    fs::read_dir(format!("/proc/{pid}/{folder}")).expect("the process is there").count() as u64
}
