//! Open file descriptors of the process.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.unix.file_descriptor.count` | size of `/proc/self/fd`; before Linux 6.2 its entries | |
//!
//! The descriptors by which this crate keeps files of `/proc` open are the process's own, and are counted.

use opentelemetry::metrics::Meter;
use otel_vitals_core::{ReadError, SourceContext, signed};

use super::directory::ProcDirectory;
use super::proc_files::ProcFiles;

/// What `/proc/self/fd` says.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Open file descriptors.
    count: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

fn read(directory: &mut ProcDirectory, reading: &mut Reading) -> Result<(), ReadError> {
    reading.count = Some(match directory.status()?.size {
        // The folder itself is open, so 0 is no count but a kernel that does not tell.
        0 => directory.entries()?,
        size => size,
    });
    Ok(())
}

pub(super) fn register(meter: &Meter, context: &SourceContext, files: &ProcFiles) {
    let mut directory = ProcDirectory::new(files.own("fd"));
    let source = context.source("process.descriptors", Reading::default(), move |reading: &mut Reading| {
        read(&mut directory, reading)
    });
    meter
        .i64_observable_up_down_counter("process.unix.file_descriptor.count")
        .with_unit("{file_descriptor}")
        .with_description("Number of UNIX file descriptors in use by the process.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(count) = reading.count {
                instrument.observe(signed(count), &[]);
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::linux::tests::Sleeper;

    #[test]
    fn size_and_entries_and_the_standard_library_agree() {
        let sleeper = Sleeper::start();
        let path = sleeper.proc("fd");
        let expected = std::fs::read_dir(&path).unwrap().count() as u64;
        assert!(expected > 0);
        let mut directory = ProcDirectory::new(path);
        let mut reading = Reading::default();
        read(&mut directory, &mut reading).unwrap();
        assert_eq!(reading.count, Some(expected));
        assert_eq!(directory.entries().unwrap(), expected);
    }

    #[test]
    fn without_a_size_the_entries_are_counted() {
        // The kernel gives this folder no size, as it gave none to `fd` before 6.2; the one thread is its entry.
        let sleeper = Sleeper::start();
        let mut directory = ProcDirectory::new(sleeper.proc("task"));
        assert_eq!(directory.status().unwrap().size, 0);
        let mut reading = Reading::default();
        read(&mut directory, &mut reading).unwrap();
        assert_eq!(reading.count, Some(1));
    }
}
