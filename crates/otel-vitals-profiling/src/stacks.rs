//! Stacks as they are written: with names, and of the heap without the allocator.

use crate::objects;
use crate::profile::{Frame, Profile, Sample};
use crate::symbols::{Line, Symbols};

/// A frame as it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shown<'a> {
    Code {
        address: u64,
        /// Which of the objects it is in.
        object: Option<usize>,
        /// The innermost inlined function first; none where there are no symbols.
        lines: &'a [Line],
        /// How many functions that were inlined further in are left out.
        left_out: usize,
        /// How far from the start of the function that has the code the address is.
        offset: Option<u64>,
    },
    Named(&'a str),
}

impl Profile {
    /// The names of all addresses, as far as they are known.
    pub(crate) fn symbols(&self) -> Symbols {
        let frames = self.samples.iter().flat_map(|sample| sample.stack.iter());
        let addresses = frames.filter_map(|frame| match frame {
            Frame::Code(address) => Some(*address),
            Frame::Named(_) => None,
        });
        Symbols::within(|| self.objects.clone().unwrap_or_else(objects::loaded), addresses)
    }

    /// The stack of a sample, the leaf first.
    pub(crate) fn shown<'a>(&self, sample: &'a Sample, symbols: &'a Symbols) -> Vec<Shown<'a>> {
        let all = sample.stack.iter().map(|frame| Shown::new(frame, symbols));
        if self.of_allocator { without_allocator(all.collect()) } else { all.collect() }
    }
}

impl<'a> Shown<'a> {
    fn new(frame: &'a Frame, symbols: &'a Symbols) -> Self {
        match frame {
            Frame::Named(name) => Shown::Named(name),
            Frame::Code(address) => {
                let place = symbols.at(*address);
                Shown::Code {
                    address: *address,
                    object: place.and_then(|place| place.object),
                    lines: place.map_or(&[], |place| &place.names.lines),
                    left_out: 0,
                    offset: place.and_then(|place| place.names.offset),
                }
            }
        }
    }
}

