//! One look at the hardware, judged.

use otel_vitals_host::hardware::{
    CpuReading, DiskReading, DiskSpace, GroupMemory, HardwareReading, MemoryReading,
};
use std::time::SystemTime;

use super::Level;
use crate::config::{Threshold, Thresholds};

/// One look at the hardware.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken; none when there has been no look yet.
    pub taken_at: Option<SystemTime>,
    /// The file systems of `monitor.disks`, in that order.
    pub disks: Vec<Disk>,
    /// Memory.
    pub memory: Memory,
    /// Processors.
    pub cpu: Cpu,
    /// Why this is not a look of now, as after a shutdown.
    pub problem: Option<String>,
}

/// A file system.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Disk {
    /// The path that is configured.
    pub path: String,
    /// Where the file system is mounted.
    pub mount_point: Option<String>,
    /// Its type, such as `ext4`.
    pub kind: Option<String>,
    /// Its space; none when it did not tell.
    pub space: Option<DiskSpace>,
    /// By the used space in percent and `thresholds.disk`; critical when it did not tell.
    pub level: Level,
    /// Why it did not tell.
    pub problem: Option<String>,
}

/// Memory: of the control group where that has a limit below what the machine has, as in a container; else of the machine.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Memory {
    /// How much there is and how much is used.
    pub usage: MemoryUse,
    /// By the used memory in percent and `thresholds.ram`; a warning when it is not known.
    pub level: Level,
    /// Whether a control group limits it.
    pub is_limited: bool,
    /// The machine's, where a control group limits it.
    pub host: Option<HostMemory>,
    /// Why something is missing.
    pub problem: Option<String>,
}

/// The memory of the machine, beside that of a control group.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HostMemory {
    /// How much there is and how much is used.
    pub usage: MemoryUse,
    /// As of [`Memory`].
    pub level: Level,
}

/// How much memory there is and how much is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryUse {
    /// All of it: the limit of the control group, or `MemTotal` (By).
    pub total: Option<u64>,
    /// What is not available: the working set of the control group (its usage without caches of files that were not used
    /// lately), or `MemTotal` without `MemAvailable` (By).
    pub used: Option<u64>,
    /// What programs could still get (By).
    pub available: Option<u64>,
}

/// Processors: what of them the control group may use where it has a quota of less than all; else those of the machine.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Cpu {
    /// What the quota is worth, or the processors of the machine that are online (cores).
    pub cores: Option<f64>,
    /// What of them was used since an earlier look (percent); none at the first, and where the kernel does not tell.
    pub used_percent: Option<f64>,
    /// In how many of the periods since an earlier look the quota was used up (percent); none without a quota, at the first
    /// look, and when nothing ran.
    pub throttled_percent: Option<f64>,
    /// Tasks of the whole machine that run or wait for a core or a disk.
    pub load: Load,
    /// The same for each processor of the machine.
    pub load_per_core: Load,
    /// With a quota by `throttled_percent` and `thresholds.throttled`, else by the load of five minutes in percent of the
    /// cores and `thresholds.load`; a warning when that could not be read.
    pub level: Level,
    /// Whether a control group has a quota.
    pub is_limited: bool,
    /// The machine's, where a control group has a quota.
    pub host: Option<HostCpu>,
    /// Why something is missing.
    pub problem: Option<String>,
}

/// The processors of the machine, beside the quota of a control group.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HostCpu {
    /// Those online (processors).
    pub cores: Option<u64>,
    /// What of them was used since an earlier look (percent).
    pub used_percent: Option<f64>,
    /// By the load of five minutes in percent of the cores and `thresholds.load`.
    pub level: Level,
}

/// An average over three times (1). Windows has none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Load {
    /// Over a minute.
    pub one: Option<f64>,
    /// Over five minutes.
    pub five: Option<f64>,
    /// Over 15 minutes.
    pub fifteen: Option<f64>,
}

impl Snapshot {
    /// The file system that is configured first.
    #[must_use]
    pub fn primary_disk(&self) -> Option<&Disk> {
        self.disks.first()
    }

    /// The worst level of all.
    #[must_use]
    pub fn level(&self) -> Level {
        let levels = self.disks.iter().map(|disk| disk.level).chain([self.memory.level, self.cpu.level]);
        levels.max().unwrap_or_default()
    }

    pub(super) fn new(reading: HardwareReading, thresholds: &Thresholds) -> Self {
        let HardwareReading { disks, memory, cpu, .. } = reading;
        Snapshot {
            taken_at: Some(SystemTime::now()),
            disks: disks.into_iter().map(|disk| Disk::new(disk, thresholds.disk)).collect(),
            memory: Memory::new(memory, thresholds.ram),
            cpu: Cpu::new(cpu, thresholds),
            problem: None,
        }
    }

