//! What may panic and must not take us with it: what others wrote and we call.

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does what runs code of the application's, such as its subscriber to logs. One that panics costs only what was to be done.
///
/// ```
/// otel_vitals_core::quietly(|| panic!("nobody is harmed"));
/// ```
pub fn quietly(act: impl FnOnce()) {
    let _ = caught(act);
}

/// What `work` returns; nothing when it panics.
///
/// ```
/// assert_eq!(otel_vitals_core::caught(|| 7), Some(7));
/// assert_eq!(otel_vitals_core::caught(|| -> u8 { panic!("of the example") }), None);
/// ```
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // What was panicked with may panic itself when it is dropped, and so may what it does that with: that one is kept for ever.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                forget(again);
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::panic_any;

    /// Panics when it is dropped, with another of its kind.
    struct Worse;

    impl Drop for Worse {
        fn drop(&mut self) {
            panic_any(Worse);
        }
    }

    #[test]
    fn a_panic_is_nothing_whatever_it_is_with() {
        assert_eq!(caught(|| 7), Some(7));
        assert_eq!(caught(|| panic!("of the test")), None::<()>);
        assert_eq!(caught(|| panic_any(Worse)), None::<()>);
        quietly(|| panic_any(Worse));
    }
}
