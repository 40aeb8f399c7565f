//! The system calls behind a group and nothing else: the floor that reading cannot go below.
//!
//! Descriptors stay open, bytes are neither parsed nor looked at, and the calls are those that our reading makes on a
//! kernel of our time (`tests/system_calls.rs` compares them one by one).

use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ResourceMetrics};
use otel_vitals_core::cgroup::Cgroup;
use otel_vitals_core::pressure::Resource;
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt as _;

use crate::group::Group;
use crate::subject::collected;

#[allow(unsafe_code)]
mod sys {
    //! The system calls that the standard library does not offer as they are, and nothing else.

    use std::ffi::CStr;
    use std::fs::File;
    use std::mem::MaybeUninit;
    use std::os::fd::AsRawFd as _;

    pub(super) fn fstat(file: &File) -> MaybeUninit<libc::stat> {
        let mut answer = MaybeUninit::uninit();
        // SAFETY: the descriptor is open while `file` is borrowed, and `answer` is room for a stat.
        unsafe { libc::fstat(file.as_raw_fd(), answer.as_mut_ptr()) };
        answer
    }

    pub(super) fn statvfs(path: &CStr) -> MaybeUninit<libc::statvfs64> {
        let mut answer = MaybeUninit::uninit();
        // SAFETY: `path` is a C string and `answer` is room for a statvfs64.
        unsafe { libc::statvfs64(path.as_ptr(), answer.as_mut_ptr()) };
        answer
    }

    pub(super) fn getrusage() -> MaybeUninit<libc::rusage> {
        let mut answer = MaybeUninit::uninit();
        // SAFETY: `answer` is room for an rusage.
        unsafe { libc::getrusage(libc::RUSAGE_SELF, answer.as_mut_ptr()) };
        answer
    }

    pub(super) fn poll(file: &File) -> libc::c_int {
        let mut question = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
        // SAFETY: `question` is one pollfd.
        unsafe { libc::poll(&raw mut question, 1, 0) }
    }
}

/// The system calls of a group.
pub struct Raw {
    calls: Vec<Call>,
}

enum Call {
    /// A file of `/proc`, read from its start.
    Read(Text),
    Status(File),
    Changes(File),
    Space(CString),
    Usage,
    BootClock,
}

/// A kept-open file and room for its text, no more than is needed: some files cost the kernel as much as they are offered.
struct Text {
    file: File,
    buffer: Vec<u8>,
    ends: End,
}

/// How much further than it needed at the last time our reading asks for the beginning of a file.
const GROWTH: usize = 128;

#[derive(Clone, Copy, PartialEq)]
enum End {
    /// The kernel gives all of it to one `pread`.
    WithFirst,
    /// The kernel fills a page a `pread`, less one line that does not fit.
    WithShort,
}

impl Raw {
    /// Opens what `group` reads; none where its calls depend on what the machine has.
    #[must_use]
    pub fn new(group: Group) -> Option<Self> {
        Some(Raw { calls: calls(group)? })
    }

    /// Makes every call once.
    pub fn run(&mut self) {
        self.calls.iter_mut().for_each(Call::make);
    }
}

impl Call {
    fn make(&mut self) {
        match self {
            Call::Read(text) => {
                text.read();
            }
            Call::Status(folder) => {
                black_box(sys::fstat(folder));
            }
            Call::Changes(table) => {
                black_box(sys::poll(table));
            }
            Call::Space(point) => {
                black_box(sys::statvfs(point));
            }
            Call::Usage => {
                black_box(sys::getrusage());
            }
            Call::BootClock => {
                black_box(otel_vitals_core::clock::since_boot());
            }
        }
    }
}

impl Text {
    fn open(path: &str, ends: End) -> Option<Self> {
        let mut text = Text { file: File::open(path).ok()?, buffer: vec![0; 4096], ends };
        while text.read() == text.buffer.len() {
            text.buffer.resize(2 * text.buffer.len(), 0);
        }
        Some(text)
    }

    /// Room for the beginning up to the line with `last`, and a little more.
    fn beginning(path: &str, last: &str) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        let (_, after) = text.split_once(last)?;
        let needed = text.len() - after.len() + after.find('\n')? + 1;
        Some(Text { file: File::open(path).ok()?, buffer: vec![0; needed + GROWTH], ends: End::WithFirst })
    }

    /// Returns how many bytes it has, up to the size of the buffer.
    fn read(&mut self) -> usize {
        let mut length = 0;
        while let Ok(read) =
            self.file.read_at(self.buffer.get_mut(length..).unwrap_or_default(), length as u64)
        {
            length += read;
            if self.ends == End::WithFirst || read < 4096 - 512 || length == self.buffer.len() {
                break;
            }
        }
        black_box(&self.buffer);
        length
    }
}

