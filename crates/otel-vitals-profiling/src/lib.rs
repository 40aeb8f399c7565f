//! Profiles of a Rust service that any tool which reads Go's can read: where it spends CPU time ([`cpu`]), where what it
//! holds on the heap was allocated ([`heap`]), and which threads it has ([`threads`]).
//!
//! Each of them is a [`Profile`], which is measured as addresses and written as gzipped `profile.proto` with the names of
//! functions, files and lines in it, as text, or as a flame graph.
//!
//! # Names
//!
//! They are looked up in the process itself when a profile is written, from what the program was built with:
//!
//! | `[profile.release]` | what a profile has |
//! | --- | --- |
//! | `debug = "line-tables-only"` | functions, files, lines, inlined functions by their last name: all that most need, for the least space |
//! | `debug = "limited"` or `"full"` | the same, with the paths of inlined functions |
//! | as it comes, `debug = "none"` | functions as the linker knows them; what was inlined counts for the function that has it |
//! | `strip = true` | addresses alone; whoever has kept the program from before, with its names, finds them by its build id |
//!
//! Libraries have theirs where the debug information of the system's packages is installed, and otherwise the names that they export.
//! Debug information in files of its own is found as debuggers find it: by build id below `/usr/lib/debug`, by a link in the program, and
//! as a `.dwp` beside it.
//!
//! # What reading names may cost
//!
//! Debug information is read by other people's code, and what that cannot read costs names, not the profile: a panic in there is caught. With
//! `panic = "abort"` nothing can be caught, and strange debug information, or what the drawing of a flame graph stumbles over, may end the
//! program. It does not happen with what compilers write; who cannot take the risk strips the program, and looks names up elsewhere.
//!
//! Files are mapped while they are read. One that is cut short in place at that moment raises `SIGBUS`: replace files of running programs
//! by renaming new ones to their names, as package managers do.
//!
//! Names that were found are kept for the next profile, in some 4 MiB, or 16 MiB where a single profile has as many.
//!
//! # In the child of a fork
//!
//! A child goes on sampling its heap, and can take profiles of its own. For that it asks the dynamic linker what is loaded, and glibc
//! leaves the lock of that to the child as it was: where another thread of the parent's had it when the process was forked, to load a library
//! or to look on behalf of a profile, to ask in the child (`dl_iterate_phdr(3)`) is to wait for ever.

pub mod cpu;
mod error;
mod flame;
pub mod heap;
mod lock;
#[cfg(target_os = "linux")]
mod modules;
mod objects;
mod pprof;
mod profile;
mod proto;
mod stacks;
mod symbol;
mod symbols;
mod text;
pub mod threads;
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "x86_64")))]
mod unwind;

pub use error::Error;
pub use profile::Profile;
pub use symbol::symbol;
