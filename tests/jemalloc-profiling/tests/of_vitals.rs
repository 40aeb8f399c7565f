//! What a user gets who has configured jemalloc's own profile: Go's reader finds in it what is held.
#![allow(unsafe_code, reason = "a symbol that jemalloc reads")]

use std::hint::black_box;

use jemalloc_profiling::Options;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals::alloc::Counting;
use otel_vitals::{Config, HeapSource, Vitals, profiling::heap};
use test_harness::pprof::Pprof;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

/// So many samples that an error of a twentieth is eight standard deviations.
#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Options = Options::new(c"prof:true,lg_prof_sample:12,prof_accum:true");

const BLOCKS: usize = 100 << 10;
/// A size class of jemalloc, so that its blocks are as large.
const SIZE: usize = 1 << 10;

#[inline(never)]
fn hold_100_mib(blocks: &mut Vec<Vec<u8>>) {
    blocks.extend((0..BLOCKS).map(|_| black_box(vec![1_u8; SIZE])));
}

fn assert_near(found: i64, expected: usize, what: &str) {
    let error = (found as f64 - expected as f64).abs() / expected as f64;
    assert!(error < 0.05, "{what}: {found} instead of {expected}");
}

#[test]
fn go_reads_in_the_profile_that_is_configured_what_is_held() {
    let mut config = Config::default();
    config.profiling.heap.source = HeapSource::Jemalloc;
    let vitals =
        Vitals::builder().config(config).meter_provider(SdkMeterProvider::default()).start().unwrap();
    let mut blocks = Vec::with_capacity(BLOCKS);
    hold_100_mib(&mut blocks);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let profile = runtime.block_on(vitals.profile_heap()).unwrap();
    assert!(profile.starts_with(&[0x1f, 0x8b]), "it is gzipped");
    assert_eq!((heap::interval(), heap::samples()), (0, 0), "nothing is sampled twice");

    let snapshot = vitals.heap_snapshot().unwrap();
    let held = BLOCKS * SIZE + blocks.capacity() * size_of::<Vec<u8>>();
    assert_near(snapshot.total("inuse_space").unwrap(), held, "all that is held");
    if let Some(pprof) = Pprof::find() {
        let held = |kind: &str| {
            let rows = pprof.top(&profile, kind, &[]);
            let ours = rows.iter().find(|row| row.name.contains("hold_100_mib")).unwrap();
            ours.cumulative
        };
        for kind in ["inuse", "alloc"] {
            assert_near(held(&format!("{kind}_space")), BLOCKS * SIZE, kind);
            assert_near(held(&format!("{kind}_objects")), BLOCKS, kind);
        }
    }
    drop(blocks);
    vitals.shutdown().unwrap();
}
