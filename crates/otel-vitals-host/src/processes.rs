//! Processes and tasks, counted by the kernel.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.process.created` | `/proc/stat`, line `processes` | |
//! | `system.process.count` | `/proc/stat`, line `procs_running` | `process.state` = running |
//! | `system.process.limit` | `/proc/sys/kernel/threads-max` | |
//!
//! The kernel counts tasks, which are processes and their threads. It keeps no count of those that sleep, are
//! stopped or defunct: that would need a walk over all processes, which costs milliseconds, so these states are
//! absent. The reading of `/proc/stat` is that of `kernel_stat.rs`.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, Source, SourceContext, scan, signed};

use crate::kernel_stat;
use crate::roots::Roots;

/// What `/proc/sys/kernel/threads-max` says.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Most tasks that may be at a time (tasks).
    limit: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.limit = None;
    }
}

fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    reading.limit = Some(scan::number(scan::trim(bytes), "a number of threads")?);
    Ok(())
}

pub(crate) fn register(
    meter: &Meter,
    context: &SourceContext,
    roots: &Roots,
    stat: &Source<kernel_stat::Reading>,
) {
    meter
        .u64_observable_counter("system.process.created")
        .with_unit("{process}")
        .with_description("Processes and threads created since boot.")
        .with_callback(stat.observe(|reading, instrument| {
            if let Some(created) = reading.created {
                instrument.observe(created, &[]);
            }
        }))
        .build();
    let running_state = [KeyValue::new("process.state", "running")];
    meter
        .i64_observable_up_down_counter("system.process.count")
        .with_unit("{process}")
        .with_description("Tasks that run or wait for a core; other states are not counted.")
        .with_callback(stat.observe(move |reading, instrument| {
            if let Some(running) = reading.running {
                instrument.observe(signed(running), &running_state);
            }
        }))
        .build();
    let mut file = KernelFile::single_record(roots.path("/proc/sys/kernel/threads-max"));
    let limit = context.source("system.process.limit", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, reading))
    });
    meter
        .i64_observable_up_down_counter("system.process.limit")
        .with_unit("{thread}")
        .with_description("Most processes and threads that may be at a time.")
        .with_callback(limit.observe(|reading, instrument| {
            if let Some(limit) = reading.limit {
                instrument.observe(signed(limit), &[]);
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_the_limit_or_says_what_is_there_instead() {
        let mut reading = Reading::default();
        assert_eq!(read(b"192661\n", &mut reading), Ok(()));
        assert_eq!(reading.limit, Some(192_661));
        for odd in [&b""[..], b"many\n", b"-1\n", b"1 2\n"] {
            let mut reading = Reading::default();
            assert_eq!(read(odd, &mut reading).unwrap_err().expected, "a number of threads");
            assert_eq!(reading.limit, None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..32)) {
            let _ = read(&bytes, &mut Reading::default());
        }
    }
}
