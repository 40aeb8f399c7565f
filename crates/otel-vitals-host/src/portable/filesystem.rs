//! File systems.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.filesystem.usage` | `Disk::total_space`, `Disk::available_space` | `system.filesystem.state` = used, free, and those below |
//! | `system.filesystem.utilization` | the same as shares of the total | the same |
//! | `system.filesystem.limit` (opt-in) | `Disk::total_space` | those below |
//!
//! Every series has `system.device`, `system.filesystem.type` (in small letters), `system.filesystem.mode` (`rw` or `ro`)
//! and `system.filesystem.mountpoint`. By default the first mount of each device is taken, and no network file system
//! that is known by its type.

pub(crate) mod asker;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};
use otel_vitals_core::{ReadError, SourceContext, Table, signed};
use std::collections::HashSet;

use crate::FilesystemOptions;
use crate::filter::Choice;
use asker::{Asker, Mounted};

#[derive(Debug, Default)]
struct Reading {
    mounts: Table<Mount>,
}

#[derive(Debug)]
struct Mount {
    attributes: [KeyValue; 4],
    /// With the state: used, then free.
    by_state: [[KeyValue; 5]; 2],
    space: Option<Space>,
}

#[derive(Clone, Copy, Debug)]
struct Space {
    /// Size (By).
    total: u64,
    /// What can still be written (By).
    free: u64,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.mounts.iter_mut().for_each(|mount| mount.space = None);
    }
}

fn read(mounted: &[Mounted], selection: &Selection, reading: &mut Reading) {
    reading.mounts.update(|rows| {
        for mounted in selection.of(mounted) {
            let name = [&*mounted.device, &mounted.point, mounted.mode].join("\0");
            let mount = rows.row(name.as_bytes(), |_| Mount::new(mounted));
            let space = Space { total: mounted.total, free: mounted.available.min(mounted.total) };
            mount.space = Some(space).filter(|space| space.total > 0);
        }
    });
}

/// Which mounts the options take.
struct Selection {
    kinds: Choice,
    points: Choice,
    network: bool,
    /// Whether the options name mount points, of which a device may then have several.
    by_point: bool,
}

impl Selection {
    fn new(options: &FilesystemOptions) -> Self {
        Selection {
            kinds: Choice::new(&options.types),
            points: Choice::new(&options.mountpoints),
            network: options.network,
            by_point: !options.mountpoints.include.is_empty(),
        }
    }

    fn of<'a>(&self, mounted: &'a [Mounted]) -> impl Iterator<Item = &'a Mounted> {
        let mut devices = HashSet::new();
        mounted.iter().filter(move |mounted| {
            self.kinds.takes(&mounted.kind, || true)
                && self.points.takes(&mounted.point, || true)
                && (self.network || !is_network(&mounted.kind))
                && (devices.insert(&mounted.device) || self.by_point)
        })
    }
}

/// Types of BSD, macOS, Windows and Linux.
fn is_network(kind: &str) -> bool {
    ["nfs", "smb", "cifs", "afpfs", "webdav", "ftp", "sshfs", "fuse.sshfs", "9p", "ceph", "gluster"]
        .iter()
        .any(|network| kind.starts_with(network))
}

impl Mount {
    fn new(mounted: &Mounted) -> Self {
        let attributes = [
            KeyValue::new("system.device", mounted.device.clone()),
            KeyValue::new("system.filesystem.type", mounted.kind.clone()),
            KeyValue::new("system.filesystem.mode", mounted.mode),
            KeyValue::new("system.filesystem.mountpoint", mounted.point.clone()),
        ];
        let by_state = ["used", "free"].map(|state| {
            let [device, kind, mode, point] = attributes.clone();
            [KeyValue::new("system.filesystem.state", state), device, kind, mode, point]
        });
        Mount { attributes, by_state, space: None }
    }
}

impl Space {
    /// Bytes used and free.
    fn usage(self) -> [u64; 2] {
        [self.total - self.free, self.free]
    }
}

