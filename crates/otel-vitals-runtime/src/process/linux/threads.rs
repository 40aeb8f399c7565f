//! Threads of the process.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.thread.count` | links of `/proc/self/task` less 2; where it has none, `/proc/self/stat`, field 20 | |

use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, signed};

use super::directory::ProcDirectory;
use super::proc_files::ProcFiles;
use super::stat;

/// How many threads there are.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Threads that have not exited.
    count: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// A folder has two links and one more per folder in it; some kernels give a folder of `/proc` none of them.
fn read(links: u64) -> Option<u64> {
    links.checked_sub(2).filter(|threads| *threads > 0)
}

fn read_stat(bytes: &[u8]) -> Result<u64, Malformed> {
    stat::number(bytes, 20, "number of threads")
}

pub(super) fn register(meter: &Meter, context: &SourceContext, files: &ProcFiles) {
    let source = context.source("process.threads", Reading::default(), reader(files));
    meter
        .i64_observable_up_down_counter("process.thread.count")
        .with_unit("{thread}")
        .with_description("Process threads count.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(count) = reading.count {
                instrument.observe(signed(count), &[]);
            }
        }))
        .build();
}

fn reader(files: &ProcFiles) -> impl FnMut(&mut Reading) -> Result<(), ReadError> + Send + 'static {
    let mut directory = ProcDirectory::new(files.own("task"));
    let mut stat = KernelFile::single_record(files.own("stat"));
    move |reading| {
        reading.count = directory.status().ok().and_then(|status| read(status.links));
        if reading.count.is_none() {
            stat.parse(|bytes| {
                reading.count = Some(read_stat(bytes)?);
                Ok(())
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn links_tell_threads_where_the_kernel_counts_them() {
        assert_eq!((read(3), read(8)), (Some(1), Some(6)));
        assert_eq!((read(0), read(1), read(2)), (None, None, None));
    }

    #[test]
    fn reads_the_count_behind_any_program_name() {
        let recorded =
            b"4711 (tokio) 9 9 (x)) S 1 4711 4711 0 -1 4194304 1 0 0 0 5 6 0 0 20 0 17 0 999 1 2\n";
        assert_eq!(read_stat(recorded), Ok(17));
        assert_eq!(read_stat(b"4711 (cut) S 1 4711").unwrap_err().expected, "number of threads");
    }

    #[test]
    fn without_links_or_without_folder_stat_tells() {
        let root = tempfile::tempdir().unwrap();
        let files = ProcFiles::at(root.path());
        std::fs::create_dir(root.path().join("self")).unwrap();
        std::fs::write(files.own("stat"), "1 (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 42 0 7").unwrap();
        let mut next = reader(&files);
        let mut reading = Reading::default();
        next(&mut reading).unwrap();
        assert_eq!(reading.count, Some(42));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128), links: u64) {
            let _ = (read_stat(&bytes), read(links));
        }
    }
}
