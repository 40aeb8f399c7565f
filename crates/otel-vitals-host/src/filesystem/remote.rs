//! File systems that may never answer, each asked by a thread of its own.
//!
//! A thread sleeps until a collection asks it, asks its file system, hands the answer over and sleeps again. It ends when
//! its mount is gone; if its file system has not answered by then, as soon as it does. While a request is under way
//! there is no other, and after one collection has waited for it in vain, none waits for it again.

use std::ffi::{CStr, CString};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use super::space::Blocks;

/// How a file system is asked.
pub(super) type Statvfs = Arc<dyn Fn(&CStr) -> io::Result<Blocks> + Send + Sync>;

/// Name of the threads, as `ps -T` shows it.
const THREAD: &str = "vitals-mount";
/// How many threads there may be in the process, those that wait for mounts which are gone included.
const MOST_THREADS: usize = 64;
static THREADS: AtomicUsize = AtomicUsize::new(0);
/// A `statvfs` and a channel need next to nothing; a profiler's signal handler, or an allocator's, a little more.
const STACK: usize = 256 << 10;

/// Starts the threads.
pub(super) struct Askers {
    statvfs: Statvfs,
    /// Living threads.
    count: &'static AtomicUsize,
}

/// Counts a thread as long as it lives.
struct Alive(&'static AtomicUsize);

impl Alive {
    /// None when there are too many already.
    fn one_more(count: &'static AtomicUsize) -> Option<Self> {
        let one_more = |alive| (alive < MOST_THREADS).then_some(alive + 1);
        count.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok().map(|_| Alive(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The thread of one mount; without this it ends.
#[derive(Debug)]
pub(super) struct Asker {
    requests: SyncSender<()>,
    answers: Receiver<io::Result<Blocks>>,
    request: Request,
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Request {
    None,
    /// Of this collection.
    Fresh,
    /// Of an earlier collection, which has waited long enough.
    Overdue,
}

impl Askers {
    pub(super) fn new(statvfs: Statvfs) -> Self {
        Askers { statvfs, count: &THREADS }
    }

    /// A thread for the file system at `path`.
    ///
    /// # Errors
    /// When there are too many already, or the system has no more.
    pub(super) fn start(&self, path: &CStr) -> io::Result<Asker> {
        let too_many = || io::Error::new(io::ErrorKind::QuotaExceeded, "too many network file systems");
        let alive = Alive::one_more(self.count).ok_or_else(too_many)?;
        let (requests, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let (path, statvfs) = (CString::from(path), Arc::clone(&self.statvfs));
        thread::Builder::new().name(THREAD.to_owned()).stack_size(STACK).spawn(move || {
            let _alive = alive;
            while asked.recv().is_ok() && answer.send(statvfs(&path)).is_ok() {}
        })?;
        Ok(Asker { requests, answers, request: Request::None })
    }
}

impl Asker {
    /// Asks, unless an earlier request is still under way.
    ///
    /// An answer that came since the last collection is as old as that, so it only shows that the thread is free.
    pub(super) fn ask(&mut self) {
        if self.request != Request::None && self.answers.try_recv().is_err() {
            self.request = Request::Overdue;
        } else if self.requests.try_send(()).is_ok() {
            self.request = Request::Fresh;
        }
    }

    /// The answer, waited for until `timeout` if it was asked for by this collection.
    ///
    /// # Errors
    /// What the file system says, or [`io::ErrorKind::TimedOut`] when it says nothing.
    pub(super) fn answer(&mut self, timeout: Duration) -> io::Result<Blocks> {
        let received = match self.request {
            Request::None => return Err(io::ErrorKind::BrokenPipe.into()),
            Request::Fresh => self.answers.recv_timeout(timeout).map_err(|error| match error {
                RecvTimeoutError::Timeout => io::ErrorKind::TimedOut,
                RecvTimeoutError::Disconnected => io::ErrorKind::BrokenPipe,
            }),
            Request::Overdue => self.answers.try_recv().map_err(|error| match error {
                TryRecvError::Empty => io::ErrorKind::TimedOut,
                TryRecvError::Disconnected => io::ErrorKind::BrokenPipe,
            }),
        };
        let answer = received?;
        self.request = Request::None;
        answer
    }
}

#[cfg(test)]
mod tests;
