//! What jemalloc is asked by `mallctl`.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _};

use libc::c_char;
use tikv_jemalloc_ctl::raw;

/// Whether this jemalloc can profile.
pub(super) fn is_built_with_profiles() -> bool {
    is_on(b"config.prof\0")
}

/// Whether it was started so that it does.
pub(super) fn is_profiling() -> bool {
    is_on(b"opt.prof\0")
}

/// Whether it samples now.
pub(super) fn is_active() -> bool {
    is_on(b"prof.active\0")
}

/// Whether it keeps what was ever allocated.
pub(super) fn accumulates() -> bool {
    is_on(b"opt.prof_accum\0")
}

fn is_on(name: &[u8]) -> bool {
    // SAFETY: the name ends with a zero, and the values of these names are of this type.
    unsafe { raw::read::<bool>(name) }.unwrap_or(false)
}

/// A file without a name, in memory.
pub(super) fn memory_file() -> io::Result<File> {
    // SAFETY: the name ends with a zero.
    let file = unsafe { libc::memfd_create(c"heap profile".as_ptr(), libc::MFD_CLOEXEC) };
    if file < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and nobody else's.
    Ok(unsafe { File::from_raw_fd(file) })
}

/// Has jemalloc write its profile to `file`, from its beginning.
pub(super) fn dump_to(file: &File) -> io::Result<()> {
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    // SAFETY: the name ends with a zero, its value is a path that ends with one, and jemalloc keeps neither.
    unsafe { raw::write::<*const c_char>(b"prof.dump\0", path.as_ptr()) }
        .map_err(|error| io::Error::other(format!("prof.dump: {error}")))
}
