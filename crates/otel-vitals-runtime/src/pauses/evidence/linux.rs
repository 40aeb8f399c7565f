//! The kernel's files and calls.

use otel_vitals_core::KernelFile;
use otel_vitals_core::cgroup::{Cgroup, CpuStat};
use otel_vitals_core::pressure::{Pressure, Resource};
use otel_vitals_core::scan;
use std::path::{Path, PathBuf};

use super::{Sample, ThreadTime};

#[allow(unsafe_code)]
mod sys {
    //! The system call behind this module, and nothing else.

    use std::mem::MaybeUninit;

    /// Faults of the process that needed the disk.
    pub(super) fn major_faults() -> Option<u64> {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `usage` is room for one rusage that lives through the call, which writes only to it.
        let outcome = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: an rusage is nothing but integers, for which the zeroes that it started with are valid, too.
        let usage = (outcome == 0).then(|| unsafe { usage.assume_init() })?;
        u64::try_from(usage.ru_majflt).ok()
    }
}

/// After so many samples it is looked again which control group the process is in, and which of those above limits it.
const FIND_AGAIN: u32 = 600;

/// Samples all that is counted for the process, and for the thread that does so.
#[derive(Debug)]
pub(in crate::pauses) struct Counters {
    cgroup: Cgroup,
    files: Files,
    own: ThreadFile,
    samples: u32,
}

#[derive(Debug)]
struct Files {
    cpu_stat: Option<KernelFile>,
    memory: Option<KernelFile>,
    io: Option<KernelFile>,
}

/// Samples what some other thread of the process has done.
#[derive(Debug, Default)]
pub(in crate::pauses) struct ThreadClock {
    thread: Option<u32>,
    file: Option<ThreadFile>,
}

/// `schedstat` of a thread.
#[derive(Debug)]
struct ThreadFile(KernelFile);

impl Counters {
    /// To be read by one thread only.
    pub(in crate::pauses) fn new() -> Self {
        let cgroup = Cgroup::own();
        let files = Files::of(&cgroup);
        Counters { cgroup, files, own: ThreadFile::at("/proc/thread-self/schedstat"), samples: 0 }
    }

    pub(in crate::pauses) fn read(&mut self) -> Sample {
        self.samples += 1;
        if self.samples >= FIND_AGAIN {
            self.samples = 0;
            let cgroup = Cgroup::own();
            if cgroup != self.cgroup {
                self.files = Files::of(&cgroup);
                self.cgroup = cgroup;
            }
        }
        Sample {
            throttled: self.files.throttled(),
            faults: sys::major_faults(),
            memory: pressure(self.files.memory.as_mut()),
            io: pressure(self.files.io.as_mut()),
            own: self.own.read(),
        }
    }
}

impl Files {
    fn of(cgroup: &Cgroup) -> Self {
        // The own group's pressure, which others on the machine have no part in; else that of all.
        let pressure = |resource: Resource| {
            let machine = || Some(PathBuf::from(format!("/proc/pressure/{}", resource.name())));
            let own = cgroup.pressure(resource).filter(|_| !cgroup.is_root()).map(Path::to_path_buf);
            own.or_else(machine).filter(|path| path.exists()).map(KernelFile::single_record)
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

fn pressure(file: Option<&mut KernelFile>) -> Option<u64> {
    Pressure::parse(file?.read().ok()?).0.some
}

impl ThreadClock {
    /// What `thread`, by its number, has done so far; the file of the last one asked for stays open.
    pub(in crate::pauses) fn read(&mut self, thread: Option<u32>) -> ThreadTime {
        let Some(number) = thread else { return ThreadTime::default() };
        if self.thread != thread {
            self.thread = thread;
            self.file = None;
        }
        let open = || ThreadFile::at(format!("/proc/self/task/{number}/schedstat"));
        self.file.get_or_insert_with(open).read()
    }
}

impl ThreadFile {
    fn at(path: impl Into<PathBuf>) -> Self {
        ThreadFile(KernelFile::single_record(path.into()))
    }

    fn read(&mut self) -> ThreadTime {
        self.0.read().map(thread_time).unwrap_or_default()
    }
}

/// `schedstat`: nanoseconds on a core, nanoseconds ready without one, times that it got one.
fn thread_time(bytes: &[u8]) -> ThreadTime {
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
        assert_eq!(thread_time(b"59980 46059 2\n"), time(Some(59_980), Some(46_059)));
        assert_eq!(thread_time(b"59980\n"), time(Some(59_980), None));
        assert_eq!(thread_time(b""), time(None, None));
    }

    #[test]
    fn a_thread_that_works_has_run() {
        let mut counters = Counters::new();
        let mut clock = ThreadClock::default();
        let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        let before = clock.read(Some(own));
        let Some(ran) = before.ran else {
            return eprintln!("skipped: this kernel keeps no schedstat");
        };
        let enough = ran + 5_000_000;
        while clock.read(Some(own)).ran.unwrap() < enough {}
        let sample = counters.read();
        assert!(sample.own.ran.unwrap() >= enough);
        assert!(sample.faults.is_some());
        assert_eq!(clock.read(Some(u32::MAX)), ThreadTime::default());
        assert_eq!(clock.read(None), ThreadTime::default());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = thread_time(&bytes);
        }
    }
}
