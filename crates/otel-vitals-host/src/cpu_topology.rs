//! Which logical processors share a core.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// How many physical cores the logical processors below `cpus` (`/sys/devices/system/cpu`) belong to: distinct
/// triples of package, die and core. None where the kernel does not tell, as in many sandboxes.
pub(crate) fn physical_cores(cpus: &Path) -> Option<u64> {
    let entries = fs::read_dir(cpus).ok()?;
    let cores: HashSet<_> =
        entries.flatten().filter_map(|entry| core(&entry.path().join("topology"))).collect();
    (!cores.is_empty()).then_some(cores.len() as u64)
}

fn core(topology: &Path) -> Option<(i64, i64, u64)> {
    let package = read(&topology.join("physical_package_id"))?;
    // Kernels before 5.3 know no dies, and then no two of them number their cores alike.
    let die = read(&topology.join("die_id")).unwrap_or(-1);
    // Some architectures say -1 for "not known".
    let core = read(&topology.join("core_id"))?;
    Some((package, die, core))
}

fn read<T: FromStr>(path: &Path) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(processors: &[(&str, &[(&str, &str)])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (processor, files) in processors {
            let topology = root.path().join(processor).join("topology");
            fs::create_dir_all(&topology).unwrap();
            for (file, content) in *files {
                fs::write(topology.join(file), content).unwrap();
            }
        }
        root
    }

    #[test]
    fn siblings_are_one_core_and_packages_and_dies_are_not() {
        let root = machine(&[
            ("cpu0", &[("physical_package_id", "0\n"), ("die_id", "0\n"), ("core_id", "0\n")]),
            ("cpu1", &[("physical_package_id", "0\n"), ("die_id", "0\n"), ("core_id", "0\n")]),
            ("cpu2", &[("physical_package_id", "0\n"), ("die_id", "1\n"), ("core_id", "0\n")]),
            ("cpu3", &[("physical_package_id", "1\n"), ("core_id", "0\n")]),
            ("cpu4", &[("physical_package_id", "1\n"), ("core_id", "1\n")]),
            ("cpufreq", &[]),
        ]);
        assert_eq!(physical_cores(root.path()), Some(4));
    }

    #[test]
    fn an_unknown_or_missing_topology_is_absent() {
        let unknown = machine(&[("cpu0", &[("physical_package_id", "-1\n"), ("core_id", "-1\n")])]);
        assert_eq!(physical_cores(unknown.path()), None);
        let odd =
            machine(&[("cpu0", &[("physical_package_id", "0\n"), ("core_id", "zero\n")]), ("cpu1", &[])]);
        assert_eq!(physical_cores(odd.path()), None);
        assert_eq!(physical_cores(&odd.path().join("nowhere")), None);
    }
}
