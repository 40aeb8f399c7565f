//! How much is done at a time.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;
use crate::blocking::on_a_thread;

/// What is taken and written at a time, CPU profiles aside.
const AT_ONCE: usize = 2;
/// CPU profiles that are taken or written at a time, of which one is taken: the next may begin while one is written.
const CPU: usize = 2;
/// Differences that wait for their end at a time.
const DIFFERENCES: usize = 2;

/// The places of those whose profiles are taken now.
pub(crate) struct Places {
    recording: Arc<Semaphore>,
    cpu: Arc<Semaphore>,
    others: Arc<Semaphore>,
    differences: Arc<Semaphore>,
}

/// A place, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// The places of a CPU profile.
pub(super) struct CpuPlaces {
    /// Until it has been taken.
    pub(super) recording: Place,
    /// Until it is written.
    pub(super) whole: Place,
}

impl Default for Places {
    fn default() -> Self {
        let [recording, cpu, others, differences] =
            [1, CPU, AT_ONCE, DIFFERENCES].map(|places| Arc::new(Semaphore::new(places)));
        Places { recording, cpu, others, differences }
    }
}

impl Places {
    /// The places of a CPU profile.
    pub(super) fn cpu(&self) -> Result<CpuPlaces, Refusal> {
        let recording = Arc::clone(&self.recording).try_acquire_owned().map_err(|_| Refusal::busy())?;
        let whole = Arc::clone(&self.cpu).try_acquire_owned().map_err(|_| Refusal::unwritten())?;
        Ok(CpuPlaces { recording, whole })
    }

    pub(super) fn difference(&self) -> Result<Place, Refusal> {
        Arc::clone(&self.differences).try_acquire_owned().map_err(|_| Refusal::crowded())
    }

    /// What `work` returns, which is done on a thread if there is a place for it at once.
    pub(super) async fn now<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = Arc::clone(&self.others).try_acquire_owned().map_err(|_| Refusal::crowded())?;
        placed(place, work).await
    }

    /// The same, when there is a place. Those who wait are bounded by the places of differences.
    pub(super) async fn soon<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = Arc::clone(&self.others).acquire_owned().await.map_err(|_| Refusal::crowded())?;
        placed(place, work).await
    }
}

async fn placed<T: Send + 'static>(
    place: Place,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let work = move || {
        // The work goes on when nobody waits any more, and has its place until it ends.
        let _place = place;
        work()
    };
    on_a_thread("vitals-profile", work).await.unwrap_or_else(|| Err(Refusal::failed()))
}
