use super::*;
use otel_vitals_core::Reading as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

/// Long enough to fail a test that hangs, and no test waits for it otherwise.
const LONG: Duration = Duration::from_secs(60);

const HALF: Blocks = Blocks { total: 1000, free: 500, available: 400, size: 4096, read_only: false };

/// A root with `table` as its table of mounts.
fn root(table: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("proc/1")).unwrap();
    std::fs::write(root.path().join("proc/1/mountinfo"), table).unwrap();
    root
}

fn options(network: bool, deadline: Duration) -> FilesystemOptions {
    FilesystemOptions { network, deadline, ..FilesystemOptions::default() }
}

fn reader(
    root: &Path,
    options: &FilesystemOptions,
    statvfs: impl Fn(&CStr) -> io::Result<Blocks> + Send + Sync + 'static,
) -> Reader {
    Reader::new(&Roots::new(Some(root)), options, Arc::new(statvfs))
}

fn collect(reader: &mut Reader, reading: &mut Reading) -> Result<(), ReadError> {
    reading.clear();
    reader.read(reading)
}

/// The mounts of which something is known.
fn known(reading: &Reading) -> Vec<String> {
    let point = |mount: &Mount| {
        let is_point = |attribute: &&KeyValue| attribute.key.as_str() == "system.filesystem.mountpoint";
        mount.attributes.iter().find(is_point).unwrap().value.to_string()
    };
    reading.mounts.iter().filter(|mount| mount.space.is_some()).map(point).collect()
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
}

const TWO: &str =
    "20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n21 20 8:2 / /srv/my\\040data ro - xfs /dev/sda2 rw\n";
const WITH_NETWORK: &str = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
    21 20 0:40 / /mnt/hung rw - nfs4 filer:/hung rw\n\
    22 20 0:41 / /mnt/well rw - nfs4 filer:/well rw\n\
    23 20 8:2 / /srv rw - ext4 /dev/sda2 rw\n";

#[test]
fn every_mount_is_looked_at_below_the_root_and_described() {
    let root = root(TWO);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let mut reader = reader(&root.path().join(""), &options(false, LONG), move |path| {
        log.lock().unwrap().push(path.to_str().unwrap().to_owned());
        Ok(HALF)
    });
    let mut reading = Reading::default();
    collect(&mut reader, &mut reading).unwrap();
    let below = |point: &str| format!("{}{point}", root.path().display());
    assert_eq!(*seen.lock().unwrap(), [below("/"), below("/srv/my data")]);
    let mounts: Vec<_> = reading.mounts.iter().collect();
    let text = |mount: &Mount, key| value(&mount.attributes, key).map(ToString::to_string).unwrap();
    assert_eq!(text(mounts[1], "system.device"), "/dev/sda2");
    assert_eq!(text(mounts[1], "system.filesystem.type"), "xfs");
    assert_eq!(text(mounts[1], "system.filesystem.mode"), "ro");
    assert_eq!(text(mounts[1], "system.filesystem.mountpoint"), "/srv/my data");
    let states: Vec<_> = mounts[0]
        .states()
        .map(|(bytes, attributes)| {
            (
                value(attributes, "system.filesystem.state").unwrap().to_string(),
                attributes.len(),
                bytes / 4096,
            )
        })
        .collect();
    let expected = [("used", 5, 500), ("free", 5, 400), ("reserved", 5, 100)];
    assert_eq!(states, expected.map(|(state, attributes, blocks)| (state.to_owned(), attributes, blocks)));
}

#[test]
fn a_nameless_source_is_no_device() {
    let root = root("20 1 8:1 / / rw - ext4  rw\n");
    let mut reading = Reading::default();
    collect(&mut reader(root.path(), &options(false, LONG), |_| Ok(HALF)), &mut reading).unwrap();
    let mount = reading.mounts.iter().next().unwrap();
    assert_eq!(value(&mount.attributes, "system.device"), None);
}

