//! One run of a check, on a thread that is its own for as long as it takes.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time;

use super::check::Call;
use super::entry::Entry;
use super::registry::Registry;
use super::{Kind, Outcome};

const THREAD: &str = "vitals-check";

/// Runs `call` on a thread of its own; its sockets and timers are those of `runtime`.
pub(super) fn start(registry: &Arc<Registry>, entry: &Arc<Entry>, call: Call, runtime: &Handle) {
    let on_thread = {
        let (registry, entry, runtime) = (Arc::clone(registry), Arc::clone(entry), runtime.clone());
        move || run(&registry, &entry, &call, &runtime)
    };
    if let Err(error) = std::thread::Builder::new().name(THREAD.to_owned()).spawn(on_thread) {
        let reason = format!("there was no thread to run on: {error}");
        // As one that has not run, it is no reason to restart the service.
        let outcome =
            if entry.kind == Kind::Liveness { Outcome::warn(reason) } else { Outcome::fail(reason) };
        registry.ended(entry, Some(outcome), None);
    }
}

/// Runs `call` to its end, its timeout, its panic, or that of the checks. Blocks for as long as the check does.
fn run(registry: &Registry, entry: &Arc<Entry>, call: &Call, runtime: &Handle) {
    let started = Instant::now();
    let stopping = registry.stopping();
    let caught = catch_unwind(AssertUnwindSafe(|| runtime.block_on(answer(call, entry.timeout, stopping))));
    let (outcome, _panic) = match caught {
        Ok(outcome) => (outcome, None),
        Err(panic) => (Some(Outcome::fail(format!("panicked: {}", message(&*panic)))), Some(panic)),
    };
    registry.ended(entry, outcome, Some(started.elapsed()));
}

/// What the check says in time; none when nobody is to know any more.
async fn answer(call: &Call, limit: Duration, mut stopping: watch::Receiver<bool>) -> Option<Outcome> {
    let answer = async {
        let answered = time::timeout(limit, async { call().await }).await;
        answered.unwrap_or_else(|_| Outcome::fail(format!("did not answer within {limit:?}")))
    };
    tokio::select! {
        biased;
        // What is left of a run would find no timers and no sockets any more.
        _ = stopping.wait_for(|stop| *stop) => None,
        outcome = answer => Some(outcome),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}
