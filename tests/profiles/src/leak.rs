//! A program that keeps 100 MiB at one line, in blocks of many sizes, and allocates and frees as much elsewhere.

use otel_vitals_profiling::heap;
use std::path::Path;

/// What it keeps, in bytes.
pub const KEPT: usize = 100 << 20;
/// Mean bytes between samples: with 12,800 of them an estimate is off by less than 1 % mostly.
const INTERVAL: u64 = 8 << 10;
/// The largest block.
const LARGEST: usize = 64 << 10;

/// Writes the heap profile of such a program to the folder that it is told, and a delta over what was freed again.
///
/// # Errors
/// When there is no profile, or no folder.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = Path::new(&folder);
    heap::install(INTERVAL)?;
    let kept = keep(KEPT);
    let before = heap::profile()?;
    let passed = pass(KEPT);
    let profile = heap::profile()?;
    std::fs::write(folder.join("heap.pb.gz"), profile.pprof())?;
    std::fs::write(folder.join("heap.txt"), profile.text())?;
    std::fs::write(folder.join("delta.pb.gz"), profile.since(&before).pprof())?;
    std::hint::black_box((kept, passed));
    Ok(())
}

#[inline(never)]
fn keep(bytes: usize) -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(bytes / 16);
    let mut left = bytes;
    while left > 0 {
        let size = size_of(left);
        kept.push(Vec::with_capacity(size)); // here it is kept
        left -= size;
    }
    kept
}

#[inline(never)]
fn pass(bytes: usize) -> usize {
    let mut left = bytes;
    while left > 0 {
        let size = size_of(left);
        std::hint::black_box(vec![1_u8; size]); // here it passes
        left -= size;
    }
    left
}

/// Sizes from some bytes to the largest, each as often as another.
fn size_of(left: usize) -> usize {
    let mixed = left.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    (mixed % LARGEST + 16).min(left)
}
