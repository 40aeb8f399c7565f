//! What is allocated before `main`, and by the last that runs on a thread.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

use libc::{c_void, pthread_key_t};
use otel_vitals_alloc::{Counting, counts, own_size};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

/// Called directly and not the global allocator, so that nothing else is counted.
static ALLOCATOR: Counting = Counting::system();

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn allocate_and_free(size: usize) {
    let layout = Layout::from_size_align(size, 1).unwrap();
    // SAFETY: the layout has a size, and the block is freed with it.
    unsafe { ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout) };
}

static BEFORE_MAIN: AtomicU64 = AtomicU64::new(0);

extern "C" fn construct() {
    allocate_and_free(12_345);
    BEFORE_MAIN.store(counts().map_or(0, |counts| counts.allocated), SeqCst);
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;

#[test]
fn before_main() {
    assert_eq!(BEFORE_MAIN.load(SeqCst), 12_345);
}

struct InDestructor(usize);

impl Drop for InDestructor {
    fn drop(&mut self) {
        allocate_and_free(self.0);
    }
}

#[test]
fn in_destructors_of_thread_local_storage_whatever_their_order() {
    thread_local! {
        static FIRST: Cell<Option<InDestructor>> = const { Cell::new(None) };
        static SECOND: Cell<Option<InDestructor>> = const { Cell::new(None) };
    }
    let _alone = alone();
    let before = counts().unwrap();
    let work = || {
        FIRST.set(Some(InDestructor(100)));
        allocate_and_free(10);
        SECOND.set(Some(InDestructor(1_000)));
    };
    thread::spawn(work).join().unwrap();
    // A thread that has not allocated before its end.
    thread::spawn(|| FIRST.set(Some(InDestructor(10_000)))).join().unwrap();
    let after = counts().unwrap();
    assert_eq!(after.allocations - before.allocations, 4);
    assert_eq!(after.allocated - before.allocated, 11_110);
    assert_eq!(after.freed - before.freed, 11_110);
}

static ROUNDS: AtomicU32 = AtomicU32::new(0);

/// The destructor of a POSIX key that wants to be called again, as often as the system does that.
unsafe extern "C" fn again_and_again(key: *mut c_void) {
    ROUNDS.fetch_add(1, SeqCst);
    allocate_and_free(7);
    set(key.addr() as pthread_key_t - 1);
}

unsafe extern "C" fn once(_key: *mut c_void) {
    ROUNDS.fetch_add(1, SeqCst);
    allocate_and_free(7);
}

fn create_key(destructor: unsafe extern "C" fn(*mut c_void)) -> pthread_key_t {
    let mut key = 0;
    // SAFETY: the key may be written.
    assert_eq!(unsafe { libc::pthread_key_create(&mut key, Some(destructor)) }, 0);
    key
}

fn set(key: pthread_key_t) {
    let value = std::ptr::without_provenance(key as usize + 1);
    // SAFETY: the key is not deleted, and what is set is not dereferenced.
    assert_eq!(unsafe { libc::pthread_setspecific(key, value) }, 0);
}

/// What `THREADS` threads that do `work` and end have counted, as allocations and bytes; all of it is freed, and they
/// leave nothing.
#[track_caller]
fn counted(work: impl Fn() + Copy + Send + 'static) -> (u64, u64) {
    // As many shards as there are threads at a time.
    thread::spawn(work).join().unwrap();
    ROUNDS.store(0, SeqCst);
    let (before, size) = (counts().unwrap(), own_size());
    (0..THREADS).for_each(|_| thread::spawn(work).join().unwrap());
    let after = counts().unwrap();
    assert_eq!(own_size(), size, "each thread gave its shard back");
    let allocations = after.allocations - before.allocations;
    let allocated = after.allocated - before.allocated;
    assert_eq!(after.deallocations - before.deallocations, allocations);
    assert_eq!(after.freed - before.freed, allocated);
    (allocations, allocated)
}

const THREADS: u64 = 500;

/// One key is created before that of the allocator, so that its destructor runs before that in each round; one after.
#[test]
fn in_destructors_of_posix_keys_up_to_the_last_round() {
    let _alone = alone();
    let first = create_key(again_and_again);
    allocate_and_free(1);
    let last = create_key(again_and_again);
    let both = move || {
        set(first);
        set(last);
        allocate_and_free(1);
    };
    let (allocations, allocated) = counted(both);
    let rounds = u64::from(ROUNDS.load(SeqCst));
    assert!(rounds >= 8 * THREADS, "both keys in each of four rounds, {rounds}");
    assert_eq!((allocations, allocated), (THREADS + rounds, THREADS + 7 * rounds));
}

#[test]
fn in_the_destructor_of_a_posix_key_for_the_first_time() {
    let _alone = alone();
    allocate_and_free(1);
    let last = create_key(once);
    let (allocations, allocated) = counted(move || set(last));
    assert_eq!(u64::from(ROUNDS.load(SeqCst)), THREADS);
    assert_eq!((allocations, allocated), (THREADS, 7 * THREADS));
}
