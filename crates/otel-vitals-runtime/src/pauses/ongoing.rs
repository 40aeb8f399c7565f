//! Pauses that are not over.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `rust.pause.ongoing.duration` | the pause monitor | `rust.pause.scope` = process, runtime; `tokio.runtime.name` |
//!
//! Of a runtime several of whose workers stand still, the longest.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::SourceContext;
use std::sync::Arc;

use super::PauseScope;
use super::monitor::Shared;
use crate::moments::seconds;
use crate::runtimes::Watched;
use crate::{Runtimes, moments};

/// One of them.
#[derive(Clone)]
pub(super) struct Ongoing {
    pub(super) watched: Arc<Watched>,
    pub(super) worker: Option<u32>,
    /// The moment when it began.
    pub(super) since: u64,
}

/// What stands still now.
#[derive(Default)]
struct Reading {
    /// How long the whole process has by now, 0 when it does not (ns).
    process: Option<u64>,
    /// How long each runtime has.
    runtimes: Vec<Row>,
}

struct Row {
    number: u64,
    attributes: [KeyValue; 2],
    duration: Option<u64>,
}

impl Row {
    fn new(watched: &Watched) -> Self {
        let [name] = &watched.attributes;
        let attributes = [scope(PauseScope::Runtime), name.clone()];
        Row { number: watched.number, attributes, duration: Some(0) }
    }
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.process = None;
        // The attributes of runtimes that are still there are used again.
        self.runtimes.iter_mut().for_each(|row| row.duration = None);
    }
}

impl std::fmt::Debug for Ongoing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Ongoing { watched, worker, since } = self;
        formatter
            .debug_struct("Ongoing")
            .field("name", &watched.name)
            .field("worker", worker)
            .field("since", since)
            .finish()
    }
}

fn read(now: u64, shared: &Shared, runtimes: &Runtimes, reading: &mut Reading) {
    let since = |moment: u64| now.saturating_sub(moment);
    reading.process = Some(shared.process_since(now).map_or(0, since));
    // Both lists are in the order in which the runtimes came.
    let mut at = 0;
    runtimes.for_each(|watched| {
        while reading.runtimes.get(at).is_some_and(|row| row.number < watched.number) {
            reading.runtimes.remove(at);
        }
        match reading.runtimes.get_mut(at).filter(|row| row.number == watched.number) {
            Some(row) => row.duration = Some(0),
            None => reading.runtimes.insert(at, Row::new(watched)),
        }
        at += 1;
    });
    reading.runtimes.truncate(at);
    for ongoing in shared.lock().iter() {
        if let Some(row) = reading.runtimes.iter_mut().find(|row| row.number == ongoing.watched.number) {
            row.duration = row.duration.max(Some(since(ongoing.since)));
        }
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext, shared: &Arc<Shared>, runtimes: &Runtimes) {
    let (shared, runtimes) = (Arc::clone(shared), runtimes.clone());
    let source = context.source("rust.pauses", Reading::default(), move |reading: &mut Reading| {
        // Once nobody watches, nothing is known.
        if !shared.is_stopped() {
            read(moments::now(), &shared, &runtimes, reading);
        }
        Ok(())
    });
    let process = [scope(PauseScope::Process)];
    meter
        .f64_observable_gauge("rust.pause.ongoing.duration")
        .with_unit("s")
        .with_description(
            "How long the process, or a runtime in it, has stood still by now; 0 when it does not.",
        )
        .with_callback(source.observe(move |reading, instrument| {
            if let Some(duration) = reading.process {
                instrument.observe(seconds(duration), &process);
            }
            for row in &reading.runtimes {
                if let Some(duration) = row.duration {
                    instrument.observe(seconds(duration), &row.attributes);
                }
            }
        }))
        .build();
}

fn scope(scope: PauseScope) -> KeyValue {
    KeyValue::new("rust.pause.scope", scope.as_str())
}
