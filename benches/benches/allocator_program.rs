//! What counting costs a program that allocates for a living: serde_json parses a document of a megabyte and drops it.
//!
//! `cargo bench -p benches --bench allocator_program -- --rounds 200` measures more rounds than the default.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use benches::allocator::arguments::number;
use benches::allocator::callgrind::{instructions_of_document, is_here};
use benches::allocator::{Inner, Program, Programs, Wrapper};
use benches::table::Table;
use std::collections::BTreeMap;

const ROUNDS: usize = 60;
const QUICK: usize = 5;
/// Documents that a thread parses in a run.
const DOCUMENTS: usize = 20;
const THREADS: [usize; 2] = [1, 2];
const INNERS: [Inner; 3] = [Inner::System, Inner::Jemalloc, Inner::Mimalloc];
const LIMIT: f64 = 1.0;

/// The fastest of all rounds and the medians of each, ns, sorted.
#[derive(Default)]
struct Times {
    fastest: Vec<u64>,
    medians: Vec<u64>,
}

fn main() {
    let rounds = number("rounds", ROUNDS, QUICK);
    let programs = Programs::beside(env!("CARGO_BIN_EXE_alloc_system_bare"));
    let all: Vec<Program> = INNERS.into_iter().flat_map(|inner| programs.of(inner)).collect();
    let mut times: BTreeMap<(usize, usize), Times> = BTreeMap::new();
    for _ in 0..rounds {
        for threads in THREADS {
            for (number, program) in all.iter().enumerate() {
                let said =
                    programs.run(*program, &["json", &threads.to_string(), &DOCUMENTS.to_string()]).unwrap();
                let (fastest, median) = said.trim().split_once(' ').unwrap();
                let times = times.entry((threads, number)).or_default();
                times.fastest.push(fastest.parse().unwrap());
                times.medians.push(median.parse().unwrap());
            }
        }
    }
    println!(
        "\nOne document, ms of CPU time: fastest of {} (median), and more than bare by both.",
        rounds * DOCUMENTS
    );
    let instructions =
        all.iter().map(|program| is_here().then(|| instructions_of_document(&programs, *program).unwrap()));
    report(&all, times, &instructions.collect::<Vec<_>>());
}

fn report(all: &[Program], mut times: BTreeMap<(usize, usize), Times>, instructions: &[Option<f64>]) {
    for times in times.values_mut() {
        times.fastest.sort_unstable();
        times.medians.sort_unstable();
    }
    let mut table =
        Table::new(["parse and drop", "1 thread", "more", "2 threads", "more", "instructions, M", "more"]);
    let mut goals = Table::new(["goal", "at most", "measured", "by medians", ""]);
    let mut bare = 0;
    for (number, program) in all.iter().enumerate() {
        if program.wrapper == Wrapper::Bare {
            bare = number;
        }
        let [one, two] = THREADS.map(|threads| {
            let (own, bare) = (times.get(&(threads, number)).unwrap(), times.get(&(threads, bare)).unwrap());
            let more = [slower(own.fastest(), bare.fastest()), slower(own.median(), bare.median())];
            let [fastest, median] = more;
            if program.wrapper == Wrapper::Ours {
                let verdict = if fastest <= LIMIT { "met" } else { "MISSED" };
                goals.row([
                    format!("{}: % slower, {threads} threads", program.inner.name()),
                    format!("{LIMIT:.2}"),
                    format!("{fastest:.2}"),
                    format!("{median:.2}"),
                    verdict.to_owned(),
                ]);
            }
            (
                format!("{:.3} ({:.3})", own.fastest() / 1e6, own.median() / 1e6),
                format!("{fastest:+.2} % ({median:+.2} %)"),
            )
        });
        let count = |number: usize| instructions.get(number).copied().flatten();
        let counted = count(number).map_or(String::new(), |counted| format!("{:.2}", counted / 1e6));
        let more = count(number)
            .zip(count(bare))
            .map_or(String::new(), |(own, bare)| format!("{:+.2} %", slower(own, bare)));
        table.row([program.to_string(), one.0, one.1, two.0, two.1, counted, more]);
    }
    println!("\n## A document of a megabyte\n\n{table}\n## Goals\n\n{goals}");
}

impl Times {
    fn fastest(&self) -> f64 {
        *self.fastest.first().unwrap() as f64
    }

    fn median(&self) -> f64 {
        *self.medians.get(self.medians.len() / 2).unwrap() as f64
    }
}

/// By how many percent `own` is more than `bare`.
fn slower(own: f64, bare: f64) -> f64 {
    (own / bare - 1.0) * 100.0
}
