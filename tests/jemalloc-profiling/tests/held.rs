//! What a program holds is found where it was allocated, by jemalloc's own profiler and by ours, in one program.
#![allow(unsafe_code, reason = "a symbol that jemalloc reads")]

use std::hint::black_box;

use jemalloc_profiling::Options;
use otel_vitals_alloc::Counting;
use otel_vitals_profiling::{Profile, heap};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

/// Samples as close to each other as ours.
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Options = Options::new(c"prof:true,prof_active:true,lg_prof_sample:12,prof_accum:true");

#[inline(never)]
fn hold_100_mib() -> Vec<Vec<u8>> {
    // Size classes of jemalloc, so that both count the same.
    const SIZES: [usize; 5] = [16, 128, 1_024, 10_240, 1 << 20];
    let mut blocks = Vec::with_capacity(2_000_000);
    for size in SIZES {
        for _ in 0..(100 << 20) / SIZES.len() / size {
            blocks.push(vec![1_u8; size]);
        }
    }
    black_box(blocks)
}

fn at(profile: Profile, function: &str, kind: &str) -> u64 {
    let folded = profile.showing(kind).collapsed();
    let stacks = folded.lines().filter_map(|line| line.rsplit_once(' '));
    let ours = stacks.filter(|(stack, _)| stack.split(';').any(|frame| frame.contains(function)));
    ours.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
}

fn assert_within(margin: f64, found: u64, expected: usize) {
    let error = (found as f64 - expected as f64).abs() / expected as f64;
    assert!(error < margin, "{found} instead of {expected}: {:.1} %", error * 100.0);
}

#[test]
fn what_is_held_is_found_where_it_was_allocated_until_it_is_freed() {
    heap::install(4 << 10).unwrap();
    let blocks = hold_100_mib();
    let of_list = blocks.capacity() * size_of::<Vec<u8>>();
    let held = blocks.iter().map(Vec::capacity).sum::<usize>() + of_list;
    for profile in [heap::profile, heap::jemalloc_profile] {
        // A standard deviation is 0.3 %.
        assert_within(0.05, at(profile().unwrap(), "hold_100_mib", "inuse_space"), held);
        assert_within(0.05, at(profile().unwrap(), "hold_100_mib", "alloc_space"), held);
    }
    // jeprof unbiases by the mean size of a stack's blocks, which is right for bytes where jemalloc has prepared that.
    // Most of them are of 16 bytes, of which one in 256 is a sample: of their number a standard deviation is 1.2 %.
    assert_within(0.1, at(heap::profile().unwrap(), "hold_100_mib", "inuse_objects"), blocks.len());
    drop(blocks);
    for profile in [heap::profile, heap::jemalloc_profile] {
        assert_eq!(at(profile().unwrap(), "hold_100_mib", "inuse_space"), 0);
    }
}
