//! The system calls of the file system group, and nothing else.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;

use super::space::Blocks;

/// What `statvfs(3)` says of the file system that `path` is on. It waits as long as that file system makes it.
pub(crate) fn statvfs(path: &CStr) -> io::Result<Blocks> {
    let mut answer = MaybeUninit::<libc::statvfs64>::uninit();
    // SAFETY: `path` is a C string and `answer` has room for a statvfs64; both live through the call, which reads
    // the one and writes only to the other.
    if unsafe { libc::statvfs64(path.as_ptr(), answer.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled the struct.
    let answer = unsafe { answer.assume_init() };
    #[allow(clippy::useless_conversion, reason = "the types are wider on some architectures than on others")]
    let [fragment, block] = [u64::from(answer.f_frsize), u64::from(answer.f_bsize)];
    Ok(Blocks {
        total: answer.f_blocks,
        free: answer.f_bfree,
        available: answer.f_bavail,
        size: if fragment > 0 { fragment } else { block },
        read_only: answer.f_flag & libc::ST_RDONLY != 0,
    })
}

/// Whether the kernel has a new table of mounts for `mountinfo` since it was opened or last asked this. When it
/// cannot tell, it may have one.
pub(crate) fn has_changed(mountinfo: &File) -> bool {
    let mut question = libc::pollfd { fd: mountinfo.as_raw_fd(), events: libc::POLLPRI, revents: 0 };
    // SAFETY: `question` is one pollfd that lives through the call, which does not wait and writes only to it.
    let outcome = unsafe { libc::poll(&raw mut question, 1, 0) };
    outcome < 0 || question.revents & (libc::POLLPRI | libc::POLLERR) != 0
}
