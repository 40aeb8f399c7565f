//! Real control groups of the machine, for tests of what the kernel does to their members. Linux only.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);

/// A control group that is there as long as this is.
#[derive(Debug)]
pub struct Group(PathBuf);

impl Group {
    /// A group with a quota of a fifth of a processor, where there is a CPU controller that may be used.
    #[must_use]
    pub fn with_quota(name: &str) -> Option<Self> {
        const QUOTA: &str = "20000";
        let version_1 = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"].iter();
        let mut made = version_1.filter_map(|parent| {
            let group = Group::make(Path::new(parent), name)?;
            group.write("cpu.cfs_period_us", "100000").ok()?;
            group.write("cpu.cfs_quota_us", QUOTA).ok()?;
            Some(group)
        });
        made.next().or_else(|| {
            let group = Group::make(Path::new("/sys/fs/cgroup"), name)?;
            group.write("cpu.max", &format!("{QUOTA} 100000")).ok()?;
            Some(group)
        })
    }

    /// A group that may use so many bytes of memory, where there is a memory controller that may be used.
    #[must_use]
    pub fn with_memory_limit(name: &str, limit: u64) -> Option<Self> {
        let limited = |parent: &str, file: &str| {
            let group = Group::make(Path::new(parent), name)?;
            group.write(file, &limit.to_string()).ok()?;
            Some(group)
        };
        limited("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            .or_else(|| limited("/sys/fs/cgroup", "memory.max"))
    }

    /// What the group uses of its memory, and how much of that are inactive files, as the kernel says (bytes).
    #[must_use]
    pub fn memory(&self) -> [u64; 2] {
        let read = |names: [&str; 2]| {
            let texts = names.iter().map(|name| fs::read_to_string(self.0.join(name)));
            texts.filter_map(Result::ok).next().unwrap()
        };
        let usage = read(["memory.usage_in_bytes", "memory.current"]).trim().parse().unwrap();
        let stat = read(["memory.stat", "memory.stat"]);
        let line = |key: &str| stat.lines().find_map(|line| line.strip_prefix(key)?.parse().ok());
        [usage, line("total_inactive_file ").or_else(|| line("inactive_file ")).unwrap()]
    }

    /// A group of version 2 with pressure.
    #[must_use]
    pub fn with_pressure(name: &str) -> Option<Self> {
        let parents = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].iter();
        let groups = parents.filter_map(|parent| Group::make(Path::new(parent), name));
        let mut with_pressure = groups.filter(|group| fs::read(group.0.join("cpu.pressure")).is_ok());
        with_pressure.next()
    }

    fn make(parent: &Path, name: &str) -> Option<Self> {
        let folder = parent.join(format!("otel-vitals-test-{}-{name}", std::process::id()));
        // Beside control groups there are ordinary folders, of tmpfs.
        fs::metadata(parent.join("cgroup.procs")).ok()?;
        fs::create_dir(&folder).ok()?;
        Some(Group(folder))
    }

    fn write(&self, file: &str, text: &str) -> std::io::Result<()> {
        // Nothing is to be created: what is not there is not of this controller.
        fs::OpenOptions::new().write(true).open(self.0.join(file))?.write_all(text.as_bytes())
    }

    /// Puts the process of this number into the group.
    pub fn take(&self, process: u32) {
        self.write("cgroup.procs", &process.to_string()).unwrap();
    }

    /// The number behind `key` in `cpu.stat`.
    fn stat(&self, key: &str) -> Option<f64> {
        let text = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.parse().ok())
    }

    /// Periods, throttled periods, and seconds throttled, as the kernel says.
    #[must_use]
    pub fn throttling(&self) -> [f64; 3] {
        let seconds = match self.stat("throttled_time") {
            Some(nanoseconds) => nanoseconds / 1e9,
            None => self.stat("throttled_usec").unwrap() / 1e6,
        };
        [self.stat("nr_periods").unwrap(), self.stat("nr_throttled").unwrap(), seconds]
    }

    /// Seconds in which some of the group waited for a processor.
    #[must_use]
    pub fn pressure(&self) -> f64 {
        let text = fs::read_to_string(self.0.join("cpu.pressure")).unwrap();
        let (_, total) = text.lines().next().unwrap().split_once("total=").unwrap();
        total.parse::<f64>().unwrap() / 1e6
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A group can be removed once the last of its processes is gone for good.
        let started = Instant::now();
        while fs::remove_dir(&self.0).is_err() && started.elapsed() < DEADLINE {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
