//! Timers, perf events and clocks of CPU time.
#![allow(unsafe_code)]

use libc::{c_int, c_ulong, clockid_t, timespec};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::{io, ptr};

use crate::cpu::linux::handler::{token, token_of_process};

const NANOS: u64 = 1_000_000_000;

/// A POSIX timer on the CPU time of a thread; deleted when it is dropped. The kernel keeps it when the thread ends.
#[derive(Debug)]
pub(in crate::cpu::linux) struct Timer {
    /// A `timer_t`, which glibc has as a pointer that is none.
    id: usize,
}

impl Timer {
    pub(in crate::cpu::linux) fn arm(
        thread: u32,
        signal: c_int,
        first: u64,
        period: u64,
    ) -> io::Result<Self> {
        // SAFETY: all zeros are an event, and of the fields of one that signals a thread none is left out.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_value = libc::sigval { sival_ptr: token() };
        event.sigev_notify_thread_id = thread.cast_signed();
        Timer::create(clock_id(thread), event, first, period)
    }

    /// One on the CPU time of all threads, which interrupts the one that runs when it expires: since Linux 6.4. Before, it would be the
    /// first thread of the process, though it sleeps.
    pub(in crate::cpu::linux) fn arm_process(signal: c_int, first: u64, period: u64) -> io::Result<Self> {
        // SAFETY: all zeros are an event, and of the fields of one that signals the process none is left out.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        event.sigev_value = libc::sigval { sival_ptr: token_of_process() };
        Timer::create(libc::CLOCK_PROCESS_CPUTIME_ID, event, first, period)
    }

    fn create(clock: clockid_t, mut event: libc::sigevent, first: u64, period: u64) -> io::Result<Self> {
        let mut id = MaybeUninit::<libc::timer_t>::uninit();
        // SAFETY: the event is whole and `id` may be written.
        if unsafe { libc::timer_create(clock, &mut event, id.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: it was written, as the call succeeded.
        let timer = Timer { id: unsafe { id.assume_init() }.expose_provenance() };
        let times = libc::itimerspec { it_interval: time(period), it_value: time(first.max(1)) };
        // SAFETY: the timer is ours, and lives as long as `timer`.
        let outcome =
            unsafe { libc::timer_settime(timer.id(), libc::TIMER_ABSTIME, &times, ptr::null_mut()) };
        if outcome == 0 { Ok(timer) } else { Err(io::Error::last_os_error()) }
    }

    fn id(&self) -> libc::timer_t {
        ptr::with_exposed_provenance_mut(self.id)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and nobody uses it afterwards.
        unsafe { libc::timer_delete(self.id()) };
    }
}

/// `struct perf_event_attr` of `linux/perf_event.h` as its first version was (`PERF_ATTR_SIZE_VER0`), which every kernel takes.
#[repr(C)]
#[derive(Debug, Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_COUNT_SW_TASK_CLOCK: u64 = 1;
/// Bits of `flags`: it waits to be enabled, and leaves out the hypervisor.
const DISABLED: u64 = 1;
const EXCLUDE_HV: u64 = 1 << 6;
const PERF_FLAG_FD_CLOEXEC: c_ulong = 8;
const PERF_EVENT_IOC_ENABLE: c_ulong = 0x2400;
const PERF_EVENT_IOC_DISABLE: c_ulong = 0x2401;
/// Of `asm-generic/fcntl.h`.
const F_SETSIG: c_int = 10;
const F_SETOWN_EX: c_int = 15;
const F_OWNER_TID: c_int = 0;

#[repr(C)]
struct Owner {
    kind: c_int,
    id: c_int,
}

/// An event on the CPU time of a thread, zero for the caller, which is not enabled yet.
pub(super) fn open_event(thread: u32, period: u64) -> io::Result<OwnedFd> {
    let attributes = Attributes {
        kind: PERF_TYPE_SOFTWARE,
        size: size_of::<Attributes>() as u32,
        config: PERF_COUNT_SW_TASK_CLOCK,
        sample_period: period,
        flags: DISABLED | EXCLUDE_HV,
        ..Attributes::default()
    };
    let (any_processor, no_group): (c_int, c_int) = (-1, -1);
    // SAFETY: the attributes are whole, of the size that they tell, and outlive the call.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            thread,
            any_processor,
            no_group,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    match c_int::try_from(descriptor) {
        // SAFETY: a descriptor that the kernel has just opened for us.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Has `signal` sent to `thread` when the event overflows.
pub(super) fn send_signal(event: &OwnedFd, signal: c_int, thread: u32) -> io::Result<()> {
    let owner = Owner { kind: F_OWNER_TID, id: thread.cast_signed() };
    let event = event.as_raw_fd();
    // SAFETY: the descriptor is open, and `owner` outlives the call.
    let done = unsafe {
        libc::fcntl(event, F_SETSIG, signal) == 0
            && libc::fcntl(event, F_SETOWN_EX, &raw const owner) == 0
            && libc::fcntl(event, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK) == 0
    };
    if done { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(super) fn enable(event: &OwnedFd, enable: bool) -> io::Result<()> {
    let request = if enable { PERF_EVENT_IOC_ENABLE } else { PERF_EVENT_IOC_DISABLE };
    // SAFETY: the descriptor is open, and the request takes no argument.
    let outcome = unsafe { libc::ioctl(event.as_raw_fd(), request as _, 0) };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How many descriptors the process may have.
pub(super) fn most_descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` may be written.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur
}

/// CPU time of a thread of this process, nanoseconds; None when it has ended.
pub(in crate::cpu::linux) fn clock_of(thread: u32) -> Option<u64> {
    read(clock_id(thread))
}

/// CPU time of the calling thread, nanoseconds.
pub(in crate::cpu::linux) fn own_clock() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID).unwrap_or(0)
}

/// CPU time of the process, nanoseconds.
pub(in crate::cpu::linux) fn process_clock() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID).unwrap_or(0)
}

/// How long the kernel's tick is, nanoseconds, which is what its coarse clock shows.
pub(in crate::cpu::linux) fn tick() -> u64 {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &mut time) };
    nanoseconds(&time)
}

fn read(clock: clockid_t) -> Option<u64> {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` may be written.
    (unsafe { libc::clock_gettime(clock, &mut time) } == 0).then(|| nanoseconds(&time))
}

/// The clock of a thread's CPU time: `CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED` of `linux/posix-timers.h`.
fn clock_id(thread: u32) -> clockid_t {
    ((!thread) << 3 | 6).cast_signed()
}

fn nanoseconds(time: &timespec) -> u64 {
    time.tv_sec as u64 * NANOS + time.tv_nsec as u64
}

fn time(nanoseconds: u64) -> timespec {
    timespec { tv_sec: (nanoseconds / NANOS) as _, tv_nsec: (nanoseconds % NANOS) as _ }
}
