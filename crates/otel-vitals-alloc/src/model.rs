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

/// Tries orders in which at most so many threads are interrupted; all other orders are tried.
fn check(interruptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = None;
    builder.check(model);
}

fn shards<const N: usize>() -> Arc<[Shard; N]> {
    Arc::new(std::array::from_fn(|index| {
        let shard = Shard::new();
        shard.index.store(index as u32, Relaxed);
        shard.open();
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

#[test]
fn a_reader_sees_the_allocation_of_what_it_sees_freed_by_another_thread() {
    check(3, || {
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
        assert_consistent(&read(&shards[..]));
        allocating.join().unwrap();
        freeing.join().unwrap();
        let counts = read(&shards[..]);
        assert_eq!((counts.allocations, counts.allocated), (1, 10));
    });
}

#[test]
fn readings_of_a_thread_that_reallocates_are_consistent_and_never_go_back() {
    check(3, || {
        let shards = shards::<1>();
        let working = {
            let shards = Arc::clone(&shards);
            thread::spawn(move || {
                assert!(shards[0].allocated(10));
                assert!(shards[0].reallocated(10, 40_000));
                assert!(shards[0].freed(40_000));
            })
        };
        let (first, second) = (read(&shards[..]), read(&shards[..]));
        assert_consistent(&first);
        assert_consistent(&second);
        assert!(first.allocated <= second.allocated && first.freed <= second.freed);
        assert!(first.allocations <= second.allocations && first.deallocations <= second.deallocations);
        working.join().unwrap();
        let counts = read(&shards[..]);
        assert_eq!((counts.allocated, counts.freed, counts.reallocations), (40_010, 40_010, 1));
        assert_eq!((counts.allocations, counts.deallocations), (2, 2));
    });
}

/// Takes a shard, counts on it and gives it back; whether there was one.
fn lease(free: &FreeList, shards: &[Shard]) -> bool {
    let Some(shard) = free.pop(|index| shards.get(index as usize)) else { return false };
    assert_eq!(shard.holder.swap(1, Relaxed), 0, "nobody else holds it");
    assert!(shard.allocated(1) && shard.freed(1));
    shard.holder.store(0, Relaxed);
    free.push(shard.index.load(Relaxed), shard);
    true
}

#[test]
fn a_shard_is_held_by_one_thread_at_a_time_and_keeps_what_it_has_counted() {
    check(3, || {
        let shards = shards::<2>();
        let free = Arc::new(FreeList::new());
        shards.iter().zip(0..).for_each(|(shard, index)| free.push(index, shard));
        let threads = [(); 2].map(|()| {
            let (free, shards) = (Arc::clone(&free), Arc::clone(&shards));
            thread::spawn(move || u64::from(lease(&free, &shards[..])) + u64::from(lease(&free, &shards[..])))
        });
        let leases: u64 = threads.map(|thread| thread.join().unwrap()).iter().sum();
        assert_eq!(leases, 4, "two shards are enough for two threads");
        let counts = read(&shards[..]);
        assert_eq!((counts.allocations, counts.deallocations), (4, 4));
    });
}
