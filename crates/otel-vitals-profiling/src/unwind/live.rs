//! The calling thread's own stack, from within its global allocator.
//!
//! Nothing here allocates, waits for a lock or enters libgcc. There are two ways to walk:
//!
//! - **Frame pointers**, where the program is built with them, which [`prepare`] finds out by walking both ways. A frame costs a
//!   nanosecond or two. C code without frame pointers is skipped when it leaves that register alone; where it does not, the walk ends
//!   early, and never outside of the stack.
//! - **Unwind tables** otherwise, with framehop. It needs a cache of some 27 KiB, of which there are [`CACHES`]. A thread that finds
//!   all of them taken goes without a stack, and so does one that has less than [`ROOM`] left on its stack, since gimli builds
//!   rows of tables there.

mod sys;

use std::io;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::Duration;

use framehop::{MustNotAllocateDuringUnwind as NoAllocation, Unwinder as _};

use super::{Registers, machine, tables};
use crate::modules::Modules;
pub(crate) use sys::Stack;
#[cfg(test)]
pub(crate) use sys::here;

/// How many threads walk by tables at a time.
const CACHES: usize = 8;

/// Bytes of stack that must be left to walk by tables. gimli builds rows of tables on the stack, and copies them there in builds that
/// are not optimised.
const ROOM: u64 = if cfg!(debug_assertions) { 64 << 10 } else { 24 << 10 };

/// How often objects are looked for at most, when addresses are in none.
const REFRESH: Duration = Duration::from_millis(100);

/// How to walk: one of the below.
static WAY: AtomicU8 = AtomicU8::new(UNPREPARED);
const UNPREPARED: u8 = 0;
const FRAME_POINTERS: u8 = 1;
const TABLES: u8 = 2;

/// What it takes to walk by tables. Who cannot have the lock at once does without.
static SLOTS: [Mutex<Option<Slot>>; CACHES] = [const { Mutex::new(None) }; CACHES];

/// Where the last walk has begun to look for a slot.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The thread that learns of objects that are loaded.
static LEARNER: OnceLock<Thread> = OnceLock::new();

struct Slot {
    known: Arc<Known>,
    cache: machine::Cache<NoAllocation>,
}

struct Known {
    modules: Arc<Modules>,
    tables: machine::Unwinder<NoAllocation>,
}

/// Finds out how to walk, and gets all that it takes. To be called before [`walk`] from an ordinary place; once is enough.
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn prepare() -> io::Result<Way> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(way) = way() {
        return Ok(way);
    }
    sys::find_main_stack();
    learn();
    let way = if chain::has_frame_pointers() { Way::FramePointers } else { Way::Tables };
    match way {
        Way::FramePointers => forget(),
        Way::Tables => start_learner()?,
    }
    WAY.store(if way == Way::Tables { TABLES } else { FRAME_POINTERS }, Release);
    Ok(way)
}

/// How the stack of a running thread is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    FramePointers,
    Tables,
}

/// How it is; none before [`prepare`].
pub(crate) fn way() -> Option<Way> {
    match WAY.load(Acquire) {
        FRAME_POINTERS => Some(Way::FramePointers),
        TABLES => Some(Way::Tables),
        _ => None,
    }
}

/// Writes the look-up addresses of the callers of the calling function, the nearest first, and returns how many there are: zero where
/// nothing was prepared, or there is no room or no cache.
#[inline(always)]
pub(crate) fn walk(frames: &mut [u64]) -> usize {
    match WAY.load(Acquire) {
        FRAME_POINTERS => by_frame_pointers(frames),
        TABLES => by_tables(frames),
        _ => 0,
    }
}

