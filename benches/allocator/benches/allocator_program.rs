//! What counting costs programs that allocate for a living: well-known crates that build something and drop it.
//!
//! `cargo bench -p benches-allocator --bench allocator_program -- --rounds 200` measures more rounds than the default, and
//! `-- --workload json-typed` one of the programs.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::Table;
use bench_harness::number;
use benches_allocator::arguments::workloads;
use benches_allocator::callgrind::{instructions_of_workload, is_here};
use benches_allocator::program::Workload;
use benches_allocator::{Inner, Program, Programs, Wrapper};
use std::collections::BTreeMap;

const ROUNDS: usize = 40;
const QUICK: usize = 4;
/// How often a thread does the same in a run.
const TIMES: usize = 10;
const THREADS: [usize; 2] = [1, 2];
const INNERS: [Inner; 3] = [Inner::System, Inner::Jemalloc, Inner::Mimalloc];
/// Percent.
const LIMIT: f64 = 1.0;

/// What each run says of its fastest and of its median, ns, by program and threads.
type Runs = BTreeMap<(usize, usize), [Vec<f64>; 2]>;

fn main() {
    let rounds = number("rounds", ROUNDS, QUICK);
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    let all: Vec<Program> = INNERS.into_iter().flat_map(|inner| programs.of(inner)).collect();
    println!(
        "\nms of CPU time: fastest of {} (median of the runs' medians), and how much more than bare.",
        rounds * TIMES
    );
    let mut goals = Table::new(["goal", "at most", "measured", "by medians", ""]);
    for workload in workloads() {
        let runs = in_turns(&programs, &all, workload, rounds);
        let counted = |program: &Program| {
            is_here().then(|| instructions_of_workload(&programs, *program, workload).unwrap())
        };
        let instructions: Vec<_> = all.iter().map(counted).collect();
        table(&all, workload, &runs, &instructions);
        for (number, program) in
            all.iter().enumerate().filter(|(_, program)| program.wrapper == Wrapper::Ours)
        {
            for threads in THREADS {
                let [fastest, median] = slower(&all, &runs, number, threads);
                goals.row([
                    format!("{} {}, threads: {threads}, % slower", workload.name(), program.inner.name()),
                    format!("{LIMIT:.2}"),
                    format!("{fastest:.2}"),
                    format!("{median:.2}"),
                    if fastest <= LIMIT { "met" } else { "MISSED" }.to_owned(),
                ]);
            }
        }
    }
    println!("\n## Goals\n\n{goals}");
}

fn in_turns(programs: &Programs, all: &[Program], workload: Workload, rounds: usize) -> Runs {
    let mut runs = Runs::new();
    for _ in 0..rounds {
        for threads in THREADS {
            for (number, program) in all.iter().enumerate() {
                let arguments = ["work", workload.name(), &threads.to_string(), &TIMES.to_string()];
                let said = programs.run(*program, &arguments).unwrap();
                let [fastest, medians] = runs.entry((number, threads)).or_default();
                let (run_fastest, run_median) = said.trim().split_once(' ').unwrap();
                fastest.push(run_fastest.parse().unwrap());
                medians.push(run_median.parse().unwrap());
            }
        }
    }
    for values in runs.values_mut().flatten() {
        values.sort_unstable_by(f64::total_cmp);
    }
    runs
}

fn table(all: &[Program], workload: Workload, runs: &Runs, instructions: &[Option<f64>]) {
    let mut table =
        Table::new([workload.name(), "1 thread", "more", "2 threads", "more", "instructions, M", "more"]);
    for (number, program) in all.iter().enumerate() {
        let [one, two] = THREADS.map(|threads| {
            let ([fastest, median], [more, by_medians]) =
                (summary(runs, number, threads), slower(all, runs, number, threads));
            [
                format!("{:.3} ({:.3})", fastest / 1e6, median / 1e6),
                format!("{more:+.1} % ({by_medians:+.1} %)"),
            ]
        });
        let ([one, more], [two, more_of_two]) = (one, two);
        let count = |number: usize| instructions.get(number).copied().flatten();
        let counted = count(number).map_or(String::new(), |counted| format!("{:.2}", counted / 1e6));
        let more_instructions = count(number).zip(count(bare(all, number)));
        let more_instructions =
            more_instructions.map_or(String::new(), |(own, bare)| format!("{:+.1} %", percent(own, bare)));
        table.row([program.to_string(), one, more, two, more_of_two, counted, more_instructions]);
    }
    println!("\n## {}\n\n{table}", workload.name());
}

/// The fastest, and the median of the medians.
fn summary(runs: &Runs, number: usize, threads: usize) -> [f64; 2] {
    let [fastest, medians] = runs.get(&(number, threads)).unwrap();
    [*fastest.first().unwrap(), *medians.get(medians.len() / 2).unwrap()]
}

/// By how many percent a program is slower than the bare one, by the fastest and by medians.
fn slower(all: &[Program], runs: &Runs, number: usize, threads: usize) -> [f64; 2] {
    let ([fastest, median], [bare_fastest, bare_median]) =
        (summary(runs, number, threads), summary(runs, bare(all, number), threads));
    [percent(fastest, bare_fastest), percent(median, bare_median)]
}

fn bare(all: &[Program], number: usize) -> usize {
    let inner = all.get(number).unwrap().inner;
    all.iter().position(|program| program.inner == inner).unwrap()
}

fn percent(own: f64, bare: f64) -> f64 {
    (own / bare - 1.0) * 100.0
}
