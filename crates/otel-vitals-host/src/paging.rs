//! Page faults and swapping.
//!
//! | metric | source: `/proc/vmstat` | attributes |
//! | --- | --- | --- |
//! | `system.paging.faults` | `pgmajfault`, and the rest of `pgfault` | `system.paging.fault.type` = major, minor |
//! | `system.paging.operations` | `pswpin`, `pswpout` (pages) | `system.paging.fault.type` = major; `system.paging.direction` = in, out |
//!
//! Operations move pages from and to swap. A minor fault finds its page in memory and moves none, so there are no
//! minor operations. How full swap is: see `paging_swap.rs`.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, SourceContext};

use crate::roots::Roots;

/// What `/proc/vmstat` says.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Faults since boot (faults).
    faults: Option<u64>,
    /// Faults that had to wait for a disk since boot (faults).
    major_faults: Option<u64>,
    /// Pages read from swap since boot (pages).
    swapped_in: Option<u64>,
    /// Pages written to swap since boot (pages).
    swapped_out: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

impl Reading {
    /// Faults that found their page in memory.
    fn minor_faults(&self) -> Option<u64> {
        self.faults.zip(self.major_faults).map(|(all, major)| all.saturating_sub(major))
    }

    fn is_complete(&self) -> bool {
        let Reading { faults, major_faults, swapped_in, swapped_out } = self;
        [faults, major_faults, swapped_in, swapped_out].into_iter().all(Option::is_some)
    }
}

/// Returns how many bytes it needed: what is wanted is in the first half.
fn read(bytes: &[u8], reading: &mut Reading) -> Result<usize, Malformed> {
    let mut faults = Faults::default();
    let mut needed = 0;
    for line in scan::lines(bytes) {
        needed += line.len() + 1;
        // All that is wanted begins with a p, and few of some 200 lines do.
        if !line.starts_with(b"p") {
            continue;
        }
        let mut fields = scan::fields(line);
        let value = match fields.next().unwrap_or_default() {
            b"pswpin" => &mut reading.swapped_in,
            b"pswpout" => &mut reading.swapped_out,
            b"pgfault" => &mut reading.faults,
            b"pgmajfault" => &mut reading.major_faults,
            _ => continue,
        };
        *value = faults.keep(scan::next_number(&mut fields, "a count of pages or faults"));
        if reading.is_complete() {
            break;
        }
    }
    faults.require(&reading.faults, "pgfault");
    faults.require(&reading.major_faults, "pgmajfault");
    faults.require(&reading.swapped_in, "pswpin");
    faults.require(&reading.swapped_out, "pswpout");
    faults.result().map(|()| needed)
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let mut file = KernelFile::short_records(roots.path("/proc/vmstat"));
    let source = context.source("system.vmstat", Reading::default(), move |reading: &mut Reading| {
        file.parse_beginning(|bytes| read(bytes, reading))
    });
    let [major, minor] =
        ["major", "minor"].map(|fault_type| KeyValue::new("system.paging.fault.type", fault_type));
    let directions =
        ["in", "out"].map(|direction| [major.clone(), KeyValue::new("system.paging.direction", direction)]);
    let types = [[major], [minor]];
    meter
        .u64_observable_counter("system.paging.faults")
        .with_unit("{fault}")
        .with_description("Page faults; major ones had to wait for a disk.")
        .with_callback(source.observe(move |reading, instrument| {
            for (faults, attributes) in [reading.major_faults, reading.minor_faults()].iter().zip(&types) {
                if let Some(faults) = faults {
                    instrument.observe(*faults, attributes);
                }
            }
        }))
        .build();
    meter
        .u64_observable_counter("system.paging.operations")
        .with_unit("{operation}")
        .with_description("Pages moved from and to swap.")
        .with_callback(source.observe(move |reading, instrument| {
            for (pages, attributes) in [reading.swapped_in, reading.swapped_out].iter().zip(&directions) {
                if let Some(pages) = pages {
                    instrument.observe(*pages, attributes);
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
        let outcome = read(text, &mut reading).map(drop);
        (reading, outcome)
    }

    #[test]
    fn reads_what_kernels_write() {
        let (recent, outcome) = parsed(include_bytes!("../tests/fixtures/linux-6.18-vm/proc/vmstat"));
        assert_eq!(outcome, Ok(()));
        assert!(recent.is_complete());
        assert_eq!((recent.swapped_in, recent.swapped_out), (Some(0), Some(0)));
        let (old, outcome) = parsed(include_bytes!("../tests/fixtures/linux-2.6.9/proc/vmstat"));
        assert_eq!(outcome, Ok(()));
        assert_eq!((old.major_faults, old.minor_faults()), (Some(12_704), Some(92_318_461 - 12_704)));
        assert_eq!((old.swapped_in, old.swapped_out), (Some(3_021), Some(18_884)));
    }

    #[test]
    fn a_line_that_is_missing_or_odd_costs_only_itself() {
        let (reading, outcome) = parsed(b"pswpin 1\npswpout x\npgfault 100\npgmajfault 7");
        assert_eq!(outcome.unwrap_err().found, "x");
        assert_eq!((reading.swapped_in, reading.swapped_out), (Some(1), None));
        assert_eq!((reading.major_faults, reading.minor_faults()), (Some(7), Some(93)));
        let (reading, outcome) = parsed(b"pgfault 100\npswpin");
        assert_eq!(outcome.unwrap_err().found, "the end of the line");
        assert_eq!((reading.faults, reading.minor_faults()), (Some(100), None));
    }

    #[test]
    fn what_only_begins_alike_is_not_taken() {
        let (reading, outcome) = parsed(b"pgfault_other 5\npgmajfaults 5\npswpin2 5\npgfault 1 2 3\n");
        assert_eq!(outcome.unwrap_err().expected, "pgmajfault");
        assert_eq!(reading, Reading { faults: Some(1), ..Reading::default() });
    }

    #[test]
    fn faults_read_out_of_step_do_not_go_below_zero() {
        let (reading, _) = parsed(b"pgfault 3\npgmajfault 4\n");
        assert_eq!(reading.minor_faults(), Some(0));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64),
                        text in "(pgfault|pswpin|pgmajfault| |[0-9]{1,30}|\n){0,12}") {
            let _ = (parsed(&bytes), parsed(text.as_bytes()));
        }
    }
}
