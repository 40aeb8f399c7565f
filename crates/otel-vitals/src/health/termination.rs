//! A SIGTERM begins the shutdown, in a program that catches it.
//!
//! A handler of ours in a program without one would change what the signal does, which is to end it. So it is looked in
//! `/proc/self/status` whether the program has one, and then listened along: tokio calls the handler that was there before, too. The
//! program's own, if it is made later, replaces ours, and works as if there were none.

use otel_vitals_core::{KernelFile, scan};
use std::future;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time;

use super::registry::Registry;

/// How often it is looked for a handler: often at first, when services make theirs.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(10);

/// Never returns.
pub(super) async fn begins_shutdown(registry: &Registry) {
    let mut status = KernelFile::any_records("/proc/self/status");
    let mut wait = FIRST;
    while !status.read().is_ok_and(is_caught) {
        time::sleep(wait).await;
        wait = (wait + wait / 8).min(LAST);
    }
    // In a system that refuses a handler the program says itself when it ends.
    if let Ok(mut terminations) = signal(SignalKind::terminate()) {
        while terminations.recv().await.is_some() {
            registry.begin_shutdown();
        }
    }
    future::pending().await
}

/// Whether `/proc/self/status` says that SIGTERM is caught: a bit of a mask in hexadecimal digits, of which some
/// architectures have more than 16.
fn is_caught(status: &[u8]) -> bool {
    // Of SIGTERM, which is 15: the third bit of the fourth digit from the right.
    const DIGIT: usize = 3;
    const BIT: u32 = 1 << 2;
    let mask = scan::lines(status).find_map(|line| line.strip_prefix(b"SigCgt:")).map(scan::trim);
    let digit = mask.and_then(|mask| mask.iter().rev().nth(DIGIT));
    digit.and_then(|digit| char::from(*digit).to_digit(16)).is_some_and(|digit| digit & BIT != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_says_whether_the_signal_is_caught() {
        let caught = |mask: &str| is_caught(format!("Name:\tx\nSigCgt:\t{mask}\nCapInh:\t0\n").as_bytes());
        assert!(caught("0000000000004000"));
        assert!(caught("0000000180014a03") == (0x0001_4a03 & 0x4000 != 0));
        assert!(caught("ffffffffffffffff"));
        assert!(!caught("0000000000000000"));
        assert!(!caught("ffffffffffffbfff"));
        assert!(caught("00000000000000000000000000004000"), "as on MIPS");
    }

    #[test]
    fn what_makes_no_sense_says_no() {
        for status in
            [&b""[..], b"SigCgt:", b"SigCgt:\t40", b"SigCgt:\tzzzzzzzz", b"SigIgn:\t0000000000004000\n"]
        {
            assert!(!is_caught(status));
        }
    }
}
