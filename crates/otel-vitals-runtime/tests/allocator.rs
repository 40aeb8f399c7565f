//! What an allocator tells of itself arrives state by state, and one that does not answer costs only that.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use otel_vitals_alloc::{Counting, Introspect, Memory, Untold};
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::{AllocatorOptions, MemStats};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use test_harness::{Collection, InMemory};

#[global_allocator]
static ALLOCATOR: Counting<sys::Talkative> = Counting::introspected(sys::Talkative);

static IS_SILENT: AtomicBool = AtomicBool::new(false);

#[allow(unsafe_code)]
mod sys {
    //! The system's allocator by another name, and nothing else.

    use std::alloc::{GlobalAlloc, Layout, System};

    pub(super) struct Talkative;

    // SAFETY: every call goes to the system's allocator as it came.
    unsafe impl GlobalAlloc for Talkative {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: what the caller promised us is what the system's allocator asks for.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}

/// More than a test program uses, so that what is in use is not what is counted.
const PAGES: u64 = 1 << 40;

impl Introspect for sys::Talkative {
    const NAME: &'static str = "talkative";

    fn memory(used: u64) -> Result<Memory, Untold> {
        if IS_SILENT.load(Relaxed) {
            return Err(Untold::new("an answer", "silence"));
        }
        let mut memory = Memory::default();
        memory.allocated = Some(used);
        memory.fragmented = Some(PAGES - used);
        memory.metadata = Some(3);
        memory.cached = Some(4);
        memory.retained = Some(5);
        memory.in_use = Some(PAGES);
        Ok(memory)
    }
}

fn size(collection: &Collection, state: &str) -> Option<f64> {
    let attributes = [("rust.allocator.memory.state", state), ("rust.allocator.name", "talkative")];
    collection.value("rust.allocator.memory.size", &attributes)
}

fn errors(collection: &Collection) -> Option<f64> {
    collection.value("otel_vitals.source.errors", &[("otel_vitals.source", "rust.allocator")])
}

/// One test, because there is one allocator.
#[test]
fn what_an_allocator_tells_arrives_and_its_silence_costs_only_that() {
    let pipeline = InMemory::new();
    let meter = pipeline.meter("test");
    let context = SourceContext::new(&meter, Duration::ZERO);
    otel_vitals_runtime::register_allocator(&meter, &context, &AllocatorOptions::default());

    let collection = pipeline.collect();
    let told = ["metadata", "cached", "retained"].map(|state| size(&collection, state).unwrap());
    assert_eq!(told, [3.0, 4.0, 5.0]);
    let in_pages = size(&collection, "allocated").unwrap() + size(&collection, "fragmented").unwrap();
    assert_eq!(in_pages, PAGES as f64);
    assert_eq!(errors(&collection), Some(0.0));
    let stats = MemStats::read();
    assert_eq!((stats.heap_inuse, stats.heap_idle, stats.heap_released), (PAGES, 9, 5));
    assert!(stats.other_sys > 3, "what is counted with is in it");

    IS_SILENT.store(true, Relaxed);
    let collection = pipeline.collect();
    assert!(collection.metric("rust.allocator.memory.size").is_none());
    assert!(collection.value("rust.memory.used", &[]).unwrap() > 0.0);
    assert!(errors(&pipeline.collect()) >= Some(1.0));
    let stats = MemStats::read();
    assert_eq!((stats.heap_inuse, stats.heap_idle), (stats.heap_alloc, 0));
}
