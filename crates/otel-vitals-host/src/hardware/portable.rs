//! Where there is no `/proc`: what the crate `sysinfo` tells.
//!
//! Space has neither reserved nor, on some systems, what is kept for others; the root path is ignored. File systems are asked by one
//! thread for all of them, so that one that hangs costs the others their values, too.

use otel_vitals_core::ReadError;
use std::path::Path;
use std::time::{Duration, Instant};
use sysinfo::{CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, System};

use super::{
    CpuReading, DiskReading, DiskSpace, HardwareOptions, HardwareReading, MemoryReading, late, without_space,
};
use crate::portable::filesystem::asker::{Asker, Mounted};
use crate::portable::{ready, unavailable};

/// How long [`disk_space`], which has no other limit, waits at most.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Reader {
    options: HardwareOptions,
    asker: Option<Asker>,
    system: Option<System>,
    /// When processors were looked at last, and how busy they were since the time before (percent).
    measured: Option<Instant>,
    used_percent: Option<f64>,
}

impl Reader {
    pub(super) fn new(options: HardwareOptions) -> Self {
        Reader { options, asker: None, system: None, measured: None, used_percent: None }
    }

    pub(super) fn read(&mut self) -> HardwareReading {
        HardwareReading { disks: self.disks(), memory: self.memory(), cpu: self.cpu() }
    }

    pub(super) fn keep_up(&mut self) {
        let _ = self.cpu();
    }

    fn disks(&mut self) -> Vec<DiskReading> {
        let deadline = self.options.deadline;
        let mounted = Asker::ask(&mut self.asker, deadline);
        let reading = |path: &String| match &mounted {
            Ok(mounted) => disk(path, mounted),
            Err(ReadError::Unavailable { .. }) => DiskReading::failed(path, late(deadline)),
            Err(error) => DiskReading::failed(path, error),
        };
        self.options.disks.iter().map(reading).collect()
    }

    fn memory(&mut self) -> MemoryReading {
        let system = match ready(&mut self.system, System::new, "the size of memory") {
            Ok(system) => system,
            Err(error) => {
                return MemoryReading { problem: Some(error.to_string()), ..MemoryReading::default() };
            }
        };
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let total = Some(system.total_memory()).filter(|total| *total > 0);
        let available = total.map(|total| system.available_memory().min(total));
        let problem = total.is_none().then(|| "the size of memory is not told".to_owned());
        MemoryReading { total, available, group: None, problem }
    }

    fn cpu(&mut self) -> CpuReading {
        let mut reading = CpuReading::default();
        let outcome = self.read_cpu(&mut reading);
        reading.problem = outcome.err().map(|error| error.to_string());
        reading
    }

    fn read_cpu(&mut self, reading: &mut CpuReading) -> Result<(), ReadError> {
        let system = ready(&mut self.system, System::new, "processors")?;
        let elapsed = self.measured.map(|at| at.elapsed());
        match elapsed {
            None => system.refresh_cpu_list(CpuRefreshKind::nothing().with_usage()),
            Some(elapsed) if elapsed >= MINIMUM_CPU_UPDATE_INTERVAL => {
                system.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
                self.used_percent = Some(f64::from(system.global_cpu_usage()).clamp(0.0, 100.0));
            }
            Some(_) => {}
        }
        if elapsed.is_none_or(|elapsed| elapsed >= MINIMUM_CPU_UPDATE_INTERVAL) {
            self.measured = Some(Instant::now());
        }
        reading.used_percent = self.used_percent;
        reading.online = Some(system.cpus().len() as u64).filter(|count| *count > 0);
        if cfg!(not(windows)) {
            let load = System::load_average().map_err(|error| unavailable("load averages", error))?;
            reading.load = [load.one, load.five, load.fifteen].map(Some);
        }
        Ok(())
    }
}

/// The file system whose mount point is nearest above `path`.
fn disk(path: &str, mounted: &[Mounted]) -> DiskReading {
    let above = mounted.iter().filter(|mounted| Path::new(path).starts_with(&mounted.point));
    let Some(mounted) = above.max_by_key(|mounted| mounted.point.len()) else {
        return DiskReading::failed(path, "no file system is known there");
    };
    let available = mounted.available.min(mounted.total);
    let space = DiskSpace { total: mounted.total, used: mounted.total - available, available, reserved: 0 };
    let space = Some(space).filter(|space| space.total > 0);
    DiskReading {
        path: path.to_owned(),
        problem: space.is_none().then(|| without_space(Path::new(path)).to_string()),
        space,
        mount_point: Some(mounted.point.clone()),
        kind: Some(mounted.kind.clone()),
    }
}

pub(super) fn disk_space(path: &Path) -> Result<DiskSpace, ReadError> {
    let mounted = Asker::ask(&mut None, PATIENCE)?;
    disk(&path.to_string_lossy(), &mounted).space.ok_or_else(|| without_space(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounted(point: &str, total: u64, available: u64) -> Mounted {
        let kind = "ext4".to_owned();
        Mounted { device: "/dev/sda".to_owned(), kind, point: point.to_owned(), mode: "rw", total, available }
    }

    #[test]
    fn a_path_is_on_the_nearest_mount_above() {
        let table = [mounted("/", 100, 40), mounted("/srv", 1000, 2000), mounted("/srv/none", 0, 0)];
        let space =
            |path: &str| disk(path, &table).space.map(|space| (space.total, space.used, space.available));
        assert_eq!(space("/home/me"), Some((100, 60, 40)));
        assert_eq!(space("/srv"), Some((1000, 0, 1000)), "what cannot be is cut");
        assert_eq!(space("/srvs"), Some((100, 60, 40)));
        assert_eq!(space("/srv/none/x"), None);
        assert!(disk("/srv/none/x", &table).problem.is_some());
        assert!(disk("relative", &table).problem.is_some());
    }
}
