//! What the kernel says of memory and processors, by the readers of the groups of metrics.

use otel_vitals_core::cgroup::{Cgroup, CpuLimit, CpuStat, cpu_time};
use otel_vitals_core::{KernelFile, ReadError, Reading as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::rates::{GroupCounters, Rates, Sample, Ticks};
use crate::cpu_time::{ByMode, MODES};
use crate::hardware::{CpuReading, GroupCpu, GroupMemory, MemoryReading};
use crate::kernel_stat::{self, Detail};
use crate::roots::Roots;
use crate::{load, memory};

/// The kernel's files, kept open.
pub(super) struct Machine {
    load: KernelFile,
    stat: KernelFile,
    /// What it said before, too.
    processors: kernel_stat::Reading,
    meminfo: KernelFile,
    /// `/` but in tests: the control group is this process's own.
    group_root: PathBuf,
    rates: Rates,
}

impl Machine {
    pub(super) fn new(roots: &Roots, group_root: &Path) -> Self {
        Machine {
            load: KernelFile::single_record(roots.path("/proc/loadavg")),
            stat: KernelFile::single_record(roots.path("/proc/stat")),
            processors: kernel_stat::Reading::default(),
            meminfo: KernelFile::single_record(roots.path("/proc/meminfo")),
            group_root: group_root.to_path_buf(),
            rates: Rates::default(),
        }
    }

    pub(super) fn read(&mut self) -> (MemoryReading, CpuReading) {
        self.read_at(Instant::now())
    }

    fn read_at(&mut self, now: Instant) -> (MemoryReading, CpuReading) {
        // Looked for each time: a limit may come and go, and a look is rare.
        let group = Cgroup::at(&self.group_root);
        (self.memory(&group), self.cpu(&group, now))
    }

    fn memory(&mut self, group: &Cgroup) -> MemoryReading {
        let mut machine = memory::Reading::default();
        let mut outcome = self.meminfo.parse(|bytes| memory::read(bytes, false, &mut machine));
        let memory::Reading { total, free, buffers, cached, .. } = machine;
        let dispensable = || Some(free?.saturating_add(buffers?).saturating_add(cached?));
        let available = machine.available.or_else(dispensable);
        // What nobody needs here may be missing.
        if total.is_some() && available.is_some() {
            outcome = Ok(());
        }
        let mut limited = None;
        if let Some((group, read)) = group.memory().map(|group| group.read()) {
            let in_force = |limit: &u64| total.is_none_or(|total| *limit < total);
            let working_set = group.working_set();
            limited = group.limit.filter(in_force).map(|limit| GroupMemory { limit, working_set });
            if limited.is_some() {
                outcome = outcome.and(read);
            }
        }
        MemoryReading { total, available, group: limited, problem: problem(outcome) }
    }

    fn cpu(&mut self, group: &Cgroup, now: Instant) -> CpuReading {
        let mut averages = load::Reading::default();
        let mut outcome = self.load.parse(|bytes| load::read(bytes, &mut averages));
        self.processors.clear();
        let stat = self.stat.parse(|bytes| kernel_stat::read(bytes, Detail::Machine, &mut self.processors));
        let online = self.processors.online;
        // The other counts of that file are not of interest.
        if online.is_none() {
            outcome = outcome.and(stat);
        }
        let limit =
            group.cpu_limit().filter(|limit| online.is_none_or(|online| limit.cores() < online as f64));
        let mut counters = None;
        if let Some(limit) = limit {
            let (read, faults) = counted(limit);
            counters = Some(read);
            outcome = outcome.and(faults);
        }
        let seconds = self.processors.cpus.iter().next().map(|machine| machine.time.seconds(1.0));
        self.rates.take(Sample { at: now, machine: seconds.and_then(ticks), group: counters });
        CpuReading {
            load: averages.averages,
            online,
            used_percent: self.rates.machine_percent(),
            group: limit.map(|limit| GroupCpu {
                cores: limit.cores(),
                used_percent: self.rates.group_percent(limit.cores()),
                throttled_percent: self.rates.throttled_percent(),
            }),
            problem: problem(outcome),
        }
    }
}

fn problem(outcome: Result<(), ReadError>) -> Option<String> {
    outcome.err().map(|error| error.to_string())
}

/// None when the kernel counts nothing.
fn ticks(by_mode: ByMode<f64>) -> Option<Ticks> {
    let sum = |is_meant: fn(&str) -> bool| {
        let meant = by_mode.iter().zip(MODES).filter(|(_, mode)| is_meant(mode));
        meant.filter_map(|(ticks, _)| *ticks).sum::<f64>()
    };
    let all = sum(|_| true);
    (all > 0.0).then(|| Ticks { busy: all - sum(|mode| matches!(mode, "idle" | "iowait")), all })
}

/// The counters of the group that limits; the first fault, if there is one, costs only its own value.
fn counted(limit: &CpuLimit) -> (GroupCounters, Result<(), ReadError>) {
    let mut counters = GroupCounters { folder: limit.folder().to_path_buf(), ..GroupCounters::default() };
    let mut outcome = KernelFile::single_record(limit.stat()).parse(|bytes| {
        let (stat, faults) = CpuStat::parse(bytes);
        (counters.periods, counters.throttled) = (stat.periods, stat.throttled_periods);
        faults
    });
    if let Some(path) = limit.time() {
        let time = KernelFile::single_record(path)
            .parse(|bytes| cpu_time(bytes).map(|time| counters.time = Some(time)));
        outcome = outcome.and(time);
    }
    (counters, outcome)
}

#[cfg(test)]
mod tests;
