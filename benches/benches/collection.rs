//! Every way to collect every group, each on its own: `cargo bench -p benches --bench collection -- default`.
//!
//! For comparisons see `ratios.rs`, where everybody takes turns.

use benches::group::Group;
use benches::subject::{Extent, FRESH, Subject, Who};
use divan::Bencher;
use std::cell::RefCell;

fn main() {
    divan::main();
}

/// Every group that `who` can collect as far as `extent`.
fn groups(who: Who, extent: Extent) -> Vec<&'static str> {
    let groups = Group::ALL.into_iter().filter(|group| Subject::new(*group, who, extent, FRESH).is_some());
    groups.map(Group::name).collect()
}

/// Two collections are further apart than a reading is fresh, so that a sample is one collection.
fn bench(bencher: Bencher<'_, '_>, group: &str, who: Who, extent: Extent) {
    let subject = Group::named(group).and_then(|group| Subject::new(group, who, extent, FRESH));
    let Some(subject) = subject.map(RefCell::new) else { return };
    bencher.with_inputs(|| subject.borrow().go_stale()).bench_local_values(|()| subject.borrow_mut().run());
}

macro_rules! benches {
    ($($name:ident: $who:ident $extent:ident;)*) => {
        $(
            #[divan::bench(args = groups(Who::$who, Extent::$extent), sample_size = 1, sample_count = 1000)]
            fn $name(bencher: Bencher<'_, '_>, group: &str) {
                bench(bencher, group, Who::$who, Extent::$extent);
            }
        )*
    };
}

benches! {
    otel_vitals_reading: Ours Reading;
    otel_vitals_collection: Ours Collection;
    otel_vitals_flush: Ours Flush;
    raw_calls: Raw Reading;
    procfs_reading: Procfs Reading;
    sysinfo_reading: Sysinfo Reading;
    instrumentation_process_reading: InstrumentationProcess Reading;
    instrumentation_process_collection: InstrumentationProcess Collection;
    instrumentation_process_flush: InstrumentationProcess Flush;
    system_metrics_reading: SystemMetrics Reading;
}
