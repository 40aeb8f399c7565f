//! Whether a connection can be made.

use std::time::Instant;
use tokio::net::TcpStream;

use crate::health::{Check, Outcome};

impl Check {
    /// Whether `address`, a `host:port`, takes a TCP connection, which is closed at once. Observes the time that it took, in ms.
    /// The lookup of the name is part of it.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// use otel_vitals::health::{Check, ComponentType};
    ///
    /// let database = Check::tcp("db.internal:5432").component(ComponentType::Datastore);
    /// vitals.health().register("database", database)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tcp(address: impl Into<String>) -> Self {
        let address = address.into();
        Check::new(move || {
            let address = address.clone();
            async move {
                let started = Instant::now();
                let connected = TcpStream::connect(&address).await.map(drop);
                let observed = |outcome: Outcome| {
                    outcome.observed("responseTime", milliseconds(started.elapsed()), "ms")
                };
                connected.map(|()| observed(Outcome::pass()))
            }
        })
    }
}

/// To the microsecond.
pub(super) fn milliseconds(duration: std::time::Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
