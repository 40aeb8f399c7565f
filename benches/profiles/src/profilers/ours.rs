//! CPU and heap by `otel_vitals_profiling`.

use otel_vitals_profiling::cpu::{self, Options, Recording};
use otel_vitals_profiling::{Profile, heap};
use std::time::Duration;

use super::{Produced, Running, Trigger};

/// Bytes between samples, on average.
const MEAN: u64 = 512 * 1024;

pub(super) struct Cpu {
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
        Ok(Cpu { recording: Some(cpu::start(&options)?), profile: None })
    }
}

impl Running for Cpu {
    fn stop(&mut self) {
        self.profile = self.recording.take().map(Recording::finish);
    }

    fn produce(self: Box<Self>) -> Produced {
        self.profile.map_or(Produced::default(), |profile| Produced {
            bytes: profile.pprof().len(),
            total: Some(Duration::from_nanos(total(&profile))),
        })
    }
}

/// Lines of stacks end with their value.
fn total(profile: &Profile) -> u64 {
    let stacks = profile.collapsed();
    stacks.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
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
        Produced { total: None, bytes: heap::profile().map_or(0, |profile| profile.pprof().len()) }
    }
}
