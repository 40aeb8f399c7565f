//! How profiles are taken.

use std::time::Duration;

/// How profiles are taken. A build without the feature `profiling` takes the same configuration and has no profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfilingConfig {
    /// What is on the heap, and where it was allocated.
    pub heap: HeapProfileConfig,
    /// Where CPU time is spent.
    pub cpu: CpuProfileConfig,
    /// The longest time that a profile may take, over HTTP and by [`Vitals::profile_cpu`](crate::Vitals).
    pub max_duration: Duration,
}

/// What is on the heap, and where it was allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapProfileConfig {
    /// Whether allocations are sampled from the start, where the global allocator is an
    /// [`alloc::Counting`](crate::alloc::Counting).
    pub enabled: bool,
    /// Bytes that are allocated from one sample to the next, on average.
    pub interval: u32,
    /// Who samples.
    pub source: HeapSource,
}

/// Who samples the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeapSource {
    /// The counting allocator, whatever is behind it.
    #[default]
    Sampler,
    /// jemalloc itself, which must be built with profiling and be told to profile (`MALLOC_CONF=prof:true`). Needs the
    /// feature `jemalloc`. Nothing is sampled by us.
    Jemalloc,
}

/// Where CPU time is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CpuProfileConfig {
    /// Samples in a second of CPU time.
    pub frequency: u32,
}

impl Default for ProfilingConfig {
    fn default() -> Self {
        ProfilingConfig {
            heap: HeapProfileConfig::default(),
            cpu: CpuProfileConfig::default(),
            max_duration: Duration::from_secs(60),
        }
    }
}

impl Default for HeapProfileConfig {
    fn default() -> Self {
        HeapProfileConfig { enabled: true, interval: 512 << 10, source: HeapSource::default() }
    }
}

impl Default for CpuProfileConfig {
    fn default() -> Self {
        CpuProfileConfig { frequency: 100 }
    }
}