pub(super) fn register(meter: &Meter, context: &SourceContext, options: &FilesystemOptions) {
    let (selection, deadline) = (Selection::new(options), options.deadline);
    let mut asker = None;
    let source = context.source("system.filesystem", Reading::default(), move |reading: &mut Reading| {
        let mounted = Asker::ask(&mut asker, deadline)?;
        read(&mounted, &selection, reading);
        Ok::<(), ReadError>(())
    });
    meter
        .i64_observable_up_down_counter("system.filesystem.usage")
        .with_unit("By")
        .with_description("Space by state; the states sum to the size.")
        .with_callback(source.observe(|reading, instrument| {
            by_state(reading, instrument, |space| space.usage().map(signed));
        }))
        .build();
    meter
        .f64_observable_gauge("system.filesystem.utilization")
        .with_unit("1")
        .with_description("Share of each state in the size.")
        .with_callback(source.observe(|reading, instrument| {
            by_state(reading, instrument, |space| {
                space.usage().map(|bytes| bytes as f64 / space.total as f64)
            });
        }))
        .build();
    if options.limit {
        meter
            .i64_observable_up_down_counter("system.filesystem.limit")
            .with_unit("By")
            .with_description("Size of the file system.")
            .with_callback(source.observe(|reading, instrument| {
                for mount in reading.mounts.iter() {
                    if let Some(space) = mount.space {
                        instrument.observe(signed(space.total), &mount.attributes);
                    }
                }
            }))
            .build();
    }
}

fn by_state<T>(reading: &Reading, instrument: &dyn AsyncInstrument<T>, values: impl Fn(Space) -> [T; 2]) {
    for mount in reading.mounts.iter() {
        let values = mount.space.map(&values).into_iter().flatten();
        for (value, attributes) in values.zip(&mount.by_state) {
            instrument.observe(value, attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    fn mounted(device: &str, kind: &str, point: &str) -> Mounted {
        Mounted {
            device: device.into(),
            kind: kind.into(),
            point: point.into(),
            mode: "rw",
            total: 100,
            available: 30,
        }
    }

    fn machine() -> [Mounted; 4] {
        [
            mounted("/dev/disk3s1", "apfs", "/"),
            mounted("/dev/disk3s1", "apfs", "/mirror"),
            mounted("server:/home", "nfs", "/home"),
            mounted("C:", "ntfs", r"C:\"),
        ]
    }

    fn points(options: &FilesystemOptions) -> Vec<String> {
        Selection::new(options).of(&machine()).map(|mounted| mounted.point.clone()).collect()
    }

    #[test]
    fn each_device_is_taken_once_and_no_server() {
        assert_eq!(points(&FilesystemOptions::default()), ["/", r"C:\"]);
    }

    #[test]
    fn options_take_and_leave_out() {
        let network = FilesystemOptions { network: true, ..FilesystemOptions::default() };
        assert_eq!(points(&network), ["/", "/home", r"C:\"]);
        let apfs =
            FilesystemOptions { types: Filter::new(["apfs"], [""; 0]), ..FilesystemOptions::default() };
        assert_eq!(points(&apfs), ["/"]);
        let mirror =
            FilesystemOptions { mountpoints: Filter::new(["/*"], ["/"]), ..FilesystemOptions::default() };
        assert_eq!(points(&mirror), ["/mirror"]);
    }

    #[test]
    fn states_sum_to_the_size() {
        let mut reading = Reading::default();
        let odd = Mounted { available: 200, ..mounted("/dev/odd", "ext4", "/odd") };
        let empty = Mounted { total: 0, ..mounted("/dev/empty", "ext4", "/empty") };
        let mounted = [mounted("/dev/sda1", "ext4", "/"), odd, empty];
        read(&mounted, &Selection::new(&FilesystemOptions::default()), &mut reading);
        let usage: Vec<_> = reading.mounts.iter().map(|mount| mount.space.map(Space::usage)).collect();
        assert_eq!(usage, [Some([70, 30]), Some([0, 100]), None]);
    }
}
