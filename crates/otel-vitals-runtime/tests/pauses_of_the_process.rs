//! Stalls that are made from outside: a process is stopped, has no quota, or has no core.
//!
//! The process is a child, which is this program again. It says what pauses it has seen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]
#![allow(dead_code, reason = "what the tests of pauses share is more than is used here")]

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod watch;

#[cfg(not(all(target_os = "linux", not(otel_vitals_portable))))]
fn main() {}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(child::NAME) => child::run(),
        // Not in threads of a test harness: the children must not disturb each other.
        _ => {
            a_process_that_is_stopped_has_paused();
            a_process_without_quota_is_throttled();
            a_process_without_a_core_waits_for_one();
        }
    }
}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
use parent::*;

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod child {
    use super::watch::{Driven, Watch, spin, warm};
    use otel_vitals_runtime::PauseOptions;
    use std::sync::mpsc;
    use std::time::Duration;

    pub(super) const NAME: &str = "child";

    /// Says each pause until the parent is gone; `spin` makes one more thread that spins.
    pub(super) fn run() {
        // Put where it belongs first.
        let first = std::io::stdin().lines().next();
        assert_eq!(first.unwrap().unwrap(), "start");
        let watch = Watch::start(&PauseOptions::default());
        let runtime = Driven::start();
        watch.runtimes.watch("main", &runtime.handle);
        warm(&watch);
        let mut seen = watch.pauses().count();
        println!("ready");
        let (told, orders) = mpsc::channel();
        std::thread::spawn(move || std::io::stdin().lines().try_for_each(|line| told.send(line)));
        loop {
            match orders.recv_timeout(Duration::from_millis(10)) {
                Ok(Ok(order)) if order == "spin" => {
                    drop(std::thread::spawn(|| spin(Duration::from_secs(60))))
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                _ => break,
            }
            let count = watch.pauses().count();
            let pauses = watch.pauses().last();
            for pause in pauses.iter().rev().take((count - seen) as usize).rev() {
                println!("{} {} {}", pause.scope, pause.cause.as_str(), pause.duration.as_micros());
            }
            seen = count;
        }
        std::process::exit(0);
    }
}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod parent {
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::{self, Receiver};
    use std::time::{Duration, Instant};
    use test_harness::cgroup::Group;

    const DEADLINE: Duration = Duration::from_secs(30);

    struct Subject {
        child: Child,
        lines: Receiver<String>,
    }

    #[derive(Debug)]
    struct Pause {
        scope: String,
        cause: String,
        duration: Duration,
    }

    impl Subject {
        fn start() -> Self {
            Subject::start_in(None)
        }

        fn start_in(group: Option<&Group>) -> Self {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.arg(super::child::NAME).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let output = BufReader::new(child.stdout.take().unwrap());
            let (told, lines) = mpsc::channel();
            // Ends with the child.
            std::thread::spawn(move || {
                output.lines().map_while(Result::ok).try_for_each(|line| told.send(line))
            });
            let mut subject = Subject { child, lines };
            if let Some(group) = group {
                group.take(subject.child.id());
            }
            subject.order("start", 1);
            while subject.line() != "ready" {}
            subject
        }

        fn signal(&self, signal: Signal) {
            kill_process(Pid::from_child(&self.child), signal).unwrap();
        }

        /// Returns when all of its threads are stopped.
        fn stop(&self) {
            self.signal(Signal::STOP);
            let (_, status) =
                waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap().unwrap();
            assert!(status.stopped(), "{status:?}");
        }

        fn order(&mut self, order: &str, times: usize) {
            let orders = format!("{order}\n").repeat(times);
            self.child.stdin.as_mut().unwrap().write_all(orders.as_bytes()).unwrap();
        }

        fn line(&self) -> String {
            self.lines.recv_timeout(DEADLINE).expect("the child says something")
        }

        /// The first pause that `is_wanted`, and all before it.
        fn wait_for(&self, is_wanted: impl Fn(&Pause) -> bool) -> (Pause, Vec<Pause>) {
            let (pause, others) = self.look_for(DEADLINE, is_wanted);
            (pause.unwrap_or_else(|| panic!("no such pause, but {others:?}")), others)
        }

        /// The first pause that `is_wanted` if one comes in this time, and all before it.
        fn look_for(
            &self,
            time: Duration,
            is_wanted: impl Fn(&Pause) -> bool,
        ) -> (Option<Pause>, Vec<Pause>) {
            let until = Instant::now() + time;
            let mut others = Vec::new();
            while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
                let fields: Vec<&str> = line.split_whitespace().collect();
                let pause = Pause {
                    scope: fields[0].to_owned(),
                    cause: fields[1].to_owned(),
                    duration: Duration::from_micros(fields[2].parse().unwrap()),
                };
                if is_wanted(&pause) {
                    return (Some(pause), others);
                }
                others.push(pause);
            }
            (None, others)
        }
    }

    impl Drop for Subject {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Tries until a stop is seen as it was. On a machine that others work on, a process that may go on may wait for a core first, and
    /// one that is stopped while it looks, and does not sleep, is not seen to be late.
    pub(super) fn a_process_that_is_stopped_has_paused() {
        let mut seen = Vec::new();
        for _ in 0..10 {
            let stop = Stop::make();
            println!("{stop:?}");
            if stop.is_seen() {
                return;
            }
            seen.push(stop);
        }
        panic!("{seen:#?}");
    }

    /// A process that was stopped for a while.
    #[derive(Debug)]
    struct Stop {
        /// For so long at least, and until it was seen at most.
        least: Duration,
        most: Duration,
        pause: Option<Pause>,
        before: Vec<Pause>,
    }

    impl Stop {
        const TICK: Duration = Duration::from_millis(100);
        /// A tick may be longer by an eighth.
        const LONGEST_TICK: Duration = Duration::from_micros(112_500);

        fn make() -> Self {
            let subject = Subject::start();
            let started = Instant::now();
            subject.stop();
            let stopped = Instant::now();
            std::thread::sleep(3 * Stop::TICK);
            let least = stopped.elapsed();
            subject.signal(Signal::CONT);
            // What was stopped before its next tick was due is late from then on.
            let is_long = |pause: &Pause| pause.duration + Stop::LONGEST_TICK >= least;
            let (pause, before) = subject.look_for(Duration::from_secs(5), is_long);
            Stop { least, most: started.elapsed(), pause, before }
        }

        fn is_seen(&self) -> bool {
            const MARGIN: Duration = Duration::from_millis(20);
            let Some(pause) = &self.pause else { return false };
            assert!(pause.duration <= self.most, "{self:?}");
            (&*pause.scope, &*pause.cause) == ("process", "unknown") && pause.duration <= self.least + MARGIN
        }
    }

    pub(super) fn a_process_without_quota_is_throttled() {
        let Some(group) = Group::with_quota("pauses") else {
            return eprintln!("skipped: no control group with a quota can be made here");
        };
        let mut subject = Subject::start_in(Some(&group));
        subject.order("spin", 2);
        let is_long = |pause: &Pause| pause.duration > Duration::from_millis(10);
        let mut causes = Vec::new();
        let started = Instant::now();
        let of = |causes: &[String], cause: &str| causes.iter().filter(|found| *found == cause).count();
        // On a machine that others work on, it is more than the quota that keeps it from a core.
        while of(&causes, "throttled") < 5 {
            causes.push(subject.wait_for(is_long).0.cause);
            assert!(started.elapsed() < DEADLINE, "{causes:?}");
        }
        println!("throttled: {causes:?}");
        assert_eq!(of(&causes, "throttled") + of(&causes, "cpu_wait"), causes.len(), "{causes:?}");
        let [_, throttled, _] = group.throttling();
        assert!(throttled >= 1.0);
        drop(subject);
    }

    pub(super) fn a_process_without_a_core_waits_for_one() {
        let mut subject = Subject::start();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        subject.order("spin", 8 * cores);
        let (pause, others) = subject.wait_for(|pause| pause.cause == "cpu_wait");
        println!("without a core: {pause:?}, before {others:?}");
    }
}
