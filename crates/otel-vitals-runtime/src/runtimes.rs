//! The tokio runtimes that are watched, each under a name of its own.

#[cfg_attr(
    all(
        tokio_unstable,
        feature = "taskdump",
        target_os = "linux",
        any(target_arch = "aarch64", target_arch = "x86_64")
    ),
    path = "runtimes/dump.rs"
)]
#[cfg_attr(
    not(all(
        tokio_unstable,
        feature = "taskdump",
        target_os = "linux",
        any(target_arch = "aarch64", target_arch = "x86_64")
    )),
    path = "runtimes/no_dump.rs"
)]
mod dump;
mod stamp;
mod tasks;

use opentelemetry::KeyValue;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

pub(crate) use stamp::{Returned, Stamp};
pub use tasks::RuntimeTasks;

/// The longest name of a runtime, in bytes; what is longer is cut.
pub(crate) const LONGEST_NAME: usize = 48;

/// The tokio runtimes that are watched. Clones share them.
///
/// A runtime leaves by itself when it is dropped or shut down: a task of ours that waits on it for ever is dropped with it.
/// Nothing here keeps a runtime running.
///
/// ```
/// use otel_vitals_runtime::Runtimes;
///
/// let runtimes = Runtimes::default();
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// runtimes.watch("background", runtime.handle());
/// assert_eq!(runtimes.names(), ["background"]);
/// drop(runtime);
/// assert!(runtimes.names().is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Runtimes {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    watched: Mutex<Vec<Arc<Watched>>>,
    /// Runtimes that were ever watched, which numbers them.
    numbers: AtomicU64,
    /// Rises with every change of `watched`.
    version: AtomicU64,
}

/// One runtime.
pub(crate) struct Watched {
    /// Unique in the life of the process, where tokio's own id is used again.
    pub(crate) number: u64,
    pub(crate) name: Arc<str>,
    pub(crate) handle: Handle,
    /// `tokio.runtime.name`.
    pub(crate) attributes: [KeyValue; 1],
    /// Tasks on it that are ours, and not the application's.
    pub(crate) own_tasks: AtomicUsize,
    pub(crate) stamp: Stamp,
    waiting: OnceLock<AbortHandle>,
}

/// The task that waits on the runtime for ever, is woken to see how long that takes, and is dropped with the runtime.
struct Waiting {
    shared: Arc<Shared>,
    watched: Arc<Watched>,
}

impl Runtimes {
    /// Watches the runtime of `handle` under `name`, which gets a number when another runtime has it (`name-1`), and is
    /// cut after 48 bytes. A runtime that is watched already keeps the name it has.
    pub fn watch(&self, name: &str, handle: &Handle) {
        let name = if name.is_empty() { "unnamed" } else { name };
        self.add(handle, |taken| (0..).find_map(|number| free(name, (number > 0).then_some(number), taken)));
    }

    /// Watches the runtime that the calling thread is in under `name` and the first number that is free: `name-0`,
    /// `name-1`, …. For services that run many runtimes that are alike, such as the workers of actix. Outside any runtime, and in one that is
    /// watched already, it does nothing.
    pub fn watch_worker(&self, name: &str) {
        if let Ok(handle) = Handle::try_current() {
            self.add(&handle, |taken| (0..).find_map(|number| free(name, Some(number), taken)));
        }
    }

    /// The names of the runtimes that are watched now, in the order in which they came.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.shared.lock().iter().map(|watched| watched.name.to_string()).collect()
    }

    /// Tasks that are alive on all of them, without those that watch.
    #[must_use]
    pub fn alive_tasks(&self) -> usize {
        self.shared.lock().iter().map(|watched| watched.alive_tasks()).sum()
    }

    /// Watches none of them any more.
    pub fn clear(&self) {
        let watched = std::mem::take(&mut *self.shared.lock());
        self.shared.changed();
        for waiting in watched.iter().filter_map(|watched| watched.waiting.get()) {
            waiting.abort();
        }
    }

    /// Calls `each` with every runtime that is watched, which must neither spawn nor drop tasks: those may be what holds a
    /// place in here.
    pub(crate) fn for_each(&self, each: impl FnMut(&Arc<Watched>)) {
        self.shared.lock().iter().for_each(each);
    }

    /// Rises whenever a runtime comes or leaves.
    pub(crate) fn version(&self) -> u64 {
        self.shared.version.load(Ordering::Acquire)
    }

    fn add(&self, handle: &Handle, name: impl FnOnce(&[Arc<Watched>]) -> Option<Arc<str>>) {
        let mut all = self.shared.lock();
        if all.iter().any(|watched| watched.handle.id() == handle.id()) {
            return;
        }
        let Some(name) = name(&all) else { return };
        let watched = Arc::new(Watched {
            number: self.shared.numbers.fetch_add(1, Ordering::Relaxed),
            attributes: [KeyValue::new("tokio.runtime.name", Arc::clone(&name))],
            name,
            handle: handle.clone(),
            own_tasks: AtomicUsize::new(1),
            stamp: Stamp::default(),
            waiting: OnceLock::new(),
        });
        all.push(Arc::clone(&watched));
        // A runtime that is shut down drops the task at once, which takes the same lock.
        drop(all);
        self.shared.changed();
        let task = Waiting { shared: Arc::clone(&self.shared), watched: Arc::clone(&watched) };
        let waiting = handle.spawn(task).abort_handle();
        let _ = watched.waiting.set(waiting.clone());
        // Cleared meanwhile, when there was nothing to abort yet.
        if !self.shared.lock().iter().any(|kept| kept.number == watched.number) {
            waiting.abort();
        }
    }
}

