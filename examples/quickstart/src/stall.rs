//! A tokio runtime that does not do well: now and then a task blocks it.

use std::io;
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};

/// The name under which it is watched.
pub(crate) const RUNTIME: &str = "stalling";

/// When the first stall comes, after the watch has seen that the runtime can do better.
const FIRST: Duration = Duration::from_millis(500);
/// Time between two.
const APART: Duration = Duration::from_secs(3);
/// How long each is.
const STALL: Duration = Duration::from_millis(250);

/// Starts the runtime on a thread of its own, for as long as the process lives.
pub(crate) fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name(RUNTIME.to_owned()).spawn(move || runtime.block_on(stalls()))?;
    Ok(handle)
}

/// What no task should do.
async fn stalls() {
    tokio::time::sleep(FIRST).await;
    for stall in [compute, thread::sleep].into_iter().cycle() {
        stall(STALL);
        tokio::time::sleep(APART).await;
    }
}

/// Takes all of a core for `time`, as a large computation does.
fn compute(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}
