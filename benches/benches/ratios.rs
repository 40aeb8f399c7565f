//! What a collection costs as a ratio: to the raw system calls of the same sources, and to the peers, in one run.
//!
//! `cargo bench -p benches --bench ratios -- --rounds 5000` measures more rounds than the default.
#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

use bench_harness::Table;
use benches::group::Group;
use benches::pipeline::size;
use benches::subject::{Extent, FRESH, Subject, Who, collected, collected_by};
use benches::timing::{Times, in_turns};
use std::time::Duration;

const ROUNDS: usize = 3000;

/// Subjects that took turns, and their times.
struct Measured {
    subjects: Vec<Subject>,
    times: Vec<Times>,
}

fn main() {
    let rounds = rounds();
    println!("\nFastest of {rounds} (median), in µs.");
    let readings = Group::ALL.map(|group| Measured::reading_of(group, rounds));
    reading_beside_raw(&readings);
    reading_beside_peers(&readings);
    let process = Measured::whole(
        &[
            (Group::Process, Who::InstrumentationProcess),
            (Group::Process, Who::Ours),
            (Group::ProcessTwice, Who::Ours),
        ],
        rounds,
    );
    let all = Measured::whole(&[(Group::Default, Who::Ours), (Group::Everything, Who::Ours)], rounds);
    whole_collections(&[&process, &all]);
    goals(&readings, &process);
}

fn rounds() -> usize {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--rounds").skip(1);
    arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS)
}

impl Measured {
    /// Everybody who can read `group`.
    ///
    /// Only who is compared takes turns: every subject has descriptors and threads, and some peers list them.
    fn reading_of(group: Group, rounds: usize) -> Self {
        let subjects =
            Who::ALL.into_iter().filter_map(|who| Subject::new(group, who, Extent::Reading, FRESH));
        Self::of(subjects.collect(), rounds)
    }

    /// Everything that `collectors` do with a group.
    fn whole(collectors: &[(Group, Who)], rounds: usize) -> Self {
        let subjects = collectors.iter().flat_map(|(group, who)| {
            Extent::ALL.into_iter().filter_map(|extent| Subject::new(*group, *who, extent, FRESH))
        });
        Self::of(subjects.collect(), rounds)
    }

    fn of(mut subjects: Vec<Subject>, rounds: usize) -> Self {
        let times = in_turns(&mut subjects, rounds);
        Measured { subjects, times }
    }

    fn collectors(&self) -> impl Iterator<Item = (Group, Who)> {
        let readings = self.subjects.iter().filter(|subject| subject.extent == Extent::Reading);
        readings.map(|subject| (subject.group, subject.who))
    }

    fn times(&self, group: Group, who: Who, extent: Extent) -> Option<&Times> {
        let subjects = self.subjects.iter().zip(&self.times);
        let mut found = subjects
            .filter(|(subject, _)| (subject.group, subject.who, subject.extent) == (group, who, extent));
        found.next().map(|(_, times)| times)
    }

    fn reading(&self, group: Group, who: Who) -> Option<&Times> {
        self.times(group, who, Extent::Reading)
    }

    /// What `extent` costs more than `empty`, by the fastest and by the medians.
    fn above(&self, group: Group, who: Who, extent: Extent, empty: Extent) -> Option<[Duration; 2]> {
        let (whole, empty) = (self.times(group, who, extent)?, self.times(group, who, empty)?);
        let fastest = whole.fastest().saturating_sub(empty.fastest());
        Some([fastest, whole.median().saturating_sub(empty.median())])
    }
}

fn reading_beside_raw(readings: &[Measured]) {
    let mut table =
        Table::new(["reading", "metrics", "series", "raw calls", "otel-vitals", "ratio", "by medians"]);
    for (group, measured) in Group::ALL.into_iter().zip(readings) {
        let (ours, raw) = (measured.reading(group, Who::Ours), measured.reading(group, Who::Raw));
        let (metrics, series) = size(&collected(group));
        let ratios = ours
            .zip(raw)
            .map(|(ours, raw)| [ratio(ours.fastest(), raw.fastest()), ratio(ours.median(), raw.median())]);
        let [ratio, by_medians] = ratios.unwrap_or_default();
        table.row([
            group.name().to_owned(),
            metrics.to_string(),
            series.to_string(),
            cell(raw),
            cell(ours),
            ratio,
            by_medians,
        ]);
    }
    println!("\n## Reading alone, beside the raw system calls\n\n{table}");
}

