//! What a program allocates is in its heap profile, where and as long as it is there.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test loads libraries and forks, and fails when it cannot go on"
)]

use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use otel_vitals_alloc::Counting;
use otel_vitals_profiling::heap;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// So many samples that an error of a twentieth of the space is seven standard deviations and more.
const INTERVAL: u64 = 4 << 10;

/// The interval is the whole program's.
fn sampled_every(interval: u64) -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    heap::install(interval).unwrap();
    assert_eq!(heap::interval(), interval);
    // The next sample is drawn anew on this thread alone. Others of these tests begin with one that is larger than any gap.
    alone
}

/// The sum of `kind` over the stacks in which there is a function of this name.
fn at(function: &str, kind: &str) -> i64 {
    let folded = heap::profile().unwrap().showing(kind).collapsed();
    let stacks = folded.lines().filter_map(|line| line.rsplit_once(' '));
    let ours = stacks.filter(|(stack, _)| stack.split(';').any(|frame| frame.contains(function)));
    ours.map(|(_, value)| value.parse::<i64>().unwrap()).sum()
}

fn assert_near(found: i64, expected: u64) {
    assert_within(0.05, found, expected);
}

fn assert_within(margin: f64, found: i64, expected: u64) {
    let error = (found as f64 - expected as f64).abs() / expected as f64;
    assert!(error < margin, "{found} instead of {expected}: {:.1} %", error * 100.0);
}

#[inline(never)]
fn leak_100_mib() -> Vec<Vec<u8>> {
    const SIZES: [usize; 6] = [16, 100, 1_000, 10_000, 100_000, 1_000_000];
    let mut blocks = Vec::with_capacity(2_000_000);
    for size in SIZES {
        for _ in 0..(100 << 20) / SIZES.len() / size {
            blocks.push(vec![1_u8; size]);
        }
    }
    black_box(blocks)
}

#[test]
fn what_is_held_is_found_where_it_was_allocated_until_it_is_freed() {
    let _alone = sampled_every(INTERVAL);
    let blocks = leak_100_mib();
    let held: usize =
        blocks.iter().map(Vec::capacity).sum::<usize>() + blocks.capacity() * size_of::<Vec<u8>>();
    assert_near(at("leak_100_mib", "inuse_space"), held as u64);
    assert_near(at("leak_100_mib", "alloc_space"), held as u64);
    // Most of them are of 16 bytes, of which one in 256 is a sample: of their number a standard deviation is 1.3 %.
    assert_within(0.1, at("leak_100_mib", "inuse_objects"), blocks.len() as u64 + 1);
    assert_eq!(heap::dropped().blocks, 0);
    assert!(heap::table_size() > 0 && heap::table_size() < 32 << 20, "{}", heap::table_size());
    drop(blocks);
    assert_eq!(at("leak_100_mib", "inuse_space"), 0, "all of it is freed");
    assert_near(at("leak_100_mib", "alloc_space"), held as u64);
}

#[inline(never)]
fn grow() -> Vec<u8> {
    let mut grown = Vec::new();
    for n in 0..1 << 20 {
        grown.push(black_box(n as u8));
    }
    black_box(grown)
}

#[test]
fn what_is_reallocated_is_held_once() {
    let _alone = sampled_every(INTERVAL);
    let grown: Vec<_> = (0..20).map(|_| grow()).collect();
    // The last size of each is far larger than the interval, so that it is in the profile as it is.
    assert_eq!(at("heap::grow", "inuse_space"), 20 << 20);
    assert_eq!(at("heap::grow", "inuse_objects"), 20);
    drop(grown);
    assert_eq!(at("heap::grow", "inuse_space"), 0);
}

#[inline(never)]
fn in_thread() -> Vec<Vec<u8>> {
    black_box((0..100).map(|_| vec![1_u8; 100_000]).collect())
}

#[test]
fn what_one_thread_allocates_another_may_free() {
    let _alone = sampled_every(INTERVAL);
    let threads: Vec<_> = (0..4).map(|_| thread::spawn(in_thread)).collect();
    let mut held: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_near(at("in_thread", "inuse_space"), 4 * 100 * 100_000);
    held.truncate(1);
    assert_near(at("in_thread", "inuse_space"), 100 * 100_000);
    thread::spawn(move || drop(held)).join().unwrap();
    assert_eq!(at("in_thread", "inuse_space"), 0);
}

#[inline(never)]
fn while_off() -> Vec<u8> {
    black_box(vec![1_u8; 10 << 20])
}

/// Blocks of which each is a sample, whatever is drawn.
#[inline(never)]
fn before_off() -> [Vec<u8>; 100] {
    black_box(std::array::from_fn(|_| vec![1_u8; 100 << 10]))
}

