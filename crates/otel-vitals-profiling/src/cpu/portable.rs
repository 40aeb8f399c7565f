//! Where there is no CPU profile.

use super::Trigger;
use crate::{Error, Profile};
use std::convert::Infallible;

#[derive(Debug)]
pub(super) struct Recording {
    none: Infallible,
}

pub(super) fn start(_frequency: u32, _trigger: Trigger) -> Result<Recording, Error> {
    Err(Error::Unavailable { what: "CPU profile", why: "Linux on x86-64 or aarch64" })
}

impl Recording {
    pub(super) fn finish(self) -> Profile {
        match self.none {}
    }
}
