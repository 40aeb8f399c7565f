//! A look at the hardware against `df`, the kernel's files, and real control groups.
//!
//! A child process, which is this program again, looks while this one puts it into groups. Where no group can be made, for want
//! of permission or of a controller, the tests say so and are skipped.
#![cfg(all(target_os = "linux", not(otel_vitals_portable)))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod subject;

use otel_vitals_host::hardware::{DiskSpace, HardwareOptions, HardwareReader, disk_space};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use subject::{IS_CHILD, Subject};
use test_harness::cgroup::Group;

/// How long to wait for what must come, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;

fn reader(paths: &[&str]) -> HardwareReader {
    let mut options = HardwareOptions::default();
    options.disks = paths.iter().map(|path| (*path).to_owned()).collect();
    options.deadline = PATIENCE;
    HardwareReader::new(options)
}

/// What `df` says: size, used, available, percent, type and mount point; none where there is no GNU `df`.
fn df(path: &str) -> Option<([u64; 4], [String; 2])> {
    let columns = "--output=size,used,avail,pcent,fstype,target";
    let output = Command::new("df").args(["-B1", columns, "--", path]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let words: Vec<&str> = text.lines().nth(1)?.split_whitespace().collect();
    let [size, used, available, percent, kind, point] = words[..] else { return None };
    let number = |word: &str| word.trim_end_matches('%').parse::<u64>().ok();
    let numbers = [number(size)?, number(used)?, number(available)?, number(percent)?];
    Some((numbers, [kind, point].map(str::to_owned)))
}

#[test]
fn every_file_system_is_what_df_says() {
    let paths = ["/", "/tmp", "/dev", "/usr/bin"];
    let mut reader = reader(&paths);
    for (at, path) in paths.iter().enumerate() {
        let started = Instant::now();
        loop {
            let before = df(path);
            let (disk, alone) = (reader.read().disks.swap_remove(at), disk_space(Path::new(path)));
            let (Some(before), Some(after)) = (before, df(path)) else {
                println!("skipped: df does not tell of {path}");
                break;
            };
            let ([size, used, available, percent], [kind, point]) = after.clone();
            let space = disk.space.unwrap();
            assert_eq!(
                (&*disk.path, disk.kind.as_ref(), disk.mount_point.as_ref()),
                (*path, Some(&kind), Some(&point))
            );
            assert_eq!(space.total, size, "{path}");
            assert_eq!(space.used + space.available + space.reserved, space.total);
            // Others write too, and what they write may be gone when `df` looks again.
            if (space.used, space.available) == (used, available) && alone.ok() == Some(space) {
                assert_eq!(space.used_percent().ceil() as u64, percent, "{path}: {space:?}");
                break;
            }
            if started.elapsed() > PATIENCE {
                assert_ne!(before, after, "{path} stands still: {space:?}");
                return eprintln!("skipped: {path} never stands still");
            }
        }
    }
}

#[test]
fn memory_and_load_are_what_the_kernel_says() {
    let line = |key: &str| {
        let text = fs::read_to_string("/proc/meminfo").unwrap();
        let rest = text.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        rest.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    };
    let mut reader = reader(&[]);
    let (before, reading, after) = (line("MemAvailable:"), reader.read(), line("MemAvailable:"));
    assert_eq!(reading.memory.total, Some(line("MemTotal:")));
    // Others come and go.
    let (low, high) = (before.min(after).saturating_sub(512 * MIB), before.max(after) + 512 * MIB);
    let available = reading.memory.available.unwrap();
    assert!((low..=high).contains(&available), "{available}: {low} to {high}");
    let online = fs::read_to_string("/proc/stat").unwrap();
    let online = online.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu "));
    assert_eq!(reading.cpu.online, Some(online.count() as u64));
    let started = Instant::now();
    loop {
        let loads = || fs::read_to_string("/proc/loadavg").unwrap();
        let (before, seen, after) = (loads(), reader.read().cpu.load, loads());
        let of =
            |text: &str| text.split(' ').take(3).map(|load| load.parse().ok()).collect::<Vec<Option<f64>>>();
        if of(&before) == of(&after) && seen.to_vec() == of(&before) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{before} {seen:?} {after}");
    }
}

#[test]
fn processors_that_work_are_seen_to() {
    let mut reader = reader(&[]);
    let (started, work) = (Instant::now(), Duration::from_millis(600));
    assert_eq!(reader.read().cpu.used_percent, None);
    burn(work);
    let reading = reader.read().cpu;
    let own = work.as_secs_f64() / (started.elapsed().as_secs_f64() * reading.online.unwrap() as f64);
    let percent = reading.used_percent.unwrap();
    // Others may have worked, too.
    assert!((50.0 * own..=100.0).contains(&percent), "{percent}, and {own} is our share");
}

#[test]
fn a_memory_limit_and_what_is_used_of_it_are_what_the_group_says() {
    const LIMIT: u64 = 256 * MIB;
    let Some(group) = Group::with_memory_limit("memory", LIMIT) else {
        return eprintln!("skipped: no control group with a memory limit can be made here");
    };
    let mut subject = Subject::start();
    subject.move_to(&group);
    let [limit, small] = subject.tell("memory")[..] else { panic!("no limit is seen") };
    assert_eq!(limit, LIMIT as f64);
    subject.tell("fill 64");
    let [_, large] = subject.tell("memory")[..] else { panic!("no limit is seen") };
    let [usage, inactive] = group.memory();
    let told = (usage - inactive) as f64;
    // The kernel counts what each processor has in store as used; it may come and go.
    assert!((large - told).abs() <= (8 * MIB) as f64, "{large} is seen, the kernel says {told}");
    assert!(large - small >= (60 * MIB) as f64, "{small} and then {large}");
}

#[test]
fn a_quota_is_a_number_of_cores_and_throttles() {
    let Some(group) = Group::with_quota("cores") else {
        return eprintln!("skipped: no control group with a CPU quota can be made here");
    };
    let mut subject = Subject::start();
    subject.move_to(&group);
    assert_eq!(subject.tell("cpu"), [0.2, -1.0, -1.0], "and nothing to compare with");
    let mut seen = Vec::new();
    let is_throttled = (0..5).any(|_| {
        let before = group.throttling();
        // Half a second of CPU time in a fifth of a core takes more than two seconds, in which all periods are throttled.
        subject.tell("burn 500");
        let [cores, used, throttled] = subject.tell("cpu")[..] else { panic!("no quota is seen") };
        let after = group.throttling();
        assert_eq!(cores, 0.2);
        seen.push((used, throttled, before, after));
        // Version 1 may count the time elsewhere.
        let is_busy = used == -1.0 || (50.0..=100.0).contains(&used);
        // On a machine that others work on, it may get less than its quota.
        is_busy && (50.0..=100.0).contains(&throttled)
    });
    assert!(is_throttled, "used and throttled, %, and what the kernel said before and after: {seen:?}");
}

/// Not a test, but the other process.
#[test]
fn child() {
    if std::env::var_os(IS_CHILD).is_none() {
        return;
    }
    let mut reader = reader(&[]);
    let mut filled = Vec::new();
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let answer = match line.split_once(' ') {
            Some(("fill", mebibytes)) => {
                filled.resize(mebibytes.parse::<usize>().unwrap() << 20, 1_u8);
                vec![f64::from(filled[filled.len() - 1])]
            }
            Some((_, milliseconds)) => burn(Duration::from_millis(milliseconds.parse().unwrap())),
            None if line == "memory" => {
                let group = reader.read().memory.group;
                group
                    .map(|group| vec![group.limit as f64, group.working_set.unwrap() as f64])
                    .unwrap_or_default()
            }
            None => {
                let group = reader.read().cpu.group;
                let told = |percent: Option<f64>| percent.unwrap_or(-1.0);
                let told = group
                    .map(|group| vec![group.cores, told(group.used_percent), told(group.throttled_percent)]);
                told.unwrap_or_default()
            }
        };
        println!("{}", subject::answer(&answer));
    }
}

/// Uses so much CPU time.
fn burn(time: Duration) -> Vec<f64> {
    let used = || {
        let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(line.split_whitespace().next().unwrap().parse().unwrap())
    };
    let start = used();
    while used() - start < time {
        std::hint::black_box((0..100_000_u64).fold(0, |sum, next| std::hint::black_box(sum ^ next)));
    }
    Vec::new()
}

/// What is promised of every reading.
#[test]
fn parts_of_space_sum_up() {
    let DiskSpace { total, used, available, reserved, .. } = disk_space(Path::new("/")).unwrap();
    assert_eq!(used + available + reserved, total);
}