fn reading_beside_peers(readings: &[Measured]) {
    let peers = [Who::Procfs, Who::Sysinfo, Who::InstrumentationProcess, Who::SystemMetrics];
    let mut table = Table::new([
        "reading",
        "otel-vitals",
        "procfs",
        "sysinfo",
        "instrumentation-process",
        "system-metrics",
    ]);
    for (group, measured) in Group::ALL.into_iter().zip(readings) {
        let peers = peers.map(|peer| measured.reading(group, peer));
        let Some(ours) = measured.reading(group, Who::Ours) else { continue };
        if peers.iter().all(Option::is_none) {
            continue;
        }
        let beside = |peer: Option<&Times>| match peer {
            Some(peer) => format!("{} = {}", cell(Some(peer)), ratio(peer.fastest(), ours.fastest())),
            None => String::new(),
        };
        let [procfs, sysinfo, process, system] = peers.map(beside);
        table.row([group.name().to_owned(), cell(Some(ours)), procfs, sysinfo, process, system]);
    }
    println!("\n## Reading alone, beside the peers (times, and how many times ours)\n\n{table}");
}

fn whole_collections(whole: &[&Measured]) {
    let mut table = Table::new([
        "collection",
        "metrics",
        "series",
        "collect",
        "of it SDK",
        "rest",
        "flush",
        "of it SDK",
        "rest",
    ]);
    let collectors =
        whole.iter().flat_map(|measured| measured.collectors().map(|collector| (*measured, collector)));
    for (measured, (group, who)) in collectors {
        let (metrics, series) = size(&collected_by(group, who));
        let rest = |extent, empty| {
            let above = measured.above(group, who, extent, empty);
            above.map_or(String::new(), |[fastest, median]| {
                format!("{} ({})", micros(fastest), micros(median))
            })
        };
        table.row([
            format!("{} {}", group.name(), who.name()),
            metrics.to_string(),
            series.to_string(),
            cell(measured.times(group, who, Extent::Collection)),
            cell(measured.times(group, who, Extent::EmptyCollection)),
            rest(Extent::Collection, Extent::EmptyCollection),
            cell(measured.times(group, who, Extent::Flush)),
            cell(measured.times(group, who, Extent::EmptyFlush)),
            rest(Extent::Flush, Extent::EmptyFlush),
        ]);
    }
    println!(
        "\n## Whole collections, SDK included\n\n`collect`: the SDK collects on the thread that asks. `flush`: its periodic \
         reader collects on its own thread and exports to memory. `of it SDK`: the same with callbacks that read nothing.\n\n{table}"
    );
}

fn goals(readings: &[Measured], process: &Measured) {
    let mut table = Table::new(["goal", "at most", "measured", "by medians", ""]);
    let mut goal = |name: &str, limit: f64, ours: [Duration; 2], other: [Duration; 2]| {
        let ([fastest, median], [other_fastest, other_median]) = (ours, other);
        let measured = fastest.as_secs_f64() / other_fastest.as_secs_f64();
        let verdict = if measured <= limit { "met" } else { "MISSED" };
        table.row([
            name.to_owned(),
            format!("{limit:.3}"),
            format!("{measured:.3}"),
            format!("{:.3}", median.as_secs_f64() / other_median.as_secs_f64()),
            verdict.to_owned(),
        ]);
    };
    let both =
        |times: Option<&Times>| times.map_or([Duration::MAX; 2], |times| [times.fastest(), times.median()]);
    let (peer, twice) = (Who::InstrumentationProcess, Group::ProcessTwice);
    let default = |who| both(readings.iter().find_map(|measured| measured.reading(Group::Default, who)));
    goal("reading all default groups / raw system calls", 1.5, default(Who::Ours), default(Who::Raw));
    for (name, extent) in [("collect", Extent::Collection), ("flush", Extent::Flush)] {
        goal(
            &format!("{name}: twice the metrics / instrumentation-process"),
            0.5,
            both(process.times(twice, Who::Ours, extent)),
            both(process.times(Group::Process, peer, extent)),
        );
    }
    goal(
        "reading: twice the metrics / instrumentation-process",
        1.0 / 6.0,
        both(process.reading(twice, Who::Ours)),
        both(process.reading(Group::Process, peer)),
    );
    for (name, extent, empty) in [
        ("collect", Extent::Collection, Extent::EmptyCollection),
        ("flush", Extent::Flush, Extent::EmptyFlush),
    ] {
        let above = |group, who| process.above(group, who, extent, empty).unwrap_or([Duration::MAX; 2]);
        goal(
            &format!("{name} less {name} with empty callbacks: likewise"),
            1.0 / 6.0,
            above(twice, Who::Ours),
            above(Group::Process, peer),
        );
    }
    println!("\n## Goals\n\n{table}");
}

fn cell(times: Option<&Times>) -> String {
    times.map_or(String::new(), |times| format!("{} ({})", micros(times.fastest()), micros(times.median())))
}

fn micros(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e6)
}

fn ratio(of: Duration, to: Duration) -> String {
    format!("{:.2}×", of.as_secs_f64() / to.as_secs_f64())
}
