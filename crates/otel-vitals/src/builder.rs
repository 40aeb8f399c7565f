//! The long form of the one call.

use opentelemetry_sdk::metrics::SdkMeterProvider;
use std::fmt;
use std::path::PathBuf;
use tokio::runtime::Handle;

use crate::config::{Config, Scope};
use crate::error::Error;
use crate::health::Check;
use crate::vars::{self, Var};
use crate::vitals::Vitals;

/// Says more than [`init`](crate::init) takes, then [starts](VitalsBuilder::start).
///
/// What is said here wins over the environment, which wins over the configuration file, which wins over the
/// defaults.
///
/// ```no_run
/// use std::time::Duration;
///
/// let vitals = otel_vitals::Vitals::builder()
///     .service_name("checkout")
///     .configure(|config| {
///         config.metrics.interval = Duration::from_secs(10);
///         config.metrics.host.cpu.per_core = true;
///     })
///     .start()?;
/// # Ok::<(), otel_vitals::Error>(())
/// ```
#[derive(Default)]
#[must_use = "nothing is measured before `start`"]
pub struct VitalsBuilder {
    config_file: Option<PathBuf>,
    config: Option<Config>,
    changes: Vec<Change>,
    provider: Option<SdkMeterProvider>,
    runtimes: Vec<(String, Handle)>,
    vars: Vec<(String, Box<dyn Var>)>,
    checks: Vec<(String, Check)>,
}

type Change = Box<dyn FnOnce(&mut Config) + Send>;

impl VitalsBuilder {
    /// Names the service (`service.name`).
    pub fn service_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.configure(move |config| config.service.name = Some(name))
    }

    /// Reads this configuration file, which must then be there, instead of the one that `VITALS_CONFIG` names or
    /// `vitals.yaml`.
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// Takes the whole configuration from here: neither a file nor the environment is read.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Changes the configuration after the file and the environment were read. May be called several times.
    pub fn configure(mut self, change: impl FnOnce(&mut Config) + Send + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    /// Measures on the application's own provider. No exporter and no resource is made, the global
    /// provider is left alone, and what the configuration says about them is not used: values there
    /// may even be wrong.
    pub fn meter_provider(mut self, provider: SdkMeterProvider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Watches the tokio runtime of `handle` from the start, as [`Vitals::watch_runtime`] does. May be called several
    /// times. The runtime that [`start`](VitalsBuilder::start) is called in needs no call, unless it is to have another
    /// name than the one that it was built with, or `main`.
    ///
    /// ```no_run
    /// let background = tokio::runtime::Builder::new_current_thread().build()?;
    /// let vitals = otel_vitals::Vitals::builder().watch_runtime("background", background.handle()).start()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch_runtime(mut self, name: impl Into<String>, handle: &Handle) -> Self {
        self.runtimes.push((name.into(), handle.clone()));
        self
    }

    /// Publishes a variable from the start, as [`Vars::publish`](crate::vars::Vars::publish) does. May be called several times.
    ///
    /// ```no_run
    /// let orders = otel_vitals::vars::Counter::new();
    /// let vitals = otel_vitals::Vitals::builder().publish("orders", orders.clone()).start()?;
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    pub fn publish(mut self, name: impl Into<String>, var: impl Var + 'static) -> Self {
        self.vars.push((name.into(), Box::new(var)));
        self
    }

    /// Registers a health check from the start, as [`Health::register`](crate::health::Health::register) does. May be called several times.
    ///
    /// ```no_run
    /// use otel_vitals::health::Check;
    ///
    /// let vitals = otel_vitals::Vitals::builder().health_check("store", Check::tcp("db.internal:5432")).start()?;
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    pub fn health_check(mut self, name: impl Into<String>, check: impl Into<Check>) -> Self {
        self.checks.push((name.into(), check.into()));
        self
    }

    /// Starts measuring. Works inside and outside any runtime, connects to nothing and returns at once.
    ///
    /// # Errors
    /// [`Error::Config`] when the configuration is wrong, [`Error::AlreadyInitialized`] when vitals run in this
    /// process already, [`Error::HealthCheck`] when two health checks have one name, or one has none, [`Error::Publish`] when a
    /// variable has no name or one that is taken, [`Error::Start`] when the system refuses a thread. Nothing is left half-started.
    pub fn start(self) -> Result<Vitals, Error> {
        let scope = if self.provider.is_some() { Scope::Measuring } else { Scope::Everything };
        let mut config = match self.config {
            Some(config) => config,
            None => Config::load_for(scope, self.config_file.as_deref(), std::env::vars_os())?,
        };
        for change in self.changes {
            change(&mut config);
        }
        config.validate_for(scope)?;
        vars::check_all(self.vars.iter().map(|(name, _)| name.as_str()))?;
        let vitals = Vitals::start(config, self.provider, &self.runtimes, self.checks)?;
        for (name, var) in self.vars {
            vitals.vars().publish_boxed(name, var)?;
        }
        Ok(vitals)
    }
}

impl fmt::Debug for VitalsBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VitalsBuilder")
            .field("config_file", &self.config_file)
            .field("config", &self.config)
            .field("changes", &self.changes.len())
            .field("provider", &self.provider.is_some())
            .field("runtimes", &self.runtimes)
            .field("vars", &self.vars.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("checks", &self.checks)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_variable_without_a_name_of_its_own_starts_nothing() {
        let builder =
            || Vitals::builder().config(Config::default()).meter_provider(SdkMeterProvider::default());
        for names in [["", "x"], ["x", "x"], ["x", "memstats"]] {
            let error =
                names.into_iter().fold(builder(), |builder, name| builder.publish(name, || 1)).start();
            assert!(matches!(error, Err(Error::Publish(_))), "{names:?}: {error:?}");
        }
    }

    #[test]
    fn a_provider_of_the_application_starts_whatever_is_said_of_export() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("vitals.yaml");
        std::fs::write(&file, "otlp: {protocol: pigeon, certificate: /nowhere}").unwrap();
        let mut config = Config::default();
        config.otlp.certificate = Some("/nowhere".into());
        config.metrics.interval = Duration::ZERO;
        let ways: [Box<dyn Fn() -> VitalsBuilder>; 2] = [
            Box::new(move || Vitals::builder().config(config.clone())),
            Box::new(move || Vitals::builder().config_file(&file)),
        ];
        for way in ways {
            let error = way().start().unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error:?}");
            let vitals = way().meter_provider(SdkMeterProvider::default()).start().unwrap();
            vitals.shutdown().unwrap();
        }
    }
}
