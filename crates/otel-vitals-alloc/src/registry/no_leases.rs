//! Where no hook tells the end of a thread, nobody holds a shard.

use crate::shard::Shard;

#[derive(Debug)]
pub(crate) struct Leases;

impl Leases {
    pub(super) const fn new() -> Self {
        Leases
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Shard> {
        std::iter::empty()
    }

    pub(super) fn stacks(&self) -> u64 {
        0
    }

    pub(super) fn size(&self) -> u64 {
        0
    }
}
