//! A real mount that hangs: a FUSE file system whose program never answers.
//!
//! It needs root and `/dev/fuse`; where these are not to be had, the test says so and is skipped. It runs in a process
//! with a mount namespace of its own, so that no other program ever meets the hung mount, and so that the kernel takes
//! it away with the process whatever happens.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use otel_vitals_host::hardware::{HardwareOptions, HardwareReader};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use test_harness::{Collection, InMemory};

/// So long that a collection which takes less has surely not waited for it.
const DEADLINE: Duration = Duration::from_secs(3);
/// How long to wait for what must come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Set in the process with the namespace.
const INSIDE: &str = "OTEL_VITALS_HUNG_MOUNT";

#[allow(unsafe_code)]
mod sys {
    //! The system calls of this test, and nothing else.

    use std::ffi::CStr;
    use std::io;
    use std::ptr::null;

    fn checked(outcome: libc::c_int) -> io::Result<()> {
        if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Makes `command` start with its own copy of all mounts, of which no change gets out.
    pub(super) fn with_own_mounts(command: &mut std::process::Command) {
        use std::os::unix::process::CommandExt as _;
        // SAFETY: between fork and exec the closure makes two system calls on constant arguments; it neither
        // allocates nor locks.
        unsafe {
            command.pre_exec(|| {
                checked(libc::unshare(libc::CLONE_NEWNS))?;
                let flags = libc::MS_REC | libc::MS_PRIVATE;
                checked(libc::mount(null(), c"/".as_ptr(), null(), flags, null()))
            });
        }
    }

    /// Mounts a FUSE file system at `point`.
    pub(super) fn mount_fuse(point: &CStr, options: &CStr) -> io::Result<()> {
        let (name, kind) = (c"hung", c"fuse.hung");
        // SAFETY: all arguments are C strings that live through the call, which only reads them.
        checked(unsafe {
            libc::mount(name.as_ptr(), point.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast())
        })
    }

    /// Takes the mount at `point` out of the tree, whoever is in it.
    pub(super) fn unmount(point: &CStr) -> io::Result<()> {
        // SAFETY: `point` is a C string that lives through the call, which only reads it.
        checked(unsafe { libc::umount2(point.as_ptr(), libc::MNT_DETACH) })
    }
}

/// The mount, which is gone with this.
struct Hung {
    point: CString,
    program: Option<File>,
    is_mounted: bool,
}

impl Hung {
    fn mount(point: &Path) -> io::Result<Self> {
        let program = File::options().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", program.as_raw_fd());
        let point = CString::new(point.as_os_str().as_bytes())?;
        sys::mount_fuse(&point, &CString::new(options)?)?;
        Ok(Hung { point, program: Some(program), is_mounted: true })
    }

    /// The program ends: whoever waits for it gets an error.
    fn end_program(&mut self) {
        self.program = None;
    }

    fn unmount(&mut self) {
        if std::mem::replace(&mut self.is_mounted, false) {
            sys::unmount(&self.point).unwrap();
        }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.end_program();
        self.unmount();
    }
}

/// A child process that does not outlive this.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_mount_that_hangs_delays_one_collection_by_the_deadline_and_no_other() {
    with_own_mounts(
        "a_mount_that_hangs_delays_one_collection_by_the_deadline_and_no_other",
        collect_beside_a_hung_mount,
    );
}

#[test]
fn a_mount_that_hangs_is_told_by_a_look_at_the_hardware_and_costs_only_its_own_values() {
    with_own_mounts(
        "a_mount_that_hangs_is_told_by_a_look_at_the_hardware_and_costs_only_its_own_values",
        look_beside_a_hung_mount,
    );
}

/// Runs `inside` in this test, which is called `name`, of a child process.
fn with_own_mounts(name: &str, inside: fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", name]);
    command.env(INSIDE, "1").process_group(0);
    sys::with_own_mounts(&mut command);
    let mut child = match command.spawn() {
        Ok(child) => Killed(child),
        Err(error) => return println!("skipped: no mount namespace of its own without root: {error}"),
    };
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break status;
        }
        assert!(started.elapsed() < 3 * PATIENCE, "it hangs");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "{status}");
}

