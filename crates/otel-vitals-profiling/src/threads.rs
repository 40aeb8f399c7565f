//! Which threads there are, what they do and how much CPU time they have taken.
//!
//! | what | source |
//! | --- | --- |
//! | name | `/proc/self/task/*/comm`, [proc(5)](https://man7.org/linux/man-pages/man5/proc_pid_comm.5.html): the first 15 bytes of the name that the thread was given |
//! | state, CPU time | `/proc/self/task/*/stat`, fields 3, 14 and 15: user and system time, in ticks of mostly 10 ms |

use crate::{Error, Profile};

/// The live threads of this process: each a sample with `threads` (count, one) and `cpu` (nanoseconds, user and system time since it
/// began), and the labels `thread` (its name), `state` (a word) and `thread_id`. Those of one name stay apart by their labels.
///
/// It reads two small files for each thread. Go's profile `threadcreate` has its place and answers where threads were made, which is not
/// known here.
///
/// # Errors
/// [`Error::Unavailable`] on other systems than Linux, and [`Error::System`] if `/proc/self/task` cannot be read.
///
/// ```
/// # fn main() -> Result<(), otel_vitals_profiling::Error> {
/// # if cfg!(target_os = "linux") {
/// let threads = otel_vitals_profiling::threads::profile()?;
/// assert!(threads.total("threads") >= Some(1));
/// println!("{}", threads.text());
/// # }
/// # Ok(())
/// # }
/// ```
pub fn profile() -> Result<Profile, Error> {
    #[cfg(target_os = "linux")]
    return linux::profile();
    #[cfg(not(target_os = "linux"))]
    return Err(Error::Unavailable {
        what: "profile of threads",
        why: "threads are read from /proc, which Linux alone has",
    });
}

#[cfg(target_os = "linux")]
mod linux;
