//! CPU by pprof-rs, with its default features.

use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};
use std::time::Duration;

use super::{Produced, Running};

pub(super) struct Cpu {
    frequency: u32,
    guard: ProfilerGuard<'static>,
    report: Option<Report>,
}

impl Cpu {
    pub(super) fn start(frequency: u32) -> anyhow::Result<Self> {
        // Left out as its documentation advises, because libgcc crashes when it is interrupted there.
        let left_out = ["libc", "libgcc", "pthread", "vdso"];
        let guard =
            ProfilerGuardBuilder::default().frequency(i32::try_from(frequency)?).blocklist(&left_out).build()?;
        Ok(Cpu { frequency, guard, report: None })
    }
}

impl Running for Cpu {
    /// It takes samples until its guard is dropped; what it has by now is what counts.
    fn stop(&mut self) {
        self.report = self.guard.report().build().ok();
    }

    fn produce(self: Box<Self>) -> Produced {
        let samples: i128 =
            self.report.iter().flat_map(|report| report.data.values()).map(|count| *count as i128).sum();
        let samples = u32::try_from(samples).unwrap_or(u32::MAX);
        let counted = Duration::from_secs(1) / self.frequency * samples;
        Produced { counted: Some(counted), total: Some(counted), bytes: 0 }
    }
}
