//! Waiting for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Far above what it takes on a busy machine, because it is only ever
/// spent whole by a test that fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// What `condition` gives, once it gives something. Panics, naming `what` was waited for, after [`PATIENCE`].
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(BETWEEN_LOOKS);
    }
}
