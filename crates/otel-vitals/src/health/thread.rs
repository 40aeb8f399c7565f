//! The thread that has checks run when they are due.
//!
//! It only schedules: each run is on a thread of its own, so that a check that blocks holds up neither this thread nor another
//! check. No check runs twice at a time, so there are as many of those as checks at most. What this thread does beside is to
//! drive the timers and sockets that checks use.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time;

use super::MAX_CHECKS;
use super::registry::Registry;
use super::run;

const THREAD: &str = "vitals-health";

/// Threads for what tokio has others do for checks, such as the lookup of a name. Checks come once in a while: threads are made for
/// them and not kept.
const MAX_BLOCKING: usize = MAX_CHECKS;
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// How long runs that are cut short have to let go what they hold.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Without anything to do it is looked all the same.
const IDLE: Duration = Duration::from_secs(60);

/// Starts the thread, unless it is there, or nothing is to run any more.
pub(super) fn start(registry: &Arc<Registry>) -> io::Result<()> {
    let mut is_running = registry.thread();
    if *is_running || registry.is_stopped() {
        return Ok(());
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING)
        .thread_keep_alive(KEEP_ALIVE)
        .thread_name(THREAD)
        .build()?;
    let scheduler = Scheduler { registry: Arc::clone(registry), runtime: Some(runtime) };
    std::thread::Builder::new().name(THREAD.to_owned()).spawn(move || scheduler.run())?;
    *is_running = true;
    Ok(())
}

struct Scheduler {
    registry: Arc<Registry>,
    /// None once it is dropped.
    runtime: Option<Runtime>,
}

impl Scheduler {
    fn run(self) {
        let Some(runtime) = &self.runtime else { return };
        let _ended = Ended(&self.registry);
        runtime.block_on(async {
            tokio::select! {
                () = self.schedule(runtime.handle()) => {}
                () = terminated(&self.registry) => {}
            }
        });
        runtime.block_on(self.wait_for_runs());
    }

    /// Has checks run when they are due, until nothing is to run any more.
    async fn schedule(&self, runtime: &Handle) {
        let mut stopping = self.registry.stopping();
        while !self.registry.is_stopped() {
            let next = self.registry.run_due(|entry, call| run::start(&self.registry, &entry, call, runtime));
            let next = next.unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => {}
                () = self.registry.woken() => {}
                () = time::sleep_until(next.into()) => {}
            }
        }
    }

    /// Waits for what was cut short, as long as that may take.
    async fn wait_for_runs(&self) {
        let over = async {
            while self.registry.is_running() {
                self.registry.woken().await;
            }
        };
        let _ = time::timeout(LAST_WAIT, over).await;
    }
}

/// Tells that the thread is not there any more, whatever ended it: the next report starts another.
struct Ended<'a>(&'a Registry);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.thread_ended();
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // A check that hangs must not keep this thread, or who could not start it.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits for ever, and has a SIGTERM begin the shutdown meanwhile.
#[cfg(target_os = "linux")]
async fn terminated(registry: &Registry) {
    super::termination::begins_shutdown(registry).await;
}

#[cfg(not(target_os = "linux"))]
async fn terminated(_: &Registry) {
    std::future::pending().await
}
