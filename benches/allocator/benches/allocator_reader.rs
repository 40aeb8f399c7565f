//! What a reader of the counts costs: threads that allocate while it reads a thousand times a second, and itself.
//!
//! `cargo bench -p benches-allocator --bench allocator_reader -- --rounds 50` measures more rounds than the default.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::{Table, number};
use benches_allocator::{Inner, Program, Programs, Wrapper};

const ROUNDS: usize = 15;
const QUICK: usize = 3;
const MILLISECONDS: usize = 1000;
/// What a third thread does; the last two differ in reading alone.
const READERS: [&str; 3] = ["none", "wakes", "reads"];
/// Quantiles, the largest, how many batches there were and how often the third thread woke.
type Run = [i64; 7];

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
            let words: Vec<i64> = said.split_whitespace().map(|word| word.parse().unwrap()).collect();
            runs.push(Run::try_from(words).unwrap());
        }
    }
    let mut table =
        Table::new(["a third thread", "p50", "p99", "p99.9", "p99.99", "largest", "batches", "woke"]);
    let mut row = |name: &str, run: Run| {
        let [p50, p99, p999, p9999, largest, batches, woke] = run.map(|value| value.to_string());
        table.row([name.to_owned(), p50, p99, p999, p9999, largest, batches, woke]);
    };
    let medians = runs.map(|runs| medians(&runs));
    for (reader, medians) in READERS.into_iter().zip(medians) {
        row(reader, medians);
    }
    let [_, mut wakes, mut reads] = medians;
    let difference: Vec<i64> =
        reads.iter_mut().zip(&mut wakes).map(|(reads, wakes)| *reads - *wakes).collect();
    row("reads less wakes", Run::try_from(difference).unwrap());
    println!(
        "\n## Of 16 pairs of 64 bytes on each of two threads, {}, ns: medians of {rounds} runs of {MILLISECONDS} ms\n\n{table}",
        inner.name()
    );
}

/// Of each column on its own.
fn medians(runs: &[Run]) -> Run {
    std::array::from_fn(|column| {
        let mut values: Vec<i64> = runs.iter().map(|run| *run.get(column).unwrap()).collect();
        values.sort_unstable();
        *values.get(values.len() / 2).unwrap()
    })
}

fn reading(programs: &Programs, rounds: usize) {
    let ours = Program { inner: Inner::System, wrapper: Wrapper::Ours };
    let mut table = Table::new(["threads that live", "one reading, µs", "median"]);
    for threads in ["1", "10", "100", "1000"] {
        let runs = (0..rounds).map(|_| {
            let said = programs.run(ours, &["reading", threads]).unwrap();
            let (fastest, median) = said.trim().split_once(' ').unwrap();
            [fastest, median].map(|nanoseconds| nanoseconds.parse::<f64>().unwrap() / 1e3)
        });
        let [fastest, median] = runs.reduce(|[a, b], [c, d]| [a.min(c), b.min(d)]).unwrap();
        table.row([threads.to_owned(), format!("{fastest:.2}"), format!("{median:.2}")]);
    }
    println!("\n## Reading the counts\n\n{table}");
}
