//! What holds for all groups at once.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, Callback, InstrumentProvider, Meter, ObservableCounter,
    ObservableGauge, ObservableUpDownCounter,
};
use otel_vitals_core::SourceContext;
use otel_vitals_core::cgroup::Cgroup;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::{HostOptions, register};

#[allow(unsafe_code)]
mod sys {
    //! An allocator that counts what each thread asks of it.

    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    pub(super) struct Counting;

    thread_local! {
        static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    }

    /// Allocations and reallocations of this thread so far.
    pub(super) fn allocations() -> u64 {
        ALLOCATIONS.get()
    }

    fn count() {
        // A thread that ends may allocate after its locals are gone.
        let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    }

    // SAFETY: every call goes to the system's allocator with the caller's own arguments, under the caller's own
    // promises; counting touches a thread-local that has no destructor and allocates nothing.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.alloc(layout) }
        }

        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.alloc_zeroed(layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.realloc(pointer, layout, size) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(pointer, layout) }
        }
    }
}

#[global_allocator]
static ALLOCATOR: sys::Counting = sys::Counting;

/// The callbacks of all instruments, to be called on the test's own thread and without the SDK, which allocates.
#[derive(Default)]
struct Instruments {
    all: Mutex<Vec<Instrument>>,
}

struct Instrument {
    name: String,
    /// Runs the callbacks; returns how many series they observed.
    observe: Box<dyn Fn() -> u64 + Send>,
}

#[derive(Default)]
struct Observed(AtomicU64);

impl<T> AsyncInstrument<T> for Observed {
    fn observe(&self, _value: T, _attributes: &[KeyValue]) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Instruments {
    /// The instruments of everything that `options` turns on, read anew at every look.
    fn of(options: &HostOptions) -> Vec<Instrument> {
        let instruments = Arc::new(Instruments::default());
        let meter = Meter::new(instruments.clone());
        register(&meter, &SourceContext::new(&meter, Duration::ZERO), options);
        std::mem::take(&mut instruments.all.lock().unwrap())
    }

    fn keep<T: 'static>(&self, name: &str, callbacks: Vec<Callback<T>>) {
        let observe = move || {
            let observed = Observed::default();
            callbacks.iter().for_each(|callback| callback(&observed));
            observed.0.into_inner()
        };
        self.all.lock().unwrap().push(Instrument { name: name.to_owned(), observe: Box::new(observe) });
    }
}

/// Keeps the callbacks of one kind of instrument.
macro_rules! keep {
    ($($kind:ident: $instrument:ident<$value:ty>),*) => { $(
        fn $kind(
            &self,
            builder: AsyncInstrumentBuilder<'_, $instrument<$value>, $value>,
        ) -> $instrument<$value> {
            self.keep(&builder.name, builder.callbacks);
            $instrument::new()
        }
    )* };
}

impl InstrumentProvider for Instruments {
    keep! {
        u64_observable_counter: ObservableCounter<u64>,
        f64_observable_counter: ObservableCounter<f64>,
        i64_observable_up_down_counter: ObservableUpDownCounter<i64>,
        f64_observable_up_down_counter: ObservableUpDownCounter<f64>,
        u64_observable_gauge: ObservableGauge<u64>,
        i64_observable_gauge: ObservableGauge<i64>,
        f64_observable_gauge: ObservableGauge<f64>
    }
}

/// Every group with everything that it can show.
fn everything(root_path: Option<PathBuf>) -> HostOptions {
    let mut options = HostOptions { root_path, ..HostOptions::default() };
    (options.cpu.per_core, options.cpu.utilization, options.cpu.frequency) = (true, true, true);
    (options.memory.limit, options.memory.shared, options.memory.hugepages) = (true, true, true);
    options.disk.limit = true;
    options.filesystem.limit = true;
    options
}

fn complete_machine() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/full"))
}

#[test]
fn reading_allocates_nothing_after_warm_up() {
    for root in [None, Some(complete_machine())] {
        let instruments = Instruments::of(&everything(root.clone()));
        assert!(instruments.len() >= 35, "{root:?}: {}", instruments.len());
        for Instrument { name, observe } in &instruments {
            let warm = (0..3).map(|_| observe()).max();
            // A device that comes while this runs on a real machine is made room for, once.
            let fewest = (0..5).map(|_| {
                let before = sys::allocations();
                let observed = observe();
                (sys::allocations() - before, observed)
            });
            let fewest = fewest.min_by_key(|(allocations, _)| *allocations);
            assert_eq!(fewest.map(|(allocations, _)| allocations), Some(0), "{root:?}: {name}");
            let observed = fewest.map(|(_, observed)| observed);
            assert!(root.is_none() || observed == warm, "{name}: {warm:?} series, then {observed:?}");
        }
    }
}

#[test]
fn the_allocator_of_these_tests_counts() {
    let before = sys::allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(sys::allocations() - before, 1);
}

#[test]
fn a_complete_machine_gives_every_metric_a_value() {
    let silent: Vec<String> = Instruments::of(&everything(Some(complete_machine())))
        .into_iter()
        .filter(|instrument| (instrument.observe)() == 0)
        .map(|instrument| instrument.name)
        .collect();
    // A share of the time since the last reading needs time to pass, and the control group is this process's own, which
    // may have no figures.
    let has_figures = Cgroup::own().cpu_stat().is_some();
    let is_excused = |name: &&String| has_figures || !name.starts_with("linux.cgroup.cpu.");
    assert_eq!(silent.iter().filter(is_excused).collect::<Vec<_>>(), ["system.cpu.utilization"]);
}

#[test]
fn a_group_that_is_off_declares_nothing() {
    let mut options = everything(Some(complete_machine()));
    options.cpu.enabled = false;
    options.memory.enabled = false;
    options.paging.enabled = false;
    options.disk.enabled = false;
    options.filesystem.enabled = false;
    options.network.enabled = false;
    options.load.enabled = false;
    options.uptime.enabled = false;
    options.cgroup.enabled = false;
    options.pressure.enabled = false;
    let names: Vec<String> =
        Instruments::of(&options).into_iter().map(|instrument| instrument.name).collect();
    assert_eq!(names, ["system.process.created", "system.process.count", "system.process.limit"]);
    options.processes.enabled = false;
    assert!(Instruments::of(&options).is_empty());
}
