//! The atomics that are modelled: loom's where it tries every order of their accesses, else the standard library's.

#[cfg(all(loom, test))]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, fence};
#[cfg(not(all(loom, test)))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, fence};

pub(crate) use std::sync::atomic::Ordering;

/// A function that is `const`, but for loom, which counts the atomics that it makes.
macro_rules! const_unless_loom {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident() -> $type:ty $body:block) => {
        #[cfg(not(all(loom, test)))]
        $(#[$attribute])*
        $visibility const fn $name() -> $type $body
        #[cfg(all(loom, test))]
        $(#[$attribute])*
        $visibility fn $name() -> $type $body
    };
}
pub(crate) use const_unless_loom;
