//! After warm-up, the callbacks of the whole group allocate nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, InstrumentProvider, Meter, ObservableCounter, ObservableGauge,
    ObservableUpDownCounter,
};
use otel_vitals_core::SourceContext;
use otel_vitals_runtime::ProcessOptions;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[allow(unsafe_code)]
mod sys {
    //! An allocator that counts, and nothing else.

    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    }

    struct Counting;

    #[global_allocator]
    static COUNTING: Counting = Counting;

    // SAFETY: every call goes to the system's allocator as it came; counting touches no memory of the heap.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            count();
            // SAFETY: what the caller promised us is what the system's allocator asks for.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: as above.
            unsafe { System.dealloc(pointer, layout) }
        }

        unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            count();
            // SAFETY: as above.
            unsafe { System.realloc(pointer, layout, size) }
        }
    }

    fn count() {
        ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
    }

    /// Allocations of this thread so far.
    pub(super) fn allocations() -> u64 {
        ALLOCATIONS.with(Cell::get)
    }
}

/// An SDK that keeps the callbacks, so that they can be called without one, which would allocate itself.
#[derive(Default)]
struct Callbacks(Mutex<Vec<Callback>>);

type Callback = Box<dyn Fn(&Values) + Send + Sync>;

/// Where callbacks put their values: counted, not kept.
#[derive(Default)]
struct Values(AtomicUsize);

macro_rules! count_values {
    ($($number:ty),*) => {
        $(impl AsyncInstrument<$number> for Values {
            fn observe(&self, _value: $number, _attributes: &[KeyValue]) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        })*
    };
}

count_values!(u64, i64, f64);

impl InstrumentProvider for Callbacks {
    fn u64_observable_counter(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableCounter<u64>, u64>,
    ) -> ObservableCounter<u64> {
        self.keep(builder);
        ObservableCounter::new()
    }

    fn f64_observable_counter(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableCounter<f64>, f64>,
    ) -> ObservableCounter<f64> {
        self.keep(builder);
        ObservableCounter::new()
    }

    fn i64_observable_up_down_counter(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableUpDownCounter<i64>, i64>,
    ) -> ObservableUpDownCounter<i64> {
        self.keep(builder);
        ObservableUpDownCounter::new()
    }

    fn f64_observable_gauge(
        &self,
        builder: AsyncInstrumentBuilder<'_, ObservableGauge<f64>, f64>,
    ) -> ObservableGauge<f64> {
        self.keep(builder);
        ObservableGauge::new()
    }
}

impl Callbacks {
    fn keep<I, N: 'static>(&self, builder: AsyncInstrumentBuilder<'_, I, N>)
    where
        Values: AsyncInstrument<N>,
    {
        let mut kept = self.0.lock().unwrap();
        for callback in builder.callbacks {
            kept.push(Box::new(move |values| callback(values)));
        }
    }
}

#[test]
fn after_warm_up_no_callback_allocates() {
    let callbacks = Arc::new(Callbacks::default());
    let meter = Meter::new(Arc::<Callbacks>::clone(&callbacks));
    let context = SourceContext::new(&meter, Duration::ZERO);
    let mut options = ProcessOptions::default();
    options.cpu_utilization = true;
    options.memory_utilization = true;
    options.signals_pending = true;
    options.disk_operations = true;
    otel_vitals_runtime::register(&meter, &context, &options);

    let callbacks = callbacks.0.lock().unwrap();
    assert_eq!(callbacks.len(), 13, "one for each instrument");
    let values = Values::default();
    let collect = || callbacks.iter().for_each(|callback| callback(&values));
    collect();
    values.0.store(0, Ordering::Relaxed);

    let before = sys::allocations();
    for _ in 0..100 {
        collect();
    }
    let allocations = sys::allocations() - before;
    assert_eq!(allocations, 0);
    // Six of the instruments have two series.
    assert_eq!(values.0.load(Ordering::Relaxed), 100 * (13 + 6));
    drop(std::hint::black_box(Box::new(1)));
    assert!(sys::allocations() > before, "the allocator counts");
}
