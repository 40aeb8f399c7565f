//! What the process has moved to and from disks.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.disk.io` | `/proc/self/io`, `read_bytes` and `write_bytes` | `disk.io.direction` = read, write |
//! | `process.disk.operations` (opt-in) | `/proc/self/io`, `syscr` and `syscw` | `disk.io.direction` = read, write |
//!
//! Bytes are counted where they reach a block device: reading from the page cache counts nothing, and writing
//! counts when it dirties a page, even if the file is deleted before that page is written. The kernel adds what
//! exited children did once the process has waited for them. Operations are system calls of the read and write
//! families, whatever they reach: files, pipes or sockets.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, SourceContext};

use super::proc_files::ProcFiles;
use crate::ProcessOptions;

/// What `/proc/self/io` says; every total counts from the start of the process.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Bytes fetched from and sent to block devices.
    bytes: [Option<u64>; 2],
    /// System calls that read and that write.
    calls: [Option<u64>; 2],
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let Reading { bytes: [read, written], calls: [reads, writes] } = reading;
    let mut wanted = [
        (&b"read_bytes:"[..], "read_bytes: bytes read", read),
        (b"write_bytes:", "write_bytes: bytes written", written),
        (b"syscr:", "syscr: system calls that read", reads),
        (b"syscw:", "syscw: system calls that write", writes),
    ];
    let mut faults = Faults::default();
    for line in scan::lines(bytes) {
        for (key, expected, total) in &mut wanted {
            if let Some(value) = line.strip_prefix(*key) {
                **total = faults.keep(scan::number(scan::trim(value), expected));
            }
        }
    }
    for (_, expected, total) in wanted {
        faults.require(total, expected);
    }
    faults.result()
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &ProcessOptions, files: &ProcFiles) {
    let mut file = KernelFile::single_record(files.own("io"));
    let source = context.source("process.disk", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, reading))
    });
    let directions = ["read", "write"].map(|direction| [KeyValue::new("disk.io.direction", direction)]);
    let attributes = directions.clone();
    meter
        .u64_observable_counter("process.disk.io")
        .with_unit("By")
        .with_description("Disk bytes transferred.")
        .with_callback(source.observe(move |reading, instrument| {
            for (bytes, direction) in reading.bytes.iter().zip(&attributes) {
                if let Some(bytes) = bytes {
                    instrument.observe(*bytes, direction);
                }
            }
        }))
        .build();
    if !options.disk_operations {
        return;
    }
    meter
        .u64_observable_counter("process.disk.operations")
        .with_unit("{operation}")
        .with_description(
            "Number of disk operations performed by the process, approximated by its read and write system \
             calls, whatever they reach.",
        )
        .with_callback(source.observe(move |reading, instrument| {
            for (calls, direction) in reading.calls.iter().zip(&directions) {
                if let Some(calls) = calls {
                    instrument.observe(*calls, direction);
                }
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECORDED: &[u8] = b"rchar: 8403637\nwchar: 8388702\nsyscr: 35\nsyscw: 11\nread_bytes: 262144\n\
        write_bytes: 8396800\ncancelled_write_bytes: 4096\n";

    fn parsed(text: &[u8]) -> (Reading, Result<(), Malformed>) {
        let mut reading = Reading::default();
        let outcome = read(text, &mut reading);
        (reading, outcome)
    }

    #[test]
    fn reads_what_the_kernel_writes() {
        let (reading, outcome) = parsed(RECORDED);
        assert_eq!(outcome, Ok(()));
        assert_eq!(reading.bytes, [Some(262_144), Some(8_396_800)]);
        assert_eq!(reading.calls, [Some(35), Some(11)]);
    }

    #[test]
    fn new_lines_do_not_matter() {
        let (reading, outcome) = parsed(&[b"new_bytes: many\nno colon\n", RECORDED].concat());
        assert_eq!((reading, outcome), (parsed(RECORDED).0, Ok(())));
    }

    #[test]
    fn a_kernel_without_byte_counts_costs_only_those() {
        let (reading, outcome) = parsed(b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\n");
        assert_eq!((reading.bytes, reading.calls), ([None, None], [Some(3), Some(4)]));
        assert_eq!(outcome.unwrap_err().expected, "read_bytes: bytes read");
    }

    #[test]
    fn an_odd_or_truncated_value_costs_only_itself() {
        let (reading, outcome) = parsed(b"syscr: 3\nsyscw: -4\nread_bytes: 5\nwrite_bytes:");
        assert_eq!((reading.bytes, reading.calls), ([Some(5), None], [Some(3), None]));
        assert_eq!(outcome.unwrap_err().found, "-4");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parsed(&bytes);
            let _ = parsed(&[b"syscr:", &bytes[..]].concat());
        }
    }
}
