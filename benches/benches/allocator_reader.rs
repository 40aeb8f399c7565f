//! What a reader of the counts costs: threads that allocate while it reads a thousand times a second, and itself.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use benches::allocator::arguments::number;
use benches::allocator::{Inner, Program, Programs, Wrapper};
use benches::table::Table;

const ROUNDS: usize = 11;
const QUICK: usize = 2;
const MILLISECONDS: usize = 1000;
/// What a third thread does; the last two differ in reading alone.
const READERS: [&str; 3] = ["none", "wakes", "reads"];

fn main() {
    let rounds = number("rounds", ROUNDS, QUICK);
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    for inner in [Inner::System, Inner::Null] {
        latency(&programs, inner, rounds);
    }
    reading(&programs, rounds);
}

fn latency(programs: &Programs, inner: Inner, rounds: usize) {
    let ours = Program { inner, wrapper: Wrapper::Ours };
    let mut runs = READERS.map(|_| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        for (reader, runs) in READERS.into_iter().zip(&mut runs) {
            let said = programs.run(ours, &["latency", reader, &MILLISECONDS.to_string()]).unwrap();
            let words: Vec<u64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
            runs.push(<[u64; 7]>::try_from(words).unwrap());
        }
    }
    let mut table = Table::new(["16 pairs", "p50", "p99", "p99.9", "p99.99", "largest", "batches", "woke"]);
    let [_, wakes, reads] = runs.map(|runs| in_the_middle(&runs));
    for (reader, medians) in READERS.into_iter().zip([_none(&runs_none(programs, ours, rounds)), wakes, reads]) {
        row(&mut table, reader, medians.map(|value| value.to_string()));
    }
    println!("{table}");
}
