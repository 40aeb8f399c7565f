//! A program whose global allocator counts nothing has no heap profile, and is told why.
#![allow(clippy::unwrap_used, reason = "a test fails when it cannot go on")]

use otel_vitals_profiling::{Error, heap};

#[test]
fn without_a_counting_allocator_there_is_no_profile() {
    let outcome = heap::install(heap::DEFAULT_INTERVAL);
    assert!(matches!(outcome, Err(Error::Unavailable { .. })), "{outcome:?}");
    assert_eq!((heap::interval(), heap::table_size()), (0, 0));
    heap::set_interval(1);
    assert_eq!(heap::interval(), 0);
    assert_eq!(heap::dropped(), heap::Dropped::default());
    assert!(heap::profile().unwrap_err().to_string().contains("heap profile"));
}
