//! A CPU profile says where CPU time went.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod seen;

use seen::*;
use std::thread;
use std::time::Duration;

#[test]
fn numbers() {
    let _alone = alone();
    for trigger in triggers() {
        for frequency in [100, 997] {
            let recording = start(frequency, trigger);
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| spend(Duration::from_secs(1)));
                }
            });
            let profile = recording.finish();
            eprintln!("{trigger:?} {frequency} {:?} {}", profile, profile.collapsed());
        }
    }
}
