//! Reading makes the system calls that it needs and no other: those that `raw` makes by hand.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a test")]

use benches::group::Group;
use benches::strace::{Calls, calls, is_here};
use benches::subject::{Extent, Who};
use std::path::Path;

const ONE_COLLECTION: &str = env!("CARGO_BIN_EXE_one_collection");

/// What a default collection asks the kernel for, beside the space of each mount. Long files take a call for each page.
const DEFAULT: usize = 27;
/// What the process group asks the kernel for, each with one call.
const PROCESS: usize = 6;

fn of(group: Group, who: Who) -> Calls {
    let mut calls = calls(Path::new(ONE_COLLECTION), group, who, Extent::Reading).unwrap();
    // What is not on this machine, such as IPv6, is looked for every time.
    calls.retain(|call, _| call != "openat");
    if std::fs::metadata("/proc/self/fd").unwrap().len() == 0 {
        // Before Linux 6.2 the folder of descriptors does not tell their number and is listed.
        calls.retain(|call, _| {
            !(call.ends_with("/fd") && (call.starts_with("lseek") || call.starts_with("getdents")))
        });
    }
    calls
}

#[test]
fn reading_makes_no_call_more_than_it_needs() {
    if !is_here() {
        println!("skipped: strace is not installed, or may not trace here");
        return;
    }
    for (group, asked) in [(Group::Process, PROCESS), (Group::Default, DEFAULT)] {
        let (ours, raw) = (of(group, Who::Ours), of(group, Who::Raw));
        let more: Vec<_> =
            ours.iter().filter(|(call, times)| raw.get(*call).is_none_or(|raw| raw < times)).collect();
        assert!(more.is_empty(), "{} makes more calls than raw: {more:?}", group.name());
        // And raw is no floor to compare with if it has what we leave out.
        assert!(raw.keys().eq(ours.keys()), "{}: {ours:?}, raw {raw:?}", group.name());
        let questions = ours.keys().filter(|call| *call != "statfs").count();
        assert!((1..=asked).contains(&questions), "{}: {ours:?}", group.name());
    }
}
