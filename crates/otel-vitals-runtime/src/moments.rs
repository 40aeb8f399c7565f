//! Moments as plain numbers, which atomics can hold.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime};

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now, in nanoseconds since the first call; never 0, which is free to mean none.
pub(crate) fn now() -> u64 {
    nanoseconds(ORIGIN.elapsed()).saturating_add(1)
}

/// `duration` in nanoseconds; what is longer than 584 years is as long as that.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// `nanoseconds` as metrics have them.
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

/// When `moment` was by the wall clock, in nanoseconds since 1970.
pub(crate) fn since_1970(moment: u64) -> u64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    nanoseconds(wall).saturating_sub(now().saturating_sub(moment))
}