    /// Nothing is known, for the reason given.
    pub(super) fn unknown(paths: &[String], problem: &str) -> Self {
        let (level, problem) = (Level::Warning, Some(problem.to_owned()));
        let disk =
            |path: &String| Disk { path: path.clone(), level, problem: problem.clone(), ..Disk::default() };
        Snapshot {
            taken_at: None,
            disks: paths.iter().map(disk).collect(),
            memory: Memory { level, problem: problem.clone(), ..Memory::default() },
            cpu: Cpu { level, problem: problem.clone(), ..Cpu::default() },
            problem,
        }
    }
}

impl Disk {
    /// What is used of what is not reserved, as `df` has it (percent).
    #[must_use]
    pub fn used_percent(&self) -> Option<f64> {
        self.space.map(|space| space.used_percent())
    }

    fn new(reading: DiskReading, threshold: Threshold) -> Self {
        let DiskReading { path, space, mount_point, kind, problem, .. } = reading;
        let level = space.map_or(Level::Critical, |space| Level::of(space.used_percent(), threshold));
        Disk { path, mount_point, kind, space, level, problem }
    }
}

impl MemoryUse {
    /// How much of it is used (percent).
    #[must_use]
    pub fn used_percent(&self) -> Option<f64> {
        self.total.zip(self.used).map(|(total, used)| match total {
            0 => 100.0,
            _ => used as f64 / total as f64 * 100.0,
        })
    }

    /// The machine's.
    pub(crate) fn of_machine(reading: &MemoryReading) -> Self {
        let MemoryReading { total, available, .. } = *reading;
        let used = total.zip(available).map(|(total, available)| total.saturating_sub(available));
        MemoryUse { total, used, available }
    }

    /// That of a control group, which has a limit.
    pub(crate) fn of_group(GroupMemory { limit, working_set, .. }: GroupMemory) -> Self {
        let available = working_set.map(|used| limit.saturating_sub(used));
        MemoryUse { total: Some(limit), used: working_set, available }
    }

    fn level(&self, threshold: Threshold) -> Level {
        self.used_percent().map_or(Level::Warning, |percent| Level::of(percent, threshold))
    }
}

impl Memory {
    fn new(reading: MemoryReading, threshold: Threshold) -> Self {
        let machine = MemoryUse::of_machine(&reading);
        let level = machine.level(threshold);
        let MemoryReading { group, problem, .. } = reading;
        let Some(group) = group else {
            return Memory { usage: machine, level, is_limited: false, host: None, problem };
        };
        let usage = MemoryUse::of_group(group);
        let host = Some(HostMemory { usage: machine, level });
        Memory { usage, level: usage.level(threshold), is_limited: true, host, problem }
    }
}

impl Cpu {
    /// Whole cores, of which a quota may be a part.
    #[must_use]
    pub fn whole_cores(&self) -> Option<u64> {
        self.cores.map(|cores| cores.ceil() as u64)
    }

    fn new(reading: CpuReading, thresholds: &Thresholds) -> Self {
        let CpuReading { load, online, used_percent, group, problem, .. } = reading;
        let load = Load::new(load);
        let load_per_core = load.per(online);
        // Where nothing went wrong there is only nothing to be told, as on a system without loads.
        let unknown = if problem.is_some() { Level::Warning } else { Level::Ok };
        let level = |percent: Option<f64>, threshold| {
            percent.map_or(unknown, |percent| Level::of(percent, threshold))
        };
        let of_machine = level(load_per_core.five.map(|load| load * 100.0), thresholds.load);
        let cpu = Cpu { load, load_per_core, problem, ..Cpu::default() };
        match group {
            Some(group) => Cpu {
                cores: Some(group.cores),
                used_percent: group.used_percent,
                throttled_percent: group.throttled_percent,
                level: level(group.throttled_percent, thresholds.throttled),
                is_limited: true,
                host: Some(HostCpu { cores: online, used_percent, level: of_machine }),
                ..cpu
            },
            None => {
                let cores = online.map(|online| online as f64);
                Cpu { cores, used_percent, level: of_machine, ..cpu }
            }
        }
    }
}

impl Load {
    fn new([one, five, fifteen]: [Option<f64>; 3]) -> Self {
        Load { one, five, fifteen }
    }

    fn per(self, cores: Option<u64>) -> Self {
        let share = |load: Option<f64>| Some(load? / cores.filter(|cores| *cores > 0)? as f64);
        Load { one: share(self.one), five: share(self.five), fifteen: share(self.fifteen) }
    }
}

#[cfg(test)]
mod tests;
