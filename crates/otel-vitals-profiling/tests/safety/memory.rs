//! Memory that is filled, and memory that there is none of.

use crate::processes::FOUND;
use crate::profiled::{INTERVAL, options};
use crate::sys;
use otel_vitals_profiling::{cpu, heap};
use std::hint::black_box;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What a program that starves may have more than it has.
const SPARE: u64 = 64 << 20;
/// What it asks for at a time. Less than that is left for what the profilers themselves need.
const BLOCK: usize = 4 << 20;

/// Fills blocks of all sizes, and finds in them what it has put there.
pub(super) fn allocates(stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let mut blocks: Vec<Vec<u64>> = (0..200).map(|size| vec![size; size as usize * 40]).collect();
        blocks.retain(|block| block.len() % 3 == 0);
        blocks.iter_mut().for_each(|block| block.resize(block.len() * 2, block.len() as u64));
        for block in black_box(&blocks) {
            let (old, new) = block.split_at(block.len() / 2);
            let size = old.len() as u64;
            assert!(old.iter().all(|value| *value == size / 40) && new.iter().all(|value| *value == size));
        }
        rounds += 1;
    }
    rounds
}

/// Has a program run out of memory while it is profiled.
pub(super) fn starves(stop: &AtomicBool, trigger: &str) -> u64 {
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let status = Command::new("/proc/self/exe").args(["starved", trigger]).status().unwrap();
        assert_eq!(status.code(), Some(FOUND), "of a program that had no memory: {status}");
        rounds += 1;
    }
    rounds
}

/// That program: it takes what there is until it gets no more, again and again.
pub(super) fn starved(trigger: &str) -> ! {
    heap::install(INTERVAL).unwrap();
    let recording = cpu::start(&options(trigger)).unwrap();
    sys::limit_address_space(address_space() + SPARE);
    for round in 0..20_u8 {
        let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(1 + (SPARE as usize) / BLOCK);
        let refused = loop {
            let mut block = Vec::new();
            if block.try_reserve_exact(BLOCK).is_err() {
                break true;
            }
            block.resize(BLOCK, round);
            blocks.push(block);
            if blocks.len() > SPARE as usize / BLOCK {
                break false;
            }
        };
        assert!(refused && !blocks.is_empty(), "{} blocks", blocks.len());
        assert!(black_box(&blocks).iter().flatten().all(|byte| *byte == round));
    }
    assert!(recording.finish().total("cpu").unwrap() > 0);
    assert!(heap::profile().unwrap().total("alloc_space").unwrap() >= BLOCK as i64);
    std::process::exit(FOUND)
}

/// Bytes of address space that the program has.
fn address_space() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = text.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    size.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
