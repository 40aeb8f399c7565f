//! Calls whose frames are known, to find out whether the program has frame pointers.

use std::hint::black_box;

use super::{by_frame_pointers, by_tables};
use crate::modules::Modules;

const LINKS: usize = 4;
const MOST: usize = 64;

/// What is found from the same place.
struct Found {
    by_frame_pointers: Vec<u64>,
    by_tables: Vec<u64>,
}

/// Whether a walk by frame pointers finds what one by tables does, from here through all of what was built with this.
pub(super) fn has_frame_pointers() -> bool {
    let found = link(LINKS, &mut [0; MOST]);
    let modules = Modules::now();
    let module = |address: &u64| modules.find(*address).map(|module| module.start);
    let program = found.by_frame_pointers.first().map(module);
    // The first frame is the same function, which calls from two places.
    let exact = found.by_tables.iter().skip(1).take_while(|address| Some(module(address)) == program);
    let exact: Vec<_> = exact.collect();
    exact.len() >= LINKS && found.by_frame_pointers.iter().skip(1).take(exact.len()).eq(exact)
}

#[inline(never)]
fn link(left: usize, frames: &mut [u64; MOST]) -> Found {
    let found = if left == 0 {
        last(frames)
    } else {
        black_box(link as fn(usize, &mut [u64; MOST]) -> Found)(left - 1, frames)
    };
    // Not a tail call.
    black_box(frames);
    found
}

#[inline(never)]
fn last(frames: &mut [u64; MOST]) -> Found {
    let count = by_frame_pointers(frames);
    let fast = frames.iter().take(count).copied().collect();
    let count = by_tables(frames);
    Found { by_frame_pointers: fast, by_tables: frames.iter().take(count).copied().collect() }
}
