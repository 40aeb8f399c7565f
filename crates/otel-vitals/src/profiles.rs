//! Profiles of this process, taken on threads of their own.

mod recording;

use otel_vitals_runtime::RuntimeTasks;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

use crate::config::{Config, HeapProfileConfig, HeapSource};
use crate::error::Error;
use crate::profiling::{Profile, cpu, heap};
use crate::vitals::Vitals;
pub use recording::CpuRecording;

/// Where tasks are of which a runtime has not told what they wait for, beyond the first ten thousand for one.
const NOT_TOLD: &str = "[not told]";

/// How long a runtime may take to tell what its tasks wait for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Vitals {
    /// A CPU profile of this process from now on for `duration`: gzipped `profile.proto`, with the names of functions, files and lines in
    /// it, as `go tool pprof` and continuous profilers read it. `profiling.cpu.frequency` says how finely it samples.
    ///
    /// All work is done on a thread of its own, which the first poll starts; it may be awaited in any runtime or none. Dropping the future ends
    /// the profile.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let vitals = otel_vitals::init()?;
    /// std::fs::write("cpu.pb.gz", vitals.profile_cpu(Duration::from_secs(10)).await?)?; // go tool pprof -top cpu.pb.gz
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::ProfileTooLong`] for more than `profiling.max_duration`, [`Error::Profile`] while another CPU profile is being taken, over
    /// HTTP too, and where the system has none; [`Error::Start`] when the system refuses a thread.
    pub fn profile_cpu(
        &self,
        duration: Duration,
    ) -> impl Future<Output = Result<Vec<u8>, Error>> + Send + use<> {
        let begun = self.record_cpu(None, duration, |profile| profile.pprof());
        async move { begun.await?.await }
    }

    /// The long form of [`profile_cpu`](Vitals::profile_cpu): with another frequency than `profiling.cpu.frequency` says, which is in samples per
    /// second of CPU time, 1 to 1000, and written as `write` does, on the same thread. The future is ready as soon as the profile has
    /// begun.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// let vitals = otel_vitals::init()?;
    /// let recording = vitals.record_cpu(Some(997), Duration::from_secs(10), |profile| profile.collapsed()).await?;
    /// println!("{}", recording.await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`profile_cpu`](Vitals::profile_cpu).
    pub fn record_cpu<T, W>(
        &self,
        frequency: Option<u32>,
        duration: Duration,
        write: W,
    ) -> impl Future<Output = Result<CpuRecording<T>, Error>> + Send + use<T, W>
    where
        T: Send + 'static,
        W: FnOnce(Profile) -> T + Send + 'static,
    {
        let profiling = &self.config().profiling;
        let most = profiling.max_duration;
        let mut options = cpu::Options::default();
        options.frequency = frequency.unwrap_or(profiling.cpu.frequency);
        async move {
            if duration > most {
                return Err(Error::ProfileTooLong { asked: duration, most });
            }
            recording::begin(options, duration, write).await
        }
    }

    /// What is on the heap of this process and what has been allocated since the start, by where it was: gzipped `profile.proto`,
    /// with the names of functions, files and lines in it, as `go tool pprof` and continuous profilers read it.
    ///
    /// All work is done on a thread of its own, which the first poll starts; it may be awaited in any runtime or none. To take the same as
    /// something else than these bytes, or the difference of two, see [`heap_snapshot`](Vitals::heap_snapshot).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let vitals = otel_vitals::init()?;
    /// std::fs::write("heap.pb.gz", vitals.profile_heap().await?)?; // go tool pprof -top heap.pb.gz
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Profile`] where nothing is sampled: without an [`alloc::Counting`](crate::alloc::Counting) as the global allocator, with
    /// `profiling.heap: false` and on systems that cannot; [`Error::Start`] when the system refuses a thread.
    pub fn profile_heap(&self) -> impl Future<Output = Result<Vec<u8>, Error>> + Send + use<> {
        let source = self.config().profiling.heap.source;
        on_a_thread("vitals-profile", move || Ok(snapshot(source)?.pprof()))
    }

    /// The same as [`profile_heap`](Vitals::profile_heap) before anybody asked for names, from whom `profiling.heap.source` says. Takes the time
    /// that copying the samples takes, on the thread that asks.
    ///
    /// ```no_run
    /// let vitals = otel_vitals::init()?;
    /// let before = vitals.heap_snapshot()?;
    /// // ...
    /// println!("{}", vitals.heap_snapshot()?.since(&before).text());
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`profile_heap`](Vitals::profile_heap).
    pub fn heap_snapshot(&self) -> Result<Profile, Error> {
        snapshot(self.config().profiling.heap.source)
    }

    /// The tasks that are alive on each tokio runtime that is watched. With the feature `taskdump`, in a program for Linux that is built with
    /// `--cfg tokio_unstable`, with what each of them waits for.
    ///
    /// Those of which a runtime has not told, beyond the first ten thousand for one, are at `[not told]`.
    ///
    /// With that it waits up to two seconds for the runtimes to tell, which stop all of their workers for it: call it on a thread of its own, and
    /// not often.
    ///
    /// ```no_run
    /// let vitals = otel_vitals::init()?;
    /// println!("{}", vitals.task_snapshot().text());
    /// # Ok::<(), otel_vitals::Error>(())
    /// ```
    #[must_use]
    pub fn task_snapshot(&self) -> Profile {
        let runtimes = self.watched().tasks(&self.pauses(), PATIENCE);
        let mut profile = Profile::counts("tasks", "count", []);
        for RuntimeTasks { runtime, alive, stacks, .. } in runtimes {
            match stacks {
                Some(stacks) => add_stacks(&mut profile, &runtime, alive, stacks),
                None => profile.count([runtime], [], alive as u64),
            }
        }
        profile
    }
}

