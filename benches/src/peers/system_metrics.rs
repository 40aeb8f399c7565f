//! opentelemetry-system-metrics: five metrics of the process, recorded by a future that never ends.
//!
//! It sleeps between two readings, so that a runtime whose clock is moved by hand makes it read exactly when asked. It
//! is built for the version of the API before ours; its meter here drops what is recorded, so that this is its reading
//! alone and the SDK's share is not in it.

use opentelemetry_of_system_metrics::KeyValue;
use opentelemetry_of_system_metrics::metrics::{
    Gauge, InstrumentBuilder, InstrumentProvider, Meter, SyncInstrument,
};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What it records in one reading: five gauges, one of them in two series.
pub const RECORDS: u64 = 6;

/// Takes what is recorded, and counts it.
#[derive(Clone, Default)]
struct Records(Arc<AtomicU64>);

macro_rules! take {
    ($($method:ident: $number:ty;)*) => {
        impl InstrumentProvider for Records {
            $(fn $method(&self, _builder: InstrumentBuilder<'_, Gauge<$number>>) -> Gauge<$number> {
                Gauge::new(Arc::new(self.clone()))
            })*
        }
        $(impl SyncInstrument<$number> for Records {
            fn measure(&self, value: $number, attributes: &[KeyValue]) {
                black_box((value, attributes));
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        })*
    };
}

take! {
    i64_gauge: i64;
    f64_gauge: f64;
}

/// Makes it read once.
#[must_use]
#[allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot go on fails")]
pub fn reading() -> Box<dyn FnMut()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without threads needs nothing");
    let records = Records::default();
    let meter = Meter::new(Arc::new(records.clone()));
    runtime.spawn(async move {
        opentelemetry_system_metrics::init_process_observer(meter).await.expect("sysinfo knows this process");
    });
    let interval = interval();
    let read = move |advance: Duration| {
        let before = records.0.swap(0, Ordering::Relaxed);
        assert!(before == 0 || before == RECORDS, "one reading an interval, not {before} records");
        runtime.block_on(async {
            tokio::time::advance(advance).await;
            while records.0.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
        });
    };
    // The first tick of a tokio interval comes at once.
    read(Duration::ZERO);
    Box::new(move || read(interval))
}

/// The interval that it takes from the environment.
fn interval() -> Duration {
    let set = std::env::var("OTEL_METRIC_EXPORT_INTERVAL").ok();
    Duration::from_millis(set.and_then(|text| text.parse().ok()).unwrap_or(30_000))
}
