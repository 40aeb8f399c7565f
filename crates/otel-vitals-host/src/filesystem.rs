//! File systems.
//!
//! | metric | source | attributes |
//! | --- | --- | --- |
//! | `system.filesystem.usage` | `statvfs(3)` of each mount | `system.filesystem.state` = used, free, reserved, and those below |
//! | `system.filesystem.utilization` | the same, as a fraction of all bytes | the same |
//! | `system.filesystem.limit` (opt-in) | the same, all bytes | those below |
//!
//! Every series has `system.device` (what is mounted, unless that is nameless), `system.filesystem.type` (the kernel's
//! name of it), `system.filesystem.mode` (`rw` or `ro`) and `system.filesystem.mountpoint`. The states are disjoint and
//! sum up to the size: `used` holds data, `free` is for everybody, `reserved` is what only root may fill.
//!
//! The mounts are those of `/proc/self/mountinfo`, which is read again only after the kernel has said (`poll(2)`) that it
//! changed; under a `root_path`, those of that machine's process 1, looked for below the root. (A mount that was made on
//! that machine later is found there only if it is propagated to this process, `rslave` in Docker,
//! `mountPropagation: HostToContainer` in Kubernetes.)
//!
//! # Which mounts
//! By default those that keep data: not the kernel's pseudo file systems, not memory, not images that are full by
//! construction (`squashfs`, `iso9660`), and an overlay only where it is the root. A file system that is mounted several
//! times is shown once: where it is mounted whole rather than in part, and at the shortest mount point. The files
//! that container runtimes mount (`/etc/hosts` and their like) are no place to show a disk at. A mount that another covers
//! is not there. `autofs` is never looked at, since a look mounts what is behind it.
//!
//! # Which may hang
//! A look at a network file system waits for its server, and one at a FUSE file system for its program. These, and
//! every mount that is reached through one, are left out unless [`FilesystemOptions::network`] asks for them; then each is
//! asked by a thread of its own, called `vitals-mount`, of which there are at most 64. A collection waits at most
//! [`FilesystemOptions::deadline`] for all of them; a mount that has not answered is absent and counted as an error, and
//! no later collection waits for it until it has answered.
//!
//! # Absent
//! `system.filesystem.lock.count`: `/proc/locks` names the inode and the kind of each lock, in a list that is as long as
//! there are locks and is written under a lock that every program's locking needs. Summing it up would slow down the
//! very programs that lock much.

mod kinds;
mod selection;
pub(crate) mod space;
#[allow(unsafe_code)]
pub(crate) mod sys;

use opentelemetry::metrics::Meter;
use opentelemetry::{KeyValue, Value};
use otel_vitals_core::mountinfo::{self, unescaped};
use otel_vitals_core::scan::Faults;
use otel_vitals_core::{KernelFile, Malformed, ReadError, SourceContext, Table, signed};
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::FilesystemOptions;
use crate::askers::{Ask, Asker, Askers};
use crate::roots::Roots;
use selection::{Selected, Selection};
use space::{Blocks, STATES, Space};

/// The mounts that are shown.
#[derive(Debug, Default)]
struct Reading {
    mounts: Table<Mount>,
}

#[derive(Debug)]
struct Mount {
    /// Where this process reaches it.
    path: CString,
    /// The thread to ask, where it takes one; none as long as there could be no thread.
    asker: Option<Asker<Blocks>>,
    served: bool,
    read_only: bool,
    /// Without a state.
    attributes: Vec<KeyValue>,
    /// By state, as [`Space::states`].
    by_state: [Vec<KeyValue>; 3],
    space: Option<Space>,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        for mount in self.mounts.iter_mut() {
            mount.space = None;
        }
    }
}

/// What stays open and known from one collection to the next.
struct Reader {
    table: KernelFile,
    /// Whether the reading has the mounts that the kernel had when it was last asked for changes.
    is_known: bool,
    selection: Selection,
    /// The folder before every mount point; empty for this process's own root.
    prefix: Vec<u8>,
    statvfs: Ask<Blocks>,
    askers: Askers<Blocks>,
    deadline: Duration,
}

/// The mounts to show of a table; `prefix` is put before their mount points.
fn read(bytes: &[u8], reading: &mut Reading, selection: &Selection, prefix: &[u8]) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    let table = mountinfo::read(bytes, &mut faults);
    reading.mounts.update(|rows| {
        for selected in selection.of(&table) {
            rows.row(selected.mount.identity, |_| Mount::new(&selected, prefix))
                .set_mode(selected.mount.read_only);
        }
    });
    faults.result()
}

impl Mount {
    fn new(selected: &Selected<'_>, prefix: &[u8]) -> Self {
        let mount = selected.mount;
        let text = |key: &'static str, escaped| KeyValue::new(key, selection::text(escaped));
        let mut attributes = vec![
            text("system.filesystem.type", mount.kind),
            text("system.filesystem.mountpoint", mount.point),
            KeyValue::new(MODE, mode(mount.read_only)),
        ];
        if !mount.source.is_empty() {
            attributes.push(text("system.device", mount.source));
        }
        let by_state = STATES.map(|state| {
            let state = KeyValue::new("system.filesystem.state", state);
            attributes.iter().cloned().chain([state]).collect()
        });
        let path = [prefix, &unescaped(mount.point)].concat();
        Mount {
            // Kernel text has no NUL; were there one, the empty path is an error of its own at every look.
            path: CString::new(path).unwrap_or_default(),
            asker: None,
            served: selected.served,
            read_only: mount.read_only,
            attributes,
            by_state,
            space: None,
        }
    }

