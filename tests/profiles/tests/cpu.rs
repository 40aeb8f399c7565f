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

/// How often it may be tried to tell functions of one thread apart to 3 points. Timers see a thread where the kernel's tick meets it, and on a
/// machine that is busy with others a sample may stand for a tenth of a second, so that there are too few.
const ATTEMPTS: usize = 20;
/// How many points it may be off by even then.
const FARTHEST: i64 = 30;

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

    /// By how many points of all that was spent the leaves, which have `flat`, differ from what was spent in them.
    fn points_off(&self, flat: impl Fn(&str) -> i64) -> i64 {
        let of = [("profiles::work::seventy", self.seventy), ("profiles::work::thirty", self.thirty)];
        of.map(|(name, spent)| self.points(flat(name) - spent)).into_iter().max().unwrap()
    }

    /// So many points of all that was spent are this part.
    fn points(&self, part: i64) -> i64 {
        part.abs() * 100 / self.all
    }
}

/// One of some runs of which `points_off` tells no more than 3.
fn run_of(program: &Path, how: [&str; 2], points_off: impl Fn(&Run) -> i64) -> Run {
    let mut off = Vec::new();
    while off.len() < ATTEMPTS {
        let run = Run::of(program, how);
        let points = points_off(&run);
        assert!(points <= FARTHEST, "{program:?} {how:?}: off by {points} points");
        if points <= 3 {
            return run;
        }
        off.push(points);
    }
    panic!("{program:?} {how:?}: off by {off:?} points")
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
            run_of(&program, how, |run| {
                run.has_all(&pprof, how[0].parse().unwrap());
                // By the function that has the code, whatever was inlined into it.
                let rows = pprof.top(&run.profile, "cpu", &["-noinlines"]);
                run.points_off(|name| rows.iter().find(|row| row.name == name).map_or(0, |row| row.flat))
            });
        }
    }
}

#[test]
fn inlined_functions_are_leaves_of_their_own_with_their_lines() {
    let Some(pprof) = Pprof::find() else { return };
    let source = include_str!("../src/work.rs");
    let before = source.lines().position(|line| line.starts_with("fn inlined(")).unwrap();
    let line = |row: &Row| {
        let (_, place) = row.name.rsplit_once("src/work.rs:")?;
        place.trim_end_matches(" (inline)").parse::<usize>().ok()
    };
    let within = |row: &&Row| {
        let is_inlined = row.name.ends_with(" (inline)") && row.name.contains("inlined ");
        is_inlined && line(row).is_some_and(|line| line > before && line < before + 10)
    };
    let rows = |run: &Run| pprof.top(&run.profile, "cpu", &["-lines", "-focus=work::thirty"]);
    let inlined = |rows: &[Row]| rows.iter().filter(within).map(|row| row.flat).sum::<i64>();
    let run = run_of(&Build::Release.binary("profiles", "busy"), ["997", "auto"], |run| {
        run.points(inlined(&rows(run)) - run.thirty)
    });
    let rows = rows(&run);
    let inlined = inlined(&rows);
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
    // Whoever kept the program with its names finds them by what is there.
    let run = run_of(&program, ["997", "auto"], |run| {
        run.has_all(&pprof, 997);
        let leaves = leaves(&pprof.raw(&run.profile), &whole);
        run.points_off(|name| leaves.get(name).copied().unwrap_or(0))
    });
    let rows = pprof.top(&run.profile, "cpu", &[]);
    assert!(!rows.iter().any(|row| row.name.contains("seventy")), "{rows:?}");
    let raw = pprof.raw(&run.profile);
    let mapping = raw.lines().skip_while(|line| *line != "Mappings").nth(1).unwrap_or_default();
    assert!(mapping.contains(program.to_str().unwrap()) && mapping.contains(&build_id), "{mapping}");
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
