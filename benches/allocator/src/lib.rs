//! Programs that differ in their global allocator alone: what a service pays is what `#[global_allocator]` costs it.
//!
//! Each is three lines in `src/bin/alloc_<inner>_<wrapper>.rs` and does what [`program`] says. It allocates through
//! `std::alloc`, as everything in a Rust program does, so that what the compiler inlines here it inlines there. *Bare* is
//! the same program with the inner allocator as its global one; for the system's this is a program that names none,
//! as most services do, and one that names [`System`](std::alloc::System) is beside it.

#[cfg(not(target_os = "linux"))]
compile_error!("the programs read Linux's /proc; elsewhere build with `--exclude benches-allocator`");

pub mod arguments;
pub mod callgrind;
pub mod histogram;
pub mod measured;
pub mod null;
pub mod program;
pub mod stats_alloc;
mod sys;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fmt, io};

use otel_vitals_profiling::heap;

/// The allocator that has the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// malloc of the C library.
    System,
    /// tikv-jemallocator.
    Jemalloc,
    /// mimalloc.
    Mimalloc,
    /// [`Null`](null::Null), which does nothing: a wrapper behind which nothing hides.
    Null,
}

/// Samples as often as the others do, half a megabyte from each other in the mean.
const JEMALLOC_SAMPLES: &str = "prof:true,prof_active:true,lg_prof_sample:19";

/// Has a program that samples not do so.
const OFF: &str = "BENCH_SAMPLING_OFF";

/// What counts in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// Nothing.
    Bare,
    /// Nothing, but [`System`](std::alloc::System) is named as the global allocator.
    Named,
    /// `otel_vitals_alloc::Counting`.
    Ours,
    /// The same, which samples for a heap profile, too.
    Sampling,
    /// The program of [`Sampling`](Self::Sampling) with sampling turned off: what differs is sampling alone, and not how the compiler
    /// has laid the two out.
    NotSampling,
    /// The same as ours, built without its feature `size-classes`.
    WithoutClasses,
    /// Nothing, but jemalloc samples for its own heap profile.
    Profiling,
    /// stats_alloc, with sequentially consistent global counters.
    StatsAlloc,
    /// cap, which counts what is left below a limit.
    Cap,
    /// pprof-alloc with its coarse statistics, and without stack traces.
    PprofAlloc,
    /// pprof-alloc, which samples for a heap profile, and has no statistics.
    PprofAllocSampling,
    /// peak_alloc, which counts what is used and its maximum.
    PeakAlloc,
}

/// A program: an allocator, and what counts in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// The allocator.
    pub inner: Inner,
    /// What counts.
    pub wrapper: Wrapper,
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// With everything on.
    folder: PathBuf,
    /// Built with `--no-default-features`.
    without_classes: Option<PathBuf>,
    /// Built with `--features jemalloc-profiling`.
    profiling: Option<PathBuf>,
}

impl Programs {
    /// The programs in the folder of `one_of_them`. An argument `--without-classes FOLDER` tells where they are built
    /// without size classes, and `--jemalloc-profiling FOLDER` where jemalloc is built with its profiler, which one build
    /// cannot do together with the others.
    #[must_use]
    pub fn beside(one_of_them: &str) -> Self {
        let after =
            |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1).map(PathBuf::from);
        Programs {
            folder: Path::new(one_of_them).parent().map(Path::to_owned).unwrap_or_default(),
            without_classes: after("--without-classes"),
            profiling: after("--jemalloc-profiling"),
        }
    }

    /// Every program that there is for `inner`, the bare one first.
    #[must_use]
    pub fn of(&self, inner: Inner) -> Vec<Program> {
        let of_system = |wrapper| inner == Inner::System || !wrapper_is_of_system(wrapper);
        let is_built = |wrapper| match wrapper {
            Wrapper::WithoutClasses => self.without_classes.is_some(),
            Wrapper::Profiling => self.profiling.is_some() && inner == Inner::Jemalloc,
            _ => true,
        };
        let wrappers = Wrapper::ALL.into_iter().filter(|wrapper| of_system(*wrapper) && is_built(*wrapper));
        wrappers.map(|wrapper| Program { inner, wrapper }).collect()
    }

    /// How to run `program`.
    #[must_use]
    pub fn command(&self, program: Program) -> Command {
        let mut command = Command::new(self.path(program));
        match program.wrapper {
            Wrapper::Profiling => _ = command.env("_RJEM_MALLOC_CONF", JEMALLOC_SAMPLES),
            Wrapper::NotSampling => _ = command.env(OFF, ""),
            _ => {}
        }
        command
    }

    /// What `program` prints when it is run with `arguments`.
    ///
    /// # Errors
    /// When it cannot be run or fails.
    pub fn run(&self, program: Program, arguments: &[&str]) -> io::Result<String> {
        let output = self.command(program).args(arguments).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("{program} {arguments:?}: {}, {said}", output.status)));
        }
        String::from_utf8(output.stdout).map_err(io::Error::other)
    }

    fn path(&self, program: Program) -> PathBuf {
        let folder = match program.wrapper {
            Wrapper::WithoutClasses => self.without_classes.as_ref(),
            Wrapper::Profiling => self.profiling.as_ref(),
            _ => None,
        };
        let file = format!("alloc_{}_{}", program.inner.name(), program.wrapper.file_name());
        folder.unwrap_or(&self.folder).join(file)
    }
}

