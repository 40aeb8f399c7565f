//! The control group of this process, read once for the groups that live on it.
//!
//! | value | source | group |
//! | --- | --- | --- |
//! | periods and throttling | `cpu.stat` of the nearest group with a quota | `cgroup_cpu` |
//! | stall time of the group | `*.pressure` of the own group, version 2 only | `pressure` |
//!
//! These are always this process's own, never those of a machine below `root_path`. Which group that is, `/proc/self/cgroup`
//! tells at every collection; when it has changed, a file is gone, or five minutes have passed, the files are looked for
//! anew. So a process that is moved, a quota that is given to a group above and pressure that is turned on are found, and what is
//! not there costs nothing in between.
//!
//! Where the files of another group are read from then on, each counter goes on from where it was: what a group counted
//! before this process came to it is not this process's.

mod total;

use otel_vitals_core::cgroup::{Cgroup, CpuStat};
use otel_vitals_core::pressure::{Pressure, Resource};
use otel_vitals_core::{KernelFile, ReadError, Source, SourceContext};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use total::Total;

/// Looking for the files costs about a hundred microseconds and allocates, so it is not done at every collection.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// What the files of the group say.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// How often and for how long the group, or the one above that limits it, was throttled.
    pub(crate) cpu: CpuStat,
    /// How long tasks of the group have waited for each of [`Resource::ALL`].
    pub(crate) pressure: [Pressure; Resource::ALL.len()],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// What of the group is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) cpu: bool,
    pub(crate) pressure: bool,
}

/// The source of both groups; `root` is `/` but in tests.
pub(crate) fn source(context: &SourceContext, root: &Path, wanted: Wanted) -> Source<Reading> {
    let mut reader = Reader::new(root, wanted);
    context.source("process.cgroup", Reading::default(), move |reading: &mut Reading| {
        reader.read(Instant::now(), reading)
    })
}

struct Reader {
    root: PathBuf,
    wanted: Wanted,
    membership: KernelFile,
    /// What it said when the files were looked for.
    known: Vec<u8>,
    /// When the files were looked for; none when that is to be done anew.
    looked: Option<Instant>,
    cpu: Option<KernelFile>,
    pressure: [Option<KernelFile>; Resource::ALL.len()],
    is_root: bool,
    cpu_totals: [Total; 3],
    pressure_totals: [[Total; 2]; Resource::ALL.len()],
}

impl Reader {
    fn new(root: &Path, wanted: Wanted) -> Self {
        Reader {
            root: root.to_path_buf(),
            wanted,
            membership: KernelFile::single_record(root.join("proc/self/cgroup")),
            known: Vec::new(),
            looked: None,
            cpu: None,
            pressure: [const { None }; Resource::ALL.len()],
            is_root: false,
            cpu_totals: Default::default(),
            pressure_totals: Default::default(),
        }
    }

    fn read(&mut self, now: Instant, reading: &mut Reading) -> Result<(), ReadError> {
        match self.membership.read() {
            Ok(membership) if membership == self.known => {}
            Ok(membership) => {
                self.known.clear();
                self.known.extend_from_slice(membership);
                self.looked = None;
            }
            // A kernel without control groups.
            Err(error) if error.is_absence() => return Ok(()),
            Err(error) => return Err(error),
        }
        if self.looked.is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_AGAIN) {
            self.look(now);
        }
        match self.read_files(reading) {
            Err(error) if error.is_absence() => {
                self.look(now);
                *reading = Reading::default();
                self.read_files(reading)
            }
            outcome => outcome,
        }
    }

    /// Looks for the files; those that are where they were stay open.
    fn look(&mut self, now: Instant) {
        let found = Cgroup::at(&self.root);
        if replace(&mut self.cpu, found.cpu_stat().filter(|_| self.wanted.cpu)) {
            self.cpu_totals.iter_mut().for_each(Total::go_on);
        }
        for ((file, totals), resource) in
            self.pressure.iter_mut().zip(&mut self.pressure_totals).zip(Resource::ALL)
        {
            if replace(file, found.pressure(resource).filter(|_| self.wanted.pressure)) {
                totals.iter_mut().for_each(Total::go_on);
            }
        }
        self.is_root = found.is_root();
        self.looked = Some(now);
    }

    /// Of several files that cannot be read, the first error counts; the others are read.
    fn read_files(&mut self, reading: &mut Reading) -> Result<(), ReadError> {
        let mut outcome = Ok(());
        if let Some(file) = &mut self.cpu {
            outcome = file.parse(|bytes| {
                let (stat, faults) = CpuStat::parse(bytes);
                let [periods, throttled_periods, throttled_time] = &mut self.cpu_totals;
                reading.cpu = CpuStat {
                    periods: periods.follow(stat.periods),
                    throttled_periods: throttled_periods.follow(stat.throttled_periods),
                    throttled_time: throttled_time.follow(stat.throttled_time),
                };
                faults
            });
        }
        for (at, (file, pressure)) in self.pressure.iter_mut().zip(&mut reading.pressure).enumerate() {
            let (Some(file), Some([some, full])) = (file, self.pressure_totals.get_mut(at)) else { continue };
            let read = file.parse(|bytes| {
                let (told, faults) = Pressure::parse(bytes);
                *pressure = Pressure { some: some.follow(told.some), full: full.follow(told.full) };
                faults
            });
            outcome = outcome.and(read);
        }
        // The root group is the machine.
        if self.is_root {
            forget_meaningless(&mut reading.pressure);
        }
        outcome
    }
}

/// That every task of a machine waits for a processor means nothing, since those that run do not wait: the kernel
/// writes a line `full` for the machine, in which all is 0.
pub(crate) fn forget_meaningless(pressure: &mut [Pressure; Resource::ALL.len()]) {
    let [cpu, ..] = pressure;
    cpu.full = None;
}

/// Whether the file that is read is another one now.
fn replace(file: &mut Option<KernelFile>, path: Option<&Path>) -> bool {
    if file.as_ref().map(KernelFile::path) == path {
        return false;
    }
    *file = path.map(KernelFile::single_record);
    true
}

#[cfg(test)]
mod tests;