    fn set_mode(&mut self, read_only: bool) {
        if std::mem::replace(&mut self.read_only, read_only) == read_only {
            return;
        }
        for set in self.by_state.iter_mut().chain([&mut self.attributes]) {
            for attribute in set.iter_mut().filter(|attribute| attribute.key.as_str() == MODE) {
                attribute.value = Value::from(mode(read_only));
            }
        }
    }
}

const MODE: &str = "system.filesystem.mode";

fn mode(read_only: bool) -> &'static str {
    if read_only { "ro" } else { "rw" }
}

impl Reader {
    fn new(roots: &Roots, options: &FilesystemOptions, statvfs: Ask<Blocks>) -> Self {
        let prefix = roots.foreign().map(|root| root.as_os_str().as_bytes()).unwrap_or_default();
        Reader {
            table: KernelFile::any_records(roots.of_process("mountinfo")),
            is_known: false,
            selection: Selection::new(options),
            prefix: prefix.strip_suffix(b"/").unwrap_or(prefix).to_vec(),
            askers: Askers::new(Arc::clone(&statvfs)),
            statvfs,
            deadline: options.deadline,
        }
    }

    fn read(&mut self, reading: &mut Reading) -> Result<(), ReadError> {
        let mut outcome = self.follow(reading);
        if let Err(ReadError::File { .. }) = outcome {
            return outcome;
        }
        for mount in reading.mounts.iter_mut().filter(|mount| mount.served) {
            outcome = outcome.and(self.ask(mount));
        }
        let asked = Instant::now();
        for mount in reading.mounts.iter_mut().filter(|mount| !mount.served) {
            let answer = (self.statvfs)(&mount.path);
            outcome = outcome.and(self.take(mount, answer));
        }
        for mount in reading.mounts.iter_mut() {
            let timeout = self.deadline.saturating_sub(asked.elapsed());
            let Some(answer) = mount.asker.as_mut().map(|asker| asker.answer(timeout)) else { continue };
            outcome = outcome.and(self.take(mount, answer));
        }
        outcome
    }

    /// Reads the table of mounts, if there is another than the one that is known.
    fn follow(&mut self, reading: &mut Reading) -> Result<(), ReadError> {
        // Asked before it is read: what changes in between is told next time.
        let has_changed = sys::has_changed(self.table.open()?);
        if self.is_known && !has_changed {
            return Ok(());
        }
        self.is_known = false;
        self.table.parse(|bytes| read(bytes, reading, &self.selection, &self.prefix))?;
        self.is_known = true;
        Ok(())
    }

    fn ask(&self, mount: &mut Mount) -> Result<(), ReadError> {
        if mount.asker.is_none() {
            mount.asker = Some(self.askers.start(&mount.path).map_err(|error| failed(&mount.path, error))?);
        }
        if let Some(asker) = &mut mount.asker {
            asker.ask();
        }
        Ok(())
    }

    fn take(&self, mount: &mut Mount, answer: io::Result<Blocks>) -> Result<(), ReadError> {
        let blocks = answer.map_err(|error| failed(&mount.path, error))?;
        mount.space = blocks.space();
        // A file system with errors turns read-only without a change in the table. Under another root the answer
        // tells the mode of the mount by which this process sees it.
        if self.prefix.is_empty() {
            mount.set_mode(blocks.read_only);
        }
        Ok(())
    }
}

#[cold]
fn failed(path: &CStr, source: io::Error) -> ReadError {
    ReadError::Call { call: format!("statvfs of {}", path.to_string_lossy()), source }
}

impl Mount {
    /// Bytes by state, with the attributes of each (By).
    fn states(&self) -> impl Iterator<Item = (u64, &[KeyValue])> {
        let states = self.space.into_iter().flat_map(|space| space.states);
        states.zip(self.by_state.iter().map(Vec::as_slice))
    }
}

pub(crate) fn register(meter: &Meter, context: &SourceContext, roots: &Roots, options: &FilesystemOptions) {
    let mut reader = Reader::new(roots, options, Arc::new(sys::statvfs));
    let source = context
        .source("system.filesystem", Reading::default(), move |reading: &mut Reading| reader.read(reading));
    meter
        .i64_observable_up_down_counter("system.filesystem.usage")
        .with_unit("By")
        .with_description("Bytes of the file system by state; the states sum up to its size.")
        .with_callback(source.observe(|reading, instrument| {
            for (bytes, attributes) in reading.mounts.iter().flat_map(Mount::states) {
                instrument.observe(signed(bytes), attributes);
            }
        }))
        .build();
    meter
        .f64_observable_gauge("system.filesystem.utilization")
        .with_unit("1")
        .with_description("Fraction of the file system's bytes in each state.")
        .with_callback(source.observe(|reading, instrument| {
            for mount in reading.mounts.iter() {
                let Some(space) = mount.space else { continue };
                for (bytes, attributes) in mount.states() {
                    instrument.observe(bytes as f64 / space.total as f64, attributes);
                }
            }
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

#[cfg(test)]
mod tests;
