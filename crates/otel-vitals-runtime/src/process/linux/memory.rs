//! Memory of the process.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.memory.usage` | `/proc/self/statm`, field 2 | |
//! | `process.memory.virtual` | `/proc/self/statm`, field 1 | |
//! | `process.memory.utilization` (opt-in) | usage by `MemTotal` of `/proc/meminfo`, read once | |
//!
//! The kernel keeps the resident size in parts, one per CPU (before 6.2, per thread), and most versions do not
//! add up the last of each part for this file: it may be off by some dozens of pages for each.

use opentelemetry::metrics::Meter;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, clock};

use super::proc_files::ProcFiles;
use crate::ProcessOptions;
use crate::process::memory::{self, Memory as Reading};

const USAGE: &str = "The amount of physical memory in use, to some dozens of pages per CPU.";

fn read(bytes: &[u8], page_size: u64, reading: &mut Reading) -> Result<(), Malformed> {
    let mut fields = scan::fields(scan::trim(bytes));
    let mut faults = Faults::default();
    let mut size = |expected| {
        let pages = scan::next_number(&mut fields, expected)?;
        pages.checked_mul(page_size).ok_or_else(|| Malformed::new(expected, bytes))
    };
    reading.mapped = faults.keep(size("pages of address space"));
    reading.usage = faults.keep(size("resident pages"));
    faults.result()
}

/// The physical memory of the machine (By), from the bytes of `/proc/meminfo`.
fn read_total(bytes: &[u8]) -> Result<u64, Malformed> {
    const EXPECTED: &str = "MemTotal in kB";
    let total = scan::lines(bytes).find_map(|line| line.strip_prefix(b"MemTotal:"));
    let total = total.ok_or_else(|| Malformed::new(EXPECTED, bytes))?;
    let kilobytes = scan::next_number(&mut scan::fields(total), EXPECTED)?;
    let bytes = kilobytes.checked_mul(1024).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| Malformed::new(EXPECTED, total))
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions, files: &ProcFiles) {
    let source = context.source("process.memory", Reading::default(), reader(options, files));
    memory::declare(meter, &source, options, USAGE, |reading| reading);
}

fn reader(
    options: &ProcessOptions,
    files: &ProcFiles,
) -> impl FnMut(&mut Reading) -> Result<(), ReadError> + Send + 'static {
    let page_size = clock::page_size();
    let mut statm = KernelFile::single_record(files.own("statm"));
    let meminfo = options.memory_utilization.then(|| files.machine("meminfo"));
    let mut total = None;
    move |reading| {
        statm.parse(|bytes| read(bytes, page_size, reading))?;
        let Some(meminfo) = &meminfo else { return Ok(()) };
        if total.is_none() {
            KernelFile::single_record(meminfo).parse(|bytes| {
                total = Some(read_total(bytes)?);
                Ok(())
            })?;
        }
        reading.utilization = reading.usage.zip(total).map(|(usage, total)| usage as f64 / total as f64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &[u8]) -> (Reading, Result<(), Malformed>) {
        let mut reading = Reading::default();
        let outcome = read(text, 4096, &mut reading);
        (reading, outcome)
    }

    #[test]
    fn reads_what_the_kernel_writes() {
        let (reading, outcome) = parsed(b"765 443 414 5 0 123 0\n");
        assert_eq!(outcome, Ok(()));
        assert_eq!((reading.mapped, reading.usage), (Some(765 * 4096), Some(443 * 4096)));
    }

    #[test]
    fn new_columns_do_not_matter_and_missing_ones_cost_only_themselves() {
        let (reading, outcome) = parsed(b"1 2 3 4 5 6 7 8 9 what next");
        assert_eq!((reading.usage, outcome), (Some(2 * 4096), Ok(())));
        let (reading, outcome) = parsed(b"765");
        assert_eq!((reading.mapped, reading.usage), (Some(765 * 4096), None));
        assert_eq!(outcome.unwrap_err().expected, "resident pages");
        let (reading, outcome) = parsed(b"-1 443 414");
        assert_eq!((reading.mapped, reading.usage), (None, Some(443 * 4096)));
        assert_eq!(outcome.unwrap_err().found, "-1");
    }

    #[test]
    fn a_size_beyond_64_bits_is_absent() {
        let (reading, outcome) = parsed(b"18446744073709551615 443");
        assert_eq!((reading.mapped, reading.usage), (None, Some(443 * 4096)));
        assert!(outcome.is_err());
    }

    #[test]
    fn finds_the_physical_memory_wherever_it_stands() {
        assert_eq!(read_total(b"MemTotal:       24684084 kB\nMemFree: 1 kB\n"), Ok(24_684_084 * 1024));
        assert_eq!(read_total(b"New: 1 kB\nMemTotal: 2 kB"), Ok(2048));
        for odd in [&b""[..], b"MemFree: 1 kB\n", b"MemTotal:\n", b"MemTotal: x kB", b"MemTotal: 0 kB"] {
            assert_eq!(read_total(odd).unwrap_err().expected, "MemTotal in kB", "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parsed(&bytes);
            let _ = read_total(&bytes);
            let _ = read_total(&[b"MemTotal:", &bytes[..]].concat());
        }
    }
}
