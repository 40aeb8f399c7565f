//! Looking up a class without the check that it is one.
#![allow(unsafe_code)]

use super::{ByClass, Class};

impl<T> ByClass<T> {
    /// What is there for `class`.
    #[inline(always)]
    pub(crate) fn of(&self, class: Class) -> &T {
        // SAFETY: a `Class` is made in the parent module alone: `Class::UNBOUNDED`, which is `CLASSES - 1`, and by
        // `classes`, where the compiler has indexed `BOUNDS`, which is shorter than `CLASSES`, with the same number.
        unsafe { self.0.get_unchecked(class.index()) }
    }
}
