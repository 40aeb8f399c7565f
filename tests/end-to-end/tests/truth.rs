//! What a program does is what the collector's file shows.

use end_to_end::received::Export;
use end_to_end::{Collector, Subject, procfs};

use crate::programs::told;
use crate::tries::{fits, in_one_of_a_few};

/// A subject that exports only when told, and the collector that it exports to.
struct Watched {
    collector: Collector,
    subject: Subject,
}

impl Watched {
    fn start() -> Option<Self> {
        let collector = Collector::start()?;
        let subject = told().grpc(collector.grpc()).start();
        let mut watched = Watched { collector, subject };
        // Everything that is made at the first export is there before the first measurement.
        watched.export();
        Some(watched)
    }

    /// What arrives of an export now.
    fn export(&mut self) -> Export {
        let before = self.collector.received().len();
        self.subject.tell("flush").ok();
        self.collector.wait_for("the export", |exports| exports.get(before).cloned())
    }

    /// How much the sum of `name` grows by `command`.
    fn growth(&mut self, name: &str, command: &str) -> f64 {
        let before = self.export().sum(name).unwrap();
        self.subject.tell(command).ok();
        self.export().sum(name).unwrap() - before
    }

    fn pid(&self) -> u32 {
        self.subject.pid()
    }
}

const MIB: f64 = (1 << 20) as f64;

#[test]
fn memory() {
    let Some(mut watched) = Watched::start() else { return };
    in_one_of_a_few(|| {
        // The program's code is resident only once it has run, and what an export needs of it does not run in each.
        let files_before = procfs::resident_of_files(watched.pid());
        let grown = watched.growth("process.memory.usage", "allocate 64") / MIB;
        let files = procfs::resident_of_files(watched.pid()).saturating_sub(files_before) as f64 / MIB;
        // The kernel counts pages on each core by itself and tells the sum up to half a MiB late.
        fits((63.5..65.0 + files).contains(&grown), || {
            format!("64 MiB were allocated, {files} MiB of files were read in, {grown} MiB are shown")
        })
    });
    in_one_of_a_few(|| {
        let grown = watched.growth("process.memory.virtual", "allocate 64") / MIB;
        fits((64.0..65.0).contains(&grown), || format!("64 MiB were allocated, {grown} MiB are shown"))
    });
    in_one_of_a_few(|| {
        let files_before = procfs::resident_of_files(watched.pid());
        let export = watched.export();
        let (resident, virtual_size) = (procfs::resident(watched.pid()), procfs::virtual_size(watched.pid()));
        let files = procfs::resident_of_files(watched.pid()).saturating_sub(files_before) as f64;
        for (name, there) in [("process.memory.usage", resident), ("process.memory.virtual", virtual_size)] {
            // What the export itself needs comes and goes.
            let shown = export.sum(name).unwrap();
            fits((shown - there as f64).abs() < 0.5 * MIB + files, || {
                format!("{name}: {shown} is shown, {there} is there")
            })?;
        }
        Ok(())
    });
}

#[test]
fn counted_memory() {
    // What an export needs while it is collected differs a little from one to the next.
    const EXPORT: f64 = 64.0 * 1024.0;
    let Some(mut watched) = Watched::start() else { return };
    for name in ["rust.memory.used", "rust.allocator.memory.size"] {
        in_one_of_a_few(|| {
            let grown = watched.growth(name, "allocate 64");
            fits((grown - 64.0 * MIB).abs() <= EXPORT, || {
                format!("{name}: 64 MiB were allocated, {grown} bytes are shown")
            })
        });
    }
    in_one_of_a_few(|| {
        let grown = watched.growth("rust.memory.allocated", "allocate 64");
        // Whatever an export puts through the allocator is in it, too.
        fits((64.0 * MIB..65.0 * MIB).contains(&grown), || {
            format!("64 MiB were allocated, {grown} bytes are shown")
        })
    });
    let export = watched.export();
    let sum = |name| export.sum(name).unwrap();
    assert_eq!(sum("rust.memory.used"), sum("rust.memory.allocated") - sum("rust.memory.freed"));
    assert_eq!(
        sum("rust.memory.object.count"),
        sum("rust.memory.allocations") - sum("rust.memory.deallocations")
    );
}

