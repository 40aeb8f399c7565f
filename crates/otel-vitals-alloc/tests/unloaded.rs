//! A library that counts may be loaded and unloaded, and threads that have allocated in it live on.
//!
//! Not with jemalloc in it: as it is built by default, it cannot be in a library that is loaded later.
#![cfg(all(target_os = "linux", not(otel_vitals_portable), not(feature = "jemalloc")))]
#![allow(
    unsafe_code,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that loads a library, and fails when it cannot go on"
)]

use libc::c_void;
use otel_vitals_alloc::{Counting, counts};
use std::ffi::{CStr, CString};
use std::mem::transmute;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

#[global_allocator]
static ALLOCATOR: Counting = Counting::system();

/// `examples/plugin.rs`, loaded.
struct Plugin(*mut c_void);

// SAFETY: a handle is used by any thread.
unsafe impl Sync for Plugin {}

impl Plugin {
    fn load() -> Self {
        let mut path: PathBuf = std::env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.push("examples/libplugin.so");
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the library runs no code when it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{}: {}", path.display(), error());
        Plugin(handle)
    }

    fn allocate(&self, size: usize) {
        // SAFETY: this is the function's type.
        unsafe { transmute::<*mut c_void, extern "C" fn(usize)>(self.function(c"plugin_allocate"))(size) }
    }

    fn allocated(&self) -> u64 {
        // SAFETY: this is the function's type.
        unsafe { transmute::<*mut c_void, extern "C" fn() -> u64>(self.function(c"plugin_allocated"))() }
    }

    fn function(&self, name: &CStr) -> *mut c_void {
        // SAFETY: the handle is open, and the name ends with a zero.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "{}", error());
        function
    }

    /// Whether the library has gone with it.
    fn unload(self) -> bool {
        // SAFETY: the handle is open, and nobody has kept a function.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0, "{}", error());
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        !maps.contains("libplugin.so")
    }
}

fn error() -> String {
    // SAFETY: the text stays until the next call of such functions on this thread.
    unsafe { libc::dlerror().as_ref().map(|text| CStr::from_ptr(text).to_string_lossy().into_owned()) }
        .unwrap_or_default()
}

#[test]
fn threads_outlive_a_library_that_they_have_allocated_in() {
    const THREADS: usize = 4;
    let mut unloaded = 0;
    for _ in 0..50 {
        let plugin = Plugin::load();
        let allocated = plugin.allocated();
        let (worked, gone) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    plugin.allocate(100_000);
                    worked.wait();
                    gone.wait();
                });
            }
            worked.wait();
            assert_eq!(plugin.allocated() - allocated, 100_000 * THREADS as u64, "it counts for itself");
            // The threads only wait from here on.
            unloaded += u32::from(Plugin(plugin.0).unload());
            gone.wait();
        });
    }
    assert!(unloaded > 0, "the library is never unloaded: this tests nothing");
    assert!(counts().unwrap().objects() > 0, "and so does this program");
}
