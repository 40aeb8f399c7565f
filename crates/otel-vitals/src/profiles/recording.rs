//! A CPU profile that is being taken.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;

use super::{ended, spawn};
use crate::error::Error;
use crate::profiling::{self, Profile, cpu};

/// A CPU profile that is being taken, of [`Vitals::record_cpu`](crate::Vitals::record_cpu): a future of what it is written as. Dropping it ends the profile.
#[must_use = "dropping it ends the profile"]
pub struct CpuRecording<T> {
    written: oneshot::Receiver<T>,
    /// Whose end also ends the profile.
    end: Sender<()>,
}

/// What the thread needs.
struct Work<T, W> {
    options: cpu::Options,
    duration: Duration,
    write: W,
    begun: oneshot::Sender<Result<(), profiling::Error>>,
    ended: Receiver<()>,
    written: oneshot::Sender<T>,
}

/// Begins a profile on a thread of its own, and is ready as soon as it has begun.
pub(super) async fn begin<T: Send + 'static>(
    options: cpu::Options,
    duration: Duration,
    write: impl FnOnce(Profile) -> T + Send + 'static,
) -> Result<CpuRecording<T>, Error> {
    let (tell_begun, begun) = oneshot::channel();
    let (tell_written, written) = oneshot::channel();
    let (end, ended_by) = channel();
    let work = Work { options, duration, write, begun: tell_begun, ended: ended_by, written: tell_written };
    spawn("vitals-profile", move || work.run())?;
    begun.await.map_err(|_| ended())??;
    Ok(CpuRecording { written, end })
}

impl<T, W: FnOnce(Profile) -> T> Work<T, W> {
    fn run(self) {
        let recording = match cpu::start(&self.options) {
            Ok(recording) => recording,
            Err(error) => return drop(self.begun.send(Err(error))),
        };
        // Nobody waits any more: dropping it ends it.
        if self.begun.send(Ok(())).is_err() {
            return;
        }
        if let Err(RecvTimeoutError::Disconnected) = self.ended.recv_timeout(self.duration) {
            return;
        }
        let profile = recording.finish();
        if !self.written.is_closed() {
            drop(self.written.send((self.write)(profile)));
        }
    }
}

impl<T> CpuRecording<T> {
    /// Has the profile end now, with what it has until now.
    pub fn end(&self) {
        // It may have ended by itself.
        let _ = self.end.send(());
    }
}

impl<T> Future for CpuRecording<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        pin!(&mut self.written).poll(context).map(|written| written.map_err(|_| ended()))
    }
}

impl<T> fmt::Debug for CpuRecording<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CpuRecording").finish_non_exhaustive()
    }
}
