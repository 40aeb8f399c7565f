//! How long the machine has been up.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.uptime` | `CLOCK_BOOTTIME`; `/proc/uptime` of a machine watched from a container | |

use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, clock, scan};

use crate::roots::Roots;

/// What the clock or `/proc/uptime` says.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Time since boot, suspended time included (s).
    uptime: Option<f64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.uptime = None;
    }
}

/// `<uptime> <idle time of all cores>`, in seconds with two decimals.
fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    const EXPECTED: &str = "seconds since boot such as 350735.47";
    let field = scan::fields(scan::trim(bytes)).next().unwrap_or_default();
    let text =
        std::str::from_utf8(field).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    let seconds = text.and_then(|text| text.parse().ok());
    reading.uptime = Some(seconds.ok_or_else(|| Malformed::new(EXPECTED, field))?);
    Ok(())
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let mut file = roots.foreign().map(|_| KernelFile::single_record(roots.path("/proc/uptime")));
    let source =
        context.source("system.uptime", Reading::default(), move |reading: &mut Reading| match &mut file {
            Some(file) => file.parse(|bytes| read(bytes, reading)),
            None => read_clock(reading),
        });
    meter
        .f64_observable_gauge("system.uptime")
        .with_unit("s")
        .with_description("Time since boot, suspended time included.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(uptime) = reading.uptime {
                instrument.observe(uptime, &[]);
            }
        }))
        .build();
}

fn read_clock(reading: &mut Reading) -> Result<(), ReadError> {
    let uptime = clock::since_boot().ok_or_else(|| ReadError::last_call("clock_gettime(CLOCK_BOOTTIME)"))?;
    reading.uptime = Some(uptime.as_secs_f64());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        for (text, uptime) in
            [(&b"350735.47 234388.90\n"[..], 350_735.47), (b"12.5", 12.5), (b"7 8 new", 7.0)]
        {
            let mut reading = Reading::default();
            assert_eq!(read(text, &mut reading), Ok(()));
            assert_eq!(reading.uptime, Some(uptime));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for odd in [&b""[..], b"\n", b"nan 1", b"-5.0", b"inf", b"1e9", b"1.2.3", b"."] {
            let mut reading = Reading::default();
            assert!(read(odd, &mut reading).is_err(), "{odd:?}");
            assert_eq!(reading.uptime, None);
        }
    }

    #[test]
    fn the_own_clock_runs() {
        let mut reading = Reading::default();
        read_clock(&mut reading).unwrap();
        assert!(reading.uptime.unwrap() > 0.0);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..48)) {
            let _ = read(&bytes, &mut Reading::default());
        }
    }
}
