//! Load averages.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `linux.load.average` | `/proc/loadavg`, fields 1 to 3 | `linux.load.period` = 1m, 5m, 15m |

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, SourceContext};

use crate::roots::Roots;

/// What `/proc/loadavg` says.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reading {
    /// Tasks running or waiting for a core or a disk, averaged over 1, 5 and 15 minutes (1).
    pub(crate) averages: [Option<f64>; 3],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

pub(crate) fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let mut fields = scan::fields(scan::trim(bytes));
    let mut faults = Faults::default();
    for average in &mut reading.averages {
        *average = faults.keep(load(fields.next().unwrap_or_default()));
    }
    faults.result()
}

/// The kernel prints two decimals (`12.34`).
fn load(field: &[u8]) -> Result<f64, Malformed> {
    const EXPECTED: &str = "a load average such as 0.25";
    let text =
        std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Malformed::new(EXPECTED, field))
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let mut file = KernelFile::single_record(roots.path("/proc/loadavg"));
    let source = context.source("system.load", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, reading))
    });
    let periods = ["1m", "5m", "15m"].map(|period| [KeyValue::new("linux.load.period", period)]);
    meter
        .f64_observable_gauge("linux.load.average")
        .with_unit("1")
        .with_description("Tasks that run or wait for a core or a disk, averaged over the period.")
        .with_callback(source.observe(move |reading, instrument| {
            for (average, period) in reading.averages.iter().zip(&periods) {
                if let Some(average) = average {
                    instrument.observe(*average, period);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &[u8]) -> (Reading, Result<(), Malformed>) {
        let mut reading = Reading::default();
        let outcome = read(text, &mut reading);
        (reading, outcome)
    }

    #[test]
    fn reads_what_the_kernel_writes() {
        let (reading, outcome) = parsed(b"0.52 10.58 128.00 3/1153 4711\n");
        assert_eq!(outcome, Ok(()));
        assert_eq!(reading.averages, [Some(0.52), Some(10.58), Some(128.0)]);
    }

    #[test]
    fn a_truncated_line_gives_what_it_has() {
        let (reading, outcome) = parsed(b"0.52 0.5");
        assert_eq!(reading.averages, [Some(0.52), Some(0.5), None]);
        assert_eq!(outcome.unwrap_err().expected, "a load average such as 0.25");
    }

    #[test]
    fn an_odd_value_costs_only_itself() {
        let (reading, outcome) = parsed(b"0.52 nan -1.0");
        assert_eq!(reading.averages, [Some(0.52), None, None]);
        assert_eq!(outcome.unwrap_err().found, "nan");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parsed(&bytes);
        }
    }
}
