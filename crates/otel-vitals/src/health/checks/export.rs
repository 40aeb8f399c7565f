//! Whether metrics arrive.

use std::time::Duration;

use crate::health::{Check, Outcome};
use crate::pipeline::LastExport;
use crate::vitals::{Exporting, Vitals};

impl Check {
    /// Whether the last export of metrics arrived, and was not too long ago: two intervals and the time that one may take.
    /// Observes how long ago it was, in s. Before the first, and where nothing is exported or the application does it itself,
    /// it passes and says so.
    ///
    /// Not critical, unless you make it so: a collector that is away is no reason to take the service down.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// use otel_vitals::health::Check;
    ///
    /// vitals.health().register("export", Check::export(&vitals))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn export(vitals: &Vitals) -> Self {
        let exporting = vitals.exporting();
        let metrics = &vitals.config().metrics;
        let oldest = metrics.interval.saturating_mul(2).saturating_add(metrics.timeout);
        Check::new(move || std::future::ready(judge(&exporting, oldest))).non_critical()
    }
}

fn judge(exporting: &Exporting, oldest: Duration) -> Outcome {
    match exporting {
        Exporting::Pipeline(last) => judge_last(last, oldest),
        Exporting::Application => Outcome::pass().output("the application exports, on a provider of its own"),
        Exporting::Nobody => Outcome::pass().output("nothing is exported"),
    }
}

fn judge_last(last: &LastExport, oldest: Duration) -> Outcome {
    let (age, exported) = last.get();
    let outcome = match &exported {
        Some(Err(reason)) => Outcome::fail(format!("metrics do not arrive: {reason}")),
        _ if age > oldest => Outcome::fail(format!("nothing was exported for {}s", age.as_secs())),
        Some(Ok(())) => Outcome::pass(),
        None => return Outcome::pass().output("nothing has been exported yet"),
    };
    match exported {
        Some(_) => outcome.observed("age", age.as_millis() as f64 / 1e3, "s"),
        None => outcome,
    }
}
