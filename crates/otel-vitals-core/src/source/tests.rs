use super::*;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use std::sync::atomic::{AtomicU64, Ordering};

const LONG: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Count {
    value: Option<u64>,
}

impl Reading for Count {
    fn clear(&mut self) {
        self.value = None;
    }
}

struct Pipeline {
    provider: SdkMeterProvider,
    exporter: InMemoryMetricExporter,
    meter: Meter,
}

impl Pipeline {
    fn new() -> Self {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).with_interval(LONG).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let meter = provider.meter("test");
        Pipeline { provider, exporter, meter }
    }

    fn gauge(&self, name: &'static str, source: &Source<Count>, look: fn(&Count) -> Option<u64>) {
        self.meter
            .u64_observable_gauge(name)
            .with_callback(source.observe(move |reading, instrument| {
                if let Some(value) = look(reading) {
                    instrument.observe(value, &[]);
                }
            }))
            .build();
    }

    /// The values of the last collection, by metric.
    fn collect(&self) -> Vec<(String, u64)> {
        self.exporter.reset();
        self.provider.force_flush().unwrap();
        let batches = self.exporter.get_finished_metrics().unwrap();
        let metrics =
            batches.iter().flat_map(|batch| batch.scope_metrics()).flat_map(|scope| scope.metrics());
        let mut values: Vec<_> = metrics
            .filter_map(|metric| match metric.data() {
                AggregatedMetrics::U64(MetricData::Gauge(gauge)) => {
                    Some((metric.name().to_owned(), gauge.data_points().next()?.value()))
                }
                AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                    Some((metric.name().to_owned(), sum.data_points().next()?.value()))
                }
                _ => None,
            })
            .collect();
        values.sort();
        values
    }
}

fn errors(of: u64) -> (String, u64) {
    ("otel_vitals.source.errors".to_owned(), of)
}

fn value(name: &str, value: u64) -> (String, u64) {
    (name.to_owned(), value)
}

#[test]
fn several_instruments_share_one_read() {
    let pipeline = Pipeline::new();
    let reads = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&reads);
    let context = SourceContext::new(&pipeline.meter, LONG);
    let source = context.source("test", Count::default(), move |reading: &mut Count| {
        reading.value = Some(counted.fetch_add(1, Ordering::Relaxed));
        Ok(())
    });
    for name in ["a", "b", "c"] {
        pipeline.gauge(name, &source, |reading| reading.value);
    }
    assert_eq!(pipeline.collect(), [value("a", 0), value("b", 0), value("c", 0), errors(0)]);
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[test]
fn a_stale_reading_is_read_again() {
    let pipeline = Pipeline::new();
    let context = SourceContext::new(&pipeline.meter, Duration::ZERO);
    let mut reads = 0;
    let source = context.source("test", Count::default(), move |reading: &mut Count| {
        reads += 1;
        reading.value = Some(reads);
        Ok(())
    });
    assert_eq!(source.look(|reading| reading.value), Some(Some(1)));
    assert_eq!(source.look(|reading| reading.value), Some(Some(2)));
}

#[test]
fn a_collection_that_begins_is_read_anew_within_the_window_too() {
    let pipeline = Pipeline::new();
    let collection = Collection::default();
    let context = SourceContext::new(&pipeline.meter, LONG).with_collection(collection.clone());
    let mut reads = 0;
    let source = context.source("test", Count::default(), move |reading: &mut Count| {
        reads += 1;
        reading.value = Some(reads);
        Ok(())
    });
    assert_eq!(source.look(|reading| reading.value), Some(Some(1)));
    assert_eq!(source.look(|reading| reading.value), Some(Some(1)));
    collection.begin();
    assert_eq!(source.look(|reading| reading.value), Some(Some(2)));
    assert_eq!(source.look(|reading| reading.value), Some(Some(2)));
}

