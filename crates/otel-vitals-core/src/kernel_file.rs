//! A kernel file kept open and re-read with `pread(2)`.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Malformed, ReadError};

/// A file of `/proc` or `/sys` that stays open and is re-read from its start into one reused buffer.
///
/// Opening such a file costs as much as reading it, so it is opened once, at the first read. After an error it
/// is opened anew at the next read, because the kernel object behind it may have gone and come back.
/// After warm-up a read is one `pread` (see the constructors) and allocates nothing.
///
/// ```
/// use otel_vitals_core::KernelFile;
///
/// # #[cfg(target_os = "linux")] {
/// let mut uptime = KernelFile::single_record("/proc/uptime");
/// let text = std::str::from_utf8(uptime.read()?)?;
/// assert_eq!(text.split_whitespace().count(), 2);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct KernelFile {
    path: PathBuf,
    ends: End,
    file: Option<File>,
    buffer: Vec<u8>,
    /// How many bytes from the start were enough at the last [`parse_beginning`](KernelFile::parse_beginning).
    enough: Option<usize>,
}

/// How a reader knows that it has seen the end of the file without another `pread` that returns nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The kernel writes the file as one record: a read that leaves room in the buffer has seen all of it.
    SingleRecord,
    /// Records are shorter than [`SHORT`] bytes and the kernel fills a page before it returns, so a read
    /// of less than a page minus one such record has seen the end.
    ShortRecords,
    /// Only an empty read tells.
    EmptyRead,
}

const FIRST_BUFFER: usize = 4096;
const PAGE: usize = 4096;
const SHORT: usize = 512;
/// By how much the numbers in the beginning of a file may grow from one read to the next.
const GROWTH: usize = 128;
/// No kernel file of ours comes near this; it bounds what a mistaken path can make us hold.
const LARGEST: usize = 16 << 20;

impl KernelFile {
    /// A file that the kernel writes in one piece (`stat`, `statm`, `io`, `meminfo`, `loadavg`, a sysctl, any
    /// file of sysfs): one `pread` a read.
    pub fn single_record(path: impl Into<PathBuf>) -> Self {
        Self::new(path, End::SingleRecord)
    }

    /// A file of many lines, each shorter than 512 bytes (`diskstats`, `net/dev`, `vmstat`, `swaps`): one
    /// `pread` a page, and no empty one at the end.
    pub fn short_records(path: impl Into<PathBuf>) -> Self {
        Self::new(path, End::ShortRecords)
    }

    /// A file of records of any length (`mountinfo`), read until an empty read.
    pub fn any_records(path: impl Into<PathBuf>) -> Self {
        Self::new(path, End::EmptyRead)
    }

    fn new(path: impl Into<PathBuf>, ends: End) -> Self {
        KernelFile { path: path.into(), ends, file: None, buffer: Vec::new(), enough: None }
    }

    /// The path that is read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, opened if it was not.
    ///
    /// # Errors
    /// [`ReadError::File`] when it cannot be opened.
    pub fn open(&mut self) -> Result<&File, ReadError> {
        match &mut self.file {
            Some(file) => Ok(file),
            slot => match File::open(&self.path) {
                Ok(file) => Ok(slot.insert(file)),
                Err(source) => Err(ReadError::File { path: self.path.clone(), source }),
            },
        }
    }

    /// The bytes of the file as they are now.
    ///
    /// # Errors
    /// [`ReadError::File`] when it cannot be opened or read.
    pub fn read(&mut self) -> Result<&[u8], ReadError> {
        self.read_most(usize::MAX)
    }

    fn read_most(&mut self, most: usize) -> Result<&[u8], ReadError> {
        match self.fill(most) {
            Ok(length) => Ok(self.buffer.get(..length).unwrap_or_default()),
            Err(error) => {
                self.file = None;
                Err(error)
            }
        }
    }

