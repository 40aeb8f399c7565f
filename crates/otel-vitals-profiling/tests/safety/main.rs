//! Profiling harms nobody: 997 times a second, while threads panic, load and unload a library, fork and exec, recurse deeply, run on small
//! and on alternate stacks, sleep in system calls, allocate, run out of memory, and come and go. The heap is sampled at
//! the same time, a hundred times as often as it is by default. Nothing may crash, hang, or lose a result.
//!
//! `OTEL_VITALS_SAFETY_SECONDS` is how long it takes, all triggers together. The profiled program is a child, so that a crash is seen as one.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod memory;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod processes;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sleepers;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod stacks;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sys;

#[global_allocator]
static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn main() {}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == profiled::BESIDE_A_HANDLER) {
        sys::handle_urgent();
    }
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["profiled", trigger, seconds] => profiled::main(trigger, seconds.parse().unwrap()),
        ["replaced", trigger] => processes::replaced(trigger),
        ["starved", trigger] => memory::starved(trigger),
        ["sum"] => processes::sum_of_child(),
        _ => watched::main(),
    }
}

/// What the test itself does: it starts the profiled program with each trigger, and sees how it ends.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod watched {
    use std::process::{Child, Command, ExitStatus};
    use std::time::{Duration, Instant};

    /// How much longer than it was told to take a program may, on a machine that is busy.
    const PATIENCE: Duration = Duration::from_secs(90);

    pub(super) fn main() {
        let seconds = std::env::var("OTEL_VITALS_SAFETY_SECONDS");
        let seconds: f64 = seconds.map_or(8.0, |seconds| seconds.parse().unwrap());
        let triggers = super::profiled::triggers();
        for trigger in triggers {
            let part = (seconds / triggers.len() as f64).to_string();
            let child = Command::new("/proc/self/exe").args(["profiled", trigger, &part]).spawn().unwrap();
            let status = end(child, Duration::from_secs_f64(seconds) + PATIENCE);
            assert!(status.success(), "profiled by {trigger}: {status}");
        }
    }

    fn end(mut child: Child, patience: Duration) -> ExitStatus {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > until {
                eprintln!("it hangs; what its threads wait for:");
                let _ = Command::new("sh")
                    .arg("-c")
                    .arg(format!("cd /proc/{}/task; grep -H . */comm */wchan */syscall", child.id()))
                    .status();
                child.kill().unwrap();
                panic!("the profiled program hangs");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The program that is profiled.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod profiled {
    use crate::{memory, processes, sleepers, stacks};
    use otel_vitals_profiling::cpu::{self, Trigger};
    use otel_vitals_profiling::{Error, Profile, heap};
    use std::hint::black_box;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::thread;
    use std::time::{Duration, Instant};

    /// How long one recording is. They begin and end in the midst of it all, too.
    const RECORDING: Duration = Duration::from_millis(1500);

    /// Bytes from one sample of the heap to the next.
    pub(super) const INTERVAL: u64 = 4 << 10;

    /// Timers where the application handles the signal that they have otherwise.
    pub(super) const BESIDE_A_HANDLER: &str = "timers beside a handler";

    /// What a thread does until it is stopped; returns how often.
    type Work = fn(&AtomicBool) -> u64;

    pub(super) fn options(trigger: &str) -> cpu::Options {
        let mut options = cpu::Options::default();
        options.frequency = 997;
        options.trigger = match trigger {
            "timers" | BESIDE_A_HANDLER => Trigger::Timers,
            "perf" => Trigger::Perf,
            other => panic!("what is {other}?"),
        };
        options
    }

    /// Those that are allowed here.
    pub(super) fn triggers() -> &'static [&'static str] {
        match cpu::start(&options("perf")) {
            Ok(_) => &["timers", "perf", BESIDE_A_HANDLER],
            Err(Error::Unavailable { why, .. }) => {
                eprintln!("no profile by perf here, timers have all the time: {why}");
                &["timers", BESIDE_A_HANDLER]
            }
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn main(trigger: &str, seconds: f64) {
        heap::install(INTERVAL).unwrap();
        stacks::quiet();
        let stop = AtomicBool::new(false);
        let workers: [(&str, Work); 15] = [
            ("panics", stacks::panics),
            ("deep", stacks::recurses),
            ("small", stacks::small),
            ("alternate", stacks::alternate),
            ("loads", processes::loads),
            ("forks", |stop| processes::forks(stop, None)),
            ("forks and execs", |stop| processes::forks(stop, Some("/bin/true"))),
            ("forks itself", |stop| processes::forks(stop, Some("/proc/self/exe"))),
            ("spawns", processes::spawns),
            ("pipe", sleepers::pipe),
            ("futex", sleepers::futex),
            ("sleeps", sleepers::sleeps),
            ("allocates", memory::allocates),
            ("starves", |stop| memory::starves(stop, "timers")),
            ("comes and goes", comes_and_goes),
        ];
        thread::scope(|scope| {
            let threads = workers.map(|(name, work)| {
                let stop = &stop;
                (
                    name,
                    thread::Builder::new().name(name.into()).spawn_scoped(scope, move || work(stop)).unwrap(),
                )
            });
            let until = Instant::now() + Duration::from_secs_f64(seconds);
            while Instant::now() < until && !threads.iter().any(|(_, thread)| thread.is_finished()) {
                check(&record(trigger));
                let heap = heap::profile().unwrap();
                assert!(heap.total("alloc_objects").unwrap() > 0, "no allocation was sampled");
                assert!(!heap.pprof().is_empty());
                processes::replace(trigger);
            }
            stop.store(true, Relaxed);
            for (name, thread) in threads {
                let rounds = thread.join().unwrap_or_else(|_| panic!("{name} has failed"));
                assert!(rounds > 0, "{name} has done nothing");
            }
        });
    }

    fn record(trigger: &str) -> Profile {
        let recording = cpu::start(&options(trigger)).unwrap();
        thread::sleep(RECORDING);
        recording.finish()
    }

    fn check(profile: &Profile) {
        assert!(profile.total("samples").unwrap() > 0, "nothing was sampled");
        assert!(profile.total("cpu").unwrap() > 0, "nothing was sampled");
    }

    fn comes_and_goes(stop: &AtomicBool) -> u64 {
        let mut rounds = 0;
        while !stop.load(Relaxed) {
            let sums = thread::scope(|scope| {
                [1, 2, 3, 4]
                    .map(|seed| scope.spawn(move || sum(seed, 5_000)))
                    .map(|thread| thread.join().unwrap())
            });
            assert_eq!(sums, [1, 2, 3, 4].map(|seed| sum(seed, 5_000)));
            rounds += 1;
        }
        rounds
    }

    /// What `examples/loaded.rs` does.
    pub(super) fn sum(seed: u64, rounds: u64) -> u64 {
        (0..rounds).fold(seed, |sum, next| black_box(sum ^ next).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}