#[test]
fn a_closed_source_lets_go_what_it_holds() {
    let pipeline = Pipeline::new();
    let collection = Collection::default();
    let context = SourceContext::new(&pipeline.meter, LONG).with_collection(collection.clone());
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let source = context.source("test", Count::default(), move |reading: &mut Count| {
        reading.value = Some(Arc::strong_count(&inside) as u64);
        Ok(())
    });
    pipeline.gauge("a", &source, |reading| reading.value);
    assert_eq!(pipeline.collect(), [value("a", 2), errors(0)]);
    collection.close();
    assert_eq!(pipeline.collect(), [errors(0)]);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn what_failed_is_logged_when_the_collection_ends() {
    let pipeline = Pipeline::new();
    let collection = Collection::default();
    let context = SourceContext::new(&pipeline.meter, LONG).with_collection(collection.clone());
    let source = context.source("test", Count::default(), |_: &mut Count| {
        Err(ReadError::Unavailable { expected: "a value", found: "none".into() })
    });
    let logged = Arc::<Logged>::default();
    tracing::subscriber::with_default(Arc::clone(&logged), || {
        collection.begin();
        source.look(|_| ());
        assert_eq!(logged.events.load(Ordering::Relaxed), 0);
        collection.end();
        collection.end();
    });
    assert_eq!(logged.events.load(Ordering::Relaxed), 1);
}

#[test]
fn a_subscriber_that_panics_costs_nothing() {
    let pipeline = Pipeline::new();
    let context = SourceContext::new(&pipeline.meter, Duration::ZERO);
    let source = context.source("test", Count::default(), |reading: &mut Count| {
        reading.value = Some(7);
        Err(ReadError::Unavailable { expected: "more", found: "none".into() })
    });
    let logged = Arc::new(Logged { panics: true, ..Logged::default() });
    let seen =
        tracing::subscriber::with_default(Arc::clone(&logged), || source.look(|reading| reading.value));
    assert_eq!((seen, logged.events.load(Ordering::Relaxed)), (Some(Some(7)), 1));
}

/// Counts log events.
#[derive(Default)]
struct Logged {
    events: AtomicU64,
    panics: bool,
}

impl tracing::Subscriber for Logged {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        if event.metadata().target() == "otel_vitals" {
            self.events.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "a subscriber that panics");
        }
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_failed_read_is_absent_counted_and_tried_again() {
    let pipeline = Pipeline::new();
    let context = SourceContext::new(&pipeline.meter, Duration::ZERO);
    let mut reads = 0;
    let source = context.source("test", Count::default(), move |reading: &mut Count| {
        reads += 1;
        match reads {
            2 => Err(ReadError::Unavailable { expected: "a value", found: "none".into() }),
            _ => {
                reading.value = Some(reads);
                Ok(())
            }
        }
    });
    pipeline.gauge("a", &source, |reading| reading.value);
    assert_eq!(pipeline.collect(), [value("a", 1), errors(0)]);
    assert_eq!(pipeline.collect(), [errors(1)]);
    assert_eq!(pipeline.collect(), [value("a", 3), errors(1)]);
}

#[test]
fn a_partial_read_gives_what_it_filled() {
    let pipeline = Pipeline::new();
    let context = SourceContext::new(&pipeline.meter, LONG);
    let source = context.source("test", Count::default(), |reading: &mut Count| {
        reading.value = Some(7);
        Err(ReadError::Unavailable { expected: "more", found: "none".into() })
    });
    pipeline.gauge("a", &source, |reading| reading.value);
    assert_eq!(pipeline.collect(), [value("a", 7), errors(1)]);
}

#[test]
fn panics_in_reads_and_looks_cost_only_their_own_values() {
    let pipeline = Pipeline::new();
    let context = SourceContext::new(&pipeline.meter, LONG);
    let panics = context.source("panics", Count::default(), |reading: &mut Count| {
        reading.value = Some(1);
        panic!("in a read");
    });
    let works = context.source("works", Count::default(), |reading: &mut Count| {
        reading.value = Some(2);
        Ok(())
    });
    pipeline.gauge("a", &panics, |reading| reading.value);
    pipeline.gauge("b", &works, |_| panic!("in a look"));
    pipeline.gauge("c", &works, |reading| reading.value);
    for _ in 0..3 {
        let seen = pipeline.collect();
        assert!(seen.contains(&value("c", 2)), "{seen:?}");
        assert!(!seen.iter().any(|(name, _)| name == "a" || name == "b"), "{seen:?}");
    }
}