/// The first frame is who calls this.
#[inline(never)]
fn by_frame_pointers(frames: &mut [u64]) -> usize {
    let here = sys::here();
    let stack = Stack::at(here.sp);
    let (mut fp, mut below, mut count) = (here.fp, here.sp, 0);
    for frame in frames {
        // Frames lie above each other, each at an aligned address: a walk that is led astray ends, and soon.
        if fp < below || fp % size_of::<u64>() as u64 != 0 {
            break;
        }
        let (Some(next), Some(back)) = (stack.read(fp), stack.read(fp.wrapping_add(8))) else { break };
        let Some(back) = machine::without_signature(back).checked_sub(1) else { break };
        *frame = back;
        count += 1;
        (fp, below) = (next, fp.wrapping_add(16));
    }
    count
}

/// The first frame is who calls this.
#[inline(never)]
fn by_tables(frames: &mut [u64]) -> usize {
    let here = sys::here();
    let stack = Stack::at(here.sp);
    if stack.room(here.sp) < ROOM {
        return 0;
    }
    let Some(mut slot) = slot() else { return 0 };
    slot.as_mut().map_or(0, |slot| slot.walk(&here, &stack, frames))
}

impl Slot {
    #[inline(never)]
    fn walk(&mut self, here: &Registers, stack: &Stack, frames: &mut [u64]) -> usize {
        let mut read = |address| stack.read(address).ok_or(());
        let mut walk =
            self.known.tables.iter_frames(here.ip, machine::registers(here), &mut self.cache, &mut read);
        // The function that has read the registers.
        if !matches!(walk.next(), Ok(Some(_))) {
            return 0;
        }
        let mut count = 0;
        for frame in frames {
            let Ok(Some(found)) = walk.next() else { break };
            let address = found.address_for_lookup();
            if self.known.modules.find(address).is_none() {
                wake_learner();
                break;
            }
            *frame = address;
            count += 1;
        }
        count
    }
}

fn slot() -> Option<MutexGuard<'static, Option<Slot>>> {
    let first = NEXT.load(Relaxed);
    for at in first..first + CACHES {
        match SLOTS.get(at % CACHES)?.try_lock() {
            Ok(slot) => return Some(slot),
            Err(TryLockError::Poisoned(slot)) => return Some(slot.into_inner()),
            // Next time, begin with another.
            Err(TryLockError::WouldBlock) => NEXT.store((at + 1) % CACHES, Relaxed),
        }
    }
    None
}

/// Gives each slot what is loaded now.
fn learn() {
    let modules = Modules::now();
    let known = Arc::new(Known { tables: tables(&modules), modules });
    // A new cache for each: what is in an old one is told apart by a number of 16 bits.
    replace_slots(|| Some(Slot { known: Arc::clone(&known), cache: machine::Cache::new_in() }));
}

fn forget() {
    replace_slots(|| None);
}

fn replace_slots(mut new: impl FnMut() -> Option<Slot>) {
    for slot in &SLOTS {
        // Both made and dropped outside of the lock, for both allocate or free, which may lead to a walk.
        let mut slot_to_be = new();
        // A walk takes microseconds, but in the child of a fork it may never end: the thread is not there any more.
        for _ in 0..1_000 {
            match slot.try_lock() {
                Ok(mut slot) => std::mem::swap(&mut *slot, &mut slot_to_be),
                Err(TryLockError::Poisoned(slot)) => std::mem::swap(&mut *slot.into_inner(), &mut slot_to_be),
                Err(TryLockError::WouldBlock) => {
                    thread::yield_now();
                    continue;
                }
            }
            break;
        }
    }
}

fn start_learner() -> io::Result<()> {
    if LEARNER.get().is_some() {
        return Ok(());
    }
    let learner = thread::Builder::new().name("vitals-modules".into()).stack_size(256 << 10).spawn(|| {
        sys::block_signals();
        let mut modules = Modules::now();
        loop {
            thread::park();
            let now = Modules::now();
            if !Arc::ptr_eq(&now, &modules) {
                learn();
                modules = now;
            }
            // Whoever asks meanwhile is heard after it.
            thread::sleep(REFRESH);
        }
    })?;
    let _ = LEARNER.set(learner.thread().clone());
    Ok(())
}

