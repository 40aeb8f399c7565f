//! Which groups are on, and what each of them shows.

use std::path::PathBuf;
use std::time::Duration;

/// What to measure of the machine. The default is the `metrics.host` of the configuration's defaults: every group
/// on, everything that the conventions call opt-in off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostOptions {
    /// Folder under which the watched machine's file system is mounted, when this process runs in a container
    /// and watches its host (such as `/hostfs`). None is this process's own `/`.
    pub root_path: Option<PathBuf>,
    /// `system.cpu.*`.
    pub cpu: CpuOptions,
    /// `system.memory.*`.
    pub memory: MemoryOptions,
    /// `system.paging.*`.
    pub paging: PagingOptions,
    /// `system.disk.*`.
    pub disk: DiskOptions,
    /// `system.filesystem.*`.
    pub filesystem: FilesystemOptions,
    /// `system.network.*`.
    pub network: NetworkOptions,
    /// `linux.load.average`.
    pub load: LoadOptions,
    /// `system.uptime`.
    pub uptime: UptimeOptions,
    /// `system.process.*`.
    pub processes: ProcessCountOptions,
    /// `linux.cgroup.cpu.*`.
    pub cgroup: CgroupOptions,
    /// `linux.pressure.stall.time`.
    pub pressure: PressureOptions,
}

/// Options of the CPU group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CpuOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// Time and utilization of each core (`cpu.logical_number`) instead of their sum.
    pub per_core: bool,
    /// `system.cpu.utilization`.
    pub utilization: bool,
    /// `system.cpu.frequency`, which costs a file of sysfs per core.
    pub frequency: bool,
}

/// Options of the memory group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// `system.memory.limit`.
    pub limit: bool,
    /// `system.memory.linux.shared`.
    pub shared: bool,
    /// `system.memory.linux.hugepages.*`.
    pub hugepages: bool,
}

/// Options of the paging group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PagingOptions {
    /// Whether the group is on.
    pub enabled: bool,
}

/// Options of the disk group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// `system.disk.limit`.
    pub limit: bool,
    /// Which devices; by default whole disks and not what is only memory, a loop or a part of a disk.
    pub devices: Filter,
}

/// Options of the file system group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesystemOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// `system.filesystem.limit`.
    pub limit: bool,
    /// Which types, by the kernel's names; by default those that keep data. Network file systems take `network` too,
    /// and `autofs` is never looked at.
    pub types: Filter,
    /// Which mount points; by default one of each file system, with patterns to include all that match.
    pub mountpoints: Filter,
    /// Network file systems too. They are read on threads of their own, because a server that is gone hangs
    /// whoever asks.
    pub network: bool,
    /// How long one collection waits for network file systems; those that have not answered by then are absent.
    pub deadline: Duration,
}

/// Options of the network group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// Which interfaces; by default all but loopback.
    pub interfaces: Filter,
}

/// Options of the load group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whether the group is on.
    pub enabled: bool,
}

/// Options of the uptime group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UptimeOptions {
    /// Whether the group is on.
    pub enabled: bool,
}

/// Options of the process count group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessCountOptions {
    /// Whether the group is on.
    pub enabled: bool,
}

/// Options of the control group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CgroupOptions {
    /// Whether the group is on. It tells of this process's own control group, also under a `root_path`.
    pub enabled: bool,
}

/// Options of the pressure group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PressureOptions {
    /// Whether the group is on.
    pub enabled: bool,
    /// Pressure of this process's own control group beside that of the machine.
    pub cgroup: bool,
}

/// Which names to take.
///
/// A pattern is a whole name, in which `*` stands for any characters, also none, and `?` for one; case counts.
///
/// ```
/// use otel_vitals_host::Filter;
///
/// let all_but_containers = Filter::new([""; 0], ["veth*", "docker?"]);
/// let two_disks = Filter::new(["nvme0n1", "sda"], [""; 0]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filter {
    /// Patterns of names to take. When there are any, they replace the group's default choice.
    pub include: Vec<String>,
    /// Patterns of names to leave out, of whatever else is taken.
    pub exclude: Vec<String>,
}

impl Filter {
    /// Takes what matches one of `include`, or the default choice when that is empty, and none of `exclude`.
    pub fn new<I, E>(include: I, exclude: E) -> Self
    where
        I: IntoIterator<Item: Into<String>>,
        E: IntoIterator<Item: Into<String>>,
    {
        Filter {
            include: include.into_iter().map(Into::into).collect(),
            exclude: exclude.into_iter().map(Into::into).collect(),
        }
    }
}

impl Default for CpuOptions {
    fn default() -> Self {
        CpuOptions { enabled: true, per_core: false, utilization: false, frequency: false }
    }
}

impl Default for MemoryOptions {
    fn default() -> Self {
        MemoryOptions { enabled: true, limit: false, shared: false, hugepages: false }
    }
}

impl Default for PagingOptions {
    fn default() -> Self {
        PagingOptions { enabled: true }
    }
}

impl Default for DiskOptions {
    fn default() -> Self {
        DiskOptions { enabled: true, limit: false, devices: Filter::default() }
    }
}

impl Default for FilesystemOptions {
    fn default() -> Self {
        FilesystemOptions {
            enabled: true,
            limit: false,
            types: Filter::default(),
            mountpoints: Filter::default(),
            network: false,
            deadline: Duration::from_millis(200),
        }
    }
}

impl Default for NetworkOptions {
    fn default() -> Self {
        NetworkOptions { enabled: true, interfaces: Filter::default() }
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions { enabled: true }
    }
}

impl Default for UptimeOptions {
    fn default() -> Self {
        UptimeOptions { enabled: true }
    }
}

impl Default for ProcessCountOptions {
    fn default() -> Self {
        ProcessCountOptions { enabled: true }
    }
}

impl Default for CgroupOptions {
    fn default() -> Self {
        CgroupOptions { enabled: true }
    }
}

impl Default for PressureOptions {
    fn default() -> Self {
        PressureOptions { enabled: true, cgroup: true }
    }
}
