//! Slowdown, accuracy, memory and length of profiles, beside those of peers. Programs take turns.
//!
//! `cargo bench --manifest-path benches/profiles/Cargo.toml -- --rounds 20` measures more rounds than the default, `--milliseconds 3000` longer ones.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::{Table, number};
use benches_profiles::profilers::{Profiler, Trigger};
use benches_profiles::program::Said;
use benches_profiles::work::Work;
use std::process::Command;

const ROUNDS: usize = 8;
const QUICK: usize = 2;
const MILLISECONDS: usize = 2000;
const THREADS: &str = "2";

const BIG: &str = env!("CARGO_BIN_EXE_profiled_big");
const SYSTEM: &str = env!("CARGO_BIN_EXE_profiled_system");
const COUNTING: &str = env!("CARGO_BIN_EXE_profiled_counting");
const JEMALLOC: &str = env!("CARGO_BIN_EXE_profiled_jemalloc");
const PPROF_ALLOC: &str = env!("CARGO_BIN_EXE_profiled_pprof_alloc");

/// As jemalloc's own documentation has it, with the mean of the others.
const JEMALLOC_SAMPLES: &str = "prof:true,prof_active:true,lg_prof_sample:19";

/// A program, under a profiler.
#[derive(Clone, Copy)]
struct Subject {
    name: &'static str,
    program: &'static str,
    profiler: Profiler,
    /// What its slowdown is measured by.
    base: usize,
}

fn main() {
    let (rounds, milliseconds) = (number("rounds", ROUNDS, QUICK), number("milliseconds", MILLISECONDS, 500));
    let subjects = subjects();
    println!("\n{rounds} rounds of {milliseconds} ms a program, {THREADS} threads");
    let mut goals = Table::new(["goal", "at most", "by the fastest", "by medians"]);
    for work in Work::ALL {
        let runs = in_turns(&subjects, work, rounds, &milliseconds.to_string());
        slowdown(&subjects, work, &runs, &mut goals);
        if work == Work::Numbers {
            accuracy(&subjects, &runs, &mut goals);
        }
        memory(&subjects, work, &runs, Some(&mut goals));
    }
    big(rounds, &milliseconds.to_string());
    println!("\n## Goals\n\n{goals}");
}

fn subjects() -> Vec<Subject> {
    let subject = |name, program, profiler, base| Subject { name, program, profiler, base };
    let cpu = |name, profiler| subject(name, SYSTEM, profiler, 0);
    let perf = |frequency| Profiler::Cpu(frequency, Trigger::Perf);
    let timers = |frequency| Profiler::Cpu(frequency, Trigger::Timers);
    vec![
        subject("nothing", SYSTEM, Profiler::None, 0),
        cpu("CPU, 100 Hz, timers", timers(100)),
        cpu("CPU, 100 Hz, perf", perf(100)),
        cpu("pprof-rs, 100 Hz", Profiler::PprofRs(100)),
        cpu("CPU, 997 Hz, timers", timers(997)),
        cpu("CPU, 997 Hz, perf", perf(997)),
        cpu("pprof-rs, 997 Hz", Profiler::PprofRs(997)),
        subject("counting", COUNTING, Profiler::None, 0),
        subject("counting and heap", COUNTING, Profiler::Heap, 7),
        subject("pprof-alloc", PPROF_ALLOC, Profiler::PprofAlloc, 0),
        subject("jemalloc, not profiling", JEMALLOC, Profiler::None, 10),
        subject("jemalloc's profiler", JEMALLOC, Profiler::Jemalloc, 10),
    ]
}

/// A profile of many functions of a program that is as long as a service's.
fn big(rounds: usize, milliseconds: &str) {
    let length = std::fs::metadata(BIG).unwrap().len() as f64 / 1e6;
    let subject = |name, profiler| Subject { name, program: BIG, profiler, base: 0 };
    let subjects = [
        subject("CPU, 997 Hz", Profiler::Cpu(997, Trigger::Timers)),
        subject("heap", Profiler::Heap),
        subject("pprof-rs, 997 Hz", Profiler::PprofRs(997)),
    ];
    println!("\n# A program of {length:.0} MB");
    let runs = in_turns(&subjects, Work::Regex, rounds, milliseconds);
    memory(&subjects, Work::Regex, &runs, None);
}

/// What each subject says in each round.
fn in_turns(subjects: &[Subject], work: Work, rounds: usize, milliseconds: &str) -> Vec<Vec<Said>> {
    let mut runs = vec![Vec::new(); subjects.len()];
    for _ in 0..rounds {
        for (subject, said) in subjects.iter().zip(&mut runs) {
            let mut command = Command::new(subject.program);
            if subject.profiler == Profiler::Jemalloc {
                command.env("_RJEM_MALLOC_CONF", JEMALLOC_SAMPLES);
            }
            let output = command
                .args([&subject.profiler.argument(), work.name(), THREADS, milliseconds])
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            // pprof-rs may crash, which is a result, too.
            match Said::parse(&text) {
                Some(one) if output.status.success() => said.push(one),
                _ => println!(
                    "{} failed: {}, {}",
                    subject.name,
                    output.status,
                    String::from_utf8_lossy(&output.stderr)
                ),
            }
        }
    }
    runs
}

