//! What each of the programs does, as its arguments ask.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs tell the bench")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::profilers::Profiler;
use crate::sys;
use crate::work::{Input, Work};

const USAGE: &str = "PROFILER WORK THREADS MILLISECONDS\n";

/// How often resident memory is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// What a program says, as one line of numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    /// Units of work that were done.
    pub units: u64,
    /// CPU time of the process from the start of the profiler to its end, ns.
    pub spent: u64,
    /// CPU time that samples were taken for, ns; zero where there are none.
    pub counted: u64,
    /// CPU time in the profile, ns.
    pub told: u64,
    /// Resident before the profiler was started, KiB.
    pub before: u64,
    /// The most that was resident while it ran, KiB.
    pub most: u64,
    /// The most that was resident while the profile was written, KiB.
    pub writing: u64,
    /// Resident when it had been, KiB.
    pub after: u64,
    /// What writing the profile took, µs.
    pub produced: u64,
    /// Its length.
    pub bytes: u64,
}

/// `main` of the programs.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(said) => {
            println!("{}", said.line());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<Said> {
    let [profiler, work, threads, milliseconds] = arguments else { anyhow::bail!("four arguments") };
    let profiler = Profiler::named(profiler).ok_or_else(|| anyhow::anyhow!("no such profiler"))?;
    let input = Input::new(Work::named(work).ok_or_else(|| anyhow::anyhow!("no such work"))?);
    let (threads, time) = (threads.parse()?, Duration::from_millis(milliseconds.parse()?));
    // What there is once only is there before anything is measured.
    input.unit();
    let before = resident();
    let spent = sys::cpu_time();
    let mut running = profiler.start()?;
    let (units, most) = work_for(&input, threads, time);
    running.stop();
    let spent = sys::cpu_time() - spent;
    forget_most()?;
    let started = Instant::now();
    let produced = running.produce();
    let took = started.elapsed();
    Ok(Said {
        units,
        spent: nanoseconds(spent),
        counted: nanoseconds(produced.counted.unwrap_or_default()),
        told: nanoseconds(produced.total.unwrap_or_default()),
        before,
        most,
        writing: status("VmHWM:"),
        after: resident(),
        produced: nanoseconds(took) / 1000,
        bytes: produced.bytes as u64,
    })
}

/// Units that were done, and the most memory that was resident meanwhile.
fn work_for(input: &Input, threads: usize, time: Duration) -> (u64, u64) {
    let (units, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let mut most = 0;
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !is_over.load(Relaxed) {
                    input.unit();
                    units.fetch_add(1, Relaxed);
                }
            });
        }
        let end = Instant::now() + time;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            thread::sleep(left.min(LOOK));
            most = most.max(resident());
        }
        is_over.store(true, Relaxed);
    });
    (units.into_inner(), most)
}

fn resident() -> u64 {
    status("VmRSS:")
}

/// What the kernel tells of this process, KiB.
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// From here on, the most that was resident is what is resident now.
fn forget_most() -> std::io::Result<()> {
    std::fs::write("/proc/self/clear_refs", "5")
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Said {
    fn line(&self) -> String {
        let numbers = [
            self.units,
            self.spent,
            self.counted,
            self.told,
            self.before,
            self.most,
            self.writing,
            self.after,
            self.produced,
            self.bytes,
        ];
        numbers.map(|number| number.to_string()).join(" ")
    }

    /// What a program has said.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Said {
            units: next()?,
            spent: next()?,
            counted: next()?,
            told: next()?,
            before: next()?,
            most: next()?,
            writing: next()?,
            after: next()?,
            produced: next()?,
            bytes: next()?,
        })
    }

    /// CPU time of one unit, with all that the profiler took, ns.
    #[must_use]
    pub fn unit(&self) -> f64 {
        self.spent as f64 / self.units.max(1) as f64
    }
}