fn wake_learner() {
    if let Some(learner) = LEARNER.get() {
        learner.unpark();
    }
}

/// Functions that call each other, to find out whether the program has frame pointers.
mod chain {
    use super::{Modules, by_frame_pointers, by_tables};
    use std::hint::black_box;

    const LINKS: usize = 4;
    const MOST: usize = 64;

    /// Whether a walk by frame pointers finds what one by tables does, from here through all of what was built with this.
    pub(super) fn has_frame_pointers() -> bool {
        let (fast, exact) = black_box(link::<LINKS>)(&mut [0; MOST]);
        let modules = Modules::now();
        let program = fast.first().and_then(|address| modules.find(*address)).map(|module| module.start);
        // The first frame is the same function, called from two places.
        let ours = exact
            .iter()
            .skip(1)
            .take_while(|address| modules.find(**address).map(|module| module.start) == program);
        let ours: Vec<_> = ours.collect();
        ours.len() >= LINKS && fast.iter().skip(1).take(ours.len()).eq(ours)
    }

    #[inline(never)]
    fn link<const LEFT: usize>(frames: &mut [u64; MOST]) -> (Vec<u64>, Vec<u64>)
    where
        (): Next<LEFT>,
    {
        let found = <() as Next<LEFT>>::next()(frames);
        // Not a tail call.
        black_box(frames);
        found
    }

    trait Next<const LEFT: usize> {
        fn next() -> fn(&mut [u64; MOST]) -> (Vec<u64>, Vec<u64>);
    }

    macro_rules! link {
        ($($left:literal => $next:expr),*) => {
            $(impl Next<$left> for () {
                fn next() -> fn(&mut [u64; MOST]) -> (Vec<u64>, Vec<u64>) {
                    black_box($next)
                }
            })*
        };
    }
    link!(4 => link::<3>, 3 => link::<2>, 2 => link::<1>, 1 => last);

    #[inline(never)]
    fn last(frames: &mut [u64; MOST]) -> (Vec<u64>, Vec<u64>) {
        let count = by_frame_pointers(frames);
        let fast = frames.iter().take(count).copied().collect();
        let count = by_tables(frames);
        (fast, frames.iter().take(count).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unwind::{DEEPEST, End, Unwinder};
    use std::hint::black_box;

    /// The slots belong to the whole program.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        prepare().unwrap();
        alone
    }

    #[inline(never)]
    fn recurse(depth: usize, frames: &mut [u64]) -> usize {
        let count = if depth == 0 {
            walk(frames)
        } else {
            black_box(recurse as fn(usize, &mut [u64]) -> usize)(depth - 1, frames)
        };
        black_box(count)
    }

    fn is_recurse(frame: &u64) -> bool {
        let start = recurse as fn(usize, &mut [u64]) -> usize as usize as u64;
        (start..start + 0x400).contains(frame)
    }

    /// In a thread with so much stack.
    fn with_stack<T: Send + 'static>(size: usize, act: impl FnOnce() -> T + Send + 'static) -> T {
        thread::Builder::new().stack_size(size).spawn(act).unwrap().join().unwrap()
    }

    #[test]
    fn the_callers_are_found() {
        let _alone = alone();
        let mut frames = [0; DEEPEST];
        let count = recurse(30, &mut frames);
        assert!(frames[..31].iter().all(is_recurse), "{:x?}", &frames[..count]);
        assert!(!is_recurse(&frames[31]));
    }

    #[test]
    fn both_ways_find_the_same_where_there_are_frame_pointers() {
        #[inline(never)]
        fn both() -> (Vec<u64>, Vec<u64>) {
            let mut frames = [0; DEEPEST];
            let count = by_frame_pointers(&mut frames);
            let fast = frames[..count].to_vec();
            let count = by_tables(&mut frames);
            (fast, frames[..count].to_vec())
        }
        let _alone = alone();
        if way() == Some(Way::Tables) {
            return assert!(!by_frame_pointers_is_exact(), "frame pointers are not used, and are there");
        }
        learn();
        let (fast, exact) = both();
        forget();
        let modules = Modules::now();
        let ours = modules.find(fast[0]).unwrap();
        // Up to the C library, which has none.
        let ours = |frames: &[u64]| {
            frames[1..]
                .iter()
                .copied()
                .take_while(|frame| (ours.start..ours.end).contains(frame))
                .collect::<Vec<_>>()
        };
        assert_eq!(ours(&fast), ours(&exact));
    }

