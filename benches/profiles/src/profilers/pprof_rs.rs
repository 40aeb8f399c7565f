//! CPU by pprof-rs, with its default features, of which writing a profile is not one.

use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use std::time::Duration;

use super::{Produced, Running};

pub(super) struct Cpu {
    frequency: u32,
    guard: ProfilerGuard<'static>,
    samples: u32,
}

impl Cpu {
    pub(super) fn start(frequency: u32) -> anyhow::Result<Self> {
        // Left out as its documentation advises, because libgcc crashes when it is interrupted there.
        let left_out = ["libc", "libgcc", "pthread", "vdso"];
        let guard = ProfilerGuardBuilder::default()
            .frequency(i32::try_from(frequency)?)
            .blocklist(&left_out)
            .build()?;
        Ok(Cpu { frequency, guard, samples: 0 })
    }
}

impl Running for Cpu {
    /// It takes samples until its guard is dropped; what it has by now is what counts.
    fn stop(&mut self) {
        let report = self.guard.report().build_unresolved();
        let samples: isize = report.iter().flat_map(|report| report.data.values()).sum();
        self.samples = u32::try_from(samples).unwrap_or(u32::MAX);
    }

    /// With names, but not as a file.
    fn produce(self: Box<Self>) -> Produced {
        std::hint::black_box(self.guard.report().build().is_ok());
        let counted = Duration::from_secs(1) / self.frequency * self.samples;
        Produced { counted: Some(counted), total: Some(counted), bytes: 0 }
    }
}
