//! The kernel's files and calls.

use otel_vitals_core::KernelFile;
use otel_vitals_core::cgroup::{Cgroup, CpuStat};
use otel_vitals_core::pressure::{Pressure, Resource};
use otel_vitals_core::scan;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::{Sample, ThreadTime};
use crate::{moments, rusage};

/// After so many nanoseconds it is looked again which control group the process is in, and which of those above limits it.
const FIND_AGAIN: u64 = 10_000_000_000;

/// Samples all that is counted for the process, and for the thread that does so.
#[derive(Debug)]
pub(in crate::pauses) struct Counters {
    cgroup: Cgroup,
    files: Files,
    own: ThreadFile,
    /// The moment when the group was found.
    found: u64,
}

#[derive(Debug)]
struct Files {
    cpu_stat: Option<KernelFile>,
    memory: Option<PressureFile>,
    io: Option<PressureFile>,
}

#[derive(Debug)]
struct PressureFile {
    file: KernelFile,
    /// Of the own group, where any task that waits is one of ours. On a machine others may wait, for disks that we do not
    /// use: only when nobody could go on, neither could we.
    is_own: bool,
}

/// `schedstat` of a thread.
#[derive(Debug)]
struct ThreadFile(KernelFile);

impl Counters {
    /// To be read by one thread only.
    pub(in crate::pauses) fn new() -> Self {
        let cgroup = Cgroup::own();
        let files = Files::of(&cgroup);
        Counters { cgroup, files, own: ThreadFile::at("/proc/thread-self/schedstat"), found: moments::now() }
    }

    /// What is counted at the moment `now`.
    pub(in crate::pauses) fn read(&mut self, now: u64) -> Sample {
        if now.saturating_sub(self.found) >= FIND_AGAIN && self.has_moved(now) {
            // Of another group, which cannot be compared with what was sampled before.
            return Sample { faults: major_faults(), own: self.own.read(), ..Sample::default() };
        }
        Sample {
            throttled: self.files.throttled(),
            faults: major_faults(),
            memory: pressure(self.files.memory.as_mut()),
            io: pressure(self.files.io.as_mut()),
            own: self.own.read(),
        }
    }

    /// Whether the process is in another group by now, or another one limits it.
    fn has_moved(&mut self, now: u64) -> bool {
        self.found = now;
        let cgroup = Cgroup::own();
        let has_moved = cgroup != self.cgroup;
        if has_moved {
            self.files = Files::of(&cgroup);
            self.cgroup = cgroup;
        }
        has_moved
    }
}

impl Files {
    fn of(cgroup: &Cgroup) -> Self {
        let pressure = |resource: Resource| {
            let own = cgroup.pressure(resource).filter(|_| !cgroup.is_root()).map(Path::to_path_buf);
            let is_own = own.is_some();
            let path = own.unwrap_or_else(|| format!("/proc/pressure/{}", resource.name()).into());
            path.exists().then(|| PressureFile { file: KernelFile::single_record(path), is_own })
        };
        Files {
            cpu_stat: cgroup.cpu_stat().map(KernelFile::single_record),
            memory: pressure(Resource::Memory),
            io: pressure(Resource::Io),
        }
    }

    fn throttled(&mut self) -> Option<u64> {
        let bytes = self.cpu_stat.as_mut()?.read().ok()?;
        CpuStat::parse(bytes).0.throttled_time
    }
}

/// Faults of the process that needed the disk.
fn major_faults() -> Option<u64> {
    u64::try_from(rusage::of_this_process()?.ru_majflt).ok()
}

fn pressure(pressure: Option<&mut PressureFile>) -> Option<u64> {
    let PressureFile { file, is_own } = pressure?;
    let (pressure, _) = Pressure::parse(file.read().ok()?);
    if *is_own { pressure.some } else { pressure.full }
}

/// What `thread` of this process, by its number, has done so far.
///
/// Its file is opened each time: a descriptor for each worker of each runtime would be many.
pub(in crate::pauses) fn thread_time(thread: Option<u32>) -> ThreadTime {
    let read = |number: u32| -> std::io::Result<ThreadTime> {
        let mut path = [0_u8; 48];
        let mut text = [0_u8; 96];
        let mut rest = path.as_mut_slice();
        write!(rest, "/proc/self/task/{number}/schedstat")?;
        let unused = rest.len();
        let path = path.get(..path.len() - unused).unwrap_or_default();
        let length = File::open(Path::new(OsStr::from_bytes(path)))?.read(&mut text)?;
        Ok(schedstat(text.get(..length).unwrap_or_default()))
    };
    thread.and_then(|number| read(number).ok()).unwrap_or_default()
}

impl ThreadFile {
    fn at(path: impl Into<PathBuf>) -> Self {
        ThreadFile(KernelFile::single_record(path.into()))
    }

    fn read(&mut self) -> ThreadTime {
        self.0.read().map(schedstat).unwrap_or_default()
    }
}

/// Nanoseconds on a core, nanoseconds ready without one, times that it got one.
fn schedstat(bytes: &[u8]) -> ThreadTime {
    let mut fields = scan::fields(scan::trim(bytes));
    let mut next = || scan::next_number(&mut fields, "nanoseconds").ok();
    ThreadTime { ran: next(), waited: next() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_the_kernel_tells_of_a_thread() {
        let time = |ran, waited| ThreadTime { ran, waited };
        assert_eq!(schedstat(b"59980 46059 2\n"), time(Some(59_980), Some(46_059)));
        assert_eq!(schedstat(b"59980\n"), time(Some(59_980), None));
        assert_eq!(schedstat(b""), time(None, None));
    }

    #[test]
    fn a_thread_that_works_has_run() {
        let mut counters = Counters::new();
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let before = thread_time(Some(own));
        let Some(ran) = before.ran else {
            return eprintln!("skipped: this kernel keeps no schedstat");
        };
        let enough = ran + 5_000_000;
        while thread_time(Some(own)).ran.unwrap() < enough {}
        let sample = counters.read(moments::now());
        assert!(sample.own.ran.unwrap() >= enough);
        assert!(sample.faults.is_some());
        assert_eq!(thread_time(Some(u32::MAX)), ThreadTime::default());
        assert_eq!(thread_time(None), ThreadTime::default());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = schedstat(&bytes);
        }
    }
}