fn calls(group: Group) -> Option<Vec<Call>> {
    let open = |path: &str| File::open(path).ok();
    let record = |path: &str| Text::open(path, End::WithFirst).map(Call::Read);
    let records = |path| Text::open(path, End::WithShort).map(Call::Read);
    let status = |path| open(path).map(Call::Status);
    let process = || {
        [
            Some(Call::Usage),
            record("/proc/self/statm"),
            record("/proc/self/io"),
            status("/proc/self/fd"),
            status("/proc/self/task"),
            Some(Call::BootClock),
        ]
    };
    let calls = match group {
        Group::Process => {
            // Once more than for the number of threads, to know whether it is still that of those that are known.
            let count = [status("/proc/self/task")].into_iter();
            let waits: Vec<_> = count.chain(tasks().iter().map(|task| record(task))).collect();
            process().into_iter().chain(waits).collect()
        }
        Group::ProcessTwice => {
            process().into_iter().chain([record("/proc/loadavg"), Some(Call::BootClock)]).collect()
        }
        Group::Cpu => vec![record("/proc/stat")],
        Group::Memory => vec![record("/proc/meminfo")],
        Group::Paging => {
            // What comes after the last wanted line is not asked for.
            let faults = Text::beginning("/proc/vmstat", "\npgmajfault ").map(Call::Read);
            vec![faults.or_else(|| records("/proc/vmstat")), records("/proc/swaps")]
        }
        Group::Disk => vec![records("/proc/diskstats")],
        Group::Filesystem => {
            let table = open("/proc/self/mountinfo").map(Call::Changes);
            let points = mount_points(&collected(group)).into_iter();
            [table].into_iter().chain(points.map(|point| CString::new(point).ok().map(Call::Space))).collect()
        }
        Group::Network => vec![
            records("/proc/self/net/dev"),
            records("/proc/self/net/sockstat"),
            records("/proc/self/net/sockstat6"),
        ],
        Group::Load => vec![record("/proc/loadavg")],
        Group::Uptime => vec![Some(Call::BootClock)],
        Group::Processes => vec![record("/proc/stat"), record("/proc/sys/kernel/threads-max")],
        Group::Cgroup => vec![record(MEMBERSHIP), own_cpu_stat().as_deref().and_then(record)],
        Group::Pressure => {
            [record(MEMBERSHIP)].into_iter().chain(pressures().iter().map(|file| record(file))).collect()
        }
        Group::Default => {
            let mut calls = of([
                Group::Process,
                Group::Cpu,
                Group::Memory,
                Group::Paging,
                Group::Disk,
                Group::Filesystem,
                Group::Network,
                Group::Load,
                Group::Uptime,
                Group::Cgroup,
            ])?;
            // Of the process counts, /proc/stat is there already, and of the pressure, the membership.
            calls.extend(record("/proc/sys/kernel/threads-max"));
            calls.extend(pressures().iter().filter_map(|file| record(file)));
            return Some(calls);
        }
        Group::Everything => return None,
    };
    // What this machine does not have is not read by us either.
    Some(calls.into_iter().flatten().collect())
}

fn of<const GROUPS: usize>(groups: [Group; GROUPS]) -> Option<Vec<Call>> {
    groups
        .into_iter()
        .map(calls)
        .collect::<Option<Vec<_>>>()
        .map(|calls| calls.into_iter().flatten().collect())
}

const MEMBERSHIP: &str = "/proc/self/cgroup";

/// Of each thread, the file that says how long it waited.
fn tasks() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.map(|task| task.path().join("schedstat").to_string_lossy().into_owned()).collect()
}

fn own_cpu_stat() -> Option<String> {
    Cgroup::own().cpu_stat().map(|path| path.to_string_lossy().into_owned())
}

/// Of the machine and of the own control group.
fn pressures() -> Vec<String> {
    let own = Cgroup::own();
    let of_host = Resource::ALL.map(|resource| format!("/proc/pressure/{}", resource.name()));
    let of_own = Resource::ALL.iter().filter_map(|resource| own.pressure(*resource));
    of_host.into_iter().chain(of_own.map(|path| path.to_string_lossy().into_owned())).collect()
}

/// The mount points that our group shows.
fn mount_points(batch: &ResourceMetrics) -> BTreeSet<String> {
    let metrics = batch.scope_metrics().flat_map(|scope| scope.metrics());
    let mut points = BTreeSet::new();
    for metric in metrics.filter(|metric| metric.name() == "system.filesystem.usage") {
        if let AggregatedMetrics::I64(MetricData::Sum(sum)) = metric.data() {
            let attributes = sum.data_points().flat_map(|point| point.attributes());
            let of_mount = attributes.filter(|pair| pair.key.as_str() == "system.filesystem.mountpoint");
            points.extend(of_mount.map(|pair| pair.value.to_string()));
        }
    }
    points
}
