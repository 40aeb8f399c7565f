//! What each of the programs does, as its arguments ask.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "programs tell the bench")]

mod latency;
mod reading;
mod together;
mod workload;

use std::alloc::Layout;
use std::process::ExitCode;

use super::{null, sys};
pub use workload::Workload;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// A block is allocated and freed.
    Pair,
    /// A block is made shorter by 8 bytes, or as much longer again: every allocator does it where the block is, so that
    /// nothing is copied and the wrapper is as much of it as it can be.
    Realloc,
}

/// Sizes of blocks that are measured, bytes.
pub const SIZES: [usize; 7] = [16, 64, 256, 1024, 4096, 16384, 65536];

const USAGE: &str = "\
times THREADS MICROSECONDS         each work and size, on all threads at the same time: a line WORK SIZE NS TOGETHER each
exactly WORK SIZE TIMES            nothing else, on the first thread: for callgrind
work WORKLOAD THREADS TIMES         fastest and median of so many, CPU time in ns
work-exactly WORKLOAD TIMES         the same on the first thread, and prints nothing: for callgrind
latency READER MILLISECONDS        of 16 pairs on two threads while a third does what READER says: none, wakes or reads
reading THREADS                    what it takes to read the counts while so many threads live, ns
";

/// `main` of the programs.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if run(&arguments).is_some() {
        return ExitCode::SUCCESS;
    }
    eprint!("{USAGE}");
    ExitCode::FAILURE
}

fn run(arguments: &[&str]) -> Option<()> {
    match arguments {
        ["times", threads, microseconds] => {
            together::times(threads.parse().ok()?, microseconds.parse().ok()?);
        }
        ["exactly", work, size, times] => {
            let (work, size, times) = (Work::named(work)?, size.parse().ok()?, times.parse().ok()?);
            null::nothing(|| work.does(size, times))?;
        }
        ["work", workload, threads, times] => {
            Workload::named(workload)?.times(threads.parse().ok()?, times.parse().ok()?);
        }
        ["work-exactly", workload, times] => Workload::named(workload)?.exactly(times.parse().ok()?),
        ["latency", reader, milliseconds] => {
            latency::measure(latency::Reader::named(reader)?, milliseconds.parse().ok()?);
        }
        ["reading", threads] => reading::time(threads.parse().ok()?)?,
        _ => return None,
    }
    Some(())
}

impl Work {
    /// All there is.
    pub const ALL: [Work; 2] = [Work::Pair, Work::Realloc];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Work::Pair => "pair",
            Work::Realloc => "realloc",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Work::ALL.into_iter().find(|work| work.name() == name)
    }

    /// Does it so often; none when no block has such a size.
    fn does(self, size: usize, times: u64) -> Option<()> {
        let layout = Layout::from_size_align(size, align_of::<u64>()).ok()?;
        let smallest = if self == Work::Pair { 1 } else { SHORTER + 1 };
        if !(smallest..=null::LARGEST).contains(&size) {
            return None;
        }
        match self {
            Work::Pair => sys::pairs(layout, times),
            Work::Realloc => sys::reallocations(layout, SHORTER, times),
        }
        Some(())
    }
}

/// Bytes by which a block is made shorter.
const SHORTER: usize = 8;
