//! Where the process spends CPU time.
//!
//! Each thread is interrupted once for each [period](Options::frequency) of CPU time that it has used, in user space or in the kernel,
//! and its stack is copied aside, which takes some microseconds. A thread of ours, `vitals-cpu-profile`, finds the frames in the
//! copies; nothing in the signal handler locks, allocates, unwinds or can fault. Nothing is left when it is over.
//!
//! The signal is `SIGURG`, which is ignored by default. Where the application has a handler for it, timers send `SIGPROF`, whose handler
//! stays and passes on what is not ours, and there are no perf events. An application that reads `SIGURG` without a handler
//! (`signalfd(2)`, `sigwait(3)`) reads ours, too, while a profile is taken.
//!
//! Of a stack, up to 64 KiB from the leaf on are copied, 32 KiB on machines with more than 32 processors, and 512 frames are kept. One
//! that is larger is cut at the root, and the profile says in a comment how many were.
//!
//! A filter of system calls must allow `timer_create`, `timer_settime`, `timer_delete` and, for stacks, `process_vm_readv`: one that ends
//! the process instead of refusing a call ends it here.
//!
//! ```
//! use otel_vitals_profiling::{Error, cpu};
//!
//! let mut options = cpu::Options::default();
//! options.frequency = 199;
//! match cpu::start(&options) {
//!     Ok(recording) => {
//!         std::hint::black_box((0..1_000_000_u64).fold(0, |sum, next| sum ^ next.wrapping_mul(sum)));
//!         let profile = recording.finish();
//! #       let _ = profile;
//!     }
//!     // Somebody else is taking one.
//!     Err(Error::Busy) => {}
//!     // Not on this system.
//!     Err(Error::Unavailable { .. }) => {}
//!     Err(error) => return Err(error),
//! }
//! # Ok::<(), Error>(())
//! ```

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod linux;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod portable;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use linux as system;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
use portable as system;

use crate::{Error, Profile};

/// How often a thread can be sampled, samples for each second of CPU time.
const FREQUENCIES: std::ops::RangeInclusive<u32> = 1..=1000;

/// How to take a CPU profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Samples for each second of CPU time of each thread, 1 to 1000; what is beyond is the nearest of these. The default is 100, as
    /// in Go. One that is not a multiple of anything in the program, such as 97, falls into step with nothing.
    pub frequency: u32,
    /// What interrupts threads.
    pub trigger: Trigger,
}

impl Default for Options {
    fn default() -> Self {
        Options { frequency: 100, trigger: Trigger::Auto }
    }
}

/// What interrupts threads when they have used as much CPU time as a sample stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trigger {
    /// Perf events where the kernel's tick is too coarse for the frequency and they are allowed and nobody else handles `SIGURG`, else timers. Under a filter of system
    /// calls (seccomp), which may end a process for one that it does not expect, events are not tried.
    #[default]
    Auto,
    /// A POSIX timer on the CPU time of each thread (`timer_create(2)`), which takes no privileges. It expires with the kernel's tick
    /// (`CONFIG_HZ`, mostly 250 times a second), and one sample then stands for as many periods as have passed.
    Timers,
    /// A perf event on the CPU time of each thread (`perf_event_open(2)`, `PERF_COUNT_SW_TASK_CLOCK`), as precise as the kernel's clock.
    /// It costs a descriptor for each thread; threads beyond a limit get timers. The process must be allowed to watch itself in the
    /// kernel (`kernel.perf_event_paranoid` of 1 or less, or `CAP_PERFMON`), which container profiles mostly forbid, and must have no
    /// handler for `SIGURG`.
    Perf,
}

/// A CPU profile that is being taken. Dropping it stops that and throws away what was seen.
#[derive(Debug)]
#[must_use = "a recording that is dropped is over"]
pub struct Recording {
    inner: system::Recording,
}

/// Begins to take a CPU profile of this process. Returns when every thread that is there is being sampled, after some milliseconds at
/// most for thousands of them.
///
/// # Errors
///
/// [`Error::Busy`] while another recording is not over; [`Error::Unavailable`] on other systems than Linux on x86-64 and aarch64, and for
/// a trigger that is not allowed here; [`Error::System`] when the kernel refuses memory, a thread or the first timer.
pub fn start(options: &Options) -> Result<Recording, Error> {
    let frequency = options.frequency.clamp(*FREQUENCIES.start(), *FREQUENCIES.end());
    Ok(Recording { inner: system::start(frequency, options.trigger)? })
}

impl Recording {
    /// Ends it, and returns the profile of what was seen until now. Takes some milliseconds. In a child that was forked meanwhile the
    /// profile is empty: nobody has sampled there.
    #[must_use]
    pub fn finish(self) -> Profile {
        self.inner.finish()
    }
}
