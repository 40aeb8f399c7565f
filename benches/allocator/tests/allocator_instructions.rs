//! What counting may cost in instructions, which do not depend on how busy the machine is.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a test")]

use benches_allocator::callgrind::{instructions, is_here};
use benches_allocator::program::Work;
use benches_allocator::{Inner, Program, Programs, Wrapper};

/// Instructions more than bare: what they are with Rust 1.95 on x86-64 (25, 21, 30, 33), and a few for another compiler.
/// Six of them are the look whether the block may be a sample (of a pair, before it is freed). In front of nothing there is no call that
/// would have to keep registers anyway.
const LIMITS: [(Inner, Work, f64); 4] = [
    (Inner::System, Work::Pair, 28.0),
    (Inner::System, Work::Realloc, 24.0),
    (Inner::Null, Work::Pair, 33.0),
    (Inner::Null, Work::Realloc, 36.0),
];

#[test]
fn counting_takes_a_few_instructions() {
    if cfg!(not(target_arch = "x86_64")) {
        println!("skipped: the numbers are of x86-64");
        return;
    }
    if cfg!(debug_assertions) {
        println!(
            "skipped: without optimisation instructions say nothing; `cargo test --release -p benches-allocator`"
        );
        return;
    }
    if !is_here() {
        println!("skipped: valgrind is not installed");
        return;
    }
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    for (inner, work, limit) in LIMITS {
        let [bare, ours] = [Wrapper::Bare, Wrapper::Ours]
            .map(|wrapper| instructions(&programs, Program { inner, wrapper }, work, 64).unwrap());
        let more = ours - bare;
        // Less than a few would be a program that does not count.
        assert!(
            (5.0..=limit).contains(&more),
            "{} {}: {more} instructions more than bare, at most {limit}",
            inner.name(),
            work.name()
        );
    }
}
