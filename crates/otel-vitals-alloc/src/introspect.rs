//! What is behind the wrapper, and what that holds.

#[cfg(feature = "jemalloc")]
mod jemalloc;
#[cfg(feature = "mimalloc")]
mod mimalloc;
mod sys;
mod system;

use std::alloc::System;
use std::any::TypeId;
use std::fmt;

/// An allocator that tells what it holds.
///
/// Its functions are the type's and not a value's, because a global allocator is one of its kind.
///
/// Implemented for [`System`], and with the features `jemalloc` and `mimalloc` for `tikv_jemallocator::Jemalloc` and
/// `mimalloc::MiMalloc`; there it is said what each tells and what it cannot tell apart. Implement it for another
/// allocator and wrap that with [`Counting::introspected`](crate::Counting::introspected).
///
/// ```
/// use otel_vitals_alloc::{Introspect, Memory, Untold};
///
/// struct Arena;
///
/// impl Introspect for Arena {
///     const NAME: &'static str = "arena";
///
///     fn memory(used: u64) -> Result<Memory, Untold> {
///         let mut memory = Memory::default();
///         memory.allocated = Some(used);
///         memory.cached = Some((1 << 30) - used);
///         Ok(memory)
///     }
/// }
/// ```
pub trait Introspect {
    /// What the allocator is called: the value of `rust.allocator.name`.
    const NAME: &'static str;

    /// What the allocator holds, where `used` bytes are allocated and not freed, as they were asked for.
    ///
    /// It is called at every collection, on a thread of ours, and must be cheap: no walk through free blocks.
    ///
    /// # Errors
    /// [`Untold`] when the allocator does not answer.
    fn memory(used: u64) -> Result<Memory, Untold>;

    /// The same as it was gathered last, for an allocator that takes locks to gather: this must take none that a thread
    /// which allocates could wait for.
    ///
    /// # Errors
    /// [`Untold`] when the allocator does not answer.
    fn memory_gathered(used: u64) -> Result<Memory, Untold> {
        Self::memory(used)
    }
}

/// Memory that an allocator holds, in bytes. What it does not tell is none.
///
/// The first five are disjoint: what of them is there sums up to the address space that the allocator has got from the
/// system and not given back, as far as it tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// In blocks that the program has.
    pub allocated: Option<u64>,
    /// In pages of which some blocks are allocated, and not in those.
    pub fragmented: Option<u64>,
    /// In the allocator's own tables.
    pub metadata: Option<u64>,
    /// Free and kept for the next allocation.
    pub cached: Option<u64>,
    /// Address space without memory behind it.
    pub retained: Option<u64>,
    /// In pages of which some blocks are allocated: what Go calls `HeapInuse`.
    pub in_use: Option<u64>,
}

/// An allocator did not tell what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    expected: &'static str,
    found: String,
}

/// What is known of a kind of allocator.
#[derive(Debug)]
pub(crate) struct Introspection {
    name: &'static str,
    memory: fn(u64) -> Result<Memory, Untold>,
    memory_gathered: fn(u64) -> Result<Memory, Untold>,
}

/// The allocator behind the global one.
#[derive(Clone, Copy, Debug)]
pub struct Allocator(&'static Introspection);

/// The allocator behind the [`Counting`](crate::Counting) that is this program's global allocator; none where there is
/// no such thing.
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: otel_vitals_alloc::Counting = otel_vitals_alloc::Counting::system();
///
/// # fn main() {
/// assert_eq!(otel_vitals_alloc::allocator().unwrap().name(), "system");
/// # }
/// ```
#[must_use]
pub fn allocator() -> Option<Allocator> {
    if crate::thread::is_installed() { sys::installed().map(Allocator) } else { None }
}

impl Allocator {
    /// What it is called; `unknown` when it is not one that this crate knows, and does not tell by itself.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// What it holds, where `used` bytes are allocated and not freed: see [`Counts::used`](crate::Counts::used).
    ///
    /// # Errors
    /// [`Untold`] when it does not answer.
    pub fn memory(&self, used: u64) -> Result<Memory, Untold> {
        (self.0.memory)(used)
    }

    /// The same as the last call of [`memory`](Allocator::memory) had it gathered: no thread that allocates waits for
    /// this one, whatever the allocator.
    ///
    /// # Errors
    /// [`Untold`] when it does not answer, or has to gather what it tells and was not asked to before.
    pub fn memory_gathered(&self, used: u64) -> Result<Memory, Untold> {
        (self.0.memory_gathered)(used)
    }
}

impl Untold {
    /// `expected` was asked for, and `found` came instead.
    #[must_use]
    pub fn new(expected: &'static str, found: impl Into<String>) -> Self {
        Untold { expected, found: found.into() }
    }

    /// What was asked for.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// What came instead.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for Untold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for Untold {}

impl Introspection {
    pub(crate) const fn of<A: Introspect>() -> Self {
        Introspection { name: A::NAME, memory: A::memory, memory_gathered: A::memory_gathered }
    }
}

/// Remembers what is behind the wrapper that counts.
pub(crate) fn install(introspection: &'static Introspection) {
    sys::install(introspection);
}

/// What is known of the allocator of this type.
pub(crate) fn known(allocator: TypeId) -> &'static Introspection {
    if allocator == TypeId::of::<System>() {
        return const { &Introspection::of::<System>() };
    }
    #[cfg(feature = "jemalloc")]
    if allocator == TypeId::of::<tikv_jemallocator::Jemalloc>() {
        return const { &Introspection::of::<tikv_jemallocator::Jemalloc>() };
    }
    #[cfg(feature = "mimalloc")]
    if allocator == TypeId::of::<::mimalloc::MiMalloc>() {
        return const { &Introspection::of::<::mimalloc::MiMalloc>() };
    }
    const {
        &Introspection {
            name: "unknown",
            memory: only_what_is_counted,
            memory_gathered: only_what_is_counted,
        }
    }
}

/// Of any allocator.
fn only_what_is_counted(used: u64) -> Result<Memory, Untold> {
    Ok(Memory { allocated: Some(used), ..Memory::default() })
}
