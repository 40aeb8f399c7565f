//! What counting costs: ns per pair of an allocation and its end, and per reallocation, beside the bare allocator and the
//! peers, which take turns.
//!
//! `cargo bench -p benches-allocator --bench allocator -- --rounds 500` measures more rounds than the default, `--quick` few;
//! `--only system` leaves out the other allocators, and has time for more rounds.
//! `--without-classes FOLDER` has ours without size classes, too, built by
//! `cargo build --release -p benches-allocator --bins --no-default-features --target-dir target/no-classes`.
//! `--jemalloc-profiling FOLDER` has jemalloc's own profiler, too, built by
//! `cargo build --release -p benches-allocator --bins --features jemalloc-profiling --target-dir target/jemalloc-profiling`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::Table;
use bench_harness::number;
use benches_allocator::arguments::inners;
use benches_allocator::measured::{Measured, Runs, THREADS};
use benches_allocator::program::{SIZES, Work};
use benches_allocator::{Inner, Program, Programs, Wrapper};

const ROUNDS: usize = 40;
const QUICK: usize = 5;
/// How long a program does the same, at least.
const MICROSECONDS: u32 = 1000;
/// Which size stands for all in short tables.
const TYPICAL: usize = 64;

/// One of the two ways to look at runs.
type By = fn(&Runs) -> f64;

fn main() {
    let rounds = number("rounds", ROUNDS, QUICK);
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    let inners = inners();
    let measured = Measured::in_turns(&programs, &inners, rounds, MICROSECONDS).unwrap();
    println!("\nFastest of {rounds} (median), ns of CPU time of a thread.");
    for work in Work::ALL {
        summary(&measured, work);
    }
    for work in Work::ALL {
        for inner in &inners {
            by_size(&measured, work, *inner);
        }
    }
    goals(&measured, &inners);
    let (never, cells) = measured.never_together();
    if never > 0 {
        println!(
            "In {never} of {cells} cells threads never had the processors to themselves: do not trust those."
        );
    }
}

fn summary(measured: &Measured, work: Work) {
    let mut table = Table::new([work.name(), "1 thread", "2 threads", "4 threads"]);
    for program in measured.programs() {
        let [one, two, four] = THREADS.map(|threads| {
            let Some(runs) = measured.runs(program, (work, TYPICAL, threads)) else { return String::new() };
            let absolute = format!("{:.2} ({:.2})", runs.fastest(), runs.median());
            match beside_bare(measured, program, work, TYPICAL, threads) {
                Some(beside) => format!("{absolute} {beside}"),
                None => absolute,
            }
        });
        table.row([program.to_string(), one, two, four]);
    }
    println!("\n## {} of {TYPICAL} bytes\n\n{table}", work.name());
}

fn by_size(measured: &Measured, work: Work, inner: Inner) {
    let heading = format!("{} {}, threads", inner.name(), work.name());
    let sizes = SIZES.map(|size| size.to_string());
    let mut headings = [heading.as_str(); SIZES.len() + 1];
    for (heading, size) in headings.iter_mut().skip(1).zip(&sizes) {
        *heading = size;
    }
    let mut table = Table::new(headings);
    for threads in THREADS {
        for program in measured.programs().filter(|program| program.inner == inner) {
            let mut row = [const { String::new() }; SIZES.len() + 1];
            let mut cells = row.iter_mut();
            *cells.next().unwrap() = format!("{}, {threads}", program.wrapper.name());
            for (cell, size) in cells.zip(SIZES) {
                let runs = measured.runs(program, (work, size, threads)).unwrap();
                *cell = beside_bare(measured, program, work, size, threads)
                    .unwrap_or_else(|| format!("{:.2}", runs.fastest()));
            }
            table.row(row);
        }
    }
    println!("\n## {} in front of {}, by size: difference and ratio\n\n{table}", work.name(), inner.name());
}