fn slowdown(subjects: &[Subject], work: Work, runs: &[Vec<Said>], goals: &mut Table) {
    let mut table = Table::new([work.name(), "CPU time a unit, µs", "more", "beside"]);
    for (subject, said) in subjects.iter().zip(runs).filter(|(_, said)| !said.is_empty()) {
        let [fastest, median] = least_and_median(said.iter().map(Said::unit));
        let base = runs.get(subject.base).unwrap();
        let [base_fastest, base_median] = least_and_median(base.iter().map(Said::unit));
        let [more, by_medians] =
            [(fastest, base_fastest), (median, base_median)].map(|(own, base)| (own / base - 1.0) * 100.0);
        let beside = subjects.get(subject.base).unwrap().name;
        table.row([
            subject.name.to_owned(),
            format!("{:.1} ({:.1})", fastest / 1e3, median / 1e3),
            format!("{more:+.2} % ({by_medians:+.2} %)"),
            beside.to_owned(),
        ]);
        if let Profiler::Cpu(100, _) = subject.profiler {
            goals.row([
                format!("{}, {}, % slower", work.name(), subject.name),
                "1".to_owned(),
                format!("{more:.2}"),
                format!("{by_medians:.2}"),
            ]);
        }
    }
    println!("\n## Slowdown, {}\n\n{table}", work.name());
}

fn accuracy(subjects: &[Subject], runs: &[Vec<Said>], goals: &mut Table) {
    let mut table = Table::new([
        "of the CPU time that was spent",
        "counted in samples: median, %",
        "least, %",
        "most, %",
        "told: median, %",
    ]);
    for (subject, said) in subjects.iter().zip(runs) {
        let said: Vec<_> = said.iter().filter(|said| said.counted > 0).collect();
        let part = |time: u64, said: &Said| time as f64 / said.spent as f64 * 100.0;
        let [least, median] = least_and_median(said.iter().map(|said| part(said.counted, said)));
        let [_, told] = least_and_median(said.iter().map(|said| part(said.told, said)));
        let most = said.iter().map(|said| part(said.counted, said)).fold(0.0, f64::max);
        if said.is_empty() {
            continue;
        }
        let cells = [median, least, most, told].map(|part| format!("{part:.2}"));
        let [median_cell, least_cell, most_cell, told_cell] = cells;
        table.row([subject.name.to_owned(), median_cell, least_cell, most_cell, told_cell]);
        if let Profiler::Cpu(..) = subject.profiler {
            let furthest = (least - 100.0).abs().max((most - 100.0).abs());
            goals.row([
                format!("{}, % of the CPU time counted wrong, furthest run and median", subject.name),
                "3".to_owned(),
                format!("{furthest:.2}"),
                format!("{:.2}", (median - 100.0).abs()),
            ]);
        }
    }
    println!("\n## Totals\n\n{table}");
}

fn memory(subjects: &[Subject], work: Work, runs: &[Vec<Said>], mut goals: Option<&mut Table>) {
    let mut table = Table::new([
        "median",
        "before, KiB",
        "more while it runs, KiB",
        "the most while it is written, KiB",
        "when it has been, KiB",
        "writing it, ms",
        "its length, bytes",
    ]);
    for (subject, said) in subjects.iter().zip(runs).filter(|(_, said)| !said.is_empty()) {
        let median = |of: fn(&Said) -> f64| {
            let [_, median] = least_and_median(said.iter().map(of));
            median
        };
        let more = median(|said| said.most as f64 - said.before as f64);
        table.row([
            subject.name.to_owned(),
            format!("{:.0}", median(|said| said.before as f64)),
            format!("{more:.0}"),
            format!("{:.0}", median(|said| said.writing as f64 - said.before as f64)),
            format!("{:.0}", median(|said| said.after as f64 - said.before as f64)),
            format!("{:.1}", median(|said| said.produced as f64) / 1e3),
            format!("{:.0}", median(|said| said.bytes as f64)),
        ]);
        if let (Profiler::Cpu(..), Some(goals)) = (subject.profiler, goals.as_deref_mut()) {
            let most = said.iter().map(|said| said.most as f64 - said.before as f64).fold(0.0, f64::max);
            goals.row([
                format!("{}, {}, KiB resident, most and median", work.name(), subject.name),
                "8192".to_owned(),
                format!("{most:.0}"),
                format!("{more:.0}"),
            ]);
        }
    }
    println!("\n## Memory and length, {}\n\n{table}", work.name());
}

fn least_and_median(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    [values.first().copied().unwrap_or(f64::NAN), values.get(values.len() / 2).copied().unwrap_or(f64::NAN)]
}
