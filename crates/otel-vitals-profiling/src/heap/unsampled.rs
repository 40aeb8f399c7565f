//! Where threads are not told when a sample is due, or stacks cannot be walked.

use super::Dropped;
use crate::{Error, Profile};

const NONE: Error = Error::Unavailable { what: "heap profile", why: "it takes Linux on x86-64 or aarch64" };

pub(super) fn install(_interval: u64) -> Result<(), Error> {
    Err(NONE)
}

pub(super) fn set_interval(_interval: u64) {}

pub(super) fn interval() -> u64 {
    0
}

pub(super) fn profile() -> Result<Profile, Error> {
    Err(NONE)
}

pub(super) fn table_size() -> u64 {
    0
}

pub(super) fn samples() -> u64 {
    0
}

pub(super) fn dropped() -> Dropped {
    Dropped::default()
}
