//! How much CPU time a control group may use, and where it is told how much it has used.

use std::path::{Path, PathBuf};

use super::membership::Group;
use super::short_file;
use crate::Malformed;
use crate::scan;

/// The group whose quota of CPU time limits this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuLimit {
    quota: Quota,
    folder: PathBuf,
    time: Option<PathBuf>,
}

/// So much CPU time in each period (microseconds), neither of them 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quota {
    time: u64,
    period: u64,
}

impl CpuLimit {
    /// `times` is the group of this process in the tree that counts CPU time.
    pub(super) fn of_v1(group: &Group, times: Option<&Group>) -> Option<Self> {
        let quota = |folder: &Path| {
            let file = |name| short_file(&folder.join(name));
            Quota::of_v1(&file("cpu.cfs_quota_us")?, &file("cpu.cfs_period_us")?)
        };
        let (folder, quota) = smallest(group, quota)?;
        let time = times.and_then(|times| group.counterpart(folder, times));
        Some(CpuLimit {
            quota,
            folder: folder.to_path_buf(),
            time: time.map(|folder| folder.join("cpuacct.usage")),
        })
    }

    pub(super) fn of_v2(group: &Group) -> Option<Self> {
        let (folder, quota) = smallest(group, |folder| Quota::of_v2(&short_file(&folder.join("cpu.max"))?))?;
        Some(CpuLimit { quota, folder: folder.to_path_buf(), time: Some(folder.join("cpu.stat")) })
    }

    /// How many processors the quota is worth (cores): half a core is 0.5. Never 0.
    #[must_use]
    pub fn cores(&self) -> f64 {
        self.quota.cores()
    }

    /// The folder of the group, which tells it from others.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The group's `cpu.stat`, which [`CpuStat`](super::CpuStat) reads.
    #[must_use]
    pub fn stat(&self) -> PathBuf {
        self.folder.join("cpu.stat")
    }

    /// The file in which [`cpu_time`] finds how much the group has used: `cpu.stat` of version 2, `cpuacct.usage` of
    /// version 1; none where version 1 counts the time of other groups than those that it limits.
    #[must_use]
    pub fn time(&self) -> Option<&Path> {
        self.time.as_deref()
    }
}

/// CPU time that a group has used (nanoseconds), from `usage_usec` of version 2's `cpu.stat`, or from version 1's
/// `cpuacct.usage`, which is that number alone.
///
/// # Errors
/// When there is neither.
pub fn cpu_time(bytes: &[u8]) -> Result<u64, Malformed> {
    let microseconds = scan::whole_lines(bytes).find_map(|line| line.strip_prefix(b"usage_usec "));
    match microseconds {
        Some(number) => Ok(scan::number(number, "usage_usec: microseconds")?.saturating_mul(1_000)),
        None => scan::number(
            scan::whole_lines(bytes).next().unwrap_or_default(),
            "nanoseconds of CPU time, or usage_usec",
        ),
    }
}

/// The nearest of the groups with the smallest quota.
fn smallest(group: &Group, quota: impl Fn(&Path) -> Option<Quota>) -> Option<(&Path, Quota)> {
    let quotas = group.folders().filter_map(|folder| Some((folder, quota(folder)?)));
    quotas.min_by(|(_, one), (_, other)| one.cores().total_cmp(&other.cores()))
}

impl Quota {
    /// `cpu.max`: `50000 100000`, or `max 100000`, which is none.
    fn of_v2(max: &[u8]) -> Option<Self> {
        let mut fields = scan::fields(scan::whole_lines(max).next()?);
        Quota::new(fields.next()?, fields.next()?)
    }

    /// `cpu.cfs_quota_us`, which is -1 where there is none, and `cpu.cfs_period_us`.
    fn of_v1(quota: &[u8], period: &[u8]) -> Option<Self> {
        Quota::new(scan::trim(quota), scan::trim(period))
    }

    fn new(time: &[u8], period: &[u8]) -> Option<Self> {
        let number =
            |field| scan::number(field, "microseconds").ok().filter(|microseconds| *microseconds > 0);
        Some(Quota { time: number(time)?, period: number(period)? })
    }

    fn cores(self) -> f64 {
        self.time as f64 / self.period as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quota_is_a_number_of_cores() {
        let cores = |quota: Option<Quota>| quota.map(Quota::cores);
        assert_eq!(cores(Quota::of_v2(b"50000 100000\n")), Some(0.5));
        assert_eq!(cores(Quota::of_v2(b"250000 100000\n")), Some(2.5));
        assert_eq!(cores(Quota::of_v1(b"150000\n", b"100000\n")), Some(1.5));
        for none in
            [&b"max 100000\n"[..], b"", b"50000\n", b"50000 1000", b"0 100000\n", b"50000 0\n", b"x y\n"]
        {
            assert_eq!(Quota::of_v2(none), None, "{none:?}");
        }
        for (quota, period) in [("-1\n", "100000\n"), ("50000\n", ""), ("", ""), ("50000\n", "0\n")] {
            assert_eq!(Quota::of_v1(quota.as_bytes(), period.as_bytes()), None);
        }
    }

    #[test]
    fn both_versions_tell_time_in_nanoseconds() {
        assert_eq!(cpu_time(b"usage_usec 14772025095\nuser_usec 1\n"), Ok(14_772_025_095_000));
        assert_eq!(cpu_time(b"user_usec 1\nusage_usec 7\n"), Ok(7_000));
        assert_eq!(cpu_time(b"14772025095123\n"), Ok(14_772_025_095_123));
        for cut in [&b""[..], b"usage_usec 14772", b"14772", b"nr_periods 7\n", b"usage_usec -1\n"] {
            assert!(cpu_time(cut).is_err(), "{cut:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_is_never_nothing(bytes in proptest::collection::vec(any::<u8>(), 0..64),
                                             text in "(max|[0-9]{0,21}) [0-9]{0,21}\n?") {
            for quota in [Quota::of_v2(&bytes), Quota::of_v2(text.as_bytes()), Quota::of_v1(&bytes, text.as_bytes())] {
                prop_assert!(quota.is_none_or(|quota| quota.cores() > 0.0 && quota.cores().is_finite()));
            }
            let _ = (cpu_time(&bytes), cpu_time(text.as_bytes()));
        }
    }
}
