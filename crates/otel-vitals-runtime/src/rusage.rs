//! `getrusage(2)` of this process.

pub(crate) use sys::of_this_process;

#[allow(unsafe_code)]
mod sys {
    //! The system call behind this module, and nothing else.

    use std::mem::MaybeUninit;

    /// What the process, with all its threads, has used since its start.
    pub(crate) fn of_this_process() -> Option<libc::rusage> {
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: `usage` is room for one rusage that lives through the call, which writes only to it.
        let outcome = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: an rusage is nothing but integers, for which the zeroes that it started with are valid, too.
        (outcome == 0).then(|| unsafe { usage.assume_init() })
    }
}
