//! Reading allocates nothing: all groups together, every option on, after warm-up.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a test")]

use benches::allocations::during;
use benches::group::Group;
use benches::schedulers::Watched;
use benches::subject::{Extent, FRESH, Subject, Who};
use otel_vitals_alloc::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// Without the test harness, whose other thread would be counted too.
fn main() {
    let mut counted = Vec::new();
    for group in Group::ALL {
        let mut ours = Subject::new(group, Who::Ours, Extent::Reading, FRESH).unwrap();
        counted.push((
            group,
            during(|| {
                for _ in 0..20 {
                    ours.run();
                }
            }),
        ));
    }
    assert_eq!(counted, Group::ALL.map(|group| (group, 0)));

    // Without threads of their own, which would be counted too.
    for runtimes in [1, 32] {
        let watched = Watched { runtimes, workers: 1, per_worker: true };
        let mut reading = watched.reading();
        let counted = during(|| (0..20).for_each(|_| reading()));
        assert_eq!(counted, 0, "{watched:?}");
    }

    // That a zero means something: the same count of a peer, which allocates for every line.
    let mut peer = Subject::new(Group::Memory, Who::Procfs, Extent::Reading, FRESH).unwrap();
    assert!(
        during(|| {
            peer.run();
        }) > 10
    );
    println!("reading allocates nothing: ok");
}
