//! Every order in which threads can do what they do here, tried by loom:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p otel-vitals-alloc --lib
//! ```

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering::*};
use loom::thread;

use crate::counts::Counts;
use crate::free_list::FreeList;
use crate::shard::Shard;

/// Loom does not try to interrupt the first thread before it waits for another: everything that matters is in others.
fn check(model: impl Fn() + Sync + Send + 'static) {
    check_preempted(None, model);
}

/// The same with so many interruptions at most of a thread that could go on, for models that would take hours else. What a
/// load may see of what was stored is tried in full.
pub(crate) fn check_preempted(most: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    // Whatever the environment says.
    builder.preemption_bound = most;
    builder.check(model);
}

fn shards<const N: usize>() -> Arc<[Shard; N]> {
    Arc::new(std::array::from_fn(|index| {
        let shard = Shard::new();
        shard.index.store(index as u32, Relaxed);
        shard
    }))
}

/// As [`Registry::read`](crate::registry) does.
fn read(shards: &[Shard]) -> Counts {
    let mut counts = Counts::none();
    shards.iter().for_each(|shard| shard.read_freed(&mut counts));
    shards.iter().for_each(|shard| shard.read_allocated(&mut counts));
    counts
}

fn assert_consistent(counts: &Counts) {
    assert!(counts.freed <= counts.allocated, "{counts:?}");
    assert!(counts.deallocations <= counts.allocations, "{counts:?}");
    assert!(counts.size_classes().all(|class| class.deallocations <= class.allocations), "{counts:?}");
}

fn assert_not_behind(first: &Counts, second: &Counts) {
    assert_consistent(first);
    assert_consistent(second);
    assert!(first.allocated <= second.allocated && first.freed <= second.freed);
    assert!(first.allocations <= second.allocations && first.deallocations <= second.deallocations);
}

#[test]
fn a_reader_sees_the_allocation_of_what_it_sees_freed_by_another_thread() {
    check(|| {
        let shards = shards::<2>();
        let handed_over = Arc::new(AtomicBool::new(false));
        let allocating = {
            let (shards, handed_over) = (Arc::clone(&shards), Arc::clone(&handed_over));
            thread::spawn(move || {
                assert!(shards[0].allocated(10));
                handed_over.store(true, Release);
            })
        };
        let freeing = {
            let shards = Arc::clone(&shards);
            thread::spawn(move || {
                if handed_over.load(Acquire) {
                    assert!(shards[1].freed(10));
                }
            })
        };
        let reading = {
            let shards = Arc::clone(&shards);
            thread::spawn(move || assert_consistent(&read(&shards[..])))
        };
        reading.join().unwrap();
        allocating.join().unwrap();
        freeing.join().unwrap();
        let counts = read(&shards[..]);
        assert_eq!((counts.allocations, counts.allocated), (1, 10));
    });
}

#[test]
fn readings_of_a_thread_that_reallocates_are_consistent_and_never_go_back() {
    check(|| {
        let shards = shards::<1>();
        let working = {
            let shards = Arc::clone(&shards);
            thread::spawn(move || {
                assert!(shards[0].allocated(10));
                assert!(shards[0].reallocated(10, 40_000));
                assert!(shards[0].freed(40_000));
            })
        };
        let reading = {
            let shards = Arc::clone(&shards);
            thread::spawn(move || assert_not_behind(&read(&shards[..]), &read(&shards[..])))
        };
        reading.join().unwrap();
        working.join().unwrap();
        let counts = read(&shards[..]);
        assert_eq!((counts.allocated, counts.freed, counts.reallocations), (40_010, 40_010, 1));
        assert_eq!((counts.allocations, counts.deallocations), (2, 2));
    });
}

fn pop<'a>(free: &FreeList, shards: &'a [Shard]) -> Option<&'a Shard> {
    let shard = free.pop(|index| shards.get(index as usize))?;
    assert_eq!(shard.holder.swap(1, Relaxed), 0, "nobody else holds it");
    Some(shard)
}

fn push(free: &FreeList, shard: &Shard) {
    shard.holder.store(0, Relaxed);
    free.push(shard);
}

#[test]
fn a_shard_is_held_by_one_thread_even_if_it_went_and_came_back_while_another_looked_at_it() {
    check(|| {
        let shards = shards::<2>();
        let free = Arc::new(FreeList::new());
        shards.iter().for_each(|shard| free.push(shard));
        let other = {
            let (free, shards) = (Arc::clone(&free), Arc::clone(&shards));
            thread::spawn(move || {
                let top = pop(&free, &shards[..]);
                let below = pop(&free, &shards[..]);
                if let (Some(top), Some(_held)) = (top, below) {
                    push(&free, top);
                }
            })
        };
        let one = thread::spawn(move || {
            pop(&free, &shards[..]);
            pop(&free, &shards[..]);
        });
        one.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn the_next_holder_goes_on_from_what_the_last_has_counted() {
    check(|| {
        let shards = shards::<1>();
        let free = Arc::new(FreeList::new());
        free.push(&shards[0]);
        let threads = [(); 2].map(|()| {
            let (free, shards) = (Arc::clone(&free), Arc::clone(&shards));
            thread::spawn(move || {
                let Some(shard) = pop(&free, &shards[..]) else { return 0 };
                assert!(shard.allocated(1));
                push(&free, shard);
                1
            })
        });
        let leases: u64 = threads.map(|thread| thread.join().unwrap()).iter().sum();
        assert_eq!(read(&shards[..]).allocations, leases);
    });
}
