//! The threads of the process, from one reading to the next.

use otel_vitals_core::ReadError;
use otel_vitals_core::scan::{self, Faults};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::{ProcDirectory, SchedStat, read};

/// Threads by their number, and what those that have exited left behind.
#[derive(Debug)]
pub(super) struct Tasks {
    alive: Vec<Task>,
    /// Numbers of a listing that were not known; kept for its memory.
    new: Vec<u32>,
    /// What exited threads were last seen to have waited (nanoseconds).
    left: u64,
    /// How many files may still be kept open.
    room: usize,
}

#[derive(Debug)]
struct Task {
    number: u32,
    /// Kept open, if there is room. The kernel ties it to the thread, not to its number.
    file: Option<File>,
    last: SchedStat,
}

/// What became of a thread.
enum Seen {
    Alive,
    Gone,
}

impl Tasks {
    /// No threads yet; of those to come, `kept` have their file kept open.
    pub(super) fn new(kept: usize) -> Self {
        Tasks { alive: Vec::new(), new: Vec::new(), left: 0, room: kept }
    }

    /// What all threads have waited (nanoseconds). None where no thread has ever been on a core: then the kernel does not
    /// count, since the one that reads is on one.
    pub(super) fn waited(&self) -> Option<u64> {
        let is_counted = self.left > 0 || self.alive.iter().any(|task| task.last.ran > 0);
        let waited = self.alive.iter().map(|task| task.last.waited);
        is_counted.then(|| waited.fold(self.left, u64::saturating_add))
    }

    /// How many threads were there at the last look.
    #[cfg(test)]
    pub(super) fn alive(&self) -> usize {
        self.alive.len()
    }

    /// Looks at every thread in `directory`, `/proc/self/task`. A thread that cannot be read keeps what it was last seen to
    /// have waited.
    pub(super) fn read(
        &mut self,
        directory: &mut ProcDirectory,
        faults: &mut Faults,
    ) -> Result<(), ReadError> {
        // One more link for each, and two for the folder itself; some kernels tell none.
        let links = directory.status()?.links;
        let mut outcome = self.read_known(directory, faults);
        let is_complete = links.checked_sub(2) == u64::try_from(self.alive.len()).ok();
        if !is_complete || self.alive.is_empty() {
            outcome = outcome.and(self.read_new(directory, faults));
        }
        outcome
    }

    fn read_known(&mut self, directory: &ProcDirectory, faults: &mut Faults) -> Result<(), ReadError> {
        let mut outcome = Ok(());
        let Tasks { alive, left, room, .. } = self;
        alive.retain_mut(|task| match task.read(directory, room, left, faults) {
            Ok(Seen::Alive) => true,
            Ok(Seen::Gone) => {
                *room += usize::from(task.file.is_some());
                *left = left.saturating_add(task.last.waited);
                false
            }
            Err(error) => {
                if outcome.is_ok() {
                    outcome = Err(directory.error(task.number, error));
                }
                true
            }
        });
        outcome
    }

    /// Finds the threads that are not known, and looks at them.
    fn read_new(&mut self, directory: &mut ProcDirectory, faults: &mut Faults) -> Result<(), ReadError> {
        let Tasks { alive, new, .. } = self;
        new.clear();
        directory.list(|name| {
            let number = scan::number(name, "the number of a thread").ok();
            let number = number.and_then(|number| u32::try_from(number).ok());
            let unknown = |number: &u32| alive.binary_search_by_key(number, |task| task.number).is_err();
            new.extend(number.filter(unknown));
        })?;
        // A thread that the kernel lists twice is still one.
        new.sort_unstable();
        new.dedup();
        let mut outcome = Ok(());
        for number in &*new {
            let mut task = Task { number: *number, file: None, last: SchedStat::default() };
            match task.read(directory, &mut self.room, &mut self.left, faults) {
                Ok(Seen::Alive) => alive.push(task),
                Ok(Seen::Gone) => {}
                Err(error) => outcome = outcome.and(Err(directory.error(*number, error))),
            }
        }
        alive.sort_unstable_by_key(|task| task.number);
        outcome
    }
}

impl Task {
    fn read(
        &mut self,
        directory: &ProcDirectory,
        room: &mut usize,
        left: &mut u64,
        faults: &mut Faults,
    ) -> io::Result<Seen> {
        // Three numbers of 20 digits, two blanks and a line feed.
        let mut buffer = [0; 64];
        let length = match &self.file {
            Some(file) => file.read_at(&mut buffer, 0),
            None => self.open_and_read(directory, room, &mut buffer),
        };
        let length = match length {
            Ok(length) => length,
            Err(error) if is_gone(&error) => return Ok(Seen::Gone),
            Err(error) => return Err(error),
        };
        if let Some(now) = faults.keep(read(buffer.get(..length).unwrap_or_default())) {
            self.follow(now, left);
        }
        Ok(Seen::Alive)
    }

    fn open_and_read(
        &mut self,
        directory: &ProcDirectory,
        room: &mut usize,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut path = [0; 32];
        let file = directory.open(path_of(self.number, &mut path)?)?;
        let length = file.read_at(buffer, 0)?;
        if *room > 0 {
            *room -= 1;
            self.file = Some(file);
        }
        Ok(length)
    }

    /// None of the numbers of a thread ever falls: if one does, another thread has got the number of one that has exited.
    fn follow(&mut self, now: SchedStat, left: &mut u64) {
        let SchedStat { ran, waited, turns } = self.last;
        if now.ran < ran || now.waited < waited || now.turns < turns {
            *left = left.saturating_add(waited);
        }
        self.last = now;
    }
}

/// `<number>/schedstat`
fn path_of(number: u32, buffer: &mut [u8; 32]) -> io::Result<&CStr> {
    // The buffer's last bytes stay NUL: the longest is 20 bytes.
    write!(&mut buffer[..], "{number}/schedstat")?;
    CStr::from_bytes_until_nul(buffer).map_err(io::Error::other)
}

/// `ENOENT` is of a folder that is no more, `ESRCH` of a file whose thread is no more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

impl ProcDirectory {
    #[cold]
    fn error(&self, number: u32, source: io::Error) -> ReadError {
        ReadError::File { path: self.path().join(Path::new(&number.to_string())).join("schedstat"), source }
    }
}
