//! How much memory a control group may use, and how much it does.

use std::path::{Path, PathBuf};

use super::membership::Group;
use super::short_file;
use crate::scan;
use crate::{KernelFile, Malformed, ReadError};

/// From here on a limit of version 1 is none: it is the largest number of pages, in bytes, or more in old kernels. Pages
/// have 64 KiB at most.
const UNLIMITED: u64 = i64::MAX.unsigned_abs() & !0xFFFF;

/// The group that limits this process's memory: where its files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryLimit {
    folder: PathBuf,
    version: Version,
}

/// What the files of the group say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// What the group may use, `memory.max` or `memory.limit_in_bytes`; none when it has no limit any more (By).
    pub limit: Option<u64>,
    /// What it uses, caches of files included, `memory.current` or `memory.usage_in_bytes` (By).
    pub usage: Option<u64>,
    /// Caches of files that were not used lately, which the kernel drops first, `inactive_file` or `total_inactive_file`
    /// of `memory.stat` (By).
    pub inactive_file: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Memory {
    /// What the group needs: its usage without the caches that the kernel drops first (By). Kubernetes goes by that, too.
    #[must_use]
    pub fn working_set(&self) -> Option<u64> {
        self.usage.zip(self.inactive_file).map(|(usage, inactive)| usage.saturating_sub(inactive))
    }
}

impl MemoryLimit {
    pub(super) fn of_v1(group: &Group) -> Option<Self> {
        // A group above that is not hierarchical, of which there are some before Linux 5.11, limits only its own processes.
        let counts_below = |folder: &Path| {
            short_file(&folder.join("memory.use_hierarchy")).is_none_or(|bytes| scan::trim(&bytes) != b"0")
        };
        let own = group.own_folder();
        Self::smallest(
            group.folders().take_while(|folder| *folder == own || counts_below(folder)),
            Version::One,
        )
    }

    pub(super) fn of_v2(group: &Group) -> Option<Self> {
        Self::smallest(group.folders(), Version::Two)
    }

    /// The nearest of the groups with the smallest limit.
    fn smallest<'a>(folders: impl Iterator<Item = &'a Path>, version: Version) -> Option<Self> {
        let limits = folders.filter_map(|folder| {
            let bytes = short_file(&folder.join(version.limit_file()))?;
            Some((folder, limit(&bytes).ok()??))
        });
        let (folder, _) = limits.min_by_key(|(_, limit)| *limit)?;
        Some(MemoryLimit { folder: folder.to_path_buf(), version })
    }

    /// The folder of the group, which tells it from others.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the group may use and does use now. A file that cannot be read costs only its own value; the first error is
    /// that of the result.
    pub fn read(&self) -> (Memory, Result<(), ReadError>) {
        let mut memory = Memory::default();
        let mut outcome = Ok(());
        let mut read = |name: &str, parse: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>| {
            let result = KernelFile::single_record(self.folder.join(name)).parse(parse);
            let earlier = std::mem::replace(&mut outcome, Ok(()));
            outcome = earlier.and(result);
        };
        read(self.version.limit_file(), &mut |bytes| limit(bytes).map(|bytes| memory.limit = bytes));
        read(self.version.usage_file(), &mut |bytes| usage(bytes).map(|bytes| memory.usage = Some(bytes)));
        read("memory.stat", &mut |bytes| {
            inactive_file(bytes, self.version).map(|bytes| memory.inactive_file = Some(bytes))
        });
        (memory, outcome)
    }
}

impl Version {
    fn limit_file(self) -> &'static str {
        match self {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        }
    }

    fn usage_file(self) -> &'static str {
        match self {
            Version::One => "memory.usage_in_bytes",
            Version::Two => "memory.current",
        }
    }

    /// The line of `memory.stat` that counts the groups below, too.
    fn inactive_line(self) -> &'static [u8] {
        match self {
            Version::One => b"total_inactive_file ",
            Version::Two => b"inactive_file ",
        }
    }
}

/// A number of bytes, or that there is no limit: `max`, or a number that no machine has.
fn limit(bytes: &[u8]) -> Result<Option<u64>, Malformed> {
    match whole(bytes) {
        b"max" => Ok(None),
        number => {
            let limit = scan::number(number, "a limit in bytes, or max")?;
            Ok(Some(limit).filter(|limit| *limit < UNLIMITED))
        }
    }
}

fn usage(bytes: &[u8]) -> Result<u64, Malformed> {
    scan::number(whole(bytes), "a usage in bytes")
}

fn inactive_file(bytes: &[u8], version: Version) -> Result<u64, Malformed> {
    let line = scan::whole_lines(bytes).find_map(|line| line.strip_prefix(version.inactive_line()));
    match line {
        Some(number) => scan::number(number, "inactive_file: bytes"),
        None => Err(Malformed::new("a line inactive_file", b"nothing")),
    }
}

/// The first line, if it is whole: a number may be cut otherwise.
fn whole(bytes: &[u8]) -> &[u8] {
    scan::whole_lines(bytes).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V1_STAT: &[u8] =
        b"cache 1\nrss 2\ninactive_file 118784\nhierarchical_memory_limit 9223372036854771712\n\
        total_cache 3\ntotal_inactive_file 11251101696\ntotal_unevictable 5\n";
    const V2_STAT: &[u8] =
        b"anon 1\nfile 2\nkernel 3\ninactive_anon 4\nactive_anon 5\ninactive_file 6000\nactive_file 7\n";

    #[test]
    fn no_limit_is_written_in_three_ways() {
        for none in [
            "max\n",
            "9223372036854771712\n",
            "9223372036854710272\n",
            "9223372036854775807\n",
            "18446744073709551615\n",
        ] {
            assert_eq!(limit(none.as_bytes()), Ok(None), "{none}");
        }
        assert_eq!(limit(b"536870912\n"), Ok(Some(536_870_912)));
        assert_eq!(limit(b"0\n"), Ok(Some(0)));
        for odd in ["", "536870912", "-1\n", "maximum\n", "1 2\n"] {
            assert!(limit(odd.as_bytes()).is_err(), "{odd}");
        }
    }

    #[test]
    fn inactive_files_are_those_of_the_groups_below_too() {
        assert_eq!(inactive_file(V1_STAT, Version::One), Ok(11_251_101_696));
        assert_eq!(inactive_file(V2_STAT, Version::Two), Ok(6000));
        assert!(inactive_file(V2_STAT, Version::One).is_err());
        for end in 0..V2_STAT.len() {
            let cut = inactive_file(&V2_STAT[..end], Version::Two);
            assert!(cut.is_err() || cut == Ok(6000), "{end}: {cut:?}");
        }
    }

    #[test]
    fn the_working_set_is_never_negative_and_needs_both() {
        let memory = |usage, inactive_file| Memory { limit: None, usage, inactive_file };
        assert_eq!(memory(Some(10), Some(4)).working_set(), Some(6));
        assert_eq!(memory(Some(4), Some(10)).working_set(), Some(0));
        assert_eq!(memory(Some(4), None).working_set(), None);
        assert_eq!(memory(None, Some(4)).working_set(), None);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64),
                        text in "((total_)?inactive_file |max)?[0-9]{0,21}\n?") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = (limit(bytes), usage(bytes));
                let _ = (inactive_file(bytes, Version::One), inactive_file(bytes, Version::Two));
            }
        }

        #[test]
        fn every_limit_survives(bytes in 0..UNLIMITED) {
            prop_assert_eq!(limit(format!("{bytes}\n").as_bytes()), Ok(Some(bytes)));
        }
    }
}
