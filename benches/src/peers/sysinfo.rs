//! The crate sysinfo, asked for what our groups tell, with every refresh narrowed to that.

use std::hint::black_box;
use sysinfo::{
    DiskRefreshKind, Disks, MemoryRefreshKind, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate, System,
};

use crate::group::Group;

/// Reads what it can of `group`; none where it has nothing of it.
#[must_use]
pub fn reading(group: Group) -> Option<Box<dyn FnMut()>> {
    Some(match group {
        Group::Process => process(),
        Group::Memory => memory(MemoryRefreshKind::nothing().with_ram()),
        // How full swap is; it counts no faults and no swapping.
        Group::Paging => memory(MemoryRefreshKind::nothing().with_swap()),
        Group::Disk => disks(DiskRefreshKind::nothing().with_io_usage()),
        Group::Filesystem => disks(DiskRefreshKind::nothing().with_storage()),
        Group::Network => network(),
        Group::Load => Box::new(|| drop(black_box(System::load_average()))),
        Group::Uptime => Box::new(|| drop(black_box(System::uptime()))),
        Group::Default => default(),
        // It reads the time of processors every 200 ms at most, and between two such reads gives the old values.
        Group::Cpu => return None,
        // It has no such counts: one would refresh all processes and count them.
        Group::Processes | Group::Cgroup | Group::Pressure | Group::ProcessTwice | Group::Everything => {
            return None;
        }
    })
}

#[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
fn system() -> System {
    System::new().expect("sysinfo knows this system")
}

fn process() -> Box<dyn FnMut()> {
    let mut system = system();
    let pid = Pid::from_u32(std::process::id());
    let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().with_disk_usage();
    Box::new(move || {
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        if let Some(process) = system.process(pid) {
            black_box((process.memory(), process.accumulated_cpu_time(), process.disk_usage()));
            black_box((process.virtual_memory(), process.run_time(), process.open_files()));
        }
    })
}

fn memory(kind: MemoryRefreshKind) -> Box<dyn FnMut()> {
    let mut system = system();
    Box::new(move || {
        system.refresh_memory_specifics(kind);
        black_box((system.used_memory(), system.used_swap()));
    })
}

#[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
fn disks(kind: DiskRefreshKind) -> Box<dyn FnMut()> {
    let mut disks = Disks::new_with_refreshed_list_specifics(kind).expect("sysinfo knows this system");
    Box::new(move || {
        disks.refresh_specifics(false, kind);
        black_box(disks.len());
    })
}

#[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
fn network() -> Box<dyn FnMut()> {
    let mut networks = Networks::new_with_refreshed_list().expect("sysinfo knows this system");
    Box::new(move || {
        networks.refresh(false);
        black_box(networks.len());
    })
}

/// All of the above, so without processors.
fn default() -> Box<dyn FnMut()> {
    let groups = [Group::Process, Group::Load, Group::Uptime, Group::Network];
    let mut readings: Vec<_> = groups.into_iter().filter_map(reading).collect();
    readings.push(memory(MemoryRefreshKind::everything()));
    readings.push(disks(DiskRefreshKind::nothing().with_io_usage().with_storage()));
    Box::new(move || readings.iter_mut().for_each(|reading| reading()))
}
