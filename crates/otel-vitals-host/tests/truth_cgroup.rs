//! A real control group with a real quota, and the pressure in it, against what the kernel's own files say.
//!
//! A child process, which is this program again, measures itself while this one moves it from group to group. Where no
//! group can be made, for want of permission or of a CPU controller, the tests say so and are skipped.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use test_harness::InMemory;

const IS_CHILD: &str = "OTEL_VITALS_TEST_IS_CHILD";
const DEADLINE: Duration = Duration::from_secs(30);
/// What arithmetic in floating point may lose, seconds.
const EPSILON: f64 = 1e-6;

/// A control group that is there as long as this is.
struct Group(PathBuf);

impl Group {
    /// A group with a quota of a fifth of a processor, where there is a CPU controller that may be used.
    fn with_quota(name: &str) -> Option<Self> {
        const QUOTA: &str = "20000";
        let version_1 = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"].iter();
        let mut made = version_1.filter_map(|parent| {
            let group = Group::make(Path::new(parent), name)?;
            group.write("cpu.cfs_period_us", "100000").ok()?;
            group.write("cpu.cfs_quota_us", QUOTA).ok()?;
            Some(group)
        });
        made.next().or_else(|| {
            let group = Group::make(Path::new("/sys/fs/cgroup"), name)?;
            group.write("cpu.max", &format!("{QUOTA} 100000")).ok()?;
            Some(group)
        })
    }

