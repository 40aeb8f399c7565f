//! What there is of the machine now, for whoever asks: space of file systems, memory, load, and what a container may
//! have of it.
//!
//! This is no group of metrics but one look, which [`HardwareReader`] takes.
//!
//! | value | source |
//! | --- | --- |
//! | space of a file system | `statvfs(3)` of each path, by a thread of its own |
//! | its type and mount point | `/proc/self/mountinfo` |
//! | memory | `/proc/meminfo`: `MemTotal`, `MemAvailable` |
//! | memory of the control group | `memory.max`, `memory.current` and `memory.stat`, see `otel_vitals_core::cgroup` |
//! | load | `/proc/loadavg` |
//! | processors online, and how busy | `/proc/stat` |
//! | CPU quota of the control group, how busy it is and how throttled | `cpu.max` and `cpu.stat`, likewise |
//!
//! Under a root path all are that machine's but the control group, which is this process's own. Elsewhere than on Linux there is no
//! control group, and the rest is what the crate `sysinfo` tells.

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
mod linux;
#[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
mod portable;

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
use linux as system;
#[cfg(any(not(target_os = "linux"), otel_vitals_portable))]
use portable as system;

use otel_vitals_core::ReadError;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HardwareOptions {
    /// Folder under which the machine's file system is mounted, as [`HostOptions::root_path`](crate::HostOptions::root_path).
    pub root_path: Option<PathBuf>,
    /// Absolute paths on the file systems to look at.
    pub disks: Vec<String>,
    /// How long a look waits for file systems at most, all of them together.
    pub deadline: Duration,
}

/// What one look saw.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct HardwareReading {
    /// The file systems, in the order of [`HardwareOptions::disks`].
    pub disks: Vec<DiskReading>,
    /// The machine's memory, and what the control group may have of it.
    pub memory: MemoryReading,
    /// The machine's processors, and what the control group may have of them.
    pub cpu: CpuReading,
}

/// One file system.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DiskReading {
    /// The path that was asked for.
    pub path: String,
    /// Its space; none when it did not tell.
    pub space: Option<DiskSpace>,
    /// Where it is mounted.
    pub mount_point: Option<String>,
    /// Its type, such as `ext4`.
    pub kind: Option<String>,
    /// Why there is no space to tell.
    pub problem: Option<String>,
}

/// Space of a file system. Used, available and reserved sum up to all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskSpace {
    /// All of it (By); never zero where it was told.
    pub total: u64,
    /// What holds data (By).
    pub used: u64,
    /// What everybody may still fill (By).
    pub available: u64,
    /// What only root may fill (By).
    pub reserved: u64,
}

/// Memory.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MemoryReading {
    /// What the machine has (By).
    pub total: Option<u64>,
    /// What new programs could get without swapping (By). Before Linux 3.14, which does not tell, all that is free or cache.
    pub available: Option<u64>,
    /// The control group that has a limit below what the machine has; none when none has.
    pub group: Option<GroupMemory>,
    /// Why something is missing.
    pub problem: Option<String>,
}

/// Memory of a control group that has a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMemory {
    /// What it may use (By).
    pub limit: u64,
    /// What it needs: its usage without caches of files that were not used lately (By).
    pub working_set: Option<u64>,
}

/// Processors.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CpuReading {
    /// Tasks that run or wait for a core or a disk, averaged over 1, 5 and 15 minutes (1). Windows has none.
    pub load: [Option<f64>; 3],
    /// Logical processors online (processors).
    pub online: Option<u64>,
    /// Time in which they were not idle since an earlier look (percent); none at the first. Time that a hypervisor gave to
    /// others is in it.
    pub used_percent: Option<f64>,
    /// The control group that has a CPU quota of less than the machine's processors; none when none has.
    pub group: Option<GroupCpu>,
    /// Why something is missing.
    pub problem: Option<String>,
}

