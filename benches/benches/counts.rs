//! What a collection asks of the heap and of the kernel, by count: ours, the raw calls and the peers.
//!
//! System calls are counted by `strace`; where it is not installed, that part is left out.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints what it measured")]

use bench_harness::Table;
use benches::allocations::during;
use benches::group::Group;
use benches::strace::{self, Calls};
use benches::subject::{Extent, FRESH_WHEN_TRACED, Subject, Who};
use otel_vitals_alloc::Counting;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// Collections whose allocations are counted; the fewest are told.
const COLLECTIONS: usize = 20;

fn main() {
    println!("\n## Heap allocations and system calls of one collection\n");
    let traceable = strace::is_here();
    if !traceable {
        println!("strace is not installed, or may not trace here: no system calls.\n");
    }
    let mut table = Table::new(["collection", "by", "allocations", "system calls"]);
    let mut traces = Vec::new();
    for group in Group::ALL {
        for who in Who::ALL {
            for extent in [Extent::Reading, Extent::Collection, Extent::Flush] {
                let Some(subject) = Subject::new(group, who, extent, FRESH_WHEN_TRACED) else { continue };
                let calls = traceable.then(|| calls(&subject));
                table.row([
                    format!("{} {}", group.name(), extent.name()),
                    who.name().to_owned(),
                    allocations(subject).to_string(),
                    calls.as_ref().map_or(String::new(), |calls| calls.values().sum::<u32>().to_string()),
                ]);
                if (group, extent) == (Group::Default, Extent::Reading) {
                    traces.extend(calls.map(|calls| (who, calls)));
                }
            }
        }
    }
    println!("{table}");
    for (who, calls) in traces.into_iter().filter(|(who, _)| *who == Who::Ours) {
        println!("\n## System calls of one reading of the default groups by {}\n", who.name());
        let mut table = Table::new(["call", "times"]);
        for (call, times) in calls {
            table.row([format!("`{call}`"), times.to_string()]);
        }
        println!("{table}");
    }
}

fn allocations(mut subject: Subject) -> u64 {
    let mut run = || {
        subject.run();
    };
    let counted = (0..COLLECTIONS).map(|_| during(&mut run));
    counted.min().unwrap_or_default()
}

fn calls(subject: &Subject) -> Calls {
    let program = Path::new(env!("CARGO_BIN_EXE_one_collection"));
    strace::calls(program, subject.group, subject.who, subject.extent).unwrap()
}
