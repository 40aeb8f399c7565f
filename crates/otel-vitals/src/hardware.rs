//! What there is of disks, memory and processors, and whether it is still enough.
//!
//! [`Vitals::hardware`](crate::Vitals::hardware) gives the handle, and [`Hardware::snapshot`] a look that is a second old at most:
//!
//! ```no_run
//! # async fn example() -> Result<(), otel_vitals::Error> {
//! use otel_vitals::hardware::Level;
//!
//! let vitals = otel_vitals::init()?;
//! let snapshot = vitals.hardware().snapshot().await;
//! for disk in snapshot.disks.iter().filter(|disk| disk.level > Level::Ok) {
//!     println!("{}: {}, {:?}", disk.path, disk.level, disk.problem);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Which file systems are looked at, `monitor.disks` says, and from when on it is not enough, `monitor.thresholds`.
//! What is limited by a control group, as in a container, is judged by that limit, and the machine's figures are beside it.
//! It needs no metrics and no exporter; with `disabled` nothing is looked at.

mod level;
mod sampler;
mod snapshot;

pub use level::Level;
pub use otel_vitals_host::hardware::DiskSpace;
pub use snapshot::{Cpu, Disk, HostCpu, HostMemory, Load, Memory, MemoryUse, Snapshot};

use otel_vitals_host::hardware::{HardwareOptions, HardwareReader};
use std::fmt;
use std::sync::Arc;

use crate::config::Config;
use sampler::{Sampler, Timing};

/// The hardware of this process. Cheap to clone; clones share what is known, and one thread that looks.
#[derive(Clone)]
pub struct Hardware {
    sampler: Arc<Sampler>,
}

impl Hardware {
    /// Looks at nothing before it is asked.
    pub(crate) fn new(config: &Config) -> Self {
        let mut options = HardwareOptions::default();
        options.root_path.clone_from(&config.metrics.host.root_path);
        options.disks.clone_from(&config.monitor.disks);
        let paths = options.disks.clone();
        let reader = move || Box::new(HardwareReader::new(options.clone())) as Box<dyn sampler::Look>;
        let sampler =
            Sampler::new(Box::new(reader), paths, config.monitor.thresholds.clone(), Timing::default());
        if config.disabled {
            sampler.stop("switched off by `disabled`");
        }
        Hardware { sampler: Arc::new(sampler) }
    }

    /// The last look, when it is not older than a second, or a new one, for which all who ask at the same time wait
    /// together. Half a second at most: whatever has not answered by then is missing, with the reason.
    ///
    /// It needs no runtime and blocks no thread but its own, `vitals-hardware`, which the first call starts. After a shutdown of
    /// vitals it is the last look that there was, with a [`problem`](Snapshot::problem).
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let snapshot = vitals.hardware().snapshot().await;
    /// println!("{:?} % of {:?} cores", snapshot.cpu.used_percent, snapshot.cpu.cores);
    /// assert!(snapshot.taken_at.is_some());
    /// # });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn snapshot(&self) -> Arc<Snapshot> {
        self.sampler.snapshot().await
    }

    /// Looks at nothing any more.
    pub(crate) fn stop(&self) {
        self.sampler.stop("otel-vitals has been shut down");
    }
}

impl fmt::Debug for Hardware {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hardware").finish_non_exhaustive()
    }
}
