//! Programs as services ship them: optimised, in builds that differ in what a profiler sees of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// How a program is built, beyond `--release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// As it comes, with the features of the package that it has by default.
    Release,
    /// With frame pointers, and without unwinding.
    FramePointersAndAbort,
    /// Without unwinding, but with the tables for it, and without frame pointers.
    TablesAndAbort,
    /// With optimisation over all crates at once.
    Lto,
    /// The same without names: the code is that of [`Lto`](Self::Lto), byte for byte.
    LtoAndStrip,
}

impl Build {
    /// Those in which there are names.
    pub const NAMED: [Build; 4] =
        [Build::Release, Build::FramePointersAndAbort, Build::TablesAndAbort, Build::Lto];

    /// Builds the binaries of a package of this workspace, and says where this one is. What is built is kept in folders of their own in
    /// `target`, so that a second time takes no time; all but [`Release`](Self::Release) are without the package's default features,
    /// and so take less.
    ///
    /// # Panics
    /// When it cannot be built.
    #[must_use]
    pub fn binary(self, package: &str, binary: &str) -> PathBuf {
        // Two builds share a folder.
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
        let (name, settings, flags): (_, &[(&str, &str)], _) = match self {
            Build::Release => ("release", &[], ""),
            Build::FramePointersAndAbort => {
                ("frame-pointers", &[("CARGO_PROFILE_RELEASE_PANIC", "abort")], "-C force-frame-pointers=yes")
            }
            Build::TablesAndAbort => {
                ("tables", &[("CARGO_PROFILE_RELEASE_PANIC", "abort")], "-C force-unwind-tables=yes")
            }
            Build::Lto | Build::LtoAndStrip => ("lto", &[("CARGO_PROFILE_RELEASE_LTO", "fat")], ""),
        };
        let target = target.join("builds").join(name);
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // As a setting of the profile, to strip would change the names of all symbols, and with them the order of the code.
        let (command, what, more): (_, &[&str], &[&str]) = match self {
            Build::LtoAndStrip => ("rustc", &["--bin", binary], &["--", "-C", "strip=symbols"]),
            _ => ("build", &["--bins"], &[]),
        };
        cargo.args([command, "--release", "--quiet", "-p", package]).args(what);
        if self != Build::Release {
            cargo.arg("--no-default-features");
        }
        cargo.arg("--target-dir").arg(&target).args(more).current_dir(workspace);
        cargo.envs(settings.iter().copied()).env("RUSTFLAGS", flags).env("CARGO_INCREMENTAL", "0");
        assert!(cargo.status().expect("cargo runs this").success(), "{package} {binary} cannot be built");
        let built = target.join("release").join(binary);
        let built = if matches!(self, Build::Lto | Build::LtoAndStrip) { kept(&built, self) } else { built };
        // As the kernel says it.
        built.canonicalize().expect("it was built")
    }
}

/// A copy, since the other build of this folder takes its place.
fn kept(built: &Path, build: Build) -> PathBuf {
    let folder = built.with_file_name(format!("{build:?}"));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let kept = folder.join(built.file_name().expect("it is a file"));
    // What is running is not written to.
    let new = kept.with_extension("new");
    std::fs::copy(built, &new).expect("it can be copied");
    std::fs::rename(&new, &kept).expect("it can be moved");
    kept
}