    /// Reads the file and hands its bytes to `parse`; what `parse` misses is reported with the file's path.
    ///
    /// # Errors
    /// [`ReadError::File`] when it cannot be read, [`ReadError::Malformed`] when `parse` says so.
    pub fn parse(&mut self, parse: impl FnOnce(&[u8]) -> Result<(), Malformed>) -> Result<(), ReadError> {
        match parse(self.read()?) {
            Ok(()) => Ok(()),
            Err(source) => Err(ReadError::Malformed { path: self.path.clone(), source }),
        }
    }

    /// Like [`parse`](KernelFile::parse), for a file of many records of which only the first matter: `parse` returns how
    /// many bytes it needed, and the next read asks for little more. The kernel writes such a file while it is read, so
    /// that this costs less than all of it.
    ///
    /// When that is too little, which `parse` tells by its error, it is called again with the whole file.
    ///
    /// # Errors
    /// As [`parse`](KernelFile::parse).
    pub fn parse_beginning(
        &mut self,
        mut parse: impl FnMut(&[u8]) -> Result<usize, Malformed>,
    ) -> Result<(), ReadError> {
        if let Some(enough) = self.enough.take() {
            let bytes = self.read_most(enough + GROWTH)?;
            // The last line may be cut, even in a number.
            let lines = memchr::memrchr(b'\n', bytes).map_or(0, |last| last + 1);
            if let Ok(needed) = parse(bytes.get(..lines).unwrap_or_default()) {
                self.enough = Some(needed);
                return Ok(());
            }
        }
        let mut needed = None;
        self.parse(|bytes| parse(bytes).map(|bytes| needed = Some(bytes)))?;
        self.enough = needed;
        Ok(())
    }

    /// Reads from the start to the end, but no more than `most` bytes; returns how many bytes of
    /// the buffer are the file's.
    fn fill(&mut self, most: usize) -> Result<usize, ReadError> {
        self.open()?;
        let fail = |source| ReadError::File { path: self.path.clone(), source };
        let Some(file) = &self.file else { return Err(fail(io::ErrorKind::NotFound.into())) };
        if self.buffer.is_empty() {
            self.buffer.resize(FIRST_BUFFER, 0);
        }
        let mut length = 0;
        loop {
            let end = self.buffer.len().min(most);
            let room = self.buffer.get_mut(length..end).unwrap_or_default();
            let offered = room.len();
            let read = match read_at(file, room, length as u64) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(fail(error)),
            };
            length += read;
            if self.ends.seen(read, offered) || length >= most {
                return Ok(length);
            }
            if length == self.buffer.len() {
                if length >= LARGEST {
                    return Err(fail(io::ErrorKind::FileTooLarge.into()));
                }
                self.buffer.resize(length * 2, 0);
                // One record is one consistent picture: it is read again whole, not continued.
                if self.ends == End::SingleRecord {
                    length = 0;
                }
            }
        }
    }
}

impl End {
    fn seen(self, read: usize, offered: usize) -> bool {
        read == 0
            || match self {
                End::SingleRecord => read < offered,
                End::ShortRecords => read < offered && read < PAGE - SHORT,
                End::EmptyRead => false,
            }
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn every_kind(path: &Path) -> [KernelFile; 3] {
        [KernelFile::single_record(path), KernelFile::short_records(path), KernelFile::any_records(path)]
    }

    #[test]
    fn reads_files_of_any_size_whole_and_again() {
        for size in [0, 1, 4095, 4096, 4097, 8192, 100_000] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let content: Vec<u8> = (0..size).map(|i| b'a' + (i % 26) as u8).collect();
            file.write_all(&content).unwrap();
            for mut kernel_file in every_kind(file.path()) {
                assert_eq!(kernel_file.read().unwrap(), content, "{size} bytes");
                assert_eq!(kernel_file.read().unwrap(), content, "{size} bytes again");
            }
        }
    }

