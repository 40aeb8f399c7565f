//! Where no hook tells the end of a thread, all share.

use std::ops::Range;

use crate::shard::Shard;

#[inline(always)]
pub(crate) fn own() -> Option<&'static Shard> {
    None
}

/// Nobody has anything to put aside.
pub(super) fn put_aside(_own: &'static Shard, work: impl FnOnce()) {
    work();
}

pub(super) fn held() -> Option<&'static Shard> {
    None
}

pub(super) fn lease() -> Option<&'static Shard> {
    None
}

/// Nobody has asked.
#[inline(always)]
pub(crate) fn own_stack() -> Option<Range<usize>> {
    None
}