    /// A group of version 2 with pressure.
    fn with_pressure(name: &str) -> Option<Self> {
        let parents = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].iter();
        let groups = parents.filter_map(|parent| Group::make(Path::new(parent), name));
        let mut with_pressure = groups.filter(|group| fs::read(group.0.join("cpu.pressure")).is_ok());
        with_pressure.next()
    }

    fn make(parent: &Path, name: &str) -> Option<Self> {
        let folder = parent.join(format!("otel-vitals-test-{}-{name}", std::process::id()));
        // Beside control groups there are ordinary folders, of tmpfs.
        fs::metadata(parent.join("cgroup.procs")).ok()?;
        fs::create_dir(&folder).ok()?;
        Some(Group(folder))
    }

    fn write(&self, file: &str, text: &str) -> std::io::Result<()> {
        // Nothing is to be created: what is not there is not of this controller.
        fs::OpenOptions::new().write(true).open(self.0.join(file))?.write_all(text.as_bytes())
    }

    /// The number behind `key` in `cpu.stat`.
    fn stat(&self, key: &str) -> Option<f64> {
        let text = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
    }

    /// Periods, throttled periods, and seconds throttled, as the kernel says.
    fn throttling(&self) -> [f64; 3] {
        let seconds = match self.stat("throttled_time") {
            Some(nanoseconds) => nanoseconds / 1e9,
            None => self.stat("throttled_usec").unwrap() / 1e6,
        };
        [self.stat("nr_periods").unwrap(), self.stat("nr_throttled").unwrap(), seconds]
    }

    /// Seconds in which some of the group waited for a processor.
    fn pressure(&self) -> f64 {
        let text = fs::read_to_string(self.0.join("cpu.pressure")).unwrap();
        let (_, total) = text.lines().next().unwrap().split_once("total=").unwrap();
        total.parse::<f64>().unwrap() / 1e6
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group can be removed once the last of its processes is gone for good.
        let started = Instant::now();
        while fs::remove_dir(&self.0).is_err() && started.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// This program again, as a process that does what it is told.
struct Subject {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Subject {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "child", "--nocapture", "--test-threads", "1"]).env(IS_CHILD, "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Subject { child, output }
    }

    fn move_to(&self, group: &Group) {
        group.write("cgroup.procs", &self.child.id().to_string()).unwrap();
    }

    /// What the child answers.
    fn tell(&mut self, command: &str) -> Vec<f64> {
        writeln!(self.child.stdin.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child has ended");
            // The test harness says things, too.
            if let Some((_, values)) = line.split_once("answer:") {
                return values.split_whitespace().map(|value| value.parse().unwrap()).collect();
            }
        }
    }

    /// Periods, throttled periods, and seconds throttled, as our metrics say; none when they are absent.
    fn throttling(&mut self) -> Option<[f64; 3]> {
        <[f64; 3]>::try_from(self.tell("throttling")).ok()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_quota_throttles_as_cpu_stat_says() {
    let Some(group) = Group::with_quota("quota") else {
        eprintln!("skipped: no control group with a CPU quota can be made here");
        return;
    };
    let mut subject = Subject::start();
    let elsewhere = subject.throttling().unwrap_or_default();
    subject.move_to(&group);
    let start = group.throttling();
    let moved = subject.throttling().unwrap();
    // The counters go on from where they were, and the child has hardly run since it was moved.
    assert!(moved[0] - elsewhere[0] <= group.throttling()[0], "{elsewhere:?} {moved:?}");

    // A second of CPU time in a fifth of a processor takes five.
    subject.tell("burn 1000");
    let before = group.throttling();
    let shown = subject.throttling().unwrap();
    let after = group.throttling();
    for at in 0..3 {
        let (low, high) = (before[at] - group_offset(&start, at), after[at]);
        let grown = shown[at] - elsewhere[at];
        assert!(
            (low - EPSILON..=high + EPSILON).contains(&grown),
            "{at}: {grown} is shown, the kernel says {low} to {high}"
        );
    }
    assert!(shown[1] - moved[1] >= 10.0, "throttled in only {} periods", shown[1] - moved[1]);
    assert!(shown[2] - moved[2] >= 1.0, "throttled for only {} s", shown[2] - moved[2]);
}

/// What the group may have counted between the move and the reading that noticed it.
fn group_offset(start: &[f64; 3], at: usize) -> f64 {
    start[at] + [2.0, 2.0, 0.5][at]
}

#[test]
fn pressure_of_the_group_is_what_its_file_says() {
    let Some(group) = Group::with_pressure("pressure") else {
        eprintln!("skipped: no control group with pressure can be made here");
        return;
    };
    let mut subject = Subject::start();
    // Before its first look, so that the counter is the file's.
    subject.move_to(&group);
    subject.tell("burn 300");
    let before = group.pressure();
    let shown = subject.tell("pressure");
    let after = group.pressure();
    assert!(
        matches!(shown[..], [shown] if (before - EPSILON..=after + EPSILON).contains(&shown)),
        "{shown:?} is shown, the kernel says {before} to {after}"
    );
    assert!(before > 0.01, "more threads than processors waited for only {before} s");
}

/// Not a test, but the other process.
#[test]
fn child() {
    if std::env::var_os(IS_CHILD).is_none() {
        return;
    }
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let context = SourceContext::new(&meter, Duration::ZERO);
    // Nothing is read before the first command, which comes after a first move.
    otel_vitals_host::register(&meter, &context, &HostOptions::default());
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let answer = match line.split_once(' ') {
            Some(("burn", milliseconds)) => burn(Duration::from_millis(milliseconds.parse().unwrap())),
            _ if line == "pressure" => own_pressure(&pipeline),
            _ => own_throttling(&pipeline),
        };
        let answer: Vec<String> = answer.iter().map(f64::to_string).collect();
        println!("\nanswer: {}", answer.join(" "));
    }
}

fn own_throttling(pipeline: &InMemory) -> Vec<f64> {
    let collection = pipeline.collect();
    let names = ["periods", "throttled.periods", "throttled.time"];
    names.iter().filter_map(|name| collection.sum(&format!("linux.cgroup.cpu.{name}"))).collect()
}

fn own_pressure(pipeline: &InMemory) -> Vec<f64> {
    let attributes = [
        ("linux.pressure.resource", "cpu"),
        ("linux.pressure.kind", "some"),
        ("linux.pressure.scope", "cgroup"),
    ];
    pipeline.collect().value("linux.pressure.stall.time", &attributes).into_iter().collect()
}

/// Uses so much CPU time, with twice as many threads as there are processors.
fn burn(time: Duration) -> Vec<f64> {
    let threads = 2 * std::thread::available_parallelism().unwrap().get() as u32;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while used() < time / threads {
                    std::hint::black_box(
                        (0..100_000_u64).fold(0, |sum, next| std::hint::black_box(sum ^ next)),
                    );
                }
            });
        }
    });
    Vec::new()
}

/// CPU time of this thread.
fn used() -> Duration {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(line.split_whitespace().next().unwrap().parse().unwrap())
}
