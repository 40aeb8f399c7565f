//! A profile says when jemalloc samples nothing.
#![allow(unsafe_code, reason = "a symbol that jemalloc reads, and a name that it is asked by")]

use std::hint::black_box;

use jemalloc_profiling::Options;
use otel_vitals_alloc::Counting;
use otel_vitals_profiling::heap;
use tikv_jemalloc_ctl::raw;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Counting<Jemalloc> = Counting::new(Jemalloc);

#[unsafe(export_name = "_rjem_malloc_conf")]
static OPTIONS: Options = Options::new(c"prof:true,prof_active:false,lg_prof_sample:12");

fn set_active(active: bool) {
    // SAFETY: the name ends with a zero, and its value is of this type.
    unsafe { raw::write(b"prof.active\0", active) }.unwrap();
}

#[test]
fn a_jemalloc_that_samples_nothing_says_so() {
    let error = heap::jemalloc_profile().unwrap_err().to_string();
    assert!(error.contains("prof.active"), "{error}");
    set_active(true);
    let held = black_box(vec![1_u8; 1 << 20]);
    let inactive = || heap::jemalloc_profile().unwrap().text().contains("prof.active");
    assert!(!inactive());
    set_active(false);
    assert!(inactive());
    drop(held);
}