impl Watched {
    /// Tasks that are alive, without those that watch.
    pub(crate) fn alive_tasks(&self) -> usize {
        let own = self.own_tasks.load(Ordering::Relaxed);
        // Of a runtime that is going down ours may be the first to be over.
        self.handle.metrics().num_alive_tasks().saturating_sub(own)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Watched>>> {
        // The list is whole at any time.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.watched.stamp.run(context.waker());
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut all = self.shared.lock();
        let number = self.watched.number;
        let left = all.iter().position(|watched| watched.number == number).map(|at| all.remove(at));
        drop(all);
        // The last handle may be the last of the runtime's memory.
        if left.is_some() {
            self.shared.changed();
        }
    }
}

impl fmt::Debug for Runtimes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Runtimes").field("names", &self.names()).finish()
    }
}

/// `name` with `number`, if no runtime has it.
fn free(name: &str, number: Option<u64>, taken: &[Arc<Watched>]) -> Option<Arc<str>> {
    let suffix = number.map(|number| format!("-{number}")).unwrap_or_default();
    let name = cut(name, LONGEST_NAME - suffix.len()).to_owned() + &suffix;
    taken.iter().all(|watched| *watched.name != *name).then(|| name.into())
}

/// As much of `text` as has room in `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::{Builder, Runtime};

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn names_are_unique_and_the_first_one_stays() {
        let runtimes = Runtimes::default();
        let alike = [runtime(), runtime(), runtime()];
        for runtime in &alike {
            runtimes.watch("db", runtime.handle());
            runtimes.watch("again", runtime.handle());
        }
        assert_eq!(runtimes.names(), ["db", "db-1", "db-2"]);
        drop(alike);
        assert!(runtimes.names().is_empty());
    }

    #[test]
    fn workers_are_numbered_from_zero_and_numbers_are_used_again() {
        let runtimes = Runtimes::default();
        let mut workers: Vec<_> = (0..3).map(|_| runtime()).collect();
        for worker in &workers {
            worker.block_on(async { runtimes.watch_worker("worker") });
        }
        assert_eq!(runtimes.names(), ["worker-0", "worker-1", "worker-2"]);
        drop(workers.remove(1));
        let worker = runtime();
        worker.block_on(async { runtimes.watch_worker("worker") });
        assert_eq!(runtimes.names(), ["worker-0", "worker-2", "worker-1"]);
        runtimes.watch_worker("outside");
        assert_eq!(runtimes.names().len(), 3);
    }

    #[test]
    fn one_that_is_shut_down_is_not_watched() {
        let runtimes = Runtimes::default();
        let handle = {
            let runtime = runtime();
            runtime.handle().clone()
        };
        runtimes.watch("late", &handle);
        assert!(runtimes.names().is_empty());
    }

    #[test]
    fn clearing_lets_go_of_the_runtimes() {
        let runtimes = Runtimes::default();
        let runtime = runtime();
        runtimes.watch("main", runtime.handle());
        let version = runtimes.version();
        runtimes.clear();
        assert!(runtimes.names().is_empty() && runtimes.version() > version);
        runtime.block_on(tokio::task::yield_now());
        assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    }

    #[test]
    fn long_names_are_cut_between_characters_and_empty_ones_are_named() {
        let runtimes = Runtimes::default();
        let alike = [runtime(), runtime(), runtime()];
        runtimes.watch(&"ä".repeat(40), alike[0].handle());
        runtimes.watch(&"ä".repeat(40), alike[1].handle());
        runtimes.watch("", alike[2].handle());
        assert_eq!(runtimes.names(), ["ä".repeat(24), "ä".repeat(23) + "-1", "unnamed".to_owned()]);
    }
}
