//! The values are true: each is held between two readings of the kernel by another path, one before and one
//! after, while the process does what the metric measures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

use otel_vitals_core::{SourceContext, clock};
use otel_vitals_runtime::ProcessOptions;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use test_harness::{Collection, InMemory};

const MIB: usize = 1 << 20;
/// What arithmetic in floating point may lose.
const EPSILON: f64 = 1e-6;

/// What one test does, the counters of the whole process show to every other.
static ALONE: Mutex<()> = Mutex::new(());

struct Subject {
    pipeline: InMemory,
    _alone: MutexGuard<'static, ()>,
}

/// A collection, and when it was made.
struct Timed {
    started: Instant,
    collection: Collection,
    ended: Instant,
}

impl Timed {
    fn took(&self) -> Duration {
        self.ended - self.started
    }
}

impl Subject {
    fn new() -> Self {
        Self::with_freshness(Duration::ZERO)
    }

    fn with_freshness(freshness: Duration) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let pipeline = InMemory::new();
        let meter = pipeline.meter("truth");
        let mut options = ProcessOptions::default();
        options.cpu_utilization = true;
        options.disk_operations = true;
        let context = SourceContext::new(&meter, freshness);
        otel_vitals_runtime::register(&meter, &context, &options);
        Subject { pipeline, _alone: alone }
    }

    fn collect(&self) -> Collection {
        self.pipeline.collect()
    }

    fn timed(&self) -> Timed {
        let started = Instant::now();
        let collection = self.collect();
        Timed { started, collection, ended: Instant::now() }
    }

    /// The value of one series.
    fn value(&self, name: &str, attributes: &[(&str, &str)]) -> f64 {
        self.collect().value(name, attributes).unwrap()
    }

    /// Asserts that each value of `name` by `key` lies between `expected` before and after, the latter plus
    /// `slack`, which is what `expected` rounds off.
    #[track_caller]
    fn between(
        &self,
        name: &str,
        key: &str,
        values: [&str; 2],
        slack: f64,
        expected: impl Fn() -> [f64; 2],
    ) -> [f64; 2] {
        let before = expected();
        let collection = self.collect();
        let after = expected();
        let mut seen = values.map(|value| collection.value(name, &[(key, value)]).unwrap());
        for ((seen, before), after) in seen.iter_mut().zip(before).zip(after) {
            assert!(
                before <= *seen + EPSILON && *seen <= after + slack + EPSILON,
                "{name}: {before} {seen} {after}"
            );
        }
        seen
    }
}

/// The fields of `/proc/self/stat` from the third on, so that field n of proc(5) is at n - 3.
fn stat() -> Vec<String> {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = text.rsplit_once(')').unwrap().1;
    after_name.split_whitespace().map(str::to_owned).collect()
}

fn stat_field(position: usize) -> f64 {
    stat()[position - 3].parse().unwrap()
}

/// The lines `key: value` of a file; values up to the first blank.
fn entries(path: &str) -> BTreeMap<String, f64> {
    parsed(&fs::read_to_string(path).unwrap())
}

fn parsed(text: &str) -> BTreeMap<String, f64> {
    let entry = |line: &str| {
        let (key, value) = line.split_once(':')?;
        Some((key.to_owned(), value.split_whitespace().next()?.parse().ok()?))
    };
    text.lines().filter_map(entry).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
    }
}

#[test]
fn cpu_time_is_what_proc_stat_says() {
    let subject = Subject::new();
    let tick = 1.0 / clock::ticks_per_second() as f64;
    let times = || [stat_field(14) * tick, stat_field(15) * tick];
    let seen = || subject.between("process.cpu.time", "cpu.mode", ["user", "system"], tick, times);

    let [user, system] = seen();
    let start = times();
    wait_until("0.2 s of user time and 0.1 s of system time", || {
        for _ in 0..100 {
            std::hint::black_box((0..10_000u64).map(std::hint::black_box).sum::<u64>());
            fs::read("/proc/self/status").unwrap();
        }
        let now = times();
        now[0] - start[0] >= 0.2 && now[1] - start[1] >= 0.1
    });
    let [user_after, system_after] = seen();
    assert!(user_after - user >= 0.2 - tick, "{user} {user_after}");
    assert!(system_after - system >= 0.1 - tick, "{system} {system_after}");
}

