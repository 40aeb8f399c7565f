//! Which logical processors share a core.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.cpu.physical.count` | `/sys/devices/system/cpu/cpuN/topology` | |
//!
//! Read until there is an answer, which is then kept: these are hundreds of small files on a big machine, and
//! cores are seldom plugged in while it runs. Absent where the kernel does not tell, as in many sandboxes.

use opentelemetry::metrics::Meter;
use otel_vitals_core::{Malformed, ReadError, SourceContext, scan, signed};
use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;
use std::{fs, io};

use crate::roots::Roots;

#[derive(Debug, Default)]
struct Reading {
    /// Physical cores that were online when they were counted (cores).
    cores: Option<u64>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.cores = None;
    }
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots) {
    let (folder, mut known) = (roots.path("/sys/devices/system/cpu"), None);
    let source = context.source("system.cpu.topology", Reading::default(), move |reading: &mut Reading| {
        if known.is_none() {
            known = Some(physical_cores(&folder)?);
        }
        reading.cores = known;
        Ok(())
    });
    meter
        .i64_observable_up_down_counter("system.cpu.physical.count")
        .with_unit("{cpu}")
        .with_description("Physical processor cores that were online at the first reading.")
        .with_callback(source.observe(|reading, instrument| {
            if let Some(cores) = reading.cores {
                instrument.observe(signed(cores), &[]);
            }
        }))
        .build();
}

/// How many physical cores the logical processors below `cpus` (`/sys/devices/system/cpu`) belong to: distinct
/// triples of package, die and core.
fn physical_cores(cpus: &Path) -> Result<u64, ReadError> {
    let no_file = |source| ReadError::File { path: cpus.to_owned(), source };
    let mut cores = HashSet::new();
    for entry in fs::read_dir(cpus).map_err(no_file)? {
        let topology = entry.map_err(no_file)?.path().join("topology");
        // A processor that is offline has none, and neither has what is no processor.
        if let Some(core) = core(&topology)? {
            cores.insert(core);
        }
    }
    if cores.is_empty() {
        let none = io::Error::new(io::ErrorKind::NotFound, "no processor with topology/core_id");
        return Err(no_file(none));
    }
    Ok(cores.len() as u64)
}

fn core(topology: &Path) -> Result<Option<(i64, Option<i64>, u64)>, ReadError> {
    let package = read(&topology.join("physical_package_id"))?;
    // Kernels before 5.3 know no dies, and then no two of them number their cores alike.
    let die = read(&topology.join("die_id"))?;
    // Some architectures say -1 for "not known", which is no number of a core.
    let core = read(&topology.join("core_id"))?;
    Ok(package.zip(core).map(|(package, core)| (package, die, core)))
}

/// The number in a file; none where there is no such file.
fn read<T: FromStr>(path: &Path) -> Result<Option<T>, ReadError> {
    use io::ErrorKind::{NotADirectory, NotFound};
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Ok(None),
        Err(source) => return Err(ReadError::File { path: path.to_owned(), source }),
    };
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse().ok());
    let malformed = || Malformed::new("the number of a package, die or core", scan::trim(&text));
    let number = number.ok_or_else(|| ReadError::Malformed { path: path.to_owned(), source: malformed() });
    number.map(Some)
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
        fs::write(root.path().join("online"), "0-4\n").unwrap();
        assert_eq!(physical_cores(root.path()).unwrap(), 4);
    }

    #[test]
    fn an_unknown_or_missing_topology_is_an_error_that_names_the_place() {
        let refused = |root: &Path| physical_cores(root).unwrap_err().to_string();
        let unknown = machine(&[("cpu0", &[("physical_package_id", "-1\n"), ("core_id", "-1\n")])]);
        assert!(
            refused(unknown.path())
                .ends_with("core_id: expected the number of a package, die or core, found \"-1\"")
        );
        let sound: &[_] = &[("physical_package_id", "0\n"), ("core_id", "0\n")];
        let odd =
            machine(&[("cpu0", sound), ("cpu1", &[("physical_package_id", "0\n"), ("core_id", "zero\n")])]);
        assert!(refused(odd.path()).contains("zero"));
        let none = machine(&[("cpu0", &[]), ("cpu1", &[("core_id", "0\n")])]);
        assert!(refused(none.path()).ends_with("no processor with topology/core_id"));
        assert!(refused(&none.path().join("nowhere")).contains("nowhere"));
    }

    #[test]
    fn a_processor_that_is_offline_has_no_topology_and_is_not_counted() {
        let root =
            machine(&[("cpu0", &[("physical_package_id", "-1\n"), ("core_id", "0\n")]), ("cpu1", &[])]);
        assert_eq!(physical_cores(root.path()).unwrap(), 1);
    }
}
