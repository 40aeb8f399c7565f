//! The thread that keeps up to date what is known of the objects that are loaded, as long as stacks are walked.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::*};
use std::thread::{self, Thread};
use std::time::Duration;

use super::{Way, catch_up, sys};
use crate::lock::Lock;

/// How often objects are looked for at most, when addresses are in none.
const REFRESH: Duration = Duration::from_millis(100);

static LEARNER: Lock<Option<Learner>> = Lock::new(None);

struct Learner {
    thread: Thread,
    is_over: Arc<AtomicBool>,
}

/// Starts it, unless there is one. It looks once, and sleeps until it is woken.
pub(super) fn start(way: Way) -> io::Result<()> {
    // Without the lock there is no telling whether there is one: a child of a fork goes without.
    let Some(mut learner) = LEARNER.lock() else { return Ok(()) };
    if learner.is_some() {
        return Ok(());
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let builder = thread::Builder::new().name("vitals-modules".into()).stack_size(256 << 10);
    let handle = builder.spawn(move || run(way, &over))?;
    *learner = Some(Learner { thread: handle.thread().clone(), is_over });
    Ok(())
}

/// Has it end.
pub(super) fn end() {
    let ended = LEARNER.lock().and_then(|mut learner| learner.take());
    if let Some(learner) = ended {
        learner.is_over.store(true, Release);
        learner.thread.unpark();
    }
}

/// Has it look for objects that were loaded. Within an allocator: it waits for nobody. In the child of a fork there is no such thread, and
/// nothing happens.
pub(super) fn wake() {
    if let Some(learner) = LEARNER.try_lock().as_deref().and_then(Option::as_ref) {
        learner.thread.unpark();
    }
}

/// Does that for a walk that has ended too early, after so many frames.
#[cold]
pub(super) fn wake_after(frames: usize) -> usize {
    wake();
    frames
}

fn run(way: Way, is_over: &AtomicBool) {
    sys::block_signals();
    while !is_over.load(Acquire) {
        let is_done = catch_up(way);
        // Whoever asks meanwhile is heard after it.
        thread::sleep(REFRESH);
        if is_done {
            thread::park();
        }
    }
}
