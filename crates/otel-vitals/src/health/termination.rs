//! A SIGTERM begins the shutdown, in a program that catches it.
//!
//! A handler of ours in a program without one would change what the signal does, which is to end it. So it is asked whether the program
//! has one, and then listened along: tokio's, which is ours, calls the one that was there before, too. But it is made as tokio makes it,
//! and the program's is listened along only if it was made like that: lest a `read` that a signal is to interrupt goes on, or a
//! second signal that is to end the program does not. The program's own, if it is made later, replaces ours, and works as if there
//! were none.

use std::future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;

use super::registry::Registry;
use sys::Disposition;

/// How often it is looked for a handler: often at first, when services make theirs.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(10);

/// What ours would take from theirs: to be called once, within itself, and on a stack of its own.
const LOST: libc::c_int = libc::SA_RESETHAND | libc::SA_NODEFER | libc::SA_ONSTACK;

/// Never returns.
pub(super) async fn begins_shutdown(registry: &Registry) {
    let mut wait = FIRST;
    while !sys::disposition(libc::SIGTERM).is_some_and(|theirs| theirs.stays_with_ours()) {
        time::sleep(wait).await;
        wait = (wait + wait / 8).min(LAST);
    }
    // In a system that refuses a handler the program says itself when it ends.
    if let Ok(mut terminations) = signal(SignalKind::terminate()) {
        while terminations.recv().await.is_some() {
            registry.begin_shutdown();
        }
    }
    future::pending().await
}

impl Disposition {
    /// Whether it is a handler that works as before when ours calls it, for which system calls are begun anew, no signal
    /// waits, and which stays.
    fn stays_with_ours(&self) -> bool {
        let is_caught = self.handler != libc::SIG_DFL && self.handler != libc::SIG_IGN;
        is_caught && self.flags & libc::SA_RESTART != 0 && self.flags & LOST == 0 && !self.holds_others
    }
}

#[allow(unsafe_code)]
mod sys {
    //! The system calls behind this module, and nothing else.

    use std::mem::MaybeUninit;
    use std::ptr;

    /// What a signal does.
    #[derive(Clone, Copy, Debug)]
    pub(super) struct Disposition {
        /// Address of the handler, `SIG_DFL` or `SIG_IGN`.
        pub(super) handler: libc::sighandler_t,
        pub(super) flags: libc::c_int,
        /// Whether other signals wait until the handler has returned.
        pub(super) holds_others: bool,
    }

    /// What `signal` does now. Changes nothing.
    pub(super) fn disposition(signal: libc::c_int) -> Option<Disposition> {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: without a new action sigaction only writes to `action`, which is valid for that and lives through the call.
        let outcome = unsafe { libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) };
        if outcome != 0 {
            return None;
        }
        // SAFETY: sigaction has written it, and before it was all zeroes, which is valid for its numbers and its `Option` of a
        // function.
        let action = unsafe { action.assume_init() };
        let mut others = (1..=libc::SIGRTMAX()).filter(|other| *other != signal);
        // SAFETY: sigismember only reads the set, which is valid, and answers -1 for a number that is no signal's.
        let holds_others =
            others.any(|other| unsafe { libc::sigismember(&raw const action.sa_mask, other) } == 1);
        Some(Disposition { handler: action.sa_sigaction, flags: action.sa_flags, holds_others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLER: libc::sighandler_t = 0x1000;

    fn stays(handler: libc::sighandler_t, flags: libc::c_int, holds_others: bool) -> bool {
        Disposition { handler, flags, holds_others }.stays_with_ours()
    }

    #[test]
    fn one_that_is_made_as_ours_stays_with_it() {
        for others in [0, libc::SA_SIGINFO, libc::SA_NOCLDSTOP] {
            assert!(stays(HANDLER, libc::SA_RESTART | others, false));
        }
    }

    #[test]
    fn one_that_would_work_differently_does_not() {
        for flags in [0, libc::SA_SIGINFO, LOST] {
            assert!(!stays(HANDLER, flags, false), "{flags:#x}");
        }
        for lost in [libc::SA_RESETHAND, libc::SA_NODEFER, libc::SA_ONSTACK] {
            assert!(!stays(HANDLER, libc::SA_RESTART | lost, false), "{lost:#x}");
        }
        assert!(!stays(HANDLER, libc::SA_RESTART, true));
    }

    #[test]
    fn none_does_not() {
        for handler in [libc::SIG_DFL, libc::SIG_IGN] {
            assert!(!stays(handler, libc::SA_RESTART, false));
        }
    }

    #[test]
    fn the_system_tells_what_a_signal_does() {
        // Rust's runtime ignores it, and has a handler, on a stack of its own, for what follows an overflow of another.
        assert_eq!(sys::disposition(libc::SIGPIPE).unwrap().handler, libc::SIG_IGN);
        let overflow = sys::disposition(libc::SIGSEGV).unwrap();
        assert!(overflow.handler != libc::SIG_DFL && overflow.flags & libc::SA_ONSTACK != 0);
        assert!(!overflow.stays_with_ours());
        assert!(sys::disposition(0).is_none());
    }
}
