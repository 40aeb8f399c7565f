//! Who profiles.

mod jemalloc;
mod ours;
mod pprof_alloc;
mod pprof_rs;

use std::time::Duration;

/// A profiler, and how fine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profiler {
    /// Nobody.
    None,
    /// CPU by `otel_vitals_profiling`, so often a second, by timers or by events of the kernel.
    Cpu(u32, Trigger),
    /// The heap by `otel_vitals_profiling`, at its default mean.
    Heap,
    /// CPU by pprof-rs, so often a second.
    PprofRs(u32),
    /// The heap by pprof-alloc, at the same mean.
    PprofAlloc,
    /// The heap by jemalloc, at the same mean.
    Jemalloc,
}

/// What makes a CPU profile take a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A POSIX timer for each thread.
    Timers,
    /// `perf_event_open`.
    Perf,
}

/// A profile that is being taken.
pub(crate) trait Running {
    /// Ends it.
    fn stop(&mut self);

    /// Writes what was taken, as its users get it, once it has been ended.
    fn produce(self: Box<Self>) -> Produced;
}

/// A profile.
#[derive(Debug, Default)]
pub(crate) struct Produced {
    /// The CPU time that its samples were taken for, if it is one of CPU time.
    pub(crate) counted: Option<Duration>,
    /// The CPU time that it tells.
    pub(crate) total: Option<Duration>,
    /// Its length as it is sent to somebody.
    pub(crate) bytes: usize,
}

impl Profiler {
    /// Those of CPU time.
    pub const CPU: [Profiler; 6] = [
        Profiler::Cpu(100, Trigger::Timers),
        Profiler::Cpu(100, Trigger::Perf),
        Profiler::PprofRs(100),
        Profiler::Cpu(997, Trigger::Timers),
        Profiler::Cpu(997, Trigger::Perf),
        Profiler::PprofRs(997),
    ];

    /// What it is called as an argument of the programs.
    #[must_use]
    pub fn argument(self) -> String {
        match self {
            Profiler::None => "none".to_owned(),
            Profiler::Cpu(frequency, Trigger::Timers) => format!("cpu-timers-{frequency}"),
            Profiler::Cpu(frequency, Trigger::Perf) => format!("cpu-perf-{frequency}"),
            Profiler::Heap => "heap".to_owned(),
            Profiler::PprofRs(frequency) => format!("pprof-rs-{frequency}"),
            Profiler::PprofAlloc => "pprof-alloc".to_owned(),
            Profiler::Jemalloc => "jemalloc".to_owned(),
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let others = [Profiler::None, Profiler::Heap, Profiler::PprofAlloc, Profiler::Jemalloc];
        Profiler::CPU.into_iter().chain(others).find(|profiler| profiler.argument() == name)
    }

    /// Begins to profile.
    pub(crate) fn start(self) -> anyhow::Result<Box<dyn Running>> {
        Ok(match self {
            Profiler::None => Box::new(Nothing),
            Profiler::Cpu(frequency, trigger) => Box::new(ours::Cpu::start(frequency, trigger)?),
            Profiler::Heap => Box::new(ours::Heap::start()?),
            Profiler::PprofRs(frequency) => Box::new(pprof_rs::Cpu::start(frequency)?),
            Profiler::PprofAlloc => Box::new(pprof_alloc::Heap),
            Profiler::Jemalloc => Box::new(jemalloc::Heap),
        })
    }
}

struct Nothing;

impl Running for Nothing {
    fn stop(&mut self) {}

    fn produce(self: Box<Self>) -> Produced {
        Produced::default()
    }
}
