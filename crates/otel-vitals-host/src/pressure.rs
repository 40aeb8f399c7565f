//! Pressure: how long tasks were stalled for want of a resource.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `linux.pressure.stall.time` | `total=` in `/proc/pressure/{cpu,memory,io,irq}` | `linux.pressure.scope` = host, `linux.pressure.resource` = cpu, memory, io, irq, `linux.pressure.kind` = some, full |
//! | | `total=` in `{cpu,memory,io,irq}.pressure` of the own control group, see `own_cgroup.rs` | the same with `linux.pressure.scope` = cgroup |
//!
//! `full` of processors is there for a control group only: of a machine it means nothing, and the kernel writes 0. Of interrupts
//! there is only `full`, and only where the kernel accounts for their time. A kernel without pressure (before 4.20, or
//! with `psi=0`) has none of it; a file that is not there is looked for again every five minutes. Control groups of
//! version 1 have no pressure.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::pressure::{Pressure, Resource};
use otel_vitals_core::{KernelFile, ReadError, Source, SourceContext};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::own_cgroup::{self, forget_meaningless};
use crate::roots::Roots;

const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// What `/proc/pressure` says.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// How long tasks of the machine have waited for each of [`Resource::ALL`].
    pressure: [Pressure; Resource::ALL.len()],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// A file that may not be there.
#[derive(Debug)]
struct PressureFile {
    file: KernelFile,
    /// When it was found not to be there.
    missed: Option<Instant>,
}

impl PressureFile {
    fn new(path: PathBuf) -> Self {
        PressureFile { file: KernelFile::single_record(path), missed: None }
    }

    fn read(&mut self, now: Instant, pressure: &mut Pressure) -> Result<(), ReadError> {
        if self.missed.is_some_and(|missed| now.saturating_duration_since(missed) < LOOK_AGAIN) {
            return Ok(());
        }
        let outcome = self.file.parse(|bytes| {
            let (told, faults) = Pressure::parse(bytes);
            *pressure = told;
            faults
        });
        match outcome {
            Err(error) if error.is_absence() => {
                self.missed = Some(now);
                Ok(())
            }
            outcome => {
                self.missed = None;
                outcome
            }
        }
    }
}

fn read(
    files: &mut [PressureFile; Resource::ALL.len()],
    now: Instant,
    reading: &mut Reading,
) -> Result<(), ReadError> {
    let mut outcome = Ok(());
    for (file, pressure) in files.iter_mut().zip(&mut reading.pressure) {
        outcome = outcome.and(file.read(now, pressure));
    }
    forget_meaningless(&mut reading.pressure);
    outcome
}

/// `own` is the control group of this process, when that is wanted too.
pub(crate) fn register(
    meter: &Meter,
    context: &SourceContext,
    roots: &Roots,
    own: Option<Source<own_cgroup::Reading>>,
) {
    let path = |resource: Resource| roots.path(&format!("/proc/pressure/{}", resource.name()));
    let mut files = Resource::ALL.map(|resource| PressureFile::new(path(resource)));
    let host = context.source("system.pressure", Reading::default(), move |reading: &mut Reading| {
        read(&mut files, Instant::now(), reading)
    });
    let (of_host, of_own) = (Attributes::new("host"), Attributes::new("cgroup"));
    meter
        .f64_observable_counter("linux.pressure.stall.time")
        .with_unit("s")
        .with_description("Time in which some or all tasks were stalled for want of a resource.")
        .with_callback(move |instrument: &dyn AsyncInstrument<f64>| {
            host.look(|reading| of_host.observe(&reading.pressure, instrument));
            if let Some(own) = &own {
                own.look(|reading| of_own.observe(&reading.pressure, instrument));
            }
        })
        .build();
}

/// The attribute sets of one scope.
struct Attributes {
    /// `some` and `full` of each of [`Resource::ALL`].
    sets: [[[KeyValue; 3]; 2]; Resource::ALL.len()],
}

impl Attributes {
    fn new(scope: &'static str) -> Self {
        let set = |resource: Resource, kind| {
            [
                KeyValue::new("linux.pressure.resource", resource.name()),
                KeyValue::new("linux.pressure.kind", kind),
                KeyValue::new("linux.pressure.scope", scope),
            ]
        };
        Attributes { sets: Resource::ALL.map(|resource| ["some", "full"].map(|kind| set(resource, kind))) }
    }

    fn observe(&self, pressure: &[Pressure; Resource::ALL.len()], instrument: &dyn AsyncInstrument<f64>) {
        for (pressure, sets) in pressure.iter().zip(&self.sets) {
            for (microseconds, attributes) in [pressure.some, pressure.full].into_iter().zip(sets) {
                if let Some(microseconds) = microseconds {
                    instrument.observe(microseconds as f64 / 1e6, attributes);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CPU: &str =
        "some avg10=0.03 avg60=0.32 avg300=1.40 total=500\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
    const IO: &str =
        "some avg10=0.03 avg60=0.32 avg300=1.40 total=70\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=60\n";

    fn files(folder: &tempfile::TempDir) -> [PressureFile; Resource::ALL.len()] {
        Resource::ALL.map(|resource| PressureFile::new(folder.path().join(resource.name())))
    }

    #[test]
    fn what_is_not_there_is_no_error_and_is_looked_for_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(&folder);
        let start = Instant::now();
        let mut next = |after: Duration| {
            let mut reading = Reading::default();
            read(&mut files, start + after, &mut reading).unwrap();
            reading.pressure.map(|pressure| (pressure.some, pressure.full))
        };
        assert_eq!(next(Duration::ZERO), [(None, None); 4]);
        fs::write(folder.path().join("cpu"), CPU).unwrap();
        fs::write(folder.path().join("io"), IO).unwrap();
        assert_eq!(next(LOOK_AGAIN - Duration::from_secs(1)), [(None, None); 4]);
        let all = [(Some(500), None), (None, None), (Some(70), Some(60)), (None, None)];
        assert_eq!(next(LOOK_AGAIN), all, "full of the machine's processors means nothing");
        assert_eq!(next(LOOK_AGAIN + Duration::from_secs(1)), all);
    }

    #[test]
    fn what_cannot_be_read_or_understood_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("cpu"), "some total=x\n").unwrap();
        fs::create_dir(folder.path().join("memory")).unwrap();
        fs::write(folder.path().join("io"), IO).unwrap();
        let mut reading = Reading::default();
        let outcome = read(&mut files(&folder), Instant::now(), &mut reading);
        assert!(outcome.unwrap_err().to_string().contains("cpu"));
        assert_eq!(reading.pressure[2], Pressure { some: Some(70), full: Some(60) });
        assert_eq!(reading.pressure[0], Pressure::default());
    }
}
