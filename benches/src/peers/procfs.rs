//! The crate procfs, asked for what our groups tell, as its documentation shows.

use procfs::process::Process;
use procfs::{Current as _, CurrentSI as _, ProcResult};
use std::hint::black_box;

use crate::group::Group;

/// Reads what it can of `group`; none where it has nothing of it.
#[must_use]
#[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
pub fn reading(group: Group) -> Option<Box<dyn FnMut()>> {
    let me = Process::myself().expect("/proc/self is there");
    let read: fn(&Process) -> ProcResult<()> = match group {
        Group::Process => process,
        Group::Cpu => cpu,
        Group::Memory => memory,
        Group::Paging => paging,
        Group::Disk => disk,
        Group::Network => network,
        Group::Load => load,
        Group::Uptime => uptime,
        Group::Processes => processes,
        Group::Default => default,
        Group::Filesystem | Group::Cgroup | Group::Pressure | Group::ProcessTwice | Group::Everything => {
            return None;
        }
    };
    Some(Box::new(move || read(&me).expect("the kernel tells")))
}

fn process(me: &Process) -> ProcResult<()> {
    black_box((me.stat()?, me.io()?, me.status()?, me.fd_count()?));
    Ok(())
}

fn cpu(_me: &Process) -> ProcResult<()> {
    black_box(procfs::KernelStats::current()?);
    Ok(())
}

fn memory(_me: &Process) -> ProcResult<()> {
    black_box(procfs::Meminfo::current()?);
    Ok(())
}

/// Without swap devices, which it does not read.
fn paging(_me: &Process) -> ProcResult<()> {
    black_box(procfs::vmstat()?);
    Ok(())
}

fn disk(_me: &Process) -> ProcResult<()> {
    black_box(procfs::diskstats()?);
    Ok(())
}

/// Without sockets, which it only tells one by one.
fn network(_me: &Process) -> ProcResult<()> {
    black_box(procfs::net::dev_status()?);
    Ok(())
}

fn load(_me: &Process) -> ProcResult<()> {
    black_box(procfs::LoadAverage::current()?);
    Ok(())
}

fn uptime(_me: &Process) -> ProcResult<()> {
    black_box(procfs::Uptime::current()?);
    Ok(())
}

fn processes(_me: &Process) -> ProcResult<()> {
    black_box((procfs::KernelStats::current()?, procfs::sys::kernel::threads_max()?));
    Ok(())
}

/// All of the above, `/proc/stat` once. File systems are not among it.
fn default(me: &Process) -> ProcResult<()> {
    for read in [process, processes, memory, paging, disk, network, load, uptime] {
        read(me)?;
    }
    Ok(())
}
