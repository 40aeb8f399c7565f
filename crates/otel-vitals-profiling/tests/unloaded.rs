//! What a library did while it was loaded has its names in a profile that is written when it has gone.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(otel_vitals_portable)
))]
#![allow(unsafe_code, clippy::expect_used, reason = "a test loads libraries, and fails when it cannot go on")]

mod seen;

use std::hint::black_box;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use otel_vitals_alloc::Counting;
use otel_vitals_profiling::{cpu, heap};
use seen::{alone, own_time};

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// One of the examples, loaded.
struct Library {
    handle: *mut libc::c_void,
    file: &'static str,
}

impl Library {
    fn load(file: &'static str) -> Self {
        let folder = std::env::current_exe().expect("a program has a path");
        let path = folder.ancestors().nth(2).expect("it is in deps").join("examples").join(file);
        let name = std::ffi::CString::new(path.into_os_string().into_encoded_bytes()).expect("no zero");
        // SAFETY: the library runs no code when it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{name:?} cannot be loaded");
        Library { handle, file }
    }

    fn function(&self, name: &std::ffi::CStr) -> *mut libc::c_void {
        // SAFETY: the handle is open, and the name ends with a zero.
        let function = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        assert!(!function.is_null());
        function
    }

    fn unload(self) {
        // SAFETY: the handle is open, and nobody has kept a function.
        assert_eq!(unsafe { libc::dlclose(self.handle) }, 0);
        let maps = std::fs::read_to_string("/proc/self/maps").expect("a process has mappings");
        assert!(!maps.contains(self.file), "the library is never unloaded: this tests nothing");
    }
}

/// Stacks of what is not loaded any more have this function.
fn has(folded: &str, function: &str) -> bool {
    folded.lines().any(|line| line.split([';', ' ']).any(|frame| frame == function))
}

#[test]
fn cpu_time_in_a_library_that_has_gone_has_its_names() {
    // A library that comes where another has just been takes its names away from it.
    let _alone = alone();
    let library = Library::load("libloaded.so");
    let mut options = cpu::Options::default();
    options.frequency = 997;
    let recording = cpu::start(&options).expect("nothing else takes one");
    // SAFETY: this is the function's type.
    let sum = unsafe {
        std::mem::transmute::<*mut libc::c_void, extern "C" fn(u64, u64) -> u64>(
            library.function(c"loaded_sum"),
        )
    };
    let begun = own_time();
    while own_time() - begun < Duration::from_millis(300) {
        black_box(sum(1, 100_000));
    }
    library.unload();
    let profile = recording.finish();
    let folded = profile.collapsed();
    assert!(has(&folded, "loaded_sum"), "{folded}");
}

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

#[inline(never)]
extern "C" fn allocate() {
    KEPT.lock().expect("nobody panics").push(black_box(vec![1_u8; 1 << 20]));
}

#[test]
fn memory_that_a_library_allocated_has_its_names_in_a_profile_from_when_it_was_there() {
    let _alone = alone();
    heap::install(4 << 10).expect("it is the global allocator");
    let library = Library::load("libpassage.so");
    // SAFETY: this is the function's type.
    let passage = unsafe {
        std::mem::transmute::<*mut libc::c_void, extern "C" fn(extern "C" fn())>(library.function(c"passage"))
    };
    let deadline = Instant::now() + Duration::from_secs(30);
    // The first stacks may end at the library, before it is known how to walk through it.
    let profile = loop {
        passage(allocate);
        let profile = heap::profile().expect("it is installed");
        if has(&profile.collapsed(), "passage") {
            break profile;
        }
        assert!(Instant::now() < deadline, "{}", profile.collapsed());
    };
    library.unload();
    let folded = profile.collapsed();
    assert!(has(&folded, "passage"), "{folded}");
}
