//! An allocator that does nothing, so that nothing hides what a wrapper costs.
//!
//! While it is [asked to](nothing), it gives everybody the same block, which nobody may touch, and takes it back without
//! doing anything; else it passes on to the system's. That is one look at a flag that nobody writes meanwhile, and one
//! comparison of an address to free: the same for every wrapper, on every thread, with no cache line that moves.

mod sys;

pub use sys::Null;

/// Does `work` between [`start_giving_nothing`] and [`stop_giving_nothing`].
pub fn nothing<T>(work: impl FnOnce() -> T) -> T {
    start_giving_nothing();
    let result = work();
    stop_giving_nothing();
    result
}

/// From now on, every thread of a program whose global allocator is [`Null`] is given nothing. It must not touch what it
/// allocates, nor allocate more than [`LARGEST`] bytes at a time.
pub fn start_giving_nothing() {
    sys::give_nothing(true);
}

/// From now on, what is allocated is there.
pub fn stop_giving_nothing() {
    sys::give_nothing(false);
}

/// The largest block that it pretends to give, bytes.
pub const LARGEST: usize = 64 << 10;
