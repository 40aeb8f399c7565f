//! The wrapper.

mod sys;

use std::alloc::System;
use std::any::TypeId;

use crate::introspect::{self, Introspect, Introspection};
use crate::shard::Shard;
use crate::thread;

/// A global allocator that counts what it passes on to another.
///
/// ```
/// use otel_vitals_alloc::Counting;
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting::system();
/// ```
///
/// Any allocator can be behind it, each method of which is called as it is here, so that what the inner allocator does
/// well (growing in place, zeroed pages) it still does.
///
#[cfg_attr(
    feature = "jemalloc",
    doc = r#"
```
use otel_vitals_alloc::Counting;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

fn main() {
    assert_eq!(otel_vitals_alloc::allocator().unwrap().name(), "jemalloc");
}
```
"#
)]
/// [`counts`](crate::counts) tells what has been counted.
#[derive(Debug)]
pub struct Counting<A = System> {
    inner: A,
    introspection: Option<&'static Introspection>,
}

impl Counting {
    /// Counts what the system's allocator is asked for: malloc of the C library, on Unix.
    #[must_use]
    pub const fn system() -> Self {
        Counting::new(System)
    }
}

impl<A> Counting<A> {
    /// Counts what `inner` is asked for.
    ///
    /// What [`allocator`](crate::allocator) tells of it is known of [`System`], of jemalloc and mimalloc with the
    /// features of those names; see [`introspected`](Counting::introspected) for others.
    #[must_use]
    pub const fn new(inner: A) -> Self {
        Counting { inner, introspection: None }
    }

    /// Counts what `inner` is asked for, which tells what it holds by its own [`Introspect`].
    #[must_use]
    pub const fn introspected(inner: A) -> Self
    where
        A: Introspect,
    {
        Counting { inner, introspection: Some(const { &Introspection::of::<A>() }) }
    }

    /// The allocator behind it.
    #[must_use]
    pub const fn inner(&self) -> &A {
        &self.inner
    }
}

/// What comes once in the life of a thread, next to always. `own` is what that has tried to count on.
impl<A: 'static> Counting<A> {
    #[cold]
    #[inline(never)]
    fn allocated(&self, own: Option<&'static Shard>, block: *mut u8, size: usize) -> *mut u8 {
        self.tell();
        thread::allocated(own, block.addr(), size);
        block
    }

    #[cold]
    #[inline(never)]
    fn reallocated(&self, own: Option<&'static Shard>, block: *mut u8, old: usize, new: usize) -> *mut u8 {
        self.tell();
        thread::reallocated(own, block.addr(), old, new);
        block
    }

    #[cold]
    fn tell(&self) {
        introspect::install(self.introspection.unwrap_or_else(|| introspect::known(TypeId::of::<A>())));
    }
}
