//! A program on tokio's multi-threaded runtime, with two workers.
//!
//! | command | what it does | value of the answer |
//! | --- | --- | --- |
//! | `tasks N` | spawns N tasks that never end | |
//! | `compute N` | has a task compute for N ms, and waits for it | seconds that it took, by the clock |

use end_to_end::script;
use serde_json::Value;
use std::future::pending;
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

#[tokio::main(worker_threads = 2)]
async fn main() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    script::obey_with(vitals, |command| {
        let (command, number) = command.split_once(' ')?;
        let number = number.parse().ok()?;
        match command {
            "tasks" => (0..number).for_each(|_| drop(tokio::spawn(pending::<()>()))),
            "compute" => return compute(Duration::from_millis(number)).map(Value::from),
            _ => return None,
        }
        Some(Value::Null)
    });
}

fn compute(time: Duration) -> Option<f64> {
    let (done, took) = mpsc::channel();
    tokio::spawn(async move {
        let started = Instant::now();
        while started.elapsed() < time {
            std::hint::spin_loop();
        }
        let _ = done.send(started.elapsed().as_secs_f64());
    });
    took.recv().ok()
}
