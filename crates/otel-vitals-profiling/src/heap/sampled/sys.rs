//! Memory that no allocator gives.
#![allow(unsafe_code)]

use std::sync::atomic::AtomicU64;
use std::{io, ptr, slice};

/// So many words, zero, that are never given back. A page of them takes memory once it is written to.
pub(super) fn words(count: usize) -> io::Result<&'static [AtomicU64]> {
    let size = count * size_of::<AtomicU64>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new mapping, at no address in particular.
    let start = unsafe { libc::mmap(ptr::null_mut(), size, protection, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // A huge page would be taken whole for the first sample in it.
    // SAFETY: the mapping is ours.
    unsafe { libc::madvise(start, size, libc::MADV_NOHUGEPAGE) };
    // SAFETY: the mapping is never unmapped, aligned to pages and zero, which all atomics may be.
    Ok(unsafe { slice::from_raw_parts(start.cast(), count) })
}

/// Bytes of them that take memory; zero where the kernel does not tell.
pub(super) fn resident(words: &'static [AtomicU64]) -> u64 {
    // SAFETY: the call has no conditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Ok(page) = usize::try_from(page) else { return 0 };
    let mut pages = vec![0_u8; size_of_val(words).div_ceil(page)];
    let start = ptr::from_ref(words).cast_mut().cast();
    // SAFETY: there is a byte for each page of the mapping.
    if unsafe { libc::mincore(start, size_of_val(words), pages.as_mut_ptr()) } != 0 {
        return 0;
    }
    (pages.iter().filter(|resident| **resident & 1 != 0).count() * page) as u64
}
