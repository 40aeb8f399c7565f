//! A program that spends 70 % of its CPU time here and 30 % there: what Go's reader finds in its profile is that.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use object::{Object as _, ObjectSection as _, ObjectSegment as _};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use test_harness::builds::Build;
use test_harness::pprof::{Pprof, Row};

/// What the program wrote, and what it says that it spent.
struct Run {
    profile: Vec<u8>,
    seventy: i64,
    thirty: i64,
    all: i64,
}

impl Run {
    fn of(program: &Path, arguments: [&str; 2]) -> Self {
        let folder = TempDir::new().unwrap();
        let output = Command::new(program).arg(folder.path()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let spent: Vec<i64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let [seventy, thirty, all] = spent[..] else { panic!("{text}") };
        Run { profile: fs::read(folder.path().join("cpu.pb.gz")).unwrap(), seventy, thirty, all }
    }

    /// That the profile has all CPU time, to 3 %, and nearly all of it in code.
    fn has_all(&self, pprof: &Pprof, frequency: i64) {
        let rows = pprof.top(&self.profile, "cpu", &[]);
        let all = total(&rows);
        assert!((all - self.all).abs() * 100 <= self.all * 3, "{all} of {}", self.all);
        // That is made to fit. What was counted is not: it is right to a period for each of the threads, which are four with the profile's.
        let period = 1_000_000_000 / frequency;
        let margin = self.all * 3 / 100 + 4 * period;
        let counted = total(&pprof.top(&self.profile, "samples", &[])) * period;
        assert!((counted - self.all).abs() <= margin, "{counted} of {}", self.all);
        let without = ["[not sampled]", "[ended unseen]", "[stacks left out]"];
        let without =
            rows.iter().filter(|row| without.contains(&&*row.name)).map(|row| row.flat).sum::<i64>();
        assert!(without <= margin, "{without} of {} have no stack", self.all);
    }

    /// That the leaves have what was spent in them, to 3 points of all that was.
    fn has_shares(&self, rows: &[Row]) {
        for (name, spent) in
            [("profiles::work::seventy", self.seventy), ("profiles::work::thirty", self.thirty)]
        {
            let flat = rows.iter().find(|row| row.name == name).map_or(0, |row| row.flat);
            let points = (flat - spent).abs() * 100 / self.all;
            assert!(points <= 3, "{flat} in {name} instead of {spent} of {}: {rows:?}", self.all);
        }
    }
}

fn total(rows: &[Row]) -> i64 {
    rows.iter().map(|row| row.flat).sum()
}

#[test]
fn leaves_have_what_was_spent_in_them_in_every_build() {
    let Some(pprof) = Pprof::find() else { return };
    for build in Build::NAMED {
        let program = build.binary("profiles", "busy");
        for how in [["997", "auto"], ["100", "timers"]] {
            let run = Run::of(&program, how);
            run.has_all(&pprof, how[0].parse().unwrap());
            // By the function that has the code, whatever was inlined into it.
            run.has_shares(&pprof.top(&run.profile, "cpu", &["-noinlines"]));
        }
    }
}

#[test]
fn inlined_functions_are_leaves_of_their_own_with_their_lines() {
    let Some(pprof) = Pprof::find() else { return };
    let run = Run::of(&Build::Release.binary("profiles", "busy"), ["997", "auto"]);
    let source = include_str!("../src/work.rs");
    let before = source.lines().position(|line| line.starts_with("fn inlined(")).unwrap();
    let rows = pprof.top(&run.profile, "cpu", &["-lines", "-focus=work::thirty"]);
    let line = |row: &Row| {
        let (_, place) = row.name.rsplit_once("src/work.rs:")?;
        place.trim_end_matches(" (inline)").parse::<usize>().ok()
    };
    let within = rows.iter().filter(|row| row.name.ends_with(" (inline)") && row.name.contains("inlined "));
    let within = within.filter(|row| line(row).is_some_and(|line| line > before && line < before + 10));
    let inlined: i64 = within.map(|row| row.flat).sum();
    let points = (inlined - run.thirty).abs() * 100 / run.all;
    assert!(points <= 3, "{inlined} of {}: {rows:?}", run.thirty);
    let calls = source.lines().position(|line| line.trim() == "inlined(rounds)").unwrap() + 1;
    let outer =
        rows.iter().find(|row| row.name.starts_with("profiles::work::thirty") && line(row) == Some(calls));
    assert!(outer.is_some_and(|row| row.cumulative >= inlined), "{rows:?}");
}

#[test]
fn threads_that_are_born_later_are_there_by_their_names() {
    let Some(pprof) = Pprof::find() else { return };
    let run = Run::of(&Build::Release.binary("profiles", "busy"), ["997", "auto"]);
    for thread in ["later-1", "later-2", "busy"] {
        let of_thread = total(&pprof.top(&run.profile, "cpu", &[&format!("-tagfocus=thread=^{thread}$")]));
        let third = (run.seventy + run.thirty) / 3;
        assert!((of_thread - third).abs() * 100 <= run.all * 3, "{of_thread} of {third} in {thread}");
    }
}

#[test]
fn a_program_without_names_has_its_numbers_and_its_build() {
    let Some(pprof) = Pprof::find() else { return };
    let whole = Build::Lto.binary("profiles", "busy");
    let program = Build::LtoAndStrip.binary("profiles", "busy");
    let build_id = build_id(&program);
    let run = Run::of(&program, ["997", "auto"]);
    run.has_all(&pprof, 997);
    let rows = pprof.top(&run.profile, "cpu", &[]);
    assert!(!rows.iter().any(|row| row.name.contains("seventy")), "{rows:?}");
    let raw = pprof.raw(&run.profile);
    let mapping = raw.lines().skip_while(|line| *line != "Mappings").nth(1).unwrap_or_default();
    assert!(mapping.contains(program.to_str().unwrap()) && mapping.contains(&build_id), "{mapping}");

    // Whoever kept the program with its names finds them by what is there.
    let leaves = leaves(&raw, &whole);
    for (name, spent) in [("profiles::work::seventy", run.seventy), ("profiles::work::thirty", run.thirty)] {
        let flat = leaves.get(name).copied().unwrap_or(0);
        assert!((flat - spent).abs() * 100 <= run.all * 3, "{flat} of {spent}: {leaves:?}");
    }
}

/// What leaves have, by the names that their addresses have in this program.
fn leaves(raw: &str, program: &Path) -> BTreeMap<String, i64> {
    let loader = addr2line::Loader::new(program).unwrap();
    let text = loader.get_section_range(b".text").unwrap();
    let hexadecimal = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mapping = part(raw, "Mappings").next().unwrap().split_whitespace().nth(1).unwrap();
    let start = hexadecimal(mapping.split('/').next().unwrap());
    // What is mapped begins with the page of the first code, which is that of `.text` or of what is before it in its segment.
    let segments = fs::read(program).unwrap();
    let object = object::File::parse(&*segments).unwrap();
    let code = object
        .segments()
        .find(|segment| segment.address() <= text.begin && text.end <= segment.address() + segment.size());
    let bias = start - code.unwrap().address() / 4096 * 4096;
    let locations = part(raw, "Locations").take_while(|line| *line != "Mappings").filter_map(|line| {
        let (id, rest) = line.trim().split_once(": 0x")?;
        Some((id, hexadecimal(rest.split_whitespace().next()?)))
    });
    let names: BTreeMap<_, _> = locations
        .map(|(id, address)| {
            let symbol = loader.find_symbol(address.wrapping_sub(bias)).unwrap_or("?");
            (id, addr2line::demangle_auto(symbol.into(), None).into_owned())
        })
        .collect();
    let mut leaves = BTreeMap::new();
    for line in part(raw, "Samples:").skip(1).take_while(|line| *line != "Locations") {
        let Some((values, stack)) = line.split_once(": ") else { continue };
        let leaf = stack.split_whitespace().next().and_then(|id| names.get(id));
        if let (Some(leaf), Some(Ok(value))) = (leaf, values.split_whitespace().nth(1).map(str::parse::<i64>))
        {
            *leaves.entry(leaf.clone()).or_default() += value;
        }
    }
    leaves
}

/// What is below a headline.
fn part<'a>(raw: &'a str, headline: &'static str) -> impl Iterator<Item = &'a str> {
    raw.lines().skip_while(move |line| *line != headline).skip(1)
}

fn build_id(program: &Path) -> String {
    let bytes = fs::read(program).unwrap();
    let object = object::File::parse(&*bytes).unwrap();
    assert!(object.section_by_name(".text").is_some_and(|text| text.size() > 0));
    object.build_id().unwrap().expect("it has a build id").iter().map(|byte| format!("{byte:02x}")).collect()
}