#[test]
fn cpu_utilization_is_the_time_used_between_two_readings() {
    // All instruments of one collection must see one reading, unlike elsewhere in this file.
    let freshness = Duration::from_millis(200);
    let subject = Subject::with_freshness(freshness);
    let cpus = std::thread::available_parallelism().unwrap().get() as f64;
    let first = subject.timed();
    assert_eq!(first.collection.sum("process.cpu.utilization"), None, "nothing to compare with");
    let mut last = first;
    wait_until("two collections each of which took less than the window", || {
        while last.ended.elapsed() < freshness + Duration::from_millis(50) {
            std::hint::black_box((0..10_000u64).map(std::hint::black_box).sum::<u64>());
        }
        let before = std::mem::replace(&mut last, subject.timed());
        if before.took() > freshness / 2 || last.took() > freshness / 2 {
            return false;
        }
        for mode in ["user", "system"] {
            let mode = [("cpu.mode", mode)];
            let time = |timed: &Timed| timed.collection.value("process.cpu.time", &mode).unwrap();
            let used = (time(&last) - time(&before)) / cpus;
            let share = last.collection.value("process.cpu.utilization", &mode).unwrap();
            let shortest = (last.started - before.ended).as_secs_f64();
            let longest = (last.ended - before.started).as_secs_f64();
            let expected = used / longest - EPSILON..=used / shortest + EPSILON;
            assert!(expected.contains(&share), "{share} {expected:?}");
        }
        true
    });
}

#[test]
fn context_switches_are_those_of_all_threads_that_ever_were() {
    let subject = Subject::new();
    let of = |status: &str| {
        let status = parsed(status);
        [status["voluntary_ctxt_switches"], status["nonvoluntary_ctxt_switches"]]
    };
    let live = || {
        let mut sum = [0.0; 2];
        for task in fs::read_dir("/proc/self/task").unwrap() {
            // A thread may have exited since it was listed.
            if let Ok(status) = fs::read_to_string(task.unwrap().path().join("status")) {
                let task = of(&status);
                sum = [sum[0] + task[0], sum[1] + task[1]];
            }
        }
        sum
    };
    let seen = || {
        let collection = subject.collect();
        ["voluntary", "involuntary"].map(|kind| {
            collection.value("process.context_switches", &[("process.context_switch.type", kind)]).unwrap()
        })
    };

    let at_least = live();
    let before = seen();
    let exited = std::thread::spawn(move || {
        let own = || of(&fs::read_to_string("/proc/thread-self/status").unwrap());
        // A sleep whose end comes before it has begun is no switch, hence the count.
        wait_until("200 voluntary switches", || {
            std::thread::sleep(Duration::from_micros(10));
            own()[0] >= 200.0
        });
        own()
    });
    let exited = exited.join().unwrap();
    let after = seen();
    for kind in [0, 1] {
        assert!(before[kind] >= at_least[kind], "{at_least:?} {before:?}");
        assert!(after[kind] >= before[kind] + exited[kind], "{before:?} {exited:?} {after:?}");
    }
}

#[test]
fn page_faults_are_what_proc_stat_says() {
    let subject = Subject::new();
    let faults = || [stat_field(12), stat_field(10)];
    let seen = || {
        subject.between("process.paging.faults", "system.paging.fault.type", ["major", "minor"], 0.0, faults)
    };
    let [major, minor] = seen();
    let touched = vec![1u8; 64 * MIB];
    let [major_after, minor_after] = seen();
    // Huge pages of 2 MiB make it 32, ordinary ones 16,384.
    assert!(minor_after - minor >= 32.0, "{minor} {minor_after}");
    assert!(major_after >= major);
    drop(std::hint::black_box(touched));
}