/// Difference and ratio to the bare allocator, by the fastest.
fn beside_bare(
    measured: &Measured,
    program: Program,
    work: Work,
    size: usize,
    threads: usize,
) -> Option<String> {
    if program.wrapper == Wrapper::Bare {
        return None;
    }
    let bare = Program { wrapper: Wrapper::Bare, ..program };
    let [bare, own] = [bare, program].map(|program| measured.runs(program, (work, size, threads)));
    let (bare, own) = (bare?.fastest(), own?.fastest());
    Some(format!("{:+.2} = {:.2}×", own - bare, own / bare))
}

fn goals(measured: &Measured, inners: &[Inner]) {
    let mut table = Table::new(["goal", "at most", "measured", "by medians", ""]);
    let mut goal = |name: String, limit: f64, measured: [f64; 2]| {
        let [fastest, median] = measured.map(|value| format!("{value:.2}"));
        let verdict = if measured.iter().all(|value| *value <= limit) {
            "met"
        } else if measured.first().unwrap() <= &limit {
            "met, not by medians"
        } else {
            "MISSED"
        };
        table.row([name, format!("{limit:.2}"), fastest, median, verdict.to_owned()]);
    };
    let ways: [By; 2] = [Runs::fastest, Runs::median];
    for threads in [1, 2].into_iter().filter(|_| inners.contains(&Inner::System)) {
        let added = |by: By| {
            let added = SIZES.map(|size| added(measured, Inner::System, Wrapper::Ours, size, threads, by));
            added.map(|added| added.unwrap())
        };
        let name = |which: &str| format!("ns added to a pair of system, threads: {threads}, {which}");
        goal(name("in the middle of all sizes"), 1.0, ways.map(|by| middle(added(by))));
        goal(name("worst size"), 1.0, ways.map(|by| added(by).into_iter().fold(f64::MIN, f64::max)));
    }
    for threads in [1, 2] {
        for inner in inners.iter().copied() {
            let more = |by: By, size: usize| {
                let added = |wrapper| added(measured, inner, wrapper, size, threads, by).unwrap();
                added(Wrapper::Sampling) - added(Wrapper::NotSampling)
            };
            let name = |sizes: &str| {
                format!("{}, threads: {threads}, ns added to a pair by sampling, {sizes}", inner.name())
            };
            goal(name("64 bytes"), 0.5, ways.map(|by| more(by, 64)));
            goal(
                name("in the middle of all sizes"),
                0.5,
                ways.map(|by| middle(SIZES.map(|size| more(by, size)))),
            );
        }
    }
    for threads in THREADS {
        for inner in inners.iter().copied() {
            let name = format!(
                "{}, threads: {threads}, added to a pair: ours / cheapest peer, in the middle of all sizes",
                inner.name()
            );
            goal(
                name,
                1.0,
                ways.map(|by| middle(SIZES.map(|size| beside_peers(measured, inner, size, threads, by)))),
            );
        }
    }
    println!("\n## Goals\n\n{table}");
}

/// What we add to a pair, as a part of what the peer adds that adds least.
fn beside_peers(measured: &Measured, inner: Inner, size: usize, threads: usize, by: By) -> f64 {
    let added = |wrapper| added(measured, inner, wrapper, size, threads, by);
    let peers = Wrapper::PEERS.into_iter().filter_map(added).fold(f64::INFINITY, f64::min);
    added(Wrapper::Ours).unwrap() / peers
}

/// ns that a wrapper adds to a pair.
fn added(
    measured: &Measured,
    inner: Inner,
    wrapper: Wrapper,
    size: usize,
    threads: usize,
    by: By,
) -> Option<f64> {
    let took = |wrapper| measured.runs(Program { inner, wrapper }, (Work::Pair, size, threads)).map(by);
    Some(took(wrapper)? - took(Wrapper::Bare)?)
}

fn middle(mut values: [f64; SIZES.len()]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    *values.get(SIZES.len() / 2).unwrap()
}