#[test]
fn one_that_fails_costs_only_itself() {
    let root = root(TWO);
    let mut reading = Reading::default();
    let mut reader = reader(root.path(), &options(false, LONG), |path| {
        if path.to_bytes().ends_with(b"data") {
            Err(io::ErrorKind::PermissionDenied.into())
        } else {
            Ok(HALF)
        }
    });
    let error = collect(&mut reader, &mut reading).unwrap_err().to_string();
    assert!(error.contains("/srv/my data"), "{error}");
    assert_eq!(known(&reading), ["/"]);
}

#[test]
fn one_without_blocks_has_no_values_and_no_error() {
    let root = root(TWO);
    let mut reading = Reading::default();
    let mut reader = reader(root.path(), &options(false, LONG), |_| Ok(Blocks { total: 0, ..HALF }));
    collect(&mut reader, &mut reading).unwrap();
    assert_eq!(known(&reading), [""; 0]);
}

#[test]
fn a_table_that_cannot_be_read_costs_the_collection_and_is_tried_again() {
    let root = root(TWO);
    let table = root.path().join("proc/1/mountinfo");
    std::fs::rename(&table, root.path().join("away")).unwrap();
    let mut reader = reader(root.path(), &options(false, LONG), |_| Ok(HALF));
    let mut reading = Reading::default();
    assert!(matches!(collect(&mut reader, &mut reading), Err(ReadError::File { .. })));
    assert_eq!(known(&reading), [""; 0]);
    std::fs::rename(root.path().join("away"), &table).unwrap();
    collect(&mut reader, &mut reading).unwrap();
    assert_eq!(known(&reading), ["/", "/srv/my data"]);
}

#[test]
fn a_table_is_read_again_until_it_makes_sense() {
    let root = root(&format!("{TWO}22 20 8:3 / /trunc"));
    let mut reader = reader(root.path(), &options(false, LONG), |_| Ok(HALF));
    let mut reading = Reading::default();
    assert!(matches!(collect(&mut reader, &mut reading), Err(ReadError::Malformed { .. })));
    assert_eq!(known(&reading), ["/", "/srv/my data"]);
    std::fs::write(
        root.path().join("proc/1/mountinfo"),
        format!("{TWO}22 20 8:3 / /trunc rw - ext4 /dev/sda3 rw\n"),
    )
    .unwrap();
    collect(&mut reader, &mut reading).unwrap();
    assert_eq!(known(&reading), ["/", "/srv/my data", "/trunc"]);
    // A file that is none of the kernel's never says that it changed.
    std::fs::write(root.path().join("proc/1/mountinfo"), "").unwrap();
    collect(&mut reader, &mut reading).unwrap();
    assert_eq!(known(&reading).len(), 3);
}

#[test]
fn the_mode_follows_the_file_system_itself() {
    let mut reading = Reading::default();
    let selection = Selection::new(&FilesystemOptions::default());
    read(TWO.as_bytes(), &mut reading, &selection, b"").unwrap();
    let statvfs: Ask<Blocks> = Arc::new(|_: &CStr| Ok(HALF));
    let reader = Reader::new(&Roots::new(None), &FilesystemOptions::default(), statvfs);
    let mount = reading.mounts.iter_mut().next().unwrap();
    for (read_only, mode) in [(false, "rw"), (true, "ro"), (true, "ro"), (false, "rw")] {
        reader.take(mount, Ok(Blocks { read_only, ..HALF })).unwrap();
        for set in mount.by_state.iter().chain([&mount.attributes]) {
            assert_eq!(value(set, MODE), Some(&Value::from(mode)));
        }
    }
}

#[test]
fn under_another_root_the_mode_is_what_the_table_says() {
    let root = root(TWO);
    let mut reading = Reading::default();
    let mut reader = reader(root.path(), &options(false, LONG), |_| Ok(Blocks { read_only: true, ..HALF }));
    collect(&mut reader, &mut reading).unwrap();
    let modes: Vec<_> = reading.mounts.iter().map(|mount| mount.read_only).collect();
    assert_eq!(modes, [false, true]);
}

/// A lock that `/mnt/hung` waits for.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    waiting: AtomicUsize,
    passed: AtomicUsize,
}

