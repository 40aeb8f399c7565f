//! The clocks and units of the kernel.

#[allow(unsafe_code)]
mod sys {
    //! The system calls behind this module, and nothing else.

    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn since_boot() -> Option<std::time::Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is a valid timespec that lives through the call, which writes only to it.
        let outcome = unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) };
        let seconds = u64::try_from(time.tv_sec).ok()?;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        (outcome == 0).then(|| std::time::Duration::new(seconds, nanoseconds))
    }

    #[cfg(unix)]
    pub(super) fn setting(name: libc::c_int) -> Option<u64> {
        // SAFETY: sysconf takes a number, reads no memory of ours and answers -1 for a name that it does not know.
        let value = unsafe { libc::sysconf(name) };
        u64::try_from(value).ok().filter(|value| *value > 0)
    }
}

/// How long the machine has been up, suspended time included (`CLOCK_BOOTTIME`); no system call where the
/// kernel offers a vDSO. None where the system has no such clock.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[must_use]
pub fn since_boot() -> Option<std::time::Duration> {
    sys::since_boot()
}

/// Ticks per second in which `/proc` counts CPU time (`sysconf(_SC_CLK_TCK)`); 100 on every Linux of our time.
#[cfg(unix)]
#[must_use]
pub fn ticks_per_second() -> u64 {
    sys::setting(libc::_SC_CLK_TCK).unwrap_or(100)
}

/// Bytes of a memory page (`sysconf(_SC_PAGESIZE)`).
#[cfg(unix)]
#[must_use]
pub fn page_size() -> u64 {
    sys::setting(libc::_SC_PAGESIZE).unwrap_or(4096)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_agrees_with_proc_uptime() {
        let before = since_boot().unwrap().as_secs_f64();
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
        let after = since_boot().unwrap().as_secs_f64();
        assert!(before - 0.02 <= uptime && uptime <= after + 0.02, "{before} {uptime} {after}");
    }

    #[test]
    fn the_units_are_sane() {
        assert!(page_size().is_power_of_two() && page_size() >= 4096);
        assert!((1..=10_000).contains(&ticks_per_second()));
    }
}
