//! Programs as services ship them: optimised, in builds that differ in what a profiler sees of them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How a program is built, beyond `--release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As it comes.
    Release,
    /// With frame pointers, and without unwinding.
    FramePointersAndAbort,
    /// With optimisation over all crates at once.
    Lto,
}

impl Build {
    /// All of them.
    pub const ALL: [Build; 3] = [Build::Release, Build::FramePointersAndAbort, Build::Lto];

    /// Builds the binaries of a package of this workspace, without its default features, and says where this one is. What is built is kept
    /// in a folder of its own in `target`, so that a second time takes no time.
    ///
    /// # Panics
    /// When it cannot be built.
    #[must_use]
    pub fn binary(self, package: &str, binary: &str) -> PathBuf {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
        let (name, settings, flags): (_, &[(&str, &str)], _) = match self {
            Build::Release => ("release", &[], ""),
            Build::FramePointersAndAbort => {
                ("frame-pointers", &[("CARGO_PROFILE_RELEASE_PANIC", "abort")], "-C force-frame-pointers=yes")
            }
            Build::Lto => ("lto", &[("CARGO_PROFILE_RELEASE_LTO", "fat")], ""),
        };
        let target = target.join("builds").join(name);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args([
            "build",
            "--release",
            "--quiet",
            "--no-default-features",
            "-p",
            package,
            "--bin",
            binary,
        ]);
        cargo.arg("--target-dir").arg(&target).current_dir(workspace);
        cargo.envs(settings.iter().copied()).env("RUSTFLAGS", flags).env("CARGO_INCREMENTAL", "0");
        assert!(cargo.status().expect("cargo runs this").success(), "{package} {binary} cannot be built");
        target.join("release").join(binary)
    }
}
