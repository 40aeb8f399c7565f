//! What all handles of the vitals share.

use opentelemetry_sdk::metrics::SdkMeterProvider;
use otel_vitals_core::{Collection, quietly};
use otel_vitals_runtime::{PauseMonitor, Runtimes};
use std::time::Duration;

use super::SHUTDOWN;
use super::running::Running;
use crate::brought::Brought;
use crate::config::Config;
use crate::error::Error;
use crate::groups;
use crate::hardware::Hardware;
use crate::health::{Check, Health};
use crate::pipeline::{self, Control, LastExport};
#[cfg(feature = "profiling")]
use crate::profiles::Sampling;
use crate::resource;
use crate::vars::{Standard, Vars};

pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) provider: SdkMeterProvider,
    pub(super) export: Export,
    /// Those that are watched; none with `disabled` and without `metrics.tokio`.
    pub(super) runtimes: Runtimes,
    /// None when nothing watches.
    pub(super) pauses: Option<PauseMonitor>,
    pub(super) vars: Vars,
    pub(super) health: Health,
    pub(super) hardware: Hardware,
    #[cfg(feature = "profiling")]
    sampling: Sampling,
    pub(super) running: Running,
}

/// Who exports.
pub(super) enum Export {
    /// Our own pipeline.
    Pipeline(Control),
    /// The application, from the provider that it brought.
    Application(Brought),
    /// Nobody: switched off.
    Nobody,
}

/// Who exports, for those who ask whether it arrives.
pub(crate) enum Exporting {
    /// Our own pipeline, with what its last export came to.
    Pipeline(LastExport),
    /// The application.
    Application,
    /// Nobody.
    Nobody,
}

impl Inner {
    /// Starts what `config` asks for.
    pub(super) fn start(
        config: Config,
        provider: Option<SdkMeterProvider>,
        checks: Vec<(String, Check)>,
    ) -> Result<Self, Error> {
        let health = Health::with(checks)?;
        let running = Running::claim()?;
        let collection = Collection::default();
        let (provider, export) = match provider {
            _ if config.disabled => (SdkMeterProvider::default(), Export::Nobody),
            Some(provider) => {
                let brought = Brought::new(provider.clone(), collection.clone());
                (provider, Export::Application(brought))
            }
            None if config.metrics.exporters.is_empty() => (SdkMeterProvider::default(), Export::Nobody),
            None => {
                let (provider, control) =
                    pipeline::start(&config, resource::build(&config), collection.clone())?;
                (provider, Export::Pipeline(control))
            }
        };
        let runtimes = Runtimes::default();
        if !matches!(export, Export::Nobody) {
            let brought = matches!(export, Export::Application(_));
            groups::register(&provider, &config, &runtimes, &health, &collection, brought);
        }
        let pauses = groups::watch(&provider, &config, &runtimes, &collection);
        let what = "the thread of health checks";
        let pauses = pauses.and_then(|pauses| match health.start_if_used() {
            Ok(()) => Ok(pauses),
            Err(source) => Err(Error::Start { what, source }),
        });
        match (&export, &pauses) {
            (Export::Pipeline(_), Ok(_)) => opentelemetry::global::set_meter_provider(provider.clone()),
            // Nothing was measured that would be worth an export.
            (Export::Pipeline(control), Err(_)) => drop(control.shutdown(Duration::ZERO)),
            (Export::Application(brought), Err(_)) => brought.close(),
            _ => {}
        }
        let pauses = pauses?;
        let told = pauses.as_ref().map(PauseMonitor::pauses).unwrap_or_default();
        let vars = Vars::new(Standard::new(&config, runtimes.clone(), told));
        let hardware = Hardware::new(&config);
        Ok(Inner {
            #[cfg(feature = "profiling")]
            sampling: Sampling::start(&config),
            config,
            provider,
            export,
            runtimes,
            pauses,
            health,
            hardware,
            vars,
            running,
        })
    }

    pub(super) fn watching(&self, watch: impl FnOnce(&Runtimes)) {
        if self.config.disabled || !self.config.metrics.tokio.enabled {
            return;
        }
        watch(&self.runtimes);
        // Looked at afterwards, so that a shutdown on another thread leaves nothing behind either.
        if !self.running.is_held() {
            self.runtimes.clear();
        }
    }

    pub(super) fn shutdown(&self, limit: Duration) -> Result<(), Error> {
        self.health.begin_shutdown();
        let outcome = match &self.export {
            Export::Pipeline(control) => control.shutdown(limit),
            Export::Application(brought) if self.running.is_held() => {
                let outcome = brought.flush(limit);
                brought.close();
                outcome
            }
            Export::Application(_) | Export::Nobody => Ok(()),
        };
        self.running.release();
        self.runtimes.clear();
        if let Some(pauses) = &self.pauses {
            pauses.stop();
        }
        self.health.stop();
        self.hardware.stop();
        #[cfg(feature = "profiling")]
        self.sampling.stop();
        outcome
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.running.is_held() {
            return;
        }
        if let Err(error) = self.shutdown(SHUTDOWN) {
            quietly(|| {
                tracing::warn!(target: "otel_vitals", %error, "the last export did not arrive");
            });
        }
    }
}
