//! stats_alloc in front of any allocator.

mod sys;

pub use sys::in_front_of;
