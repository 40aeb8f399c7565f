//! What a program expects of every block, whichever allocator is behind the wrapper.

mod sys;

use std::alloc::Layout;
use std::sync::Barrier;
use std::thread;

use otel_vitals_alloc::counts;
use sys::Block;

/// Zeroed blocks are zero, resized ones keep what is in them, all are aligned, and what is freed is no longer counted.
/// To be called while no other thread allocates.
pub(crate) fn are_right() {
    let before = counts().unwrap();
    for alignment in [1, 8, 16, 64, 4096] {
        for size in [1, 24, 100, 4096, 100_000, 3 << 20] {
            zeroed(Layout::from_size_align(size, alignment).unwrap());
            resized(Layout::from_size_align(size, alignment).unwrap());
        }
    }
    let after = counts().unwrap();
    assert_eq!(after.used(), before.used());
    assert_eq!(after.objects(), before.objects());
    assert_eq!(after.reallocations - before.reallocations, 5 * 6 * 4);
}

fn zeroed(layout: Layout) {
    // What is freed is likely to come again.
    drop(Block::filled(layout, 0xff));
    let block = Block::zeroed(layout);
    assert!(is_aligned(&block, layout));
    assert!(block.bytes().iter().all(|byte| *byte == 0), "{layout:?}");
}

fn resized(layout: Layout) {
    let mut block = Block::filled(layout, 0);
    let size = layout.size();
    for (fill, size) in (1..).zip([size + 1, size * 3, size.div_ceil(2), size]) {
        let kept = block.bytes().to_vec();
        block.resize(size, fill);
        assert!(is_aligned(&block, layout));
        assert_eq!(block.bytes().len(), size);
        assert!(block.bytes().iter().zip(&kept).all(|(is, was)| is == was), "{layout:?} to {size}");
    }
}

fn is_aligned(block: &Block, layout: Layout) -> bool {
    block.bytes().as_ptr().addr().is_multiple_of(layout.align())
}

/// Four threads, each of which has allocated `each` bytes in blocks, as much in blocks of every one of `sizes`, and holds
/// them while `held` is called; when `freed` is, they have freed them and still live. On return they are gone.
pub(crate) fn held_by_four_threads(each: usize, sizes: &[usize], held: impl FnOnce(), freed: impl FnOnce()) {
    let meet = Barrier::new(5);
    thread::scope(|scope| {
        let threads: [_; 4] = std::array::from_fn(|_| {
            scope.spawn(|| {
                let blocks: Vec<_> = sizes.iter().map(|size| of_size(*size, each / sizes.len())).collect();
                meet.wait();
                meet.wait();
                drop(blocks);
                meet.wait();
                meet.wait();
            })
        });
        meet.wait();
        held();
        meet.wait();
        meet.wait();
        freed();
        meet.wait();
        // The scope by itself would not wait for what threads free at their very end.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

fn of_size(size: usize, total: usize) -> Vec<Block> {
    let layout = Layout::from_size_align(size, 1).unwrap();
    (0..total / size).map(|_| Block::filled(layout, 1)).collect()
}
