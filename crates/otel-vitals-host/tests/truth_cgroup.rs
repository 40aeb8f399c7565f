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
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;
use test_harness::InMemory;
use test_harness::cgroup::Group;

const IS_CHILD: &str = "OTEL_VITALS_TEST_IS_CHILD";
/// What arithmetic in floating point may lose, seconds.
const EPSILON: f64 = 1e-6;

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
        group.take(self.child.id());
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
