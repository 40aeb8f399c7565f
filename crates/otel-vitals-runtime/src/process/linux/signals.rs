//! Signals that wait to be delivered.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `process.signals_pending` (opt-in) | bits of `ShdPnd` and `SigPnd` of `/proc/self/status` | |
//!
//! `ShdPnd` is what was sent to the process, `SigPnd` what was sent to its main thread; what was sent to another
//! thread is not in them. The kernel tells which signals wait, not how often each was sent.

use opentelemetry::metrics::Meter;
use otel_vitals_core::{KernelFile, Malformed, SourceContext, scan, signed};

use super::proc_files::ProcFiles;

/// What `/proc/self/status` says of signals.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    /// Signals that wait for the process or its main thread.
    pending: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        *self = Reading::default();
    }
}

fn read(bytes: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let mut masks = [(&b"SigPnd:"[..], None), (b"ShdPnd:", None)];
    for line in scan::lines(bytes) {
        for (key, pending) in &mut masks {
            if let Some(mask) = line.strip_prefix(*key) {
                *pending = Some(bits(scan::trim(mask))?);
            }
        }
        if masks.iter().all(|(_, pending)| pending.is_some()) {
            break;
        }
    }
    // A sum of which a part is unknown is unknown.
    let [(_, main_thread), (_, process)] = masks;
    let both = main_thread.zip(process);
    let (main_thread, process) = both.ok_or_else(|| Malformed::new("SigPnd and ShdPnd", bytes))?;
    reading.pending = Some(main_thread + process);
    Ok(())
}

/// Bits set in a mask of hexadecimal digits, of which some architectures have more than 16.
fn bits(mask: &[u8]) -> Result<u64, Malformed> {
    let malformed = || Malformed::new("a mask of signals", mask);
    if mask.is_empty() {
        return Err(malformed());
    }
    mask.iter().try_fold(0, |bits, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or_else(malformed)?;
        Ok(bits + u64::from(digit.count_ones()))
    })
}

pub(super) fn register(meter: &Meter, context: &SourceContext, files: &ProcFiles) {
    let mut file = KernelFile::single_record(files.own("status"));
    let source = context.source("process.signals", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, reading))
    });
    meter
        .i64_observable_up_down_counter("process.signals_pending")
        .with_unit("{signal}")
        .with_description("Number of pending signals for the process.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(pending) = reading.pending {
                instrument.observe(signed(pending), &[]);
            }
        }))
        .build();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &[u8]) -> (Option<u64>, Result<(), Malformed>) {
        let mut reading = Reading::default();
        let outcome = read(text, &mut reading);
        (reading.pending, outcome)
    }

    #[test]
    fn reads_what_the_kernel_writes() {
        let recorded = b"Name:\tcat\nSigQ:\t1/385687\nSigPnd:\t0000000000000200\n\
            ShdPnd:\t0000000000000a00\nSigBlk:\tffffffffffffffff\nThreads:\t1\n";
        assert_eq!(parsed(recorded), (Some(3), Ok(())));
    }

    #[test]
    fn counts_masks_of_any_length() {
        let long = b"SigPnd:\tffffffffffffffffffffffffffffffff\nShdPnd:\t0\n";
        assert_eq!(parsed(long), (Some(128), Ok(())));
    }

    #[test]
    fn half_a_count_is_no_count() {
        let (pending, outcome) = parsed(b"SigPnd:\t0000000000000200\nShdP");
        assert_eq!(pending, None);
        assert_eq!(outcome.unwrap_err().expected, "SigPnd and ShdPnd");
        for odd in [&b"SigPnd:\t\nShdPnd:\t1\n"[..], b"SigPnd:\t1\nShdPnd:\t0x1\n"] {
            let (pending, outcome) = parsed(odd);
            assert_eq!(pending, None);
            assert_eq!(outcome.unwrap_err().expected, "a mask of signals");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = parsed(&bytes);
            let _ = parsed(&[b"SigPnd:", &bytes[..]].concat());
        }
    }
}