#[test]
fn nothing_is_sampled_while_it_is_off_and_what_was_goes_with_its_block() {
    let _alone = sampled_every(INTERVAL);
    let before = before_off();
    heap::set_interval(0);
    let off = while_off();
    assert_eq!(heap::interval(), 0);
    let said = heap::profile().unwrap().text();
    assert!(said.contains("sampling is off") && said.contains("the interval was changed"), "{said}");
    assert_eq!(at("while_off", "alloc_space"), 0);
    assert_eq!(at("before_off", "inuse_space"), 100 * (100 << 10));
    let samples = heap::samples();
    drop((before, off));
    // Other threads may have come to the one sample each that they were on the way to.
    assert!(heap::samples() < samples, "{} after {samples}", heap::samples());
    assert_eq!(at("before_off", "inuse_space"), 0);
}

#[inline(never)]
fn in_child() -> Vec<u8> {
    black_box(vec![1_u8; 10 << 20])
}

#[test]
fn a_forked_child_goes_on_with_what_it_has() {
    let _alone = sampled_every(INTERVAL);
    let held = in_child();
    // SAFETY: the child does what a child of a program with threads may do with glibc, which makes its own allocator whole after
    // a fork, and ends without running anything of the parent's.
    match unsafe { libc::fork() } {
        -1 => panic!("no child: {}", std::io::Error::last_os_error()),
        0 => {
            // SAFETY: takes a number; the default ends a child that hangs.
            unsafe { libc::alarm(120) };
            let work = || {
                let mine = in_child();
                let total = || heap::profile().unwrap().total("inuse_space").unwrap();
                // The thread that has forked is the first of its process now, and not on that one's stack.
                let walked = at("in_child", "inuse_space") == 20 << 20;
                let (both, one) = (total(), {
                    drop(mine);
                    total()
                });
                walked && both - one > 9 << 20
            };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or(false);
            // SAFETY: ends the process.
            unsafe { libc::_exit(if done { 0 } else { 1 }) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the status may be written.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0, "the child found something else");
        }
    }
    assert_eq!(at("in_child", "inuse_space"), 10 << 20);
    drop(held);
}

#[test]
fn a_thread_with_little_stack_is_sampled() {
    let _alone = sampled_every(INTERVAL);
    let held = thread::Builder::new().stack_size(16 << 10).spawn(in_thread).unwrap().join().unwrap();
    // Where there are no frame pointers, its stack is not walked.
    assert_near(at("in_thread", "inuse_space") + at("[stack not walked]", "inuse_space"), 100 * 100_000);
    drop(held);
}

#[test]
fn a_sample_allocates_nothing() {
    let _alone = sampled_every(1);
    let allocations = || otel_vitals_alloc::counts().unwrap().allocations;
    // The harness's own thread may come in between.
    let fewest = (0..20).map(|_| {
        let before = allocations();
        let block = in_child();
        let now = allocations();
        drop(block);
        now - before
    });
    assert_eq!(fewest.min(), Some(1));
}

#[test]
fn to_install_it_again_sets_the_interval() {
    let _alone = sampled_every(INTERVAL);
    heap::install(12_345).unwrap();
    assert_eq!(heap::interval(), 12_345);
}

/// `examples/passage.rs`, loaded.
struct Passage(*mut libc::c_void);

impl Passage {
    fn load() -> Self {
        let mut path = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples/libpassage.so");
        let name = std::ffi::CString::new(path.into_os_string().into_encoded_bytes()).unwrap();
        // SAFETY: the library runs no code when it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{name:?} cannot be loaded");
        Passage(handle)
    }

    fn call(&self, act: extern "C" fn()) {
        // SAFETY: the handle is open, the name ends with a zero, and this is the function's type.
        unsafe {
            let function = libc::dlsym(self.0, c"passage".as_ptr());
            assert!(!function.is_null());
            std::mem::transmute::<*mut libc::c_void, extern "C" fn(extern "C" fn())>(function)(act);
        }
    }

    /// Whether the library has gone with it.
    fn unload(self) -> bool {
        // SAFETY: the handle is open, and nobody has kept a function.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0);
        !std::fs::read_to_string("/proc/self/maps").unwrap().contains("libpassage.so")
    }
}

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

#[inline(never)]
extern "C" fn allocate_behind_a_library() {
    let block = black_box(vec![1_u8; 1 << 20]);
    KEPT.lock().unwrap().push(block);
}

#[inline(never)]
fn before_the_library(passage: &Passage) {
    passage.call(allocate_behind_a_library);
    black_box(passage);
}

#[test]
fn stacks_lead_through_a_library_that_is_loaded_later_and_stay_when_it_is_unloaded() {
    let _alone = sampled_every(INTERVAL);
    let deadline = Instant::now() + Duration::from_secs(30);
    for _ in 0..2 {
        let passage = Passage::load();
        let before = at("before_the_library", "alloc_objects");
        // The first samples may come before the library is known.
        while at("before_the_library", "alloc_objects") == before {
            assert!(Instant::now() < deadline, "{}", heap::profile().unwrap().collapsed());
            before_the_library(&passage);
        }
        assert!(passage.unload(), "the library is never unloaded: this tests nothing");
        assert!(at("allocate_behind_a_library", "inuse_space") >= 1 << 20);
        // With the list itself, which may be a sample, too.
        drop(std::mem::take(&mut *KEPT.lock().unwrap()));
        assert_eq!(at("allocate_behind_a_library", "inuse_space"), 0);
    }
}