impl Inner {
    /// All there are.
    pub const ALL: [Inner; 4] = [Inner::System, Inner::Jemalloc, Inner::Mimalloc, Inner::Null];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Inner::System => "system",
            Inner::Jemalloc => "jemalloc",
            Inner::Mimalloc => "mimalloc",
            Inner::Null => "null",
        }
    }
}

impl Wrapper {
    /// All there are.
    pub const ALL: [Wrapper; 12] = [
        Wrapper::Bare,
        Wrapper::Named,
        Wrapper::Ours,
        Wrapper::Sampling,
        Wrapper::NotSampling,
        Wrapper::WithoutClasses,
        Wrapper::Profiling,
        Wrapper::StatsAlloc,
        Wrapper::Cap,
        Wrapper::PprofAlloc,
        Wrapper::PprofAllocSampling,
        Wrapper::PeakAlloc,
    ];

    /// Those of other crates, which count.
    pub const PEERS: [Wrapper; 4] =
        [Wrapper::StatsAlloc, Wrapper::Cap, Wrapper::PprofAlloc, Wrapper::PeakAlloc];

    /// What it is called in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Wrapper::Bare => "bare",
            Wrapper::Named => "bare, named",
            Wrapper::Ours => "otel-vitals",
            Wrapper::Sampling => "otel-vitals, sampling",
            Wrapper::NotSampling => "otel-vitals, sampling off",
            Wrapper::WithoutClasses => "otel-vitals, no classes",
            Wrapper::Profiling => "its own profiler",
            Wrapper::StatsAlloc => "stats_alloc",
            Wrapper::Cap => "cap",
            Wrapper::PprofAlloc => "pprof-alloc",
            Wrapper::PprofAllocSampling => "pprof-alloc, sampling",
            Wrapper::PeakAlloc => "peak_alloc",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Wrapper::Named => "named",
            Wrapper::Ours | Wrapper::WithoutClasses => "ours",
            Wrapper::Sampling | Wrapper::NotSampling => "sampling",
            Wrapper::Profiling => "bare",
            Wrapper::PprofAlloc => "pprof_alloc",
            Wrapper::PprofAllocSampling => "pprof_alloc_sampling",
            others => others.name(),
        }
    }
}

/// From now on samples are kept for a heap profile, as a service has it: to be called first in a program that samples.
///
/// # Errors
/// Where that cannot be.
pub fn sample() -> Result<(), otel_vitals_profiling::Error> {
    if std::env::var_os(OFF).is_none() {
        heap::install(heap::DEFAULT_INTERVAL)?;
    } else {
        heap::install(0)?;
        // In place of the one that samples take: the C library leaves out its locks as long as there is no other thread.
        std::thread::spawn(std::thread::park);
    }
    wait_for_sleep();
    Ok(())
}

/// Waits until a thread that has begun beside this one has done what it begins with: while an allocator gives
/// [nothing](null::nothing), nobody else may ask it for something.
fn wait_for_sleep() {
    // The state is behind the name, which may have anything in it.
    let sleeps = |stat: &str| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S'));
    let others_sleep = || {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
        stats.filter(|stat| !sleeps(stat)).count() <= 1
    };
    let mut asleep = 0;
    for _ in 0..1_000 {
        std::thread::sleep(std::time::Duration::from_millis(2));
        asleep = if others_sleep() { asleep + 1 } else { 0 };
        if asleep == 10 {
            return;
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.inner.name(), self.wrapper.name())
    }
}

/// pprof-alloc chooses among allocators by itself and counts in front of the system's alone, unless it is built for
/// others, which its users would not be; peak_alloc knows no other.
fn wrapper_is_of_system(wrapper: Wrapper) -> bool {
    matches!(wrapper, Wrapper::Named | Wrapper::PprofAlloc | Wrapper::PprofAllocSampling | Wrapper::PeakAlloc)
}
