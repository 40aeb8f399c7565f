//! A program that keeps 100 MiB at one line: what Go's reader finds in its profile is that.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

use object::Object as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;
use test_harness::builds::Build;
use test_harness::pprof::{Pprof, Row};

const SOURCE: &str = include_str!("../src/leak.rs");

/// The line of the source with this remark.
fn line(remark: &str) -> String {
    let place = SOURCE.lines().position(|line| line.ends_with(remark)).unwrap() + 1;
    format!("src/leak.rs:{place}")
}

/// That a line has what the program allocates there, to 5 %.
fn has_all(rows: &[Row], line: &str) {
    let kept = i64::try_from(profiles::leak::KEPT).unwrap();
    let at_line = rows.iter().filter(|row| row.name.trim_end_matches(" (inline)").ends_with(line));
    let flat: i64 = at_line.map(|row| row.flat).sum();
    assert!((flat - kept).abs() * 20 <= kept, "{flat} of {kept} at {line}: {rows:?}");
}

/// What a run wrote.
struct Run {
    heap: Vec<u8>,
    text: Vec<u8>,
    delta: Vec<u8>,
}

impl Run {
    fn of(program: &Path) -> Self {
        let folder = TempDir::new().unwrap();
        let status = Command::new(program).arg(folder.path()).status().unwrap();
        assert!(status.success(), "{program:?}");
        let [heap, text, delta] =
            ["heap.pb.gz", "heap.txt", "delta.pb.gz"].map(|name| fs::read(folder.path().join(name)).unwrap());
        Run { heap, text, delta }
    }
}

fn total(rows: &[Row]) -> i64 {
    rows.iter().map(|row| row.flat).sum()
}

fn tells_what_is_kept_and_what_passed(pprof: &Pprof, program: &Path) {
    let Run { heap, text, delta } = Run::of(program);
    let (kept, passed) = (line("// here it is kept"), line("// here it passes"));

    let in_use = pprof.top(&heap, "inuse_space", &["-lines"]);
    has_all(&in_use, &kept);
    let largest = in_use.first().unwrap();
    assert!(largest.name.starts_with("profiles::leak::keep"), "the leaf is who asked: {largest:?}");
    let allocated = pprof.top(&heap, "alloc_space", &["-lines"]);
    has_all(&allocated, &kept);
    has_all(&allocated, &passed);
    // The text has no names, and the same numbers.
    assert_eq!(total(&pprof.top(&text, "inuse_space", &[])), total(&in_use));
    assert_eq!(total(&pprof.top(&text, "alloc_space", &[])), total(&allocated));

    let since = pprof.top(&delta, "alloc_space", &["-lines"]);
    has_all(&since, &passed);
    assert!(!since.iter().any(|row| row.name.ends_with(&kept)), "{since:?}");
}

#[test]
fn a_line_that_keeps_memory_is_found_on_any_allocator() {
    let Some(pprof) = Pprof::find() else { return };
    tells_what_is_kept_and_what_passed(&pprof, Path::new(env!("CARGO_BIN_EXE_leak_system")));
    #[cfg(feature = "jemalloc")]
    tells_what_is_kept_and_what_passed(&pprof, Path::new(env!("CARGO_BIN_EXE_leak_jemalloc")));
    #[cfg(feature = "mimalloc")]
    tells_what_is_kept_and_what_passed(&pprof, Path::new(env!("CARGO_BIN_EXE_leak_mimalloc")));
}

#[test]
fn a_line_that_keeps_memory_is_found_in_every_build() {
    let Some(pprof) = Pprof::find() else { return };
    for build in Build::NAMED {
        tells_what_is_kept_and_what_passed(&pprof, &build.binary("profiles", "leak_system"));
    }
    #[cfg(feature = "jemalloc")]
    tells_what_is_kept_and_what_passed(&pprof, &Build::Release.binary("profiles", "leak_jemalloc"));
    #[cfg(feature = "mimalloc")]
    tells_what_is_kept_and_what_passed(&pprof, &Build::Release.binary("profiles", "leak_mimalloc"));
}

#[test]
fn a_program_without_names_has_its_numbers_and_its_build() {
    let Some(pprof) = Pprof::find() else { return };
    let program = Build::LtoAndStrip.binary("profiles", "leak_system");
    let Run { heap, .. } = Run::of(&program);
    let rows = pprof.top(&heap, "inuse_space", &[]);
    assert!(!rows.iter().any(|row| row.name.contains("keep")), "{rows:?}");
    // What it keeps, and the list of that.
    let kept = i64::try_from(profiles::leak::KEPT).unwrap();
    let all = kept + kept / 16 * i64::try_from(size_of::<Vec<u8>>()).unwrap();
    let total = total(&rows);
    assert!((total - all).abs() * 20 <= kept, "{total} of {all}: {rows:?}");
    let raw = pprof.raw(&heap);
    let mapping = raw.lines().skip_while(|line| *line != "Mappings").nth(1).unwrap_or_default();
    let bytes = fs::read(&program).unwrap();
    let build_id = object::File::parse(&*bytes).unwrap().build_id().unwrap().unwrap().iter();
    let build_id: String = build_id.map(|byte| format!("{byte:02x}")).collect();
    assert!(mapping.contains(program.to_str().unwrap()) && mapping.contains(&build_id), "{mapping}");
}
