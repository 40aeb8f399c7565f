//! The calling thread's own stack, from within its global allocator.
//!
//! Nothing here allocates, waits for a lock or enters libgcc. There are two ways to walk:
//!
//! - **Frame pointers**, where the program is built with them, which [`prepare`] finds out by walking both ways. A frame costs
//!   some 3 ns. C code without frame pointers is skipped when it leaves that register alone; where it does not, the walk ends
//!   early, never outside of the stack nor of code.
//! - **Unwind tables** otherwise, with framehop. It needs a cache of some 27 KiB, of which there are eight. A thread that finds
//!   all of them taken goes without a stack, and so does one that has less than [`ROOM`] left on its stack, since gimli builds
//!   rows of tables there.

mod chain;
mod code;
mod learner;
mod slots;
mod sys;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::*};

use super::machine;
use crate::lock::Lock;
use crate::modules::Modules;
use code::{CODE, Last};
use slots::slot;
pub(crate) use sys::Stack;
#[cfg(test)]
pub(crate) use sys::here;

/// Bytes of stack that must be left to walk by tables. gimli builds rows of tables on the stack, and copies them there in builds that
/// are not optimised.
const ROOM: u64 = if cfg!(debug_assertions) { 64 << 10 } else { 24 << 10 };

/// What was loaded when walks were told last.
static LEARNED: Lock<Option<Arc<Modules>>> = Lock::new(None);

/// How to walk: one of the below.
static WAY: AtomicU8 = AtomicU8::new(UNPREPARED);
const UNPREPARED: u8 = 0;
const FRAME_POINTERS: u8 = 1;
const TABLES: u8 = 2;

/// Finds out how to walk, and gets all that it takes. To be called before [`walk`] from an ordinary place; once is enough.
///
/// # Errors
/// In the child of a fork that came in the midst of it.
pub(crate) fn prepare() -> io::Result<Way> {
    static ONE_AT_A_TIME: Lock<()> = Lock::new(());
    let forked = || io::Error::other("the process was forked from one that was about to begin with it");
    let _one = ONE_AT_A_TIME.lock().ok_or_else(forked)?;
    if let Some(way) = way() {
        return Ok(way);
    }
    sys::find_main_stack();
    let modules = Modules::now();
    let has_learned = learn(Way::Tables, &modules);
    learn(Way::FramePointers, &modules);
    let way = if chain::has_frame_pointers() { Way::FramePointers } else { Way::Tables };
    if way == Way::FramePointers {
        slots::forget();
    }
    if let Some(mut learned) = LEARNED.lock() {
        *learned = has_learned.then_some(modules);
    }
    WAY.store(if way == Way::Tables { TABLES } else { FRAME_POINTERS }, Release);
    Ok(way)
}

/// Keeps up with what is loaded, by a thread of ours, once it is [prepared](prepare).
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn keep_up() -> io::Result<()> {
    way().map_or(Ok(()), learner::start)
}

/// Has that end.
pub(crate) fn leave_it() {
    learner::end();
}

/// Has that look, if there is anything new.
pub(crate) fn look() {
    learner::wake();
}

/// Learns what was loaded or unloaded since the last time. Whether nothing is left to be learned.
fn catch_up(way: Way) -> bool {
    let Some(mut learned) = LEARNED.lock() else { return true };
    let now = Modules::now();
    if learned.as_ref().is_some_and(|learned| Arc::ptr_eq(learned, &now)) {
        return true;
    }
    let has_learned = learn(way, &now);
    *learned = has_learned.then_some(now);
    has_learned
}

/// Gets to know these, for walks of this way. Whether all of these know them now.
fn learn(way: Way, modules: &Arc<Modules>) -> bool {
    match way {
        Way::FramePointers => {
            CODE.learn(modules);
            true
        }
        Way::Tables => slots::learn(modules),
    }
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
    let (mut fp, mut below, mut count, mut last) = (here.fp, here.sp, 0, Last::default());
    for frame in frames {
        // Frames lie above each other, each at an aligned address: a walk that is led astray ends, and soon.
        if fp < below || fp % size_of::<u64>() as u64 != 0 {
            break;
        }
        let (Some(next), Some(back)) = (stack.read(fp), stack.read(fp.wrapping_add(8))) else { break };
        let Some(back) = machine::without_signature(back).checked_sub(1) else { break };
        if !CODE.has(back, &mut last) {
            // A frame that is none, or an object that was loaded since.
            learner::wake();
            break;
        }
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

#[cfg(test)]
mod tests {
    use super::slots::{SLOTS, forget};
    use super::*;
    use crate::unwind::{DEEPEST, End, Unwinder};
    use std::hint::black_box;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use std::thread;

    use otel_vitals_alloc::Counting;

    /// It tells threads where their stacks are.
    #[global_allocator]
    static ALLOCATOR: Counting = Counting::system();

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
        learn(Way::Tables, &Modules::now());
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
    fn a_cache_that_is_in_use_while_others_learn_learns_later() {
        let _alone = alone();
        let learn_anew = || {
            *LEARNED.lock().unwrap() = None;
            catch_up(Way::Tables)
        };
        let taken = SLOTS[3].lock().unwrap();
        assert!(!learn_anew());
        assert!(!catch_up(Way::Tables), "it is forgotten that one does not know");
        drop(taken);
        assert!(catch_up(Way::Tables));
        if way() == Some(Way::FramePointers) {
            forget();
        }
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
        learn(Way::Tables, &Modules::now());
        // As where it is called from: a thread that has allocated, or it had not been told of its stack.
        fn allocate() {
            drop(black_box(Box::new(0_u8)));
        }
        let nothing = sys::depth::of(allocate);
        let walk = sys::depth::of(|| {
            allocate();
            assert!(by_tables(&mut [0; 8]) > 1);
        });
        assert!((walk - nothing) as u64 * 4 < ROOM * 3, "{}", walk - nothing);
    }
}
