//! What the kernel says of itself (`uname(2)`).

/// What the kernel says of itself; nothing where there is no `uname`.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    /// Such as `Linux`.
    pub(super) name: Option<String>,
    /// Such as `6.18.4`.
    pub(super) release: Option<String>,
    /// Name of the machine.
    pub(super) node: Option<String>,
    /// Its architecture, such as `x86_64`.
    pub(super) machine: Option<String>,
}

#[cfg(unix)]
pub(super) fn kernel() -> Kernel {
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_str().ok().map(str::to_owned);
    Kernel {
        name: text(system.sysname()),
        release: text(system.release()),
        node: text(system.nodename()),
        machine: text(system.machine()),
    }
}

#[cfg(not(unix))]
pub(super) fn kernel() -> Kernel {
    Kernel {
        node: std::env::var("COMPUTERNAME").ok(),
        machine: Some(std::env::consts::ARCH.to_owned()),
        ..Kernel::default()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_kernel_says_elsewhere() {
        let elsewhere = |file: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap();
            Some(text.trim().to_owned())
        };
        let kernel = kernel();
        assert_eq!(kernel.name, elsewhere("ostype"));
        assert_eq!(kernel.release, elsewhere("osrelease"));
        assert_eq!(kernel.node, elsewhere("hostname"));
    }
}
