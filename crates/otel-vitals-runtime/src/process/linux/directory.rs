//! A folder of `/proc` kept open, whose size and links the kernel keeps up to date.

use otel_vitals_core::{Malformed, ReadError};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

#[allow(unsafe_code)]
mod sys {
    //! The system calls behind this module, and nothing else.

    use std::ffi::CStr;
    use std::fs::File;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd as _, FromRawFd as _};

    use super::Status;

    pub(super) fn status(directory: &File) -> io::Result<Status> {
        let mut status = MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the descriptor is open for as long as the borrow of `directory`, and `status` is room for one
        // stat that lives through the call, which writes only to it.
        if unsafe { libc::fstat(directory.as_raw_fd(), status.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a stat is nothing but integers, for which the zeroes that it started with are valid, too.
        let status = unsafe { status.assume_init() };
        #[allow(
            clippy::useless_conversion,
            reason = "the types are wider on some architectures than on others"
        )]
        Ok(Status { size: u64::try_from(status.st_size).unwrap_or(0), links: u64::from(status.st_nlink) })
    }

    /// The file `name` below `directory`, to be read.
    pub(super) fn open(directory: &File, name: &CStr) -> io::Result<File> {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: the descriptor is open for as long as the borrow of `directory`, and `name` ends with a NUL.
        let descriptor = unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
        Ok(unsafe { File::from_raw_fd(descriptor) })
    }

    /// Entries of the folder from where it stands, as `struct linux_dirent64`; 0 bytes at the end.
    pub(super) fn entries(directory: &File, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the descriptor is open for as long as the borrow of `directory`, and the kernel writes at most
        // as many bytes as it is told, into a buffer that nobody else sees meanwhile.
        let outcome = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                directory.as_raw_fd(),
                buffer.as_mut_ptr(),
                libc::c_ulong::try_from(buffer.len()).unwrap_or(0),
            )
        };
        usize::try_from(outcome).map_err(|_negative| io::Error::last_os_error())
    }
}

/// A folder of `/proc`, opened at the first look and, after an error, at the next one.
#[derive(Debug)]
pub(super) struct ProcDirectory {
    path: PathBuf,
    directory: Option<File>,
}

/// What a folder of `/proc` says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Status {
    /// `st_size`: of `fd` since Linux 6.2, the number of entries; otherwise 0.
    pub(super) size: u64,
    /// `st_nlink`: of `task`, the number of entries and two.
    pub(super) links: u64,
}

/// Room for entries, aligned as the kernel aligns them.
#[repr(align(8))]
struct Entries([u8; 4096]);

impl ProcDirectory {
    pub(super) fn new(path: PathBuf) -> Self {
        ProcDirectory { path, directory: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What `fstat(2)` says of the folder now. (The standard library asks for more, by `statx(2)`, and pays a
    /// sixth more.)
    pub(super) fn status(&mut self) -> Result<Status, ReadError> {
        self.look(sys::status)
    }

    /// How many entries the folder has, by listing it; allocates nothing.
    pub(super) fn entries(&mut self) -> Result<u64, ReadError> {
        let mut entries = 0;
        self.list(|_| entries += 1)?;
        Ok(entries)
    }

    /// Shows `each` the name of every entry; allocates nothing.
    pub(super) fn list(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), ReadError> {
        self.look(|mut directory| {
            directory.seek(SeekFrom::Start(0))?;
            let mut buffer = Entries([0; 4096]);
            loop {
                let length = sys::entries(directory, &mut buffer.0)?;
                let listed = buffer.0.get(..length).unwrap_or_default();
                if listed.is_empty() {
                    return Ok(());
                }
                names(listed, &mut each).map_err(|malformed| io::Error::other(malformed.to_string()))?;
            }
        })
    }

    /// The file `name` below the folder.
    ///
    /// Its error is the caller's affair: the folder stays open, and the path is not copied.
    pub(super) fn open(&self, name: &CStr) -> io::Result<File> {
        let directory = self.directory.as_ref().ok_or(io::ErrorKind::NotFound)?;
        sys::open(directory, name)
    }

    fn look<T>(&mut self, look: impl FnOnce(&File) -> io::Result<T>) -> Result<T, ReadError> {
        let outcome = match &mut self.directory {
            Some(directory) => look(directory),
            slot => File::open(&self.path).and_then(|directory| look(slot.insert(directory))),
        };
        outcome.map_err(|source| {
            self.directory = None;
            ReadError::File { path: self.path.clone(), source }
        })
    }
}

/// Shows `each` the names of the `struct linux_dirent64` in `listed` that are neither the folder itself nor its parent.
fn names(listed: &[u8], each: &mut impl FnMut(&[u8])) -> Result<(), Malformed> {
    const LENGTH_AT: usize = 16;
    const NAME_AT: usize = 19;
    let mut rest = listed;
    while !rest.is_empty() {
        let length = match rest.get(LENGTH_AT..) {
            Some([low, high, ..]) => usize::from(u16::from_ne_bytes([*low, *high])),
            _ => 0,
        };
        let (Some(name), Some(after)) =
            (rest.get(NAME_AT..length.max(NAME_AT)).filter(|name| !name.is_empty()), rest.get(length..))
        else {
            return Err(Malformed::new("an entry of a folder", rest));
        };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if !matches!(name, b"." | b"..") {
            each(name);
        }
        rest = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt as _;

    fn named(listed: &[u8]) -> Result<Vec<String>, Malformed> {
        let mut found = Vec::new();
        names(listed, &mut |name| found.push(String::from_utf8_lossy(name).into_owned()))?;
        Ok(found)
    }

    fn entry(name: &str) -> Vec<u8> {
        let length = (19 + name.len() + 1).next_multiple_of(8);
        let mut entry = vec![0; length];
        entry[16..18].copy_from_slice(&u16::try_from(length).unwrap().to_ne_bytes());
        entry[19..19 + name.len()].copy_from_slice(name.as_bytes());
        entry
    }

    #[test]
    fn names_what_is_neither_the_folder_nor_its_parent() {
        let listed = [".", "..", "0", "...", ".hidden", "17"].map(entry).concat();
        assert_eq!(named(&listed).unwrap(), ["0", "...", ".hidden", "17"]);
        assert_eq!(named(b"").unwrap(), [""; 0]);
    }

    #[test]
    fn refuses_what_is_cut_or_never_ends() {
        let listed = [entry("0"), entry("1")].concat();
        assert!(named(&listed[..listed.len() - 8]).is_err());
        assert!(named(&[0; 64]).is_err(), "an entry of length 0");
    }

    #[test]
    fn counts_folders_of_any_size_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut directory = ProcDirectory::new(folder.path().to_path_buf());
        for size in [0, 1, 300] {
            for name in 0..size {
                std::fs::write(folder.path().join(format!("a file with a long name, {name}")), "").unwrap();
            }
            assert_eq!(directory.entries().unwrap(), size);
            assert_eq!(directory.entries().unwrap(), size, "again");
        }
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_it_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent");
        let mut directory = ProcDirectory::new(path.clone());
        let error = directory.status().unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        std::fs::create_dir(&path).unwrap();
        std::fs::create_dir(path.join("inner")).unwrap();
        let expected = std::fs::metadata(&path).unwrap();
        let status = directory.status().unwrap();
        assert_eq!((status.size, status.links), (expected.size(), expected.nlink()));
    }

    proptest! {
        #[test]
        fn never_panics_and_always_ends(bytes in proptest::collection::vec(any::<u8>(), 0..128)) {
            let _ = named(&bytes);
        }
    }
}
