//! What may never answer, such as a file system, each asked by a thread of its own.
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

/// How a file system is asked.
pub(crate) type Ask<T> = Arc<dyn Fn(&CStr) -> io::Result<T> + Send + Sync>;

/// Name of the threads, as `ps -T` shows it.
const THREAD: &str = "vitals-mount";
/// How many threads there may be in the process, those that wait for mounts which are gone included.
const MOST_THREADS: usize = 64;
static THREADS: AtomicUsize = AtomicUsize::new(0);
/// A `statvfs` and a channel need next to nothing; a profiler's signal handler, or an allocator's, a little more.
const STACK: usize = 256 << 10;

/// Starts the threads of file systems.
pub(crate) struct Askers<T> {
    ask: Ask<T>,
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

/// The thread of one mount, or of whatever else is asked; without this it ends.
#[derive(Debug)]
pub(crate) struct Asker<T> {
    requests: SyncSender<()>,
    answers: Receiver<io::Result<T>>,
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

impl<T: Send + 'static> Askers<T> {
    pub(crate) fn new(ask: Ask<T>) -> Self {
        Askers { ask, count: &THREADS }
    }

    /// A thread for the file system at `path`.
    ///
    /// # Errors
    /// When there are too many already, or the system has no more.
    pub(crate) fn start(&self, path: &CStr) -> io::Result<Asker<T>> {
        let too_many = || io::Error::new(io::ErrorKind::QuotaExceeded, "too many file systems to ask");
        let alive = Alive::one_more(self.count).ok_or_else(too_many)?;
        let (path, ask) = (CString::from(path), Arc::clone(&self.ask));
        Asker::start(THREAD, move || {
            let _alive = &alive;
            ask(&path)
        })
    }
}

impl<T: Send + 'static> Asker<T> {
    /// A thread called `name` that does `ask` whenever it is asked. It is not counted among those of file systems.
    ///
    /// # Errors
    /// When the system has no more.
    pub(crate) fn start(
        name: &str,
        mut ask: impl FnMut() -> io::Result<T> + Send + 'static,
    ) -> io::Result<Self> {
        let (requests, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let run = move || while asked.recv().is_ok() && answer.send(ask()).is_ok() {};
        thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(run)?;
        Ok(Asker { requests, answers, request: Request::None })
    }
}

impl<T> Asker<T> {
    /// Asks, unless an earlier request is still under way.
    ///
    /// An answer that came since the last collection is as old as that, so it only shows that the thread is free.
    pub(crate) fn ask(&mut self) {
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
    pub(crate) fn answer(&mut self, timeout: Duration) -> io::Result<T> {
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
