//! Kernel counters as deltas.
//!
//! With delta temporality the SDK reports what an observable counter has grown by since its last collection, and takes a
//! series that it did not see then as one that started from zero. Three things that kernel counters do break that: they
//! have counted since boot when the first collection looks; they go back, when a device is made anew; they are absent
//! for a collection, when a source cannot be read. The SDK would export everything since boot, a difference that wraps
//! around (or panics), and everything since boot again.
//!
//! [`meter`] wraps the callbacks of observable counters so that the SDK is told sums that give the true differences.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    AsyncInstrument, AsyncInstrumentBuilder, InstrumentProvider, Meter, ObservableCounter, ObservableGauge,
    ObservableUpDownCounter,
};
use std::collections::HashMap;
use std::ops::{Add, Sub};
use std::sync::{Arc, Mutex, PoisonError};

/// A meter that declares on `inner`, and whose observable counters may be read as deltas.
///
/// `since_start` tells what the first collection reports: what was counted before, as is right for a process that has
/// just started, or nothing, as is right for a machine that has been up for weeks.
pub(crate) fn meter(inner: Meter, since_start: bool) -> Meter {
    Meter::new(Arc::new(Deltas { inner, since_start }))
}

struct Deltas {
    inner: Meter,
    since_start: bool,
}

/// What one counter has reported so far.
struct Counter<N> {
    series: HashMap<Vec<KeyValue>, Series<N>>,
    /// Collections so far.
    collections: u64,
    since_start: bool,
}

struct Series<N> {
    /// What the kernel said last.
    last: N,
    /// What the SDK was told last.
    told: N,
    /// In which collection.
    collection: u64,
}

/// Passes on what a callback observes.
struct Told<'a, N> {
    instrument: &'a dyn AsyncInstrument<N>,
    counter: &'a Mutex<Counter<N>>,
}

/// Series of devices that were not seen for so many collections are forgotten.
const FORGOTTEN: u64 = 1_000;

impl<N> Counter<N>
where
    N: Copy + Default + PartialOrd + Add<Output = N> + Sub<Output = N>,
{
    fn new(since_start: bool) -> Self {
        Counter { series: HashMap::new(), collections: 0, since_start }
    }

    fn begin(&mut self) {
        self.collections += 1;
        if self.collections.is_multiple_of(FORGOTTEN) {
            let oldest = self.collections - FORGOTTEN;
            self.series.retain(|_, series| series.collection >= oldest);
        }
    }

    /// What to tell the SDK when the kernel says `now`.
    fn told(&mut self, now: N, attributes: &[KeyValue]) -> N {
        let collection = self.collections;
        let Some(series) = self.series.get_mut(attributes) else {
            // What appears later has counted since it appeared.
            let counts = self.since_start || collection > 1;
            let told = if counts { now } else { N::default() };
            self.series.insert(attributes.to_vec(), Series { last: now, told, collection });
            return told;
        };
        // A counter that fell was reset, and has counted from zero since.
        let grown = if now < series.last { now } else { now - series.last };
        // The SDK forgets what it was told when a collection passes without the series.
        let seen = series.collection + 1 >= collection;
        let base = if seen { series.told } else { N::default() };
        *series = Series { last: now, told: base + grown, collection };
        series.told
    }
}

impl<N> AsyncInstrument<N> for Told<'_, N>
where
    N: Copy + Default + PartialOrd + Add<Output = N> + Sub<Output = N> + Send + Sync,
{
    fn observe(&self, value: N, attributes: &[KeyValue]) {
        let told = lock(self.counter).told(value, attributes);
        self.instrument.observe(told, attributes);
    }
}

fn lock<N>(counter: &Mutex<Counter<N>>) -> std::sync::MutexGuard<'_, Counter<N>> {
    // Nothing that can panic runs under the lock.
    counter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Declares the same instrument on the inner meter, its callbacks as they are or as `$wrap` makes them.
macro_rules! forward {
    ($($method:ident: $instrument:ident<$number:ty>, $wrap:expr;)*) => {
        impl InstrumentProvider for Deltas {
            $(fn $method(
                &self,
                builder: AsyncInstrumentBuilder<'_, $instrument<$number>, $number>,
            ) -> $instrument<$number> {
                let mut inner = self.inner.$method(builder.name);
                if let Some(unit) = builder.unit {
                    inner = inner.with_unit(unit);
                }
                if let Some(description) = builder.description {
                    inner = inner.with_description(description);
                }
                for callback in builder.callbacks {
                    inner = inner.with_callback($wrap(self, callback));
                }
                inner.build()
            })*
        }
    };
}

forward! {
    u64_observable_counter: ObservableCounter<u64>, Deltas::counted;
    f64_observable_counter: ObservableCounter<f64>, Deltas::counted;
    i64_observable_up_down_counter: ObservableUpDownCounter<i64>, unchanged;
    f64_observable_up_down_counter: ObservableUpDownCounter<f64>, unchanged;
    u64_observable_gauge: ObservableGauge<u64>, unchanged;
    i64_observable_gauge: ObservableGauge<i64>, unchanged;
    f64_observable_gauge: ObservableGauge<f64>, unchanged;
}

fn unchanged<C>(_: &Deltas, callback: C) -> C {
    callback
}

