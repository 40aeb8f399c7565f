//! Instructions of the hot path, counted by valgrind's callgrind: what does not depend on the machine's mood.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::Table;
use benches_allocator::callgrind::{instructions, is_here};
use benches_allocator::program::Work;
use benches_allocator::{Inner, Programs, Wrapper};

/// One of the fine size classes, and one of the coarse.
const SIZES: [usize; 2] = [64, 4096];

fn main() {
    if !is_here() {
        println!("skipped: valgrind is not installed");
        return;
    }
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    let mut table =
        Table::new(["instructions", "pair, 64 B", "pair, 4 KiB", "realloc, 64 B", "realloc, 4 KiB"]);
    for inner in Inner::ALL {
        let mut bare = [0.0; 4];
        for program in programs.of(inner) {
            let counted = Work::ALL
                .into_iter()
                .flat_map(|work| SIZES.map(|size| instructions(&programs, program, work, size).unwrap()));
            let counted: [f64; 4] = counted.collect::<Vec<_>>().try_into().unwrap();
            let mut row = [program.to_string(), String::new(), String::new(), String::new(), String::new()];
            for (cell, (counted, bare)) in row.iter_mut().skip(1).zip(counted.iter().zip(bare)) {
                *cell = match program.wrapper {
                    Wrapper::Bare => format!("{counted:.1}"),
                    _ => format!("{:+.1}", counted - bare),
                };
            }
            if program.wrapper == Wrapper::Bare {
                bare = counted;
            }
            table.row(row);
        }
    }
    println!("\n## Instructions, and how many more than bare\n\n{table}");
}
