//! This process's own control group: where its files are, and what they say. Linux only.
//!
//! Version 1 has a tree of groups for each controller, version 2 one for all; where both are mounted (hybrid), the
//! processor is with either. A process is in one group of each tree, of which it sees what is mounted: in a container
//! often nothing above its own group.

mod cpu_limit;
mod cpu_stat;
mod membership;
mod memory;

pub use cpu_limit::{CpuLimit, cpu_time};
pub use cpu_stat::CpuStat;
pub use memory::{Memory, MemoryLimit};

use std::fs;
use std::path::{Path, PathBuf};

use crate::KernelFile;
use crate::mountinfo;
use crate::pressure::Resource;
use crate::scan::{self, Faults};
use membership::{Group, Tree};

/// Where the files of this process's own control group are, on cgroup v1, v2 and hybrid.
///
/// What is found holds as long as the process stays in its group and limits stay in theirs. After a move, the files of
/// the old group may be there still and go on counting for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroup {
    cpu_stat: Option<PathBuf>,
    cpu_limit: Option<CpuLimit>,
    memory: Option<MemoryLimit>,
    pressure: [Option<PathBuf>; Resource::ALL.len()],
    is_root: bool,
}

impl Cgroup {
    /// The group of this process, by `/proc/self/cgroup` and `/proc/self/mountinfo`. Nothing is found where no control
    /// groups are mounted.
    #[must_use]
    pub fn own() -> Self {
        Self::at(Path::new("/"))
    }

    /// The same where `root` is in place of `/`, as in a recording.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        let read = |file: &str| {
            KernelFile::any_records(root.join(file)).read().map(<[u8]>::to_vec).unwrap_or_default()
        };
        let (memberships, table) = (read("proc/self/cgroup"), read("proc/self/mountinfo"));
        let mounts = mountinfo::read(&table, &mut Faults::default());
        let own = |tree| Group::own(root, &memberships, &mounts, tree);
        let (cpu, unified) = (own(Tree::Cpu), own(Tree::Unified));
        let (cpu, unified) = (cpu.as_ref(), unified.as_ref());
        let memory = own(Tree::Memory);
        Cgroup {
            cpu_stat: cpu.and_then(cpu_stat).or_else(|| cpu_stat(unified?)),
            cpu_limit: cpu
                .and_then(|group| CpuLimit::of_v1(group, own(Tree::CpuTime).as_ref()))
                .or_else(|| CpuLimit::of_v2(unified?)),
            memory: memory.as_ref().and_then(MemoryLimit::of_v1).or_else(|| MemoryLimit::of_v2(unified?)),
            pressure: Resource::ALL.map(|resource| pressure(unified?, resource)),
            is_root: unified.is_some_and(is_root),
        }
    }

    /// `cpu.stat` of the group that limits this process: of its own group and those above that are visible, the nearest
    /// with a quota of CPU time. Where none has one, it is that of the own group, or of the nearest whose file has figures
    /// of throttling; none when there is no such file.
    #[must_use]
    pub fn cpu_stat(&self) -> Option<&Path> {
        self.cpu_stat.as_deref()
    }

    /// How much CPU time this process's groups may use: the smallest quota of its own group and those above that are visible;
    /// none when none of them has a quota.
    ///
    /// ```
    /// use otel_vitals_core::cgroup::Cgroup;
    ///
    /// if let Some(limit) = Cgroup::own().cpu_limit() {
    ///     println!("{} cores at most", limit.cores());
    /// }
    /// ```
    #[must_use]
    pub fn cpu_limit(&self) -> Option<&CpuLimit> {
        self.cpu_limit.as_ref()
    }

    /// The group that limits this process's memory: of its own group and those above that are visible, the one with the
    /// smallest limit, and of several with the same the nearest; none when none of them has a limit.
    ///
    /// ```
    /// use otel_vitals_core::cgroup::Cgroup;
    ///
    /// if let Some(limit) = Cgroup::own().memory() {
    ///     let (memory, _) = limit.read();
    ///     println!("{:?} of {:?} bytes", memory.working_set(), memory.limit);
    /// }
    /// ```
    #[must_use]
    pub fn memory(&self) -> Option<&MemoryLimit> {
        self.memory.as_ref()
    }

    /// The own group's pressure file of `resource`; none where there is none: under version 1, or with pressure turned off,
    /// for the machine or for this group.
    #[must_use]
    pub fn pressure(&self, resource: Resource) -> Option<&Path> {
        let [cpu, memory, io, irq] = &self.pressure;
        match resource {
            Resource::Cpu => cpu.as_deref(),
            Resource::Memory => memory.as_deref(),
            Resource::Io => io.as_deref(),
            Resource::Irq => irq.as_deref(),
        }
    }

    /// Whether the group of version 2 is the machine's root group, whose pressure is that of the machine.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.is_root
    }
}

fn cpu_stat(group: &Group) -> Option<PathBuf> {
    let mut own = None;
    for folder in group.folders() {
        let file = folder.join("cpu.stat");
        let tells = |bytes: &[u8]| CpuStat::parse(bytes).0 != CpuStat::default();
        if !short_file(&file).is_some_and(|bytes| tells(&bytes)) {
            continue;
        }
        if has_quota(folder) {
            return Some(file);
        }
        own.get_or_insert(file);
    }
    own
}

/// Whether the group may use only so much CPU time a period: `cpu.max` of version 2 is `max 100000` otherwise,
/// `cpu.cfs_quota_us` of version 1 is `-1`.
fn has_quota(folder: &Path) -> bool {
    ["cpu.max", "cpu.cfs_quota_us"].iter().filter_map(|name| short_file(&folder.join(name))).any(|bytes| {
        let quota = scan::fields(scan::trim(&bytes)).next().unwrap_or_default();
        scan::number(quota, "a quota").is_ok_and(|quota| quota > 0)
    })
}

/// With pressure turned off the file may be there, and cannot be read.
fn pressure(group: &Group, resource: Resource) -> Option<PathBuf> {
    let file = group.own_folder().join(format!("{}.pressure", resource.name()));
    short_file(&file).map(|_| file)
}

/// Every group but the root has this file, also where a namespace makes it look like one.
fn is_root(group: &Group) -> bool {
    !fs::exists(group.own_folder().join("cgroup.events")).unwrap_or(true)
}

fn short_file(path: &Path) -> Option<Vec<u8>> {
    KernelFile::single_record(path).read().ok().map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests;
