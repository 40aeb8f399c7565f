//! The thread that asks for all file systems.
//!
//! `sysinfo` asks them at once, and one whose server is gone hangs whoever asks. So a thread of its own does it, and
//! a collection waits for it no longer than it was told; then there is no answer until the thread has one.

use otel_vitals_core::ReadError;
use std::ffi::OsStr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;
use sysinfo::{DiskRefreshKind, Disks};

use crate::portable::{ready, unavailable};

const EXPECTED: &str = "the space of every file system";

/// One file system, as `sysinfo` tells it.
#[derive(Debug)]
pub(crate) struct Mounted {
    pub(crate) device: String,
    /// In small letters.
    pub(crate) kind: String,
    pub(crate) point: String,
    /// `rw` or `ro`.
    pub(crate) mode: &'static str,
    /// Size (By).
    pub(crate) total: u64,
    /// What can still be written (By).
    pub(crate) available: u64,
}

type Answer = Result<Vec<Mounted>, ReadError>;

/// This side of the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Asker {
    questions: SyncSender<()>,
    answers: Receiver<Answer>,
    /// Whether a question has no answer yet.
    is_waiting: bool,
}

impl Asker {
    /// The file systems as they are now, asked for by the thread in `slot`, which is started if there is none.
    pub(crate) fn ask(slot: &mut Option<Asker>, deadline: Duration) -> Answer {
        let mut asker = match slot.take() {
            Some(asker) => asker,
            None => Asker::start(ask_sysinfo())?,
        };
        // One that has ended is not kept: the next collection starts another.
        let answer = asker.answer(deadline)?;
        *slot = Some(asker);
        answer
    }

    fn start(mut ask: impl FnMut() -> Answer + Send + 'static) -> Result<Asker, ReadError> {
        let (questions, asked) = sync_channel(1);
        let (answering, answers) = sync_channel(1);
        let run = move || while asked.recv().is_ok() && answering.send(ask()).is_ok() {};
        match std::thread::Builder::new().name("vitals-mount".to_owned()).spawn(run) {
            Ok(_) => Ok(Asker { questions, answers, is_waiting: false }),
            Err(source) => Err(ReadError::Call { call: "starting a thread".to_owned(), source }),
        }
    }

    /// The answer, or that there is none in time; an error of the outer kind when the thread has ended.
    fn answer(&mut self, deadline: Duration) -> Result<Answer, ReadError> {
        let ended = || unavailable(EXPECTED, "the end of the thread that asks");
        let late = || Ok(Err(unavailable(EXPECTED, "no answer in time")));
        if self.is_waiting {
            // What was asked at an earlier collection is old.
            match self.answers.try_recv() {
                Ok(_) => self.is_waiting = false,
                Err(TryRecvError::Empty) => return late(),
                Err(TryRecvError::Disconnected) => return Err(ended()),
            }
        }
        self.questions.send(()).map_err(|_| ended())?;
        match self.answers.recv_timeout(deadline) {
            Ok(answer) => Ok(answer),
            Err(RecvTimeoutError::Timeout) => {
                self.is_waiting = true;
                late()
            }
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
        }
    }
}

fn ask_sysinfo() -> impl FnMut() -> Answer + Send {
    let mut disks = None;
    move || {
        let disks = ready(&mut disks, Disks::new, EXPECTED)?;
        disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage());
        let text = |text: &OsStr| text.to_string_lossy().into_owned();
        let mounted = disks.iter().map(|disk| Mounted {
            device: text(disk.name()),
            kind: text(disk.file_system()).to_lowercase(),
            point: text(disk.mount_point().as_os_str()),
            mode: if disk.is_read_only() { "ro" } else { "rw" },
            total: disk.total_space(),
            available: disk.available_space(),
        });
        Ok(mounted.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Long enough for any machine.
    const PATIENT: Duration = Duration::from_secs(60);
    const AT_ONCE: Duration = Duration::ZERO;

    #[test]
    fn this_machine_has_a_file_system() {
        let mut asker = None;
        for _ in 0..2 {
            let mounted = Asker::ask(&mut asker, PATIENT).unwrap();
            assert!(mounted.iter().any(|mounted| mounted.total > 0), "{mounted:?}");
        }
    }

    #[test]
    fn one_that_hangs_is_waited_for_once_and_heard_when_it_answers() {
        let (release, hanging) = sync_channel::<()>(0);
        let mut asker = Asker::start(move || {
            let _ = hanging.recv();
            Ok(Vec::new())
        })
        .unwrap();
        let found = |answer: Answer| match answer {
            Err(ReadError::Unavailable { found, .. }) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!(found(asker.answer(AT_ONCE).unwrap()), "no answer in time");
        // Not even the deadline is waited for as long as it hangs.
        assert_eq!(found(asker.answer(PATIENT).unwrap()), "no answer in time");
        release.send(()).unwrap();
        drop(release);
        let started = std::time::Instant::now();
        while asker.answer(PATIENT).unwrap().is_err() {
            assert!(started.elapsed() < PATIENT);
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_thread_that_ended_is_started_anew() {
        let mut slot = Some(Asker::start(|| panic!("the first thread ends")).unwrap());
        assert!(Asker::ask(&mut slot, PATIENT).is_err());
        assert!(slot.is_none());
        assert!(Asker::ask(&mut slot, PATIENT).is_ok());
    }
}
