//! Other programs, and libraries.

use crate::profiled::{options, sum};
use crate::sys;
use otel_vitals_profiling::cpu;
use std::hint::black_box;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How a child ends that has found what it should.
pub(super) const FOUND: i32 = 42;

/// Loads a library, calls it, and unloads it.
pub(super) fn loads(stop: &AtomicBool) -> u64 {
    let mut path: PathBuf = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/libloaded.so");
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let library = sys::Library::load(&path);
        assert_eq!(library.sum(rounds, 50_000), sum(rounds, 50_000));
        drop(library);
        rounds += 1;
    }
    rounds
}

/// Forks. The child becomes `program`, or computes and ends.
pub(super) fn forks(stop: &AtomicBool, program: Option<&str>) -> u64 {
    let expected = sum(3, 100_000);
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        let status = sys::in_child(program, || if sum(3, 100_000) == expected { FOUND } else { 1 });
        assert_eq!(status, if program == Some("/bin/true") { 0 } else { FOUND }, "of a child: {program:?}");
        rounds += 1;
    }
    rounds
}

/// The way the standard library does it.
pub(super) fn spawns(stop: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !stop.load(Relaxed) {
        assert!(Command::new("/bin/true").status().unwrap().success());
        assert_eq!(Command::new("/proc/self/exe").arg("sum").status().unwrap().code(), Some(FOUND));
        rounds += 1;
    }
    rounds
}

/// What a child is that executes this program.
pub(super) fn sum_of_child() -> ! {
    std::process::exit(if sum(3, 100_000) == sum(black_box(3), 100_000) { FOUND } else { 1 })
}

/// Has a program replace itself while it is being profiled.
pub(super) fn replace(trigger: &str) {
    let status = Command::new("/proc/self/exe").args(["replaced", trigger]).status().unwrap();
    assert_eq!(status.code(), Some(FOUND), "of a program that was replaced while it was profiled: {status}");
}

/// That program.
pub(super) fn replaced(trigger: &str) {
    let _recording = cpu::start(&options(trigger)).unwrap();
    for _ in 0..2 {
        thread::spawn(|| {
            loop {
                black_box(sum(1, 1_000));
            }
        });
    }
    let until = Instant::now() + Duration::from_millis(30);
    while Instant::now() < until {
        black_box(sum(1, 1_000));
    }
    panic!("not replaced: {}", Command::new("/proc/self/exe").arg("sum").exec());
}