fn look_beside_a_hung_mount() {
    let folder = tempfile::tempdir().unwrap();
    let mut hung = match Hung::mount(folder.path()) {
        Ok(hung) => hung,
        Err(error) => return println!("skipped: no FUSE file system can be mounted: {error}"),
    };
    let mut options = HardwareOptions::default();
    options.disks = vec![folder.path().to_str().unwrap().to_owned(), "/".to_owned()];
    options.deadline = DEADLINE;
    let mut reader = HardwareReader::new(options);
    for first in [true, false, false] {
        let started = Instant::now();
        let reading = reader.read();
        let took = started.elapsed();
        assert!(if first { took < DEADLINE + PATIENCE } else { took < DEADLINE }, "{took:?}");
        let [of_hung, root] = &reading.disks[..] else { panic!("{reading:?}") };
        assert_eq!((of_hung.space, of_hung.problem.as_deref()), (None, Some("did not answer within 3s")));
        assert!(root.space.is_some() && root.problem.is_none(), "{root:?}");
        assert_eq!((&reading.memory.problem, &reading.cpu.problem), (&None, &None));
        assert_eq!(threads(), 2, "one for each");
    }
    // Whoever is asked now is no file system any more.
    hung.end_program();
    let started = Instant::now();
    while reader.read().disks[0].problem.as_deref() == Some("did not answer within 3s") {
        assert!(started.elapsed() < PATIENCE);
    }
    assert!(reader.read().disks[0].space.is_none(), "an error is no value");
    hung.unmount();
    assert!(reader.read().disks[0].space.is_some(), "the folder that it was mounted on");
    drop(reader);
    while threads() > 0 {
        assert!(started.elapsed() < PATIENCE, "threads outlive the reader");
        std::thread::yield_now();
    }
}

fn collect_beside_a_hung_mount() {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("host");
    let mut options = HostOptions::default();
    options.filesystem.network = true;
    options.filesystem.deadline = DEADLINE;
    otel_vitals_host::register(&meter, &SourceContext::new(&meter, Duration::ZERO), &options);
    let before = pipeline.collect();
    let threads_before = threads();

    let folder = tempfile::tempdir().unwrap();
    let mut hung = match Hung::mount(folder.path()) {
        Ok(hung) => hung,
        Err(error) => return println!("skipped: no FUSE file system can be mounted: {error}"),
    };
    let (first, took) = timed(&pipeline);
    assert!(DEADLINE <= took && took < DEADLINE + PATIENCE, "{took:?}");
    assert_eq!(mounts(&first), mounts(&before), "the others are there, and the hung one is not");
    assert!(errors(&first) > errors(&before));
    assert_eq!(threads(), threads_before + 1);

    for _ in 0..3 {
        let (next, took) = timed(&pipeline);
        assert!(took < DEADLINE, "known to hang, and waited for again: {took:?}");
        assert_eq!(mounts(&next), mounts(&before));
        assert!(errors(&next) > errors(&first));
        assert_eq!(threads(), threads_before + 1, "no second thread");
    }

    hung.end_program();
    let (after, took) = timed(&pipeline);
    assert!(took < DEADLINE + PATIENCE, "{took:?}");
    assert_eq!(mounts(&after), mounts(&before), "an error is no value");
    hung.unmount();
    let started = Instant::now();
    while threads() != threads_before {
        assert!(started.elapsed() < PATIENCE, "the thread outlives its mount");
        let _ = pipeline.collect();
    }
    let last = pipeline.collect();
    assert_eq!(mounts(&last), mounts(&before));
    assert_eq!(errors(&pipeline.collect()), errors(&last), "nothing is missed any more");
}

fn timed(pipeline: &InMemory) -> (Collection, Duration) {
    let started = Instant::now();
    let collection = pipeline.collect();
    (collection, started.elapsed())
}

/// The mount points that have values.
fn mounts(collection: &Collection) -> BTreeSet<String> {
    let points =
        collection.metric("system.filesystem.usage").map(|metric| &metric.points[..]).unwrap_or_default();
    points.iter().map(|point| point.attributes["system.filesystem.mountpoint"].clone()).collect()
}

fn errors(collection: &Collection) -> f64 {
    collection.value("otel_vitals.source.errors", &[("otel_vitals.source", "system.filesystem")]).unwrap()
}

/// The threads of this process that ask file systems.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.trim() == "vitals-mount").count()
}
