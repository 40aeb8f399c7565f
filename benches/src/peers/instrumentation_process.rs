//! opentelemetry-instrumentation-process: seven metrics of the process, on the global meter provider.

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::{Meter, MeterProvider};
use std::sync::{Arc, OnceLock};

use crate::bare::{Bare, Callbacks};

struct Provider(Bare);

impl MeterProvider for Provider {
    fn meter_with_scope(&self, _scope: InstrumentationScope) -> Meter {
        self.0.meter()
    }
}

/// Its callbacks. It keeps the first global provider that it sees for ever, so that they are taken from there once and
/// put on whatever meter is measured.
#[allow(clippy::expect_used, reason = "a bench that cannot go on fails")]
pub fn callbacks() -> Arc<Callbacks> {
    static CALLBACKS: OnceLock<Arc<Callbacks>> = OnceLock::new();
    let callbacks = CALLBACKS.get_or_init(|| {
        let bare = Bare::default();
        opentelemetry::global::set_meter_provider(Provider(bare.clone()));
        opentelemetry_instrumentation_process::init().expect("/proc/self is there");
        Arc::new(bare.take())
    });
    Arc::clone(callbacks)
}
