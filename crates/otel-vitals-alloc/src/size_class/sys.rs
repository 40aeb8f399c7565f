//! Looking up a class without the check that it is one.
#![allow(unsafe_code)]

use super::{ByClass, Class};

impl<T> ByClass<T> {
    /// What is there for `class`.
    #[inline(always)]
    pub(crate) fn of(&self, class: Class) -> &T {
        // SAFETY: a `Class` is made in the parent module alone, by `classes`, with a number that has counted up to
        // the length of `BOUNDS` at most, which is less than `CLASSES`.
        unsafe { self.0.get_unchecked(class.index()) }
    }
}
