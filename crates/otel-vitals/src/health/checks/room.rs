//! Whether there is room: on a disk, in memory.

use otel_vitals_host::hardware::{self, HardwareOptions, HardwareReader, MemoryReading};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::hardware::MemoryUse;
use crate::health::{Check, ComponentType, Outcome};

/// How long the kernel may take to tell of memory.
const DEADLINE: Duration = Duration::from_secs(2);

impl Check {
    /// Whether of the file system that `path` is on at most `max_used_percent` are used, as `df` counts: what only root may fill is
    /// neither used nor free. It also fails when there is no such path, and when the file system does not answer, as one whose
    /// server is gone does. Observes `utilization`, in percent.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// use otel_vitals::health::Check;
    ///
    /// vitals.health().register("disk", Check::disk_space("/var/lib/orders", 95.0))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn disk_space(path: impl Into<PathBuf>, max_used_percent: f64) -> Self {
        let path = path.into();
        // The file system may take for ever: this is on the thread of the run, which is its own.
        Check::new(move || std::future::ready(judge_disk(&path, max_used_percent)))
            .component(ComponentType::System)
    }

    /// Whether at most `max_used_percent` of the memory are used that this process may have: of the limit of its control group, as in a
    /// container, where what counts is the working set, which is all but caches that the kernel drops first, as for Kubernetes; and
    /// where no limit is below what the machine has, of the machine's, where what counts is all that is not available. Warns where the
    /// system does not tell. Observes `utilization`, in percent. On Linux a thread of the check's own, `vitals-machine`, asks the
    /// kernel, and lives as long as the check.
    ///
    /// ```
    /// # let provider = opentelemetry_sdk::metrics::SdkMeterProvider::default();
    /// # let vitals = otel_vitals::Vitals::builder().meter_provider(provider).start()?;
    /// use otel_vitals::health::Check;
    ///
    /// vitals.health().register("memory", Check::memory(95.0))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn memory(max_used_percent: f64) -> Self {
        // Kept, so that a kernel that hangs keeps one thread, and not one more with each run.
        let reader = Mutex::new(memory_reader());
        let memory = move || reader.lock().unwrap_or_else(PoisonError::into_inner).read().memory;
        Check::new(move || std::future::ready(judge_memory(&memory(), max_used_percent)))
            .component(ComponentType::System)
    }
}

fn judge_disk(path: &Path, max: f64) -> Outcome {
    match hardware::disk_space(path) {
        Ok(space) => judge(space.used_percent(), max, &path.display().to_string()),
        Err(error) => Outcome::fail(format!("{}: {error}", path.display())),
    }
}

/// The disks are not of interest.
fn memory_reader() -> HardwareReader {
    let mut options = HardwareOptions::default();
    options.disks.clear();
    options.deadline = DEADLINE;
    HardwareReader::new(options)
}

fn judge_memory(memory: &MemoryReading, max: f64) -> Outcome {
    let (what, usage) = match memory.group {
        Some(group) => ("the memory limit of the control group", MemoryUse::of_group(group)),
        None => ("the machine's memory", MemoryUse::of_machine(memory)),
    };
    match usage.used_percent() {
        Some(used) => judge(used, max, what),
        None => {
            let problem = memory.problem.as_deref().unwrap_or("the system does not tell");
            Outcome::warn(format!("how much of {what} is used is not known: {problem}"))
        }
    }
}

/// A most that is no number is never kept.
fn judge(used: f64, max: f64, what: &str) -> Outcome {
    let outcome = if used <= max {
        Outcome::pass()
    } else {
        Outcome::fail(format!("{used:.1} % of {what} are used, and {max} % may be"))
    };
    outcome.observed("utilization", (used * 10.0).round() / 10.0, "percent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{ObservedValue, Status};
    use otel_vitals_host::hardware::GroupMemory;

    fn machine(total: u64, available: u64) -> MemoryReading {
        let mut memory = MemoryReading::default();
        (memory.total, memory.available) = (Some(total), Some(available));
        memory
    }

    fn limited(limit: u64, working_set: Option<u64>) -> MemoryReading {
        let mut group = GroupMemory::default();
        (group.limit, group.working_set) = (limit, working_set);
        let mut memory = machine(1_000, 900);
        memory.group = Some(group);
        memory
    }

    fn judged(memory: &MemoryReading, max: f64) -> (Status, f64) {
        let outcome = judge_memory(memory, max);
        let observed = outcome.observed.unwrap();
        assert_eq!((observed.measurement.as_str(), observed.unit.as_str()), ("utilization", "percent"));
        let ObservedValue::Float(value) = observed.value else { panic!("{observed:?}") };
        (outcome.status, value)
    }

    #[test]
    fn the_limit_counts_and_without_one_the_machine() {
        assert_eq!(judged(&machine(1_000, 250), 80.0), (Status::Pass, 75.0));
        assert_eq!(judged(&machine(1_000, 250), 75.0), (Status::Pass, 75.0));
        assert_eq!(judged(&machine(1_000, 250), 74.9), (Status::Fail, 75.0));
        assert_eq!(judged(&limited(300, Some(290)), 90.0), (Status::Fail, 96.7));
        assert_eq!(judged(&limited(300, Some(150)), 90.0), (Status::Pass, 50.0));
        assert_eq!(judged(&limited(0, Some(0)), 90.0), (Status::Fail, 100.0));
    }

    #[test]
    fn what_fails_says_by_how_much() {
        let outcome = judge_memory(&limited(300, Some(290)), 90.0);
        let text = "96.7 % of the memory limit of the control group are used, and 90 % may be";
        assert_eq!(outcome.output.as_deref(), Some(text));
    }

    #[test]
    fn what_is_not_known_warns() {
        for memory in [MemoryReading::default(), limited(300, None)] {
            let outcome = judge_memory(&memory, 90.0);
            assert_eq!((outcome.status, outcome.observed), (Status::Warn, None), "{:?}", outcome.output);
        }
    }

    #[test]
    fn a_most_that_is_no_number_fails() {
        assert_eq!(judged(&machine(1_000, 999), f64::NAN).0, Status::Fail);
    }
}
