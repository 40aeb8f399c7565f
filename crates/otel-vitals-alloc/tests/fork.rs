//! A forked child counts on from what its parent had counted, and takes over what the threads it lost have left.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    unsafe_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test calls an allocator, and fails when it cannot go on"
)]

mod sampler;

use otel_vitals_alloc::{Counting, Counts, counts, own_size};
use std::alloc::{GlobalAlloc, Layout};
use std::io::{Read, Write};
use std::sync::Barrier;
use std::thread;

/// Called directly and not the global allocator, so that nothing else is counted.
static ALLOCATOR: Counting = Counting::system();

fn allocate_and_free(size: usize) {
    let layout = Layout::from_size_align(size, 1).unwrap();
    // SAFETY: the layout has a size, and the block is freed with it.
    unsafe { ALLOCATOR.dealloc(ALLOCATOR.alloc(layout), layout) };
}

/// Forks; the child does `work`, and what that tells is checked in the parent.
fn in_child(work: impl FnOnce() -> bool) {
    // SAFETY: the child does what a child of a program with threads may do with glibc, which makes its own allocator
    // whole after a fork, and ends without running anything of the parent's.
    match unsafe { libc::fork() } {
        -1 => panic!("no child: {}", std::io::Error::last_os_error()),
        0 => {
            // SAFETY: takes a number; the default ends a child that hangs.
            unsafe { libc::alarm(120) };
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
}

/// Threads that have counted, and hold what they counted on while `work` runs.
fn with_threads(threads: usize, work: impl FnOnce()) {
    let (ready, over) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                allocate_and_free(10);
                ready.wait();
                over.wait();
            });
        }
        ready.wait();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.wait();
        // Not before: threads would wait for ever, and the scope for them.
        outcome.unwrap();
    });
}

fn grown(before: &Counts) -> (u64, u64) {
    let after = counts().unwrap();
    (after.allocated - before.allocated, after.freed - before.freed)
}

/// Forks from its only child again and again, each with threads that the next does not have.
fn generations(left: u32, before: &Counts, mut expected: u64, size: u64) -> bool {
    let mut done = true;
    with_threads(10, || {
        expected += 100;
        done = grown(before) == (expected, expected) && own_size() == size;
        if done && left > 0 {
            in_child(|| generations(left - 1, before, expected, size));
        }
    });
    done
}

/// Allocates blocks of which every other is a sample; which, as bits.
fn which_are_samples() -> u64 {
    let layout = Layout::from_size_align(69, 1).unwrap();
    (0..64).fold(0, |bits, _| {
        // SAFETY: the layout has a size, and the block is freed with it.
        let block = unsafe { ALLOCATOR.alloc(layout) };
        let is_sample = sampler::TABLE.has(block.addr());
        // SAFETY: as above.
        unsafe { ALLOCATOR.dealloc(block, layout) };
        bits << 1 | u64::from(is_sample)
    })
}

/// One after the other: what is counted is of the whole process, of the test harness too when another test ends.
#[test]
fn children_go_on() {
    a_child_goes_on_counting_without_growing_from_one_generation_to_the_next();
    children_go_on_sampling_each_with_gaps_of_its_own();
}

fn a_child_goes_on_counting_without_growing_from_one_generation_to_the_next() {
    allocate_and_free(1);
    // As many shards as one generation needs, and those that the threads of the one before hold.
    with_threads(10, || {
        let (before, size) = (counts().unwrap(), own_size());
        in_child(|| {
            allocate_and_free(1_000);
            grown(&before) == (1_000, 1_000)
        });
        assert_eq!(grown(&before), (0, 0), "what the child does is the child's");
        in_child(|| generations(20, &before, 0, size));
    });
}

fn children_go_on_sampling_each_with_gaps_of_its_own() {
    sampler::install(100);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let before = which_are_samples();
    for _ in 0..2 {
        in_child(|| (&writer).write_all(&which_are_samples().to_ne_bytes()).is_ok());
    }
    let mut told = [[0; 8]; 2];
    told.iter_mut().for_each(|told| reader.read_exact(told).unwrap());
    let [first, second] = told.map(u64::from_ne_bytes);
    let own = which_are_samples();
    // Any two are the same by chance once in 2^64 times.
    let all = [before, first, second, own];
    assert!(all.iter().all(|one| all.iter().filter(|other| *other == one).count() == 1), "{all:?}");
}