/// Leaves out what is between the leaf and the line that asked for memory: the allocator, ourselves, and the standard library on behalf
/// of whom called it. Where the standard library itself asked, as before `main`, it stays; there is always something left.
fn without_allocator(stack: Vec<Shown<'_>>) -> Vec<Shown<'_>> {
    let asked = first(&stack, |line| !is_library(line) && !is_start(line))
        .or_else(|| first(&stack, |line| !is_allocator(line)));
    let Some((frame, line)) = asked else {
        return stack;
    };
    let mut rest: Vec<_> = stack.into_iter().skip(frame).collect();
    if let Some(Shown::Code { lines, left_out, .. }) = rest.first_mut() {
        *left_out = line;
        *lines = lines.get(line..).unwrap_or_default();
    }
    rest
}

/// The first frame, and in it the first line, that is wanted. What has no name is.
fn first(stack: &[Shown<'_>], wanted: impl Fn(&Line) -> bool) -> Option<(usize, usize)> {
    stack.iter().enumerate().find_map(|(place, frame)| match frame {
        Shown::Code { lines, .. } if !lines.is_empty() => Some((place, lines.iter().position(&wanted)?)),
        _ => Some((place, 0)),
    })
}

/// Whether it is what allocates, or measures that.
fn is_allocator(line: &Line) -> bool {
    const ALLOCATOR: [&str; 18] = [
        "otel_vitals_alloc::",
        "<otel_vitals_alloc::",
        "otel_vitals_profiling::",
        "<otel_vitals_profiling::",
        "__rust_alloc",
        "__rust_realloc",
        "__rustc::",
        "__rustc[",
        "__rg_",
        "__rdl_",
        "alloc::alloc::",
        "<alloc::alloc::",
        "alloc::raw_vec::",
        "<alloc::raw_vec::",
        "tikv_jemallocator::",
        "<tikv_jemallocator::",
        // Its own functions, where it is C and has no names of paths.
        "_rjem_",
        "prof_backtrace",
    ];
    const FILES: [&str; 2] = ["/library/alloc/src/alloc.rs", "/library/alloc/src/raw_vec"];
    // As the crate that has it builds it, and as one's own is called.
    const JEMALLOC: [&str; 3] = ["/tikv-jemalloc-sys-", "/jemalloc/src/", "/jemalloc/include/"];
    let function = &line.function;
    is_ours(&function.file)
        || JEMALLOC.iter().any(|part| function.file.contains(part))
        || ALLOCATOR.iter().any(|start| function.name.starts_with(start))
        || in_standard_library(&function.file) && FILES.iter().any(|file| function.file.contains(file))
}

/// Functions that were inlined may be called by their last name alone, so that the file has to tell.
fn is_ours(file: &str) -> bool {
    ["otel-vitals-alloc", "otel-vitals-profiling"].iter().any(|name| {
        let mut parts = file.split(name).skip(1);
        // In a registry it has a version.
        parts.any(|rest| {
            rest.starts_with("/src/") || rest.starts_with('-') && rest.get(1..).is_some_and(is_versioned)
        })
    })
}

fn is_versioned(rest: &str) -> bool {
    rest.starts_with(|first: char| first.is_ascii_digit())
}

/// Whether it is of the standard library, or of the allocator.
fn is_library(line: &Line) -> bool {
    const LIBRARIES: [&str; 4] = ["alloc::", "core::", "std::", "hashbrown::"];
    let of_library = |path: &str| LIBRARIES.iter().any(|library| path.starts_with(library));
    let name = line.function.name.as_str();
    let by_name = match name.strip_prefix('<') {
        None => of_library(name),
        // A type of the library's may have a method of somebody else's trait, and what has no path is its own.
        Some(inner) => match inner.split_once(" as ") {
            Some((of, as_trait)) => of_library(as_trait) && (of_library(of) || !of.contains("::")),
            None => of_library(inner),
        },
    };
    by_name || in_standard_library(&line.function.file) || is_allocator(line)
}

fn in_standard_library(file: &str) -> bool {
    let of_rust = file.starts_with("/rustc/") || file.contains("/lib/rustlib/src/rust/");
    of_rust
        && ["/library/alloc/", "/library/core/", "/library/std/", "/hashbrown-"]
            .iter()
            .any(|part| file.contains(part))
}

/// Whether it is what calls `main`, or the function of a thread.
fn is_start(line: &Line) -> bool {
    const STARTS: [&str; 9] = [
        "main",
        "_start",
        "__libc_start_main",
        "__libc_start_call_main",
        "start_thread",
        "clone",
        "clone3",
        "__clone",
        "__clone3",
    ];
    let name = line.function.system_name.split('@').next().unwrap_or_default();
    STARTS.contains(&name) || name.starts_with("__libc_start_main")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::Function;
    use std::sync::Arc;

    fn line(name: &str, file: &str) -> Line {
        let function =
            Function { name: name.to_owned(), system_name: name.to_owned(), file: file.to_owned() };
        Line { function: Arc::new(function), line: 7 }
    }

    /// What is left of a stack of frames, each with its functions.
    fn left(stack: &[&[(&str, &str)]]) -> Vec<Vec<String>> {
        let lines: Vec<Vec<Line>> =
            stack.iter().map(|frame| frame.iter().map(|(name, file)| line(name, file)).collect()).collect();
        let shown = lines.iter().zip(1..).map(|(lines, address)| Shown::Code {
            address,
            object: None,
            lines,
            left_out: 0,
            offset: None,
        });
        let left = without_allocator(shown.collect());
        let names = left.iter().map(|frame| match frame {
            Shown::Code { lines, .. } => lines.iter().map(|line| line.function.name.clone()).collect(),
            Shown::Named(name) => vec![(*name).to_owned()],
        });
        names.collect()
    }

    const VEC: &str = "/rustc/59807616e1fa/library/alloc/src/vec/mod.rs";

    #[test]
    fn the_leaf_is_the_line_that_asked() {
        let stack: &[&[(&str, &str)]] = &[
            &[("otel_vitals_profiling::heap::sampled", "")],
            &[("<otel_vitals_alloc::Counting<A> as core::alloc::GlobalAlloc>::alloc", "")],
            &[("__rustc::__rust_alloc", "")],
            // Of inlined functions the debug information may have the last name alone.
            &[
                ("alloc", "/rustc/59807616e1fa/library/alloc/src/alloc.rs"),
                ("with_capacity<u8>", VEC),
                ("asks", "/app/main.rs"),
                ("app::outer", "/app/main.rs"),
            ],
            &[("app::main", "/app/main.rs")],
        ];
        assert_eq!(left(stack), [vec!["asks", "app::outer"], vec!["app::main"]]);
    }

    #[test]
    fn the_functions_of_jemalloc_are_left_out_with_files_and_without() {
        let built = "/target/debug/build/tikv-jemalloc-sys-cc9df1a84122564b/out/build/";
        let files = ["include/jemalloc/internal/prof_inlines.h", "src/jemalloc.c"]
            .map(|file| built.to_owned() + file);
        let stack: &[&[(&str, &str)]] = &[
            &[("prof_alloc_prep", &files[0]), ("_rjem_je_malloc_default", &files[1])],
            &[
                ("imalloc_fastpath", "/src/jemalloc/include/jemalloc/internal/inlines.h"),
                ("_rjem_malloc", ""),
            ],
            &[("<tikv_jemallocator::Jemalloc as core::alloc::GlobalAlloc>::alloc", "")],
            &[("app::asks", "/app/src/jemalloc.rs")],
        ];
        assert_eq!(left(stack), [["app::asks"]]);
    }

    #[test]
    fn containers_are_left_out_by_name_where_there_are_no_files() {
        let stack: &[&[(&str, &str)]] = &[
            &[("alloc::raw_vec::RawVecInner<A>::try_allocate_in", "")],
            &[("<T as alloc::slice::hack::ConvertVec>::to_vec", "")],
            &[("<alloc::vec::Vec<T,A> as core::clone::Clone>::clone", "")],
            &[("<alloc::vec::Vec<T> as app::Copied>::copied", "")],
            &[("app::main", "")],
        ];
        assert_eq!(left(stack), [vec!["<alloc::vec::Vec<T> as app::Copied>::copied"], vec!["app::main"]]);
    }

    #[test]
    fn a_type_of_the_programs_own_is_never_left_out() {
        for own in ["<app::T as alloc::string::ToString>::to_string", "allocator::f", "stdx::f", "core_of_it"]
        {
            assert_eq!(left(&[&[("alloc::alloc::alloc", "")], &[(own, "")]]), [[own]]);
        }
    }

    #[test]
    fn what_the_standard_library_asks_for_itself_is_its_own() {
        let stack: &[&[(&str, &str)]] = &[
            &[("__rustc::__rust_alloc", "")],
            &[("std::thread::Thread::new", "")],
            &[("std::rt::lang_start_internal", "")],
            &[("main", "")],
            &[("__libc_start_main@@GLIBC_2.34", "")],
        ];
        assert_eq!(left(stack)[0], ["std::thread::Thread::new"]);
        assert_eq!(left(stack).len(), 4);
    }

    #[test]
    fn there_is_always_something_left() {
        assert_eq!(left(&[&[("alloc::alloc::alloc", "")], &[("__rust_alloc", "")]]).len(), 2);
        assert!(left(&[]).is_empty());
        // What has no name may be anybody's.
        assert_eq!(left(&[&[], &[("alloc::alloc::alloc", "")]]).len(), 2);
    }

    #[test]
    fn our_files_are_ours_in_a_registry_and_in_a_workspace() {
        assert!(is_ours("/w/crates/otel-vitals-alloc/src/lib.rs"));
        assert!(is_ours("/root/.cargo/registry/src/x/otel-vitals-profiling-0.1.0/src/heap.rs"));
        assert!(!is_ours("/w/otel-vitals-alloc/tests/a.rs"));
        assert!(!is_ours("/w/my-otel-vitals-alloc-user/src/main.rs"));
    }
}