/// A folder on a real disk; what is written to a file system in memory reaches none.
fn folder_on_disk() -> Option<PathBuf> {
    let in_memory = |folder: &PathBuf| {
        let output = Command::new("stat").args(["-f", "-c", "%T"]).arg(folder).output();
        let kind = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        kind.is_ok_and(|kind| kind == "tmpfs" || kind == "ramfs")
    };
    let folders = [env!("CARGO_TARGET_TMPDIR"), "/var/tmp", "/tmp"].map(PathBuf::from);
    folders.into_iter().find(|folder| folder.is_dir() && !in_memory(folder))
}

#[test]
fn disk_bytes_are_what_the_kernel_accounts() {
    let subject = Subject::new();
    let io = || ["read_bytes", "write_bytes"].map(|key| entries("/proc/self/io")[key]);
    let seen = || subject.between("process.disk.io", "disk.io.direction", ["read", "write"], 0.0, io);
    let [read, written] = seen();
    let Some(folder) = folder_on_disk() else {
        println!("skipped: no folder on a disk; set CARGO_TARGET_DIR to one");
        return;
    };
    let mut file = tempfile::NamedTempFile::new_in(&folder).unwrap();
    file.write_all(&vec![7; 4 * MIB]).unwrap();
    file.as_file().sync_all().unwrap();
    let [_, written_after] = seen();
    assert!(written_after - written >= (4 * MIB) as f64, "{written} {written_after}");

    // Around the page cache, where the file system can: every byte comes from the disk.
    if let Some(length) = read_around_the_cache(file.path()) {
        let [read_after, _] = seen();
        assert!(read_after - read >= length as f64, "{read} {read_after} {length}");
    }
}

fn read_around_the_cache(path: &std::path::Path) -> Option<usize> {
    use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
    let file = OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path).ok()?;
    let mut buffer = vec![0u8; MIB + 4096];
    let aligned = buffer.as_ptr().align_offset(4096);
    file.read_at(&mut buffer[aligned..aligned + MIB], 0).ok()
}

#[cfg(not(otel_vitals_portable))]
#[test]
fn disk_operations_are_the_calls_that_the_kernel_counts() {
    let subject = Subject::new();
    let calls = || ["syscr", "syscw"].map(|key| entries("/proc/self/io")[key]);
    let seen =
        || subject.between("process.disk.operations", "disk.io.direction", ["read", "write"], 0.0, calls);
    let [_, writes] = seen();
    let mut file = tempfile::tempfile().unwrap();
    for _ in 0..100 {
        file.write_all(b"x").unwrap();
    }
    let [_, writes_after] = seen();
    assert!(writes_after - writes >= 100.0, "{writes} {writes_after}");
}

/// Seconds that the kernel says the process has been running, to its tick.
fn seconds_running() -> f64 {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split_whitespace().next().unwrap().parse().unwrap();
    uptime - stat_field(22) / clock::ticks_per_second() as f64
}

#[test]
fn uptime_is_what_the_kernel_and_ps_say() {
    // sysinfo counts whole seconds, and from a start that it rounds.
    let slack = if cfg!(otel_vitals_portable) { 2.0 } else { 0.02 };
    let subject = Subject::new();
    let before = seconds_running();
    let uptime = subject.value("process.uptime", &[]);
    let after = seconds_running();
    assert!(before - slack <= uptime && uptime <= after + slack, "{before} {uptime} {after}");

    let ps = Command::new("ps").args(["-o", "etimes=", "-p", &std::process::id().to_string()]).output();
    match ps {
        Ok(output) => {
            let seconds: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
            let uptime = subject.value("process.uptime", &[]);
            // Whole seconds, which had time to pass between the two.
            assert!(seconds - 1.0 - slack <= uptime, "{seconds} {uptime}");
            assert!(uptime <= seconds + 2.0 + slack + (seconds_running() - after), "{seconds} {uptime}");
        }
        Err(error) => println!("not compared with ps: {error}"),
    }
}

#[test]
fn the_creation_time_is_now_less_the_uptime() {
    let slack = if cfg!(otel_vitals_portable) { 2.0 } else { 0.02 };
    let created = otel_vitals_runtime::creation_time().unwrap();
    let before = seconds_running();
    let age = SystemTime::now().duration_since(created).unwrap().as_secs_f64();
    let after = seconds_running();
    assert!(before - slack <= age && age <= after + slack, "{before} {age} {after}");
}
