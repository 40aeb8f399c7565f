//! What has been counted.

#[cfg(not(all(loom, test)))]
use crate::registry::REGISTRY;
#[cfg(feature = "size-classes")]
use crate::size_class::{BOUNDS, CLASSES};
#[cfg(not(all(loom, test)))]
use crate::thread;

/// What every [`Counting`](crate::Counting) of the program has counted since its start, as one reading.
///
/// Within a reading no more is freed than allocated, in all and in each class, and from one reading to the next no
/// total goes back. (Signal handlers that allocate may break the first, where the crate's documentation says so.) What
/// other threads do while it is read is in it or not. What C's `malloc` gives and what the allocator itself maps is not in
/// it: a global allocator sees what Rust code asks for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counts {
    /// Blocks allocated, {allocation}. A reallocation counts as one, wherever the block then is.
    pub allocations: u64,
    /// Blocks freed, {deallocation}. A reallocation counts as one.
    pub deallocations: u64,
    /// Blocks reallocated, {reallocation}.
    pub reallocations: u64,
    /// Bytes allocated: those that were asked for, not what the allocator rounds them up to.
    pub allocated: u64,
    /// Bytes freed.
    pub freed: u64,
    #[cfg(feature = "size-classes")]
    pub(crate) classes: [SizeClass; CLASSES],
}

/// Allocations of similar size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeClass {
    /// The largest size that is in this class, bytes; the smallest is one above the bound of the class before. None for
    /// the last class, of everything that is larger than the largest bound.
    pub bound: Option<u64>,
    /// Blocks of such sizes allocated, {allocation}.
    pub allocations: u64,
    /// Blocks of such sizes freed, {deallocation}.
    pub deallocations: u64,
}

/// What the program has allocated and freed so far; none where no [`Counting`](crate::Counting) is its global allocator,
/// nor has been asked for anything.
///
/// Takes no lock and stops nobody: every thread goes on counting while it is read. It touches a kilobyte or so for each
/// thread that there was at a time, which is some microseconds for a hundred threads.
///
/// ```
/// use otel_vitals_alloc::{Counting, counts};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting::system();
///
/// # fn main() {
/// let before = counts().unwrap();
/// let block = vec![0_u8; 1000];
/// let after = counts().unwrap();
/// assert!(after.allocated - before.allocated >= 1000);
/// # drop(block);
/// # }
/// ```
#[cfg(not(all(loom, test)))]
#[must_use]
pub fn counts() -> Option<Counts> {
    thread::is_installed().then(|| {
        let mut counts = Counts::none();
        REGISTRY.read(&mut counts);
        counts
    })
}

/// Bytes of the stacks of all threads that have allocated and not ended, as their address space is reserved; of the
/// first thread as far as its stack may grow (`RLIMIT_STACK`). Zero where the system does not tell (anywhere but Linux).
///
/// A thread is asked for its own when it first allocates (`pthread_getattr_np`); this only adds up.
#[cfg(not(all(loom, test)))]
#[must_use]
pub fn thread_stacks() -> u64 {
    REGISTRY.stacks()
}

/// Bytes that the counters themselves take.
#[cfg(not(all(loom, test)))]
#[must_use]
pub fn own_size() -> u64 {
    REGISTRY.size()
}

impl Counts {
    /// Bytes that are allocated and not freed.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.allocated.saturating_sub(self.freed)
    }

    /// Blocks that are allocated and not freed, {object}.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.allocations.saturating_sub(self.deallocations)
    }

    /// The same by size, smallest first, in the classes of Go's allocator; nothing where the crate is built without its
    /// feature `size-classes`.
    pub fn size_classes(&self) -> impl Iterator<Item = SizeClass> + '_ {
        #[cfg(feature = "size-classes")]
        let classes = self.classes.as_slice();
        #[cfg(not(feature = "size-classes"))]
        let classes: &[SizeClass] = &[];
        classes.iter().copied()
    }

    pub(crate) fn none() -> Self {
        Counts {
            allocations: 0,
            deallocations: 0,
            reallocations: 0,
            allocated: 0,
            freed: 0,
            #[cfg(feature = "size-classes")]
            classes: std::array::from_fn(SizeClass::none),
        }
    }
}

#[cfg(feature = "size-classes")]
impl SizeClass {
    fn none(class: usize) -> Self {
        SizeClass { bound: BOUNDS.get(class).copied(), allocations: 0, deallocations: 0 }
    }
}
