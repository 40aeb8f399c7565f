//! CPU and heap by `otel_vitals_profiling`.

use otel_vitals_profiling::cpu::{self, Options, Recording};
use otel_vitals_profiling::{Profile, heap};
use std::time::Duration;

use super::{Produced, Running, Trigger};

/// Bytes between samples, on average.
const MEAN: u64 = 512 * 1024;

pub(super) struct Cpu {
    /// What a sample stands for.
    period: Duration,
    recording: Option<Recording>,
    profile: Option<Profile>,
}

impl Cpu {
    pub(super) fn start(frequency: u32, trigger: Trigger) -> anyhow::Result<Self> {
        let mut options = Options::default();
        options.frequency = frequency;
        options.trigger = match trigger {
            Trigger::Timers => cpu::Trigger::Timers,
            Trigger::Perf => cpu::Trigger::Perf,
        };
        Ok(Cpu {
            period: Duration::from_secs(1) / frequency,
            recording: Some(cpu::start(&options)?),
            profile: None,
        })
    }
}

impl Running for Cpu {
    fn stop(&mut self) {
        self.profile = self.recording.take().map(Recording::finish);
    }

    fn produce(self: Box<Self>) -> Produced {
        self.profile.map_or(Produced::default(), |profile| Produced {
            bytes: profile.pprof().len(),
            // Its `cpu` is made to fit what the process has spent; what was counted is what can be wrong.
            counted: profile
                .total("samples")
                .and_then(|samples| u32::try_from(samples).ok())
                .map(|samples| self.period * samples),
            total: profile.total("cpu").and_then(|time| u64::try_from(time).ok()).map(Duration::from_nanos),
        })
    }
}

pub(super) struct Heap;

impl Heap {
    pub(super) fn start() -> anyhow::Result<Self> {
        heap::install(MEAN)?;
        Ok(Heap)
    }
}

impl Running for Heap {
    fn stop(&mut self) {}

    fn produce(self: Box<Self>) -> Produced {
        Produced { bytes: heap::profile().map_or(0, |profile| profile.pprof().len()), ..Produced::default() }
    }
}
