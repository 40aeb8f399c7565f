//! The system calls behind the test.
#![allow(unsafe_code)]

use crate::profiled::sum;
use libc::{c_int, c_void};
use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::{io, mem, ptr};

/// `sum` on a thread that has so much stack, and nothing that Rust's have.
pub(super) fn on_bare_thread(stack: usize, seed: u64) -> u64 {
    extern "C" fn compute(value: *mut c_void) -> *mut c_void {
        let value = value.cast::<u64>();
        // SAFETY: the caller's own, who waits for the end.
        unsafe { *value = sum(*value, 200_000) };
        ptr::null_mut()
    }
    let mut value = seed;
    // SAFETY: attributes and value live until the thread has ended.
    unsafe {
        let mut attributes = mem::zeroed();
        assert_eq!(libc::pthread_attr_init(&mut attributes), 0);
        assert_eq!(libc::pthread_attr_setstacksize(&mut attributes, stack), 0);
        let mut thread = 0;
        let created = libc::pthread_create(&mut thread, &attributes, compute, (&raw mut value).cast());
        assert_eq!(created, 0, "{}", io::Error::from_raw_os_error(created));
        assert_eq!(libc::pthread_join(thread, ptr::null_mut()), 0);
        libc::pthread_attr_destroy(&mut attributes);
    }
    value
}

/// A stack for signals, which this thread has until the end of the process.
pub(super) struct AlternateStack;

static ALTERNATE: AtomicU64 = AtomicU64::new(0);

impl AlternateStack {
    pub(super) fn install() -> Self {
        extern "C" fn handler(_signal: c_int) {
            ALTERNATE.store(sum(ALTERNATE.load(Relaxed), 100_000), Relaxed);
        }
        let memory: &mut [u8] = vec![0; 64 << 10].leak();
        // SAFETY: the memory stays, and the handler does what a handler may.
        unsafe {
            let stack =
                libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: memory.len() };
            assert_eq!(libc::sigaltstack(&stack, ptr::null_mut()), 0);
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handler as extern "C" fn(c_int) as usize;
            action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
        }
        AlternateStack
    }

    pub(super) fn compute(&self, seed: u64) -> u64 {
        ALTERNATE.store(seed, Relaxed);
        // SAFETY: takes a number.
        assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        ALTERNATE.load(Relaxed)
    }
}

/// As an application does that has a use for `SIGURG`.
pub(super) fn handle_urgent() {
    extern "C" fn handler(_signal: c_int) {}
    // SAFETY: zeros are an action, and the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGURG, &action, ptr::null_mut()), 0);
    }
}

/// `examples/loaded.rs`, loaded.
pub(super) struct Library(*mut c_void);

impl Library {
    pub(super) fn load(path: &Path) -> Self {
        let name = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the library runs no code of its own when it is loaded.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null(), "{}: {}", path.display(), error());
        Library(handle)
    }

    pub(super) fn sum(&self, seed: u64, rounds: u64) -> u64 {
        // SAFETY: the handle is open, the name ends with a zero, and this is the function's type.
        unsafe {
            let function = libc::dlsym(self.0, c"loaded_sum".as_ptr());
            assert!(!function.is_null(), "{}", error());
            mem::transmute::<*mut c_void, extern "C" fn(u64, u64) -> u64>(function)(seed, rounds)
        }
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle is open, and nobody has kept a function.
        assert_eq!(unsafe { libc::dlclose(self.0) }, 0, "{}", error());
    }
}

fn error() -> String {
    // SAFETY: the text stays until the next call of such functions on this thread.
    unsafe { libc::dlerror().as_ref().map(|text| CStr::from_ptr(text).to_string_lossy().into_owned()) }
        .unwrap_or_default()
}

/// Forks, and tells how the child ends: it becomes `program`, or does `work`.
pub(super) fn in_child(program: Option<&str>, work: impl FnOnce() -> c_int) -> c_int {
    let program = program.map(|program| CString::new(program).unwrap());
    // SAFETY: the child does only what a signal handler may, and ends without running anything of the parent's.
    match unsafe { libc::fork() } {
        -1 => panic!("no child: {}", io::Error::last_os_error()),
        0 => {
            if let Some(program) = program {
                let arguments = [program.as_ptr(), c"sum".as_ptr(), ptr::null()];
                // SAFETY: the texts end with zeros, and the list with a null.
                unsafe { libc::execv(program.as_ptr(), arguments.as_ptr()) };
            }
            let code = work();
            // SAFETY: ends the process.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = -1;
            // SAFETY: the status may be written.
            let waited = unsafe { libc::waitpid(child, &mut status, 0) };
            assert_eq!(waited, child, "waiting for a child: {}", io::Error::last_os_error());
            assert!(libc::WIFEXITED(status), "a child was ended by signal {}", libc::WTERMSIG(status));
            libc::WEXITSTATUS(status)
        }
    }
}

/// What is beyond so many bytes of address space is refused from now on.
pub(super) fn limit_address_space(most: u64) {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the limit is there.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

pub(super) struct Pipe {
    ends: [c_int; 2],
}

impl Pipe {
    pub(super) fn new() -> Self {
        let mut ends = [0; 2];
        // SAFETY: both may be written.
        assert_eq!(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) }, 0);
        Pipe { ends }
    }

    pub(super) fn read(&self) -> io::Result<u8> {
        let mut byte = 0_u8;
        // SAFETY: one byte may be written.
        let read = unsafe { libc::read(self.ends[0], (&raw mut byte).cast(), 1) };
        if read == 1 { Ok(byte) } else { Err(io::Error::last_os_error()) }
    }

    pub(super) fn write(&self, byte: u8) -> io::Result<()> {
        // SAFETY: one byte is there.
        let written = unsafe { libc::write(self.ends[1], (&raw const byte).cast(), 1) };
        if written == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for end in self.ends {
            // SAFETY: it is open and nobody's but ours.
            unsafe { libc::close(end) };
        }
    }
}

/// Sleeps while the word has this value, for ever.
pub(super) fn wait(word: &AtomicU32, value: u32) -> io::Result<()> {
    let no_time = ptr::null::<libc::timespec>();
    // SAFETY: the word lives, and there is no time.
    let waited = unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, no_time) };
    if waited == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: the word lives.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

pub(super) fn nanosleep(nanoseconds: i64) -> io::Result<()> {
    let time = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
    // SAFETY: the time is there, and what is left is not asked for.
    let slept = unsafe { libc::nanosleep(&time, ptr::null_mut()) };
    if slept == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

pub(super) struct Epoll(c_int);

impl Epoll {
    pub(super) fn new() -> Self {
        // SAFETY: takes a number.
        let descriptor = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(descriptor >= 0);
        Epoll(descriptor)
    }

    pub(super) fn wait(&self, milliseconds: c_int) -> io::Result<()> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: one event may be written.
        let ready = unsafe { libc::epoll_wait(self.0, &mut event, 1, milliseconds) };
        if ready >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
