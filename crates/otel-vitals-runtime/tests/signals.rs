//! Pending signals are counted: those sent to the process and those sent to its main thread.

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#[allow(unsafe_code)]
mod sys {
    //! The system calls behind this test, and nothing else.

    use std::mem::MaybeUninit;

    /// Blocks a signal in this thread and in those that it will start.
    pub(super) fn block(signal: libc::c_int) {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset makes a valid set of `set`, which lives through all three calls; the old mask is
        // not asked for.
        let outcome = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), signal);
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut())
        };
        assert_eq!(outcome, 0);
    }

    pub(super) fn send_to_process(signal: libc::c_int) {
        // SAFETY: takes numbers only; the signal is blocked.
        assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
    }

    pub(super) fn send_to_this_thread(signal: libc::c_int) {
        // SAFETY: takes numbers only, of which the first is this thread, which lives; the signal is blocked.
        assert_eq!(unsafe { libc::pthread_kill(libc::pthread_self(), signal) }, 0);
    }
}

#[cfg(all(target_os = "linux", not(otel_vitals_portable)))]
fn main() {
    use otel_vitals_core::SourceContext;
    use otel_vitals_runtime::ProcessOptions;

    sys::block(libc::SIGUSR1);
    sys::block(libc::SIGUSR2);
    let pipeline = test_harness::InMemory::new();
    let meter = pipeline.meter("truth");
    let context = SourceContext::new(&meter, std::time::Duration::ZERO);
    let mut options = ProcessOptions::default();
    options.signals_pending = true;
    otel_vitals_runtime::register(&meter, &context, &options);
    let pending = || pipeline.collect().value("process.signals_pending", &[]);

    assert_eq!(pending(), Some(0.0));
    sys::send_to_process(libc::SIGUSR1);
    assert_eq!(pending(), Some(1.0));
    sys::send_to_this_thread(libc::SIGUSR2);
    assert_eq!(pending(), Some(2.0));
    // The kernel tells which signals wait, not how often each was sent.
    sys::send_to_process(libc::SIGUSR1);
    assert_eq!(pending(), Some(2.0));
}

/// Only Linux tells of pending signals.
#[cfg(not(all(target_os = "linux", not(otel_vitals_portable))))]
fn main() {}
