//! Collects one group in one way, as often as asked, and nothing else: for strace and perf.
//!
//! ```console
//! $ cargo build --release -p benches
//! $ strace -c -f target/release/one_collection default otel-vitals reading 1000
//! ```
//!
//! A failing `statx` of `/benches/mark` comes before each collection and after the last.
#![allow(clippy::print_stderr, reason = "it says how it is used")]

use benches::group::Group;
use benches::strace::mark;
use benches::subject::{Extent, FRESH, FRESH_WHEN_TRACED, Subject, Who};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((mut subject, collections)) = asked(&arguments) else {
        usage();
        return ExitCode::FAILURE;
    };
    for _ in 0..collections {
        subject.go_stale();
        mark();
        subject.run();
    }
    mark();
    ExitCode::SUCCESS
}

fn asked(arguments: &[String]) -> Option<(Subject, u32)> {
    let (group, who, extent, collections, rest) = match arguments {
        [group, who, extent, collections, rest @ ..] => (group, who, extent, collections, rest),
        _ => return None,
    };
    let fresh = match rest {
        [] => FRESH,
        [slow] if slow == "--slow" => FRESH_WHEN_TRACED,
        _ => return None,
    };
    let who = Who::ALL.into_iter().find(|known| known.name() == who)?;
    let extent = Extent::ALL.into_iter().find(|known| known.name() == extent)?;
    Some((Subject::new(Group::named(group)?, who, extent, fresh)?, collections.parse().ok()?))
}

fn usage() {
    let names = |names: Vec<&str>| names.join(" | ");
    eprintln!("one_collection GROUP WHO EXTENT COLLECTIONS [--slow]");
    eprintln!("  GROUP   {}", names(Group::ALL.map(Group::name).to_vec()));
    eprintln!("  WHO     {}", names(Who::ALL.map(Who::name).to_vec()));
    eprintln!("  EXTENT  {}", names(Extent::ALL.map(Extent::name).to_vec()));
    eprintln!("  --slow  with pauses of {FRESH_WHEN_TRACED:?}, for what slows a collection down");
    eprintln!("Not everybody does everything.");
}
