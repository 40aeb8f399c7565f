//! The tasks of all runtimes, and what each waits for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Runtimes, Watched, dump};
use crate::Pauses;

/// The tasks of one runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeTasks {
    /// The name under which the runtime is watched.
    pub runtime: String,
    /// Tasks that are alive on it, without those that watch (`num_alive_tasks` of tokio).
    pub alive: usize,
    /// What each task waits for, as addresses of code, the innermost first (`Handle::dump` of tokio), each in the instruction that calls. A
    /// stack without any is that of a task that waits for nothing of tokio's. There are fewer of them than `alive` beyond ten thousand tasks, and
    /// where it takes more than five seconds to read what tokio has told. None where tokio does not tell: in programs without `--cfg tokio_unstable`
    /// or the feature `taskdump`, elsewhere than on Linux for x86-64 and aarch64, and of a runtime that stands still.
    pub stacks: Option<Vec<Vec<u64>>>,
}

impl Runtimes {
    /// The tasks of each runtime, in the order in which the runtimes came.
    ///
    /// Where tokio can tell what tasks wait for it is asked, and `patience` is how long its answer is waited for: so call this on a
    /// thread of its own then, and on none of a runtime's. To tell, a runtime stops all of its workers, for as long as
    /// the one takes that is the last to stop. So one is not asked of which `pauses` says that it stands still, nor one that has not answered
    /// the last time.
    ///
    /// ```
    /// use otel_vitals_runtime::{Pauses, Runtimes};
    /// use std::time::Duration;
    ///
    /// let runtimes = Runtimes::default();
    /// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build()?;
    /// runtimes.watch("background", runtime.handle());
    /// runtime.spawn(std::future::pending::<()>());
    /// let tasks = runtimes.tasks(&Pauses::default(), Duration::from_secs(2));
    /// assert_eq!((tasks[0].runtime.as_str(), tasks[0].alive), ("background", 1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn tasks(&self, pauses: &Pauses, patience: Duration) -> Vec<RuntimeTasks> {
        // Asking spawns, which may need what keeps the list.
        let watched: Vec<_> = self.shared.lock().iter().map(Arc::clone).collect();
        let stuck: Vec<_> = pauses.ongoing().into_iter().map(|pause| pause.runtime).collect();
        let is_stuck = |watched: &Watched| {
            stuck.iter().any(|name| name.as_deref().is_none_or(|name| *name == *watched.name))
        };
        let counted = watched.iter().map(|watched| watched.alive_tasks()).collect::<Vec<_>>();
        // All at once, so that they take no longer than the slowest.
        let asked: Vec<_> = watched.iter().map(|one| (!is_stuck(one)).then(|| dump::ask(one))).collect();
        let deadline = Instant::now() + patience;
        let told = watched.iter().zip(counted).zip(asked);
        told.map(|((watched, alive), asked)| RuntimeTasks {
            runtime: watched.name.to_string(),
            alive,
            stacks: asked.and_then(|asked| asked?.stacks(deadline)),
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn each_runtime_has_its_own_tasks_and_none_of_ours() {
        let runtimes = Runtimes::default();
        let [one, other] = [(); 2].map(|()| Builder::new_multi_thread().worker_threads(1).build().unwrap());
        runtimes.watch("one", one.handle());
        runtimes.watch("other", other.handle());
        for _ in 0..3 {
            one.spawn(std::future::pending::<()>());
        }
        let tasks = runtimes.tasks(&Pauses::default(), PATIENCE);
        let counts: Vec<_> = tasks.iter().map(|tasks| (tasks.runtime.as_str(), tasks.alive)).collect();
        assert_eq!(counts, [("one", 3), ("other", 0)]);
    }
}
