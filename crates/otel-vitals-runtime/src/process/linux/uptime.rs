//! How long the process has been running.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.uptime` | `CLOCK_BOOTTIME` less field 22 of `/proc/self/stat`, which is read once | |
//!
//! Both count the time that the machine was suspended. The kernel tells the start to a tick, which is a
//! hundredth of a second.

use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, clock};
use std::time::{Duration, SystemTime};

use super::proc_files::ProcFiles;
use super::stat;

/// How long the process has been running.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Time since the process was started.
    uptime: Option<Duration>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

/// The start of the process, counted from the boot of the machine.
fn read(bytes: &[u8], ticks_per_second: u64) -> Result<Duration, Malformed> {
    let ticks = stat::number(bytes, 22, "start time in ticks")?;
    let ticks_per_second = ticks_per_second.clamp(1, 1_000_000_000);
    let nanoseconds = ticks % ticks_per_second * 1_000_000_000 / ticks_per_second;
    Ok(Duration::from_secs(ticks / ticks_per_second) + Duration::from_nanos(nanoseconds))
}

pub(super) fn register(meter: &Meter, context: &SourceContext, files: &ProcFiles) {
    let source = context.source("process.uptime", Reading::default(), reader(files));
    meter
        .f64_observable_gauge("process.uptime")
        .with_unit("s")
        .with_description("The time the process has been running.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(uptime) = reading.uptime {
                instrument.observe(uptime.as_secs_f64(), &[]);
            }
        }))
        .build();
}

/// When the process was started, by the wall clock as it is now.
pub(super) fn creation_time(files: &ProcFiles) -> Result<SystemTime, ReadError> {
    let uptime = since(started(files)?)?;
    let now = SystemTime::now();
    now.checked_sub(uptime).ok_or_else(|| ReadError::Unavailable {
        expected: "a wall clock later than the start of the process",
        found: format!("{now:?}, {uptime:?} after it"),
    })
}

fn reader(files: &ProcFiles) -> impl FnMut(&mut Reading) -> Result<(), ReadError> + Send + 'static {
    let files = files.clone();
    let mut start = None;
    move |reading| {
        let start = match start {
            Some(start) => start,
            None => *start.insert(started(&files)?),
        };
        reading.uptime = Some(since(start)?);
        Ok(())
    }
}

fn started(files: &ProcFiles) -> Result<Duration, ReadError> {
    let mut start = Duration::ZERO;
    KernelFile::single_record(files.own("stat")).parse(|bytes| {
        start = read(bytes, clock::ticks_per_second())?;
        Ok(())
    })?;
    Ok(start)
}

fn since(start: Duration) -> Result<Duration, ReadError> {
    let now = clock::since_boot().ok_or_else(|| ReadError::last_call("clock_gettime(CLOCK_BOOTTIME)"))?;
    now.checked_sub(start).ok_or_else(|| ReadError::Unavailable {
        expected: "a start of the process before now",
        found: format!("a start {start:?} after boot, which was {now:?} ago"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stat(start: &str) -> Vec<u8> {
        format!("4711 (a b) c) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 42 0 {start} 8192 17\n").into_bytes()
    }

    #[test]
    fn reads_the_start_in_the_ticks_of_the_kernel() {
        assert_eq!(read(&stat("12345"), 100), Ok(Duration::from_millis(123_450)));
        assert_eq!(read(&stat("1024"), 1024), Ok(Duration::from_secs(1)));
        assert_eq!(read(&stat("x"), 100).unwrap_err().expected, "start time in ticks");
        assert_eq!(read(b"4711 (cut) S 1", 100).unwrap_err().found, "the end of the line");
    }

    #[test]
    fn a_start_that_is_yet_to_come_is_an_error() {
        let error = since(Duration::MAX).unwrap_err();
        assert!(error.to_string().contains("a start of the process before now"), "{error}");
    }

    #[test]
    fn the_start_is_read_once_and_until_it_is_known() {
        let root = tempfile::tempdir().unwrap();
        let files = ProcFiles::at(root.path());
        std::fs::create_dir(root.path().join("self")).unwrap();
        let mut next = reader(&files);
        let mut reading = Reading::default();
        assert!(next(&mut reading).is_err());
        assert_eq!(reading.uptime, None);
        std::fs::write(files.own("stat"), stat("0")).unwrap();
        next(&mut reading).unwrap();
        std::fs::remove_file(files.own("stat")).unwrap();
        let first = reading.uptime.unwrap();
        next(&mut reading).unwrap();
        assert!(reading.uptime.unwrap() >= first);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128), start: u64, ticks: u64) {
            let _ = read(&bytes, ticks);
            prop_assert!(read(&stat(&start.to_string()), ticks).is_ok());
        }
    }
}
