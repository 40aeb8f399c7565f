//! Programs that differ in their global allocator alone: what a service pays is what `#[global_allocator]` costs it.
//!
//! Each is three lines in `src/bin/alloc_<inner>_<wrapper>.rs` and does what [`program`] says. It allocates through
//! `std::alloc`, as everything in a Rust program does, so that what the compiler inlines here it inlines there. *Bare* is
//! the same program with the inner allocator as its global one; for the system's this is a program that names none,
//! as most services do, and one that names [`System`](std::alloc::System) is beside it.

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

/// What counts in front of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapper {
    /// Nothing.
    Bare,
    /// Nothing, but [`System`](std::alloc::System) is named as the global allocator.
    Named,
    /// `otel_vitals_alloc::Counting`.
    Ours,
    /// The same, built without its feature `size-classes`.
    WithoutClasses,
    /// stats_alloc, with sequentially consistent global counters.
    StatsAlloc,
    /// cap, which counts what is left below a limit.
    Cap,
    /// pprof-alloc with its coarse statistics, and without stack traces.
    PprofAlloc,
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
}

impl Programs {
    /// The programs in the folder of `one_of_them`. An argument `--without-classes FOLDER` tells where they are built
    /// without size classes, which one build cannot do together with the others.
    #[must_use]
    pub fn beside(one_of_them: &str) -> Self {
        let mut arguments = std::env::args().skip_while(|argument| argument != "--without-classes").skip(1);
        Programs {
            folder: Path::new(one_of_them).parent().map(Path::to_owned).unwrap_or_default(),
            without_classes: arguments.next().map(PathBuf::from),
        }
    }

    /// Every program that there is for `inner`, the bare one first.
    #[must_use]
    pub fn of(&self, inner: Inner) -> Vec<Program> {
        let of_system = |wrapper| inner == Inner::System || !wrapper_is_of_system(wrapper);
        let is_built = |wrapper| self.without_classes.is_some() || wrapper != Wrapper::WithoutClasses;
        let wrappers = Wrapper::ALL.into_iter().filter(|wrapper| of_system(*wrapper) && is_built(*wrapper));
        wrappers.map(|wrapper| Program { inner, wrapper }).collect()
    }

    /// How to run `program`.
    #[must_use]
    pub fn command(&self, program: Program) -> Command {
        Command::new(self.path(program))
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
        let (folder, wrapper) = match (program.wrapper, &self.without_classes) {
            (Wrapper::WithoutClasses, Some(folder)) => (folder, Wrapper::Ours),
            (wrapper, _) => (&self.folder, wrapper),
        };
        folder.join(format!("alloc_{}_{}", program.inner.name(), wrapper.file_name()))
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
    pub const ALL: [Wrapper; 8] = [
        Wrapper::Bare,
        Wrapper::Named,
        Wrapper::Ours,
        Wrapper::WithoutClasses,
        Wrapper::StatsAlloc,
        Wrapper::Cap,
        Wrapper::PprofAlloc,
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
            Wrapper::WithoutClasses => "otel-vitals, no classes",
            Wrapper::StatsAlloc => "stats_alloc",
            Wrapper::Cap => "cap",
            Wrapper::PprofAlloc => "pprof-alloc",
            Wrapper::PeakAlloc => "peak_alloc",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Wrapper::Named => "named",
            Wrapper::Ours | Wrapper::WithoutClasses => "ours",
            Wrapper::PprofAlloc => "pprof_alloc",
            others => others.name(),
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
    matches!(wrapper, Wrapper::Named | Wrapper::PprofAlloc | Wrapper::PeakAlloc)
}
