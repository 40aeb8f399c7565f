//! How long a ready task waits until it runs.
//!
//! A task of ours sleeps on every watched runtime. The ticker wakes it, which makes it ready, and notes when; the task
//! notes when it runs. It is woken again only after it has run, so that there is one stamp at a time whatever the
//! runtime does, and waking it allocates nothing.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::Waker;
use std::thread::Thread;
use tokio::runtime::worker_index;

use crate::moments;

/// The stamp of one runtime. Times are [moments](crate::moments); 0 is none.
#[derive(Default)]
pub(crate) struct Stamp {
    /// Wakes the task; there once the runtime has run it for the first time.
    waker: OnceLock<Waker>,
    sent: AtomicU64,
    /// From when on the stamp is late, which its return then tells the ticker at once.
    late: AtomicU64,
    ran: AtomicU64,
    worker: AtomicU64,
    thread: AtomicU32,
    ticker: OnceLock<Thread>,
}

/// So many nanoseconds to wake a task are too many.
const SLOW: u64 = 1_000_000;

/// A stamp that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) sent: u64,
    pub(crate) ran: u64,
    /// Who ran it: tokio's index of the worker.
    pub(crate) worker: Option<usize>,
    /// And the kernel's number of its thread, where the system has one.
    pub(crate) thread: Option<u32>,
}

impl Stamp {
    /// Makes the task ready, if the one before has been [taken](Stamp::take) and the runtime has begun to run. Returns
    /// when, if so.
    pub(crate) fn send(&self, late_after: u64, ticker: &Thread) -> Option<u64> {
        let waker = self.waker.get().filter(|_| self.sent.load(Ordering::Relaxed) == 0)?;
        self.ticker.get_or_init(|| ticker.clone());
        let now = moments::now();
        self.late.store(now.saturating_add(late_after), Ordering::Relaxed);
        self.ran.store(0, Ordering::Relaxed);
        self.sent.store(now, Ordering::Release);
        waker.wake_by_ref();
        // Where the ticker itself lost its core in here, the runtime is not to blame for it.
        let woken = moments::now();
        let sent = if woken - now > SLOW { woken } else { now };
        self.sent.store(sent, Ordering::Relaxed);
        Some(sent)
    }

    /// The stamp that came back since, once.
    pub(crate) fn take(&self) -> Option<Returned> {
        let ran = self.ran.load(Ordering::Acquire);
        let sent = self.sent.load(Ordering::Relaxed);
        if sent == 0 || ran == 0 {
            return None;
        }
        let thread = self.thread.load(Ordering::Relaxed);
        let returned = Returned {
            sent,
            ran,
            worker: self
                .worker
                .load(Ordering::Relaxed)
                .checked_sub(1)
                .and_then(|worker| worker.try_into().ok()),
            thread: (thread != 0).then_some(thread),
        };
        self.sent.store(0, Ordering::Relaxed);
        Some(returned)
    }

    /// The runtime runs the task.
    pub(super) fn run(&self, waker: &Waker) {
        let sent = self.sent.load(Ordering::Acquire);
        if sent != 0 && self.ran.load(Ordering::Relaxed) == 0 {
            let now = moments::now();
            self.worker.store(worker_index().map_or(0, |worker| worker as u64 + 1), Ordering::Relaxed);
            self.thread.store(thread_number(), Ordering::Relaxed);
            self.ran.store(now, Ordering::Release);
            if now > self.late.load(Ordering::Relaxed)
                && let Some(ticker) = self.ticker.get()
            {
                ticker.unpark();
            }
        }
        // A task keeps its waker for life.
        self.waker.get_or_init(|| waker.clone());
    }
}

#[cfg(target_os = "linux")]
fn thread_number() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}

#[cfg(not(target_os = "linux"))]
fn thread_number() -> u32 {
    0
}