impl Gate {
    fn statvfs(self: &Arc<Self>) -> impl Fn(&CStr) -> io::Result<Blocks> + Send + Sync + use<> {
        let gate = Arc::clone(self);
        move |path| {
            if path.to_bytes().ends_with(b"hung") {
                gate.waiting.fetch_add(1, Ordering::SeqCst);
                drop(gate.opened.wait_while(gate.open.lock().unwrap(), |open| !*open).unwrap());
                gate.passed.fetch_add(1, Ordering::SeqCst);
            }
            Ok(HALF)
        }
    }

    /// How many requests there were; waits for the first.
    fn requests(&self) -> usize {
        let started = Instant::now();
        while self.waiting.load(Ordering::SeqCst) == 0 {
            assert!(started.elapsed() < LONG);
            std::thread::yield_now();
        }
        self.waiting.load(Ordering::SeqCst)
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }
}

#[test]
fn one_that_hangs_is_absent_and_delays_one_collection_by_the_deadline() {
    let root = root(WITH_NETWORK);
    let gate = Arc::new(Gate::default());
    // The first collection waits for the deadline; the others would fail the test by their time if they did.
    let mut reader = reader(root.path(), &options(true, Duration::from_secs(1)), gate.statvfs());
    let mut reading = Reading::default();
    let started = Instant::now();
    let error = collect(&mut reader, &mut reading).unwrap_err().to_string();
    assert!(error.contains("/mnt/hung") && error.contains("timed out"), "{error}");
    assert_eq!(known(&reading), ["/", "/mnt/well", "/srv"]);
    assert!(started.elapsed() >= Duration::from_secs(1));
    reader.deadline = LONG;
    let started = Instant::now();
    for _ in 0..5 {
        let error = collect(&mut reader, &mut reading).unwrap_err().to_string();
        assert!(error.contains("/mnt/hung"), "{error}");
        assert_eq!(known(&reading), ["/", "/mnt/well", "/srv"]);
    }
    assert!(started.elapsed() < LONG);
    assert_eq!(gate.requests(), 1, "no second request");
    gate.open();
    while gate.passed.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let started = Instant::now();
    while collect(&mut reader, &mut reading).is_err() {
        assert!(started.elapsed() < LONG);
    }
    assert_eq!(known(&reading), ["/", "/mnt/hung", "/mnt/well", "/srv"]);
}

#[test]
fn without_the_option_nothing_that_may_hang_is_asked() {
    let root = root(WITH_NETWORK);
    let mut reader = reader(root.path(), &options(false, LONG), |path| {
        assert!(!path.to_bytes().windows(4).any(|window| window == b"/mnt"));
        Ok(HALF)
    });
    let mut reading = Reading::default();
    collect(&mut reader, &mut reading).unwrap();
    assert_eq!(known(&reading), ["/", "/srv"]);
    assert!(reading.mounts.iter().all(|mount| mount.asker.is_none()));
}

#[test]
fn a_thread_stays_with_its_mount_when_the_table_changes() {
    let root = root(WITH_NETWORK);
    let gate = Arc::new(Gate::default());
    let mut reader = reader(root.path(), &options(true, Duration::ZERO), gate.statvfs());
    let mut reading = Reading::default();
    collect(&mut reader, &mut reading).unwrap_err();
    let changed = WITH_NETWORK.replace("/mnt/hung rw", "/mnt/hung ro,relatime shared:9")
        + "30 20 8:9 / /new rw - ext4 /dev/sdc rw\n";
    read(changed.as_bytes(), &mut reading, &reader.selection, &reader.prefix).unwrap();
    let (shown, started) = (["/", "/mnt/well", "/srv", "/new"], Instant::now());
    while collect(&mut reader, &mut reading).is_ok() || known(&reading) != shown {
        assert!(started.elapsed() < LONG);
    }
    assert_eq!(gate.requests(), 1, "the mount is the same, and so is its request");
    read(TWO.as_bytes(), &mut reading, &reader.selection, &reader.prefix).unwrap();
    assert!(reading.mounts.iter().all(|mount| mount.asker.is_none()));
    gate.open();
}