/// Processors as a control group with a quota has them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct GroupCpu {
    /// What the quota is worth (cores).
    pub cores: f64,
    /// What of the quota was used since an earlier look (percent, 100 at most); none at the first.
    pub used_percent: Option<f64>,
    /// In how many of the periods since an earlier look the quota was used up (percent); none at the first, and when the group
    /// had nothing to run.
    pub throttled_percent: Option<f64>,
}

/// Looks at the machine. Every file system is asked by a thread of its own, and so is the kernel for all else; a look
/// waits for them until the deadline and no longer, and who has not answered by then is missing in the reading, with the
/// reason.
///
/// ```
/// use otel_vitals_host::hardware::{HardwareOptions, HardwareReader};
///
/// let mut reader = HardwareReader::new(HardwareOptions::default());
/// for disk in reader.read().disks {
///     match disk.space {
///         Some(space) => println!("{}: {:.0} % used", disk.path, space.used_percent()),
///         None => println!("{}: {:?}", disk.path, disk.problem),
///     }
/// }
/// ```
pub struct HardwareReader {
    reader: system::Reader,
}

impl Default for HardwareOptions {
    /// This machine, and the file system of `/`, which may take 200 ms.
    fn default() -> Self {
        HardwareOptions { root_path: None, disks: vec!["/".to_owned()], deadline: Duration::from_millis(200) }
    }
}

impl HardwareReader {
    /// Looks at nothing yet.
    #[must_use]
    pub fn new(options: HardwareOptions) -> Self {
        HardwareReader { reader: system::Reader::new(options) }
    }

    /// Looks at everything.
    pub fn read(&mut self) -> HardwareReading {
        self.reader.read()
    }

    /// Looks at processors, so that the next [`read`](HardwareReader::read) tells how busy they were since now, or not much
    /// earlier. It asks no file system.
    pub fn keep_up(&mut self) {
        self.reader.keep_up();
    }
}

impl std::fmt::Debug for HardwareReader {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("HardwareReader").finish_non_exhaustive()
    }
}

/// Space of the file system that `path` is on. It waits as long as that file system makes it, for ever if its server is
/// gone: to be called where that does no harm.
///
/// ```
/// let space = otel_vitals_host::hardware::disk_space("/".as_ref())?;
/// println!("{} of {} bytes are free", space.available, space.total);
/// # Ok::<(), otel_vitals_core::ReadError>(())
/// ```
///
/// # Errors
/// [`ReadError::Call`] with what the system says, [`ReadError::Unavailable`] for a file system that keeps no data.
pub fn disk_space(path: &Path) -> Result<DiskSpace, ReadError> {
    system::disk_space(path)
}

impl DiskSpace {
    /// What is used of what is not reserved (percent), as `df` has it, which rounds up.
    ///
    /// ```
    /// let space = otel_vitals_host::hardware::disk_space("/".as_ref())?;
    /// assert!((0.0..=100.0).contains(&space.used_percent()));
    /// # Ok::<(), otel_vitals_core::ReadError>(())
    /// ```
    #[must_use]
    pub fn used_percent(&self) -> f64 {
        match self.used.saturating_add(self.available) {
            // All is reserved: nobody may fill anything.
            0 => 100.0,
            all => self.used as f64 / all as f64 * 100.0,
        }
    }
}

impl DiskReading {
    fn failed(path: &str, problem: impl ToString) -> Self {
        DiskReading { path: path.to_owned(), problem: Some(problem.to_string()), ..DiskReading::default() }
    }
}

/// What is said of one that does not answer.
fn late(deadline: Duration) -> String {
    format!("did not answer within {deadline:?}")
}

/// What is said of a path on a file system like `/proc`.
fn without_space(path: &Path) -> ReadError {
    ReadError::Unavailable {
        expected: "a file system that keeps data",
        found: format!("one without any space at {}", path.display()),
    }
}

#[cfg(test)]
mod tests;