/// Adds what the tasks of a runtime wait for, which is at the root of their stacks, and those of which nobody has told.
fn add_stacks(profile: &mut Profile, runtime: &str, alive: usize, stacks: Vec<Vec<u64>>) {
    let untold = alive.saturating_sub(stacks.len());
    if untold > 0 {
        profile.count([NOT_TOLD.to_owned(), runtime.to_owned()], [], untold as u64);
    }
    let mut counted = BTreeMap::<Vec<u64>, u64>::new();
    for stack in stacks {
        *counted.entry(stack).or_default() += 1;
    }
    for (stack, count) in counted {
        profile.count_code(stack, [runtime.to_owned()], count);
    }
}

fn snapshot(source: HeapSource) -> Result<Profile, Error> {
    Ok(match source {
        HeapSource::Sampler => heap::profile()?,
        #[cfg(feature = "jemalloc")]
        HeapSource::Jemalloc => heap::jemalloc_profile()?,
        #[cfg(not(feature = "jemalloc"))]
        HeapSource::Jemalloc => {
            let why = "otel-vitals is built without its feature jemalloc";
            return Err(crate::profiling::Error::Unavailable { what: "heap profile of jemalloc", why }.into());
        }
    })
}

/// Whether the heap is sampled because of us.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// The interval that these vitals have set; zero when it was not they who turned sampling on, or once they have turned it off.
    ours: AtomicU64,
}

impl Sampling {
    /// Has the heap sampled, if `config` says so and the global allocator can. Where it is sampled already it stays as it is: that is the business of
    /// whoever turned it on.
    pub(crate) fn start(config: &Config) -> Self {
        let HeapProfileConfig { enabled, interval, source } = config.profiling.heap;
        let none = Sampling { ours: AtomicU64::new(0) };
        if config.disabled || !enabled || source != HeapSource::Sampler || heap::interval() > 0 {
            return none;
        }
        let installed = heap::install(u64::from(interval));
        if let Err(error) = &installed {
            otel_vitals_core::quietly(|| {
                tracing::debug!(target: "otel_vitals", %error, "the heap is not sampled");
            });
        }
        match installed {
            Ok(()) => Sampling { ours: AtomicU64::new(heap::interval()) },
            Err(_) => none,
        }
    }

    /// Turns sampling off again, once, unless somebody else has set another interval meanwhile.
    pub(crate) fn stop(&self) {
        let ours = self.ours.swap(0, Ordering::Relaxed);
        if ours > 0 && heap::interval() == ours {
            heap::set_interval(0);
        }
    }
}

/// What `work` returns, which is done on a thread that the first poll starts.
async fn on_a_thread<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let (tell, told) = oneshot::channel();
    spawn(name, move || drop(tell.send(work())))?;
    told.await.unwrap_or_else(|_| Err(ended()))
}

/// Does `work` on a thread of its own, which a panic ends quietly.
fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let spawned = thread.spawn(move || otel_vitals_core::quietly(work));
    spawned.map(drop).map_err(|source| Error::Start { what: "the thread of a profile", source })
}

/// The error of a thread that ended before it told anything.
fn ended() -> Error {
    Error::Start { what: "the thread of a profile", source: io::Error::other("it panicked") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_which_nobody_has_told_are_counted_apart() {
        let mut profile = Profile::counts("tasks", "count", []);
        add_stacks(&mut profile, "main", 10, vec![vec![0x10], vec![0x20], vec![0x10]]);
        add_stacks(&mut profile, "other", 1, vec![vec![0x10], vec![0x20]]);
        assert_eq!(profile.total("tasks"), Some(12));
        let text = profile.collapsed();
        assert!(text.lines().any(|line| line == "main;[not told] 7"), "{text}");
        assert!(!text.contains("other;[not told]"), "{text}");
    }
}
