//! What counting may cost in instructions, which do not depend on how busy the machine is.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a test")]

use benches::allocator::callgrind::{instructions, is_here};
use benches::allocator::program::Work;
use benches::allocator::{Inner, Program, Programs, Wrapper};

/// Instructions more than bare, of a pair and of a reallocation: what they are, and a few for another compiler.
const LIMITS: [(Work, f64); 2] = [(Work::Pair, 32.0), (Work::Realloc, 32.0)];

#[test]
fn counting_takes_a_few_instructions() {
    if cfg!(debug_assertions) {
        println!("skipped: without optimisation instructions say nothing; `cargo test --release -p benches`");
        return;
    }
    if !is_here() {
        println!("skipped: valgrind is not installed");
        return;
    }
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    for inner in [Inner::System, Inner::Null] {
        for (work, limit) in LIMITS {
            let [bare, ours] = [Wrapper::Bare, Wrapper::Ours]
                .map(|wrapper| instructions(&programs, Program { inner, wrapper }, work, 64).unwrap());
            let more = ours - bare;
            assert!(more <= limit, "{} {}: {more} instructions more than bare", inner.name(), work.name());
            // That counts were of a program that counts.
            assert!(more > 5.0, "{} {}: {more} instructions more than bare", inner.name(), work.name());
        }
    }
}