#[test]
fn cpu_time() {
    let Some(mut watched) = Watched::start() else { return };
    let user = |export: &Export| {
        export.metric("process.cpu.time").unwrap().point(Some(("cpu.mode", "user"))).unwrap().value
    };
    let spent = |pid| procfs::cpu_time(pid).as_secs_f64();
    let started = spent(watched.pid());
    let before = user(&watched.export());
    watched.subject.tell("burn 500").ok();
    // An export needs some time itself, before and after it is collected.
    let least = spent(watched.pid());
    let export = watched.export();
    let most = spent(watched.pid());
    let burnt = user(&export) - before;
    // The kernel may split a tick wrongly between user and system.
    assert!((0.45..=most - started + 0.05).contains(&burnt), "0.5 s were burnt, {burnt} s are shown");
    let shown = export.sum("process.cpu.time").unwrap();
    assert!(
        (least - 0.05..=most + 0.05).contains(&shown),
        "{shown} s are shown, {least} to {most} s were spent"
    );
}

#[test]
fn descriptors_and_threads() {
    let Some(mut watched) = Watched::start() else { return };
    for (name, command, expected) in
        [("process.unix.file_descriptor.count", "open 100", 100.0), ("process.thread.count", "spawn 7", 7.0)]
    {
        in_one_of_a_few(|| {
            let grown = watched.growth(name, command);
            fits(grown == expected, || format!("{name} grew by {grown} with {command:?}"))
        });
    }
    in_one_of_a_few(|| {
        let export = watched.export();
        let (threads, descriptors) = (procfs::threads(watched.pid()), procfs::descriptors(watched.pid()));
        for (name, there) in
            [("process.thread.count", threads), ("process.unix.file_descriptor.count", descriptors)]
        {
            let shown = export.sum(name);
            fits(shown == Some(there as f64), || format!("{name}: {shown:?} is shown, {there} is there"))?;
        }
        Ok(())
    });
}

#[test]
fn waits_for_a_core() {
    let Some(mut watched) = Watched::start() else { return };
    let processors = std::thread::available_parallelism().unwrap().get();
    let waited = |pid| procfs::waited(pid).as_secs_f64();
    in_one_of_a_few(|| {
        let started = waited(watched.pid());
        let Some(before) = watched.export().sum("linux.scheduler.wait.time") else { return Ok(()) };
        let exported = waited(watched.pid());
        // Four threads a core each have a quarter of it; some wait all the time.
        watched.subject.tell(&format!("contend {}", 4 * processors)).ok();
        // An export waits itself, before and after it is collected.
        let least = waited(watched.pid()) - exported;
        let shown = watched.export().sum("linux.scheduler.wait.time").unwrap() - before;
        let most = waited(watched.pid()) - started;
        assert!(shown > 0.2, "{} threads were in each other's way, {shown} s are shown", 4 * processors);
        fits((least - 0.01..=most + 0.01).contains(&shown), || {
            format!("{shown} s are shown, {least} to {most} s were waited")
        })
    });
}

#[test]
fn pressure() {
    let Some(mut watched) = Watched::start() else { return };
    let total = || procfs::pressure("cpu").map(|time| time.as_secs_f64());
    let Some(before) = total() else { return };
    let export = watched.export();
    let after = total().unwrap();
    let stalled = export.metric("linux.pressure.stall.time").unwrap();
    let of_host = stalled.points.iter().filter(|point| {
        [("resource", "cpu"), ("kind", "some"), ("scope", "host")].iter().all(|(key, value)| {
            point.attributes.get(&format!("linux.pressure.{key}")).is_some_and(|given| given == *value)
        })
    });
    let shown: Vec<f64> = of_host.map(|point| point.value).collect();
    assert!(matches!(shown[..], [one] if (before..=after).contains(&one)), "{before} {shown:?} {after}");
}

#[test]
fn disk_and_faults() {
    let Some(mut watched) = Watched::start() else { return };
    let faults = watched.growth("process.paging.faults", "allocate 16");
    // A page of 4 KiB each, or one of 2 MiB where the kernel gives those.
    assert!((8.0..=16.0 * 256.0 + 1000.0).contains(&faults), "{faults} faults for 16 MiB");
    let written = |export: &Export| {
        export
            .metric("process.disk.io")
            .and_then(|metric| metric.point(Some(("disk.io.direction", "write"))))
            .map(|point| point.value)
    };
    let Some(before) = written(&watched.export()) else { return };
    watched.subject.tell("write 8").ok();
    let grown = (written(&watched.export()).unwrap() - before) / MIB;
    assert!((8.0..9.0).contains(&grown) || grown == 0.0, "8 MiB were written, {grown} MiB are shown");
}