impl Deltas {
    fn counted<N>(
        &self,
        callback: opentelemetry::metrics::Callback<N>,
    ) -> impl Fn(&dyn AsyncInstrument<N>) + Send + Sync + 'static
    where
        N: Copy + Default + PartialOrd + Add<Output = N> + Sub<Output = N> + Send + Sync + 'static,
    {
        let counter = Mutex::new(Counter::new(self.since_start));
        move |instrument| {
            lock(&counter).begin();
            callback(&Told { instrument, counter: &counter });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::metrics::MeterProvider as _;
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
    use opentelemetry_sdk::metrics::{
        InMemoryMetricExporter, InMemoryMetricExporterBuilder, PeriodicReader, SdkMeterProvider, Temporality,
    };
    use std::collections::BTreeMap;

    type Kernel = Arc<Mutex<BTreeMap<&'static str, u64>>>;

    struct Pipeline {
        provider: SdkMeterProvider,
        exporter: InMemoryMetricExporter,
        kernel: Kernel,
    }

    impl Pipeline {
        fn new(since_start: bool) -> Self {
            let exporter = InMemoryMetricExporterBuilder::new().with_temporality(Temporality::Delta).build();
            let reader = PeriodicReader::builder(exporter.clone()).build();
            let provider = SdkMeterProvider::builder().with_reader(reader).build();
            let kernel = Kernel::default();
            let read = Arc::clone(&kernel);
            meter(provider.meter("test"), since_start)
                .u64_observable_counter("bytes")
                .with_unit("By")
                .with_description("Bytes.")
                .with_callback(move |instrument| {
                    for (device, bytes) in read.lock().unwrap().iter() {
                        instrument.observe(*bytes, &[KeyValue::new("device", *device)]);
                    }
                })
                .build();
            Pipeline { provider, exporter, kernel }
        }

        /// The deltas when the kernel says this.
        fn deltas(&self, kernel: &[(&'static str, u64)]) -> Vec<(String, u64)> {
            *self.kernel.lock().unwrap() = kernel.iter().copied().collect();
            self.exporter.reset();
            self.provider.force_flush().unwrap();
            let batches = self.exporter.get_finished_metrics().unwrap();
            let mut deltas = Vec::new();
            for metric in
                batches.iter().flat_map(|batch| batch.scope_metrics()).flat_map(|scope| scope.metrics())
            {
                assert_eq!((metric.unit(), metric.description()), ("By", "Bytes."));
                let AggregatedMetrics::U64(MetricData::Sum(sum)) = metric.data() else {
                    panic!("{metric:?}")
                };
                assert!(sum.is_monotonic());
                deltas.extend(sum.data_points().map(|point| {
                    (point.attributes().map(|pair| pair.value.to_string()).collect(), point.value())
                }));
            }
            deltas.sort();
            deltas
        }
    }

    fn delta(device: &str, delta: u64) -> (String, u64) {
        (device.to_owned(), delta)
    }

    #[test]
    fn what_was_before_the_start_counts_only_if_it_should() {
        assert_eq!(Pipeline::new(true).deltas(&[("a", 7)]), [delta("a", 7)]);
        let pipeline = Pipeline::new(false);
        assert_eq!(pipeline.deltas(&[("a", 1_000)]), [delta("a", 0)]);
        assert_eq!(pipeline.deltas(&[("a", 1_010)]), [delta("a", 10)]);
    }

    #[test]
    fn a_device_that_appears_later_counts_from_its_beginning() {
        let pipeline = Pipeline::new(false);
        assert_eq!(pipeline.deltas(&[("a", 5)]), [delta("a", 0)]);
        assert_eq!(pipeline.deltas(&[("a", 6), ("b", 3)]), [delta("a", 1), delta("b", 3)]);
    }

    #[test]
    fn a_device_that_is_made_anew_counts_what_it_counted_since() {
        let pipeline = Pipeline::new(false);
        pipeline.deltas(&[("a", 1_000)]);
        assert_eq!(pipeline.deltas(&[("a", 1_500)]), [delta("a", 500)]);
        assert_eq!(pipeline.deltas(&[("a", 200)]), [delta("a", 200)]);
        assert_eq!(pipeline.deltas(&[("a", 250)]), [delta("a", 50)]);
    }

    #[test]
    fn a_collection_without_the_series_neither_loses_nor_repeats() {
        let pipeline = Pipeline::new(false);
        pipeline.deltas(&[("a", 1_000_000)]);
        assert_eq!(pipeline.deltas(&[("a", 1_000_500)]), [delta("a", 500)]);
        assert_eq!(pipeline.deltas(&[]), []);
        assert_eq!(pipeline.deltas(&[("a", 1_000_700)]), [delta("a", 200)]);
        assert_eq!(pipeline.deltas(&[("a", 1_000_701)]), [delta("a", 1)]);
    }

    #[test]
    fn devices_that_come_and_go_are_forgotten() {
        let mut counter = Counter::new(false);
        for device in 0..10 * FORGOTTEN {
            counter.begin();
            counter.told(device, &[KeyValue::new("device", device.to_string())]);
        }
        assert!(counter.series.len() as u64 <= 2 * FORGOTTEN, "{}", counter.series.len());
    }
}
