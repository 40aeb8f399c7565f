//! A program with a runtime on a thread of its own, which is watched as `stalled` and blocked when told.
//!
//! | command | what it does | value of the answer |
//! | --- | --- | --- |
//! | `block N` | a task blocks the runtime for N ms, and is waited for | seconds that it took, by the clock |
//! | `hold` | a task blocks the runtime until it is let go, and is waited for until it does | |
//! | `release` | lets it go | |
//! | `pauses` | | of the last 256, those of the process and those of runtimes: how many, how long, and why |

use end_to_end::script;
use otel_vitals::Vitals;
use otel_vitals::runtime::PauseScope;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle};

#[global_allocator]
static ALLOCATOR: otel_vitals::alloc::Counting = otel_vitals::alloc::Counting::system();

fn main() {
    let Some(vitals) = script::start(otel_vitals::init) else { return };
    let Ok(runtime) = Builder::new_current_thread().build() else { return };
    let mut stalled = Stalled { vitals: vitals.clone(), runtime: runtime.handle().clone(), held: None };
    thread::spawn(move || runtime.block_on(pending::<()>()));
    vitals.watch_runtime("stalled", &stalled.runtime);
    script::obey_with(vitals, |command| stalled.obey(command));
}

struct Stalled {
    vitals: Vitals,
    runtime: Handle,
    held: Option<Sender<()>>,
}

impl Stalled {
    fn obey(&mut self, command: &str) -> Option<Value> {
        let (command, number) = command.split_once(' ').unwrap_or((command, "0"));
        match command {
            "block" => return self.block(Duration::from_millis(number.parse().ok()?)),
            "hold" => {
                let (sender, released) = mpsc::channel::<()>();
                let (holds, held) = mpsc::channel();
                self.held = Some(sender);
                self.runtime.spawn(async move {
                    let _ = holds.send(());
                    released.recv()
                });
                held.recv().ok()?;
            }
            "release" => self.held = None,
            "pauses" => return Some(self.pauses()),
            _ => return None,
        }
        Some(Value::Null)
    }

    fn block(&self, time: Duration) -> Option<Value> {
        let (done, took) = mpsc::channel();
        self.runtime.spawn(async move {
            let started = Instant::now();
            thread::sleep(time);
            let _ = done.send(started.elapsed().as_secs_f64());
        });
        took.recv().ok().map(Value::from)
    }

    fn pauses(&self) -> Value {
        let last = self.vitals.pauses().last();
        let of = |scope: PauseScope| {
            let pauses = last.iter().filter(|pause| pause.scope == scope);
            let causes: BTreeSet<&str> = pauses.clone().map(|pause| pause.cause.as_str()).collect();
            let seconds = pauses.clone().map(|pause| pause.duration.as_secs_f64()).sum::<f64>();
            json!({"count": pauses.count(), "seconds": seconds, "causes": causes})
        };
        json!({"process": of(PauseScope::Process), "runtime": of(PauseScope::Runtime)})
    }
}