    fn by_frame_pointers_is_exact() -> bool {
        chain::has_frame_pointers()
    }

    #[test]
    fn a_stack_deeper_than_there_is_room_for_is_cut_at_the_root() {
        let _alone = alone();
        let mut frames = [0; 16];
        assert_eq!(recurse(1_000, &mut frames), 16);
        assert!(frames.iter().all(is_recurse));
    }

    #[test]
    fn a_small_stack_is_walked_or_left_alone() {
        let _alone = alone();
        let count = with_stack(16 << 10, || {
            let mut frames = [0; 64];
            recurse(3, &mut frames)
        });
        if way() == Some(Way::FramePointers) {
            assert!(count > 3, "{count}");
        }
    }

    #[test]
    fn a_walk_ends_at_the_end_of_the_stack() {
        let _alone = alone();
        let root = with_stack(256 << 10, || {
            let mut frames = [0; DEEPEST];
            let count = recurse(3, &mut frames);
            frames[count - 1]
        });
        let module = Modules::now().find(root).map(|module| module.path.clone());
        assert!(module.is_some(), "{root:x}");
    }

    #[test]
    fn who_finds_no_cache_goes_without_a_stack() {
        let _alone = alone();
        if way() == Some(Way::FramePointers) {
            return;
        }
        let taken: Vec<_> = SLOTS.iter().map(|slot| slot.lock().unwrap()).collect();
        assert_eq!(recurse(3, &mut [0; 16]), 0);
        drop(taken);
        assert!(recurse(3, &mut [0; 16]) > 3);
    }

    #[test]
    fn the_bounds_of_a_stack_are_those_that_are_mapped() {
        sys::find_main_stack();
        let check = || {
            let here = sys::here();
            let stack = Stack::at(here.sp);
            assert!(stack.read(here.sp).is_some());
            assert!(stack.read(here.sp - 1).is_none());
            assert!(stack.read(u64::MAX - 3).is_none());
            assert!(stack.room(here.sp) < 16 << 20);
            // All of it, to its end.
            (0..).map_while(|word| stack.read(here.sp + word * 8)).count()
        };
        assert!(check() > 100);
        assert!((100..=16 << 10).contains(&with_stack(64 << 10, check)));
    }

    #[test]
    fn a_copy_of_the_same_stack_has_the_same_frames() {
        let _alone = alone();
        let (mut frames, mut copied) = ([0; DEEPEST], Vec::new());
        let count = recurse(10, &mut frames);
        let here = sys::here();
        let stack = Stack::at(here.sp);
        let bytes: Vec<u8> = (0..8 << 10)
            .map_while(|word| stack.read(here.sp + word * 8))
            .flat_map(u64::to_ne_bytes)
            .collect();
        assert_eq!(Unwinder::new().unwind(here, &bytes, &mut copied), End::Root);
        let callers = &frames[11..count];
        assert!(callers.len() > 2);
        // The function that both are called from, then all of its callers.
        if way() == Some(Way::Tables) {
            assert_eq!(callers[1..], copied[1..]);
        }
    }

    #[test]
    fn a_walk_takes_less_of_the_stack_than_must_be_left() {
        let _alone = alone();
        learn();
        let nothing = sys::depth::of(|| {
            let _ = sys::Stack::at(sys::here().sp);
        });
        let walk = sys::depth::of(|| assert!(by_tables(&mut [0; 8]) > 1));
        assert!((walk - nothing) as u64 * 4 < ROOM * 3, "{}", walk - nothing);
    }
}
