//! What tasks wait for, as tokio tells in programs that are built with `--cfg tokio_unstable`.
//!
//! A runtime with one thread tells only a task of its own. One with several stops its workers to tell, and when one of them does not stop, it
//! goes on to try: its other workers then run a quarter of a second less in each turn. So it is asked once at a time.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::dump::{Backtrace, Task};
use tokio::runtime::{Dump, Handle};
use tokio::task::Id;

use super::Watched;

/// The most tasks of a runtime that are told of, and the most frames of each.
const MOST_TASKS: usize = 10_000;
const MOST_FRAMES: usize = 128;
/// How long what has been told may take to be read.
const READING: Duration = Duration::from_secs(5);

/// Numbers of the runtimes that have been asked and have not answered.
static ASKED: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// A runtime that has been asked.
pub(super) struct Asked {
    dump: Receiver<Dump>,
    /// The tasks that are ours.
    own: [Option<Id>; 2],
}

/// A question that has not been answered.
struct Question {
    watched: Arc<Watched>,
}

/// Asks a runtime, unless it has not answered the last time.
pub(super) fn ask(watched: &Arc<Watched>) -> Option<Asked> {
    let question = Question::new(watched)?;
    let (tell, dump) = sync_channel(1);
    // Not aborted when nobody waits any more: tokio goes on all the same.
    let asking = watched.handle.spawn(async move {
        let _question = question;
        let _ = tell.send(Handle::current().dump().await);
    });
    let own = [Some(asking.id()), watched.waiting.get().map(|waiting| waiting.id())];
    Some(Asked { dump, own })
}

impl Asked {
    pub(super) fn stacks(self, deadline: Instant) -> Option<Vec<Vec<u64>>> {
        let dump = self.dump.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        let until = Instant::now() + READING;
        let theirs = dump.tasks().iter().filter(|task| !self.own.contains(&Some(task.id())));
        Some(theirs.take(MOST_TASKS).take_while(|_| Instant::now() < until).map(stack).collect())
    }
}

impl Question {
    fn new(watched: &Arc<Watched>) -> Option<Self> {
        let mut asked = asked();
        if asked.contains(&watched.number) {
            return None;
        }
        asked.push(watched.number);
        watched.own_tasks.fetch_add(1, Ordering::Relaxed);
        Some(Question { watched: Arc::clone(watched) })
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        asked().retain(|number| *number != self.watched.number);
        self.watched.own_tasks.fetch_sub(1, Ordering::Relaxed);
    }
}

fn asked() -> MutexGuard<'static, Vec<u64>> {
    // The list is whole at any time.
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the task waits. One that waits for several things at once shows the first of them.
fn stack(task: &Task) -> Vec<u64> {
    // There is no other way to the addresses than with names, of which whoever shows them has better ones.
    let traces = task.trace().resolve_backtraces();
    let frames = traces.first().into_iter().flat_map(Backtrace::frames);
    // Each is where a call returns to, the innermost too: tokio itself looks from further inside.
    frames.take(MOST_FRAMES).map(|frame| (frame.ip().addr() as u64).saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pauses, Runtimes};
    use std::sync::Barrier;
    use tokio::runtime::Builder;
    use tokio::sync::Notify;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// Spawns a task that does.
    fn wait_for_an_order(runtime: &Handle) {
        let order = Arc::new(Notify::new());
        runtime.spawn(async move { order.notified().await });
    }

    fn stacks(runtimes: &Runtimes, patience: Duration) -> Option<Vec<Vec<u64>>> {
        let mut tasks = runtimes.tasks(&Pauses::default(), patience);
        tasks.pop().unwrap().stacks
    }

    /// The tasks that wait for an order have the same stack, with tokio's functions in it.
    #[track_caller]
    fn assert_all_wait(stacks: &[Vec<u64>], count: usize) {
        assert_eq!(stacks.len(), count);
        assert!(stacks.iter().all(|stack| stack.len() >= 3 && *stack == stacks[0]), "{stacks:x?}");
    }

    #[test]
    fn each_task_shows_what_it_waits_for() {
        let runtimes = Runtimes::default();
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        runtimes.watch("main", runtime.handle());
        for _ in 0..3 {
            wait_for_an_order(runtime.handle());
        }
        assert_all_wait(&stacks(&runtimes, PATIENCE).unwrap(), 3);
        assert_eq!(runtimes.alive_tasks(), 3);
    }

    #[test]
    fn a_runtime_of_one_thread_tells_as_well() {
        let runtimes = Runtimes::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (told, tell) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let runtimes = runtimes.clone();
            move || {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtimes.watch("main", runtime.handle());
                wait_for_an_order(runtime.handle());
                told.send(()).unwrap();
                let _ = runtime.block_on(stopped);
            }
        });
        tell.recv_timeout(PATIENCE).unwrap();
        assert_all_wait(&stacks(&runtimes, PATIENCE).unwrap(), 1);
        stop.send(()).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn a_runtime_that_is_stuck_is_asked_once_and_nobody_waits_for_it() {
        let runtimes = Runtimes::default();
        let runtime = Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtimes.watch("main", runtime.handle());
        let barrier = Arc::new(Barrier::new(2));
        let of_task = Arc::clone(&barrier);
        runtime.spawn(async move {
            of_task.wait();
            of_task.wait();
        });
        barrier.wait();
        assert_eq!(stacks(&runtimes, Duration::ZERO), None);
        assert_eq!(stacks(&runtimes, PATIENCE), None, "it is not asked again, so that this returns at once");
        barrier.wait();
        let deadline = Instant::now() + PATIENCE;
        while stacks(&runtimes, PATIENCE).is_none() {
            assert!(Instant::now() < deadline, "it is asked again");
            std::thread::yield_now();
        }
    }
}