    #[test]
    fn sees_what_changed_in_a_file_kept_open() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"first and long").unwrap();
        let mut kernel_file = KernelFile::single_record(file.path());
        assert_eq!(kernel_file.read().unwrap(), b"first and long");
        file.as_file().set_len(0).unwrap();
        std::os::unix::fs::FileExt::write_all_at(file.as_file(), b"second", 0).unwrap();
        assert_eq!(kernel_file.read().unwrap(), b"second");
    }

    #[test]
    fn a_missing_file_is_an_error_that_names_it_and_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent");
        let mut kernel_file = KernelFile::single_record(&path);
        let error = kernel_file.read().unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        std::fs::write(&path, "here now").unwrap();
        assert_eq!(kernel_file.read().unwrap(), b"here now");
    }

    /// Parses for `wanted`, a number in a line of its own; returns it and how many bytes the parser was given each time.
    fn number_in(file: &mut KernelFile, wanted: &str) -> (Result<u64, String>, Vec<usize>) {
        let (mut found, mut given) = (0, Vec::new());
        let outcome = file.parse_beginning(|bytes| {
            given.push(bytes.len());
            let mut needed = 0;
            for line in crate::scan::lines(bytes) {
                needed += line.len() + 1;
                if let Some(number) = line.strip_prefix(wanted.as_bytes()) {
                    found = crate::scan::number(number, "a number")?;
                    return Ok(needed);
                }
            }
            Err(Malformed::new("the wanted line", b"nothing"))
        });
        (outcome.map(|()| found).map_err(|error| error.to_string()), given)
    }

    #[test]
    fn reads_little_more_of_the_beginning_than_was_needed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |before: usize, number: u64| {
            let rest = "rest 1\n".repeat(400);
            std::fs::write(file.path(), format!("{}wanted {number}\n{rest}", "before 1\n".repeat(before)))
                .unwrap();
        };
        let mut kernel_file = KernelFile::short_records(file.path());
        write(10, 5);
        let whole = 10 * 9 + 9 + 400 * 7;
        assert_eq!(number_in(&mut kernel_file, "wanted "), (Ok(5), vec![whole]));
        for number in [6, 60_000, 6_000_000_000] {
            write(10, number);
            let (found, given) = number_in(&mut kernel_file, "wanted ");
            assert_eq!(found, Ok(number));
            let [given] = given[..] else { panic!("parsed once") };
            assert!((99..=99 + 10 + GROWTH).contains(&given), "{given}");
        }
        // So much more before it that the wanted line is not reached, or cut: the whole file is read again.
        for before in 22..40 {
            write(10, 7);
            let _ = number_in(&mut kernel_file, "wanted ");
            write(before, 1_234_567_890_123);
            let (found, given) = number_in(&mut kernel_file, "wanted ");
            assert_eq!(found, Ok(1_234_567_890_123), "{before} lines before");
            assert!(given.len() <= 2);
        }
        let (found, given) = number_in(&mut kernel_file, "absent ");
        assert!(found.is_err());
        assert_eq!(given.len(), 2);
        assert_eq!(number_in(&mut kernel_file, "absent ").1.len(), 1, "nothing is known to be enough");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn reads_real_kernel_files_as_the_standard_library_does() {
        for path in ["/proc/self/mountinfo", "/proc/cpuinfo", "/proc/filesystems", "/proc/version"] {
            let expected = std::fs::read(path).unwrap();
            assert_eq!(KernelFile::any_records(path).read().unwrap(), expected, "{path}");
        }
        let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        for path in ["/proc/vmstat", "/proc/diskstats", "/proc/net/dev"] {
            let expected = lines(&std::fs::read(path).unwrap());
            assert_eq!(lines(KernelFile::short_records(path).read().unwrap()), expected, "{path}");
        }
        for path in ["/proc/stat", "/proc/meminfo", "/proc/self/status", "/proc/self/io"] {
            let expected = lines(&std::fs::read(path).unwrap());
            assert_eq!(lines(KernelFile::single_record(path).read().unwrap()), expected, "{path}");
        }
    }
}
