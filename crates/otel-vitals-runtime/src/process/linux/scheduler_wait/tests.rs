use super::*;
use otel_vitals_core::Reading as _;
use proptest::prelude::*;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// A process of recorded threads.
struct Recorded(tempfile::TempDir);

impl Recorded {
    fn new() -> Self {
        let recorded = Recorded(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(recorded.files().own("task")).unwrap();
        std::fs::write(recorded.files().own("schedstat"), "1 1 1\n").unwrap();
        recorded
    }

    fn files(&self) -> ProcFiles {
        ProcFiles::at(self.0.path())
    }

    fn task(&self, number: u32, schedstat: &str) -> &Self {
        let folder = self.files().own("task").join(number.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("schedstat"), schedstat).unwrap();
        self
    }

    fn exit(&self, number: u32) {
        std::fs::remove_dir_all(self.files().own("task").join(number.to_string())).unwrap();
    }
}

/// What the next reading says.
fn next(
    reader: &mut impl FnMut(&mut Reading) -> Result<(), ReadError>,
) -> (Option<u64>, Result<(), ReadError>) {
    let mut reading = Reading::default();
    let outcome = reader(&mut reading);
    (reading.waited, outcome)
}

#[test]
fn a_line_has_three_numbers() {
    assert_eq!(read(b"65838 52340 2\n"), Ok(SchedStat { ran: 65_838, waited: 52_340, turns: 2 }));
    for (odd, expected) in [
        (&b""[..], "nanoseconds on a core"),
        (b"65838 x 2\n", "nanoseconds of waiting for a core"),
        (b"65838 52340", "a number of time slices"),
    ] {
        assert_eq!(read(odd).unwrap_err().expected, expected);
    }
}

#[test]
fn threads_add_up_and_those_that_exit_stay_in_the_sum() {
    let recorded = Recorded::new();
    recorded.task(10, "100 5 1\n").task(9, "100 7 1\n");
    // None kept open: a recorded file can be read after its end, unlike one of the kernel.
    let mut reader = reader(&recorded.files(), 0);
    assert_eq!(next(&mut reader).0, Some(12));
    recorded.task(10, "200 6 2\n").task(11, "1 1 1\n");
    assert_eq!(next(&mut reader).0, Some(14));
    recorded.exit(10);
    assert_eq!(next(&mut reader).0, Some(14));
    // As many threads as before, and one of them is another.
    recorded.exit(9);
    recorded.task(12, "3 100 1\n");
    assert_eq!(next(&mut reader).0, Some(114));
    recorded.exit(11);
    recorded.exit(12);
    recorded.task(13, "1 0 1\n");
    assert_eq!(next(&mut reader).0, Some(114));
}

#[test]
fn a_number_that_is_used_again_is_another_thread() {
    let recorded = Recorded::new();
    recorded.task(9, "100 50 7\n");
    let mut reader = reader(&recorded.files(), 0);
    assert_eq!(next(&mut reader).0, Some(50));
    for (schedstat, sum) in [("20 60 8\n", 50 + 60), ("30 5 9\n", 50 + 60 + 5), ("40 6 3\n", 50 + 60 + 5 + 6)]
    {
        recorded.task(9, schedstat);
        assert_eq!(next(&mut reader).0, Some(sum), "{schedstat}");
    }
}

#[test]
fn a_kernel_that_does_not_count_gives_no_value_and_no_error() {
    let zeros = Recorded::new();
    zeros.task(9, "0 0 0\n");
    let mut reader_of_zeros = reader(&zeros.files(), 64);
    let missing = Recorded::new();
    std::fs::remove_file(missing.files().own("schedstat")).unwrap();
    std::fs::create_dir(missing.files().own("task").join("9")).unwrap();
    let mut reader_of_nothing = reader(&missing.files(), 64);
    for _ in 0..2 {
        let (waited, outcome) = next(&mut reader_of_zeros);
        assert!(waited.is_none() && outcome.is_ok());
        let (waited, outcome) = next(&mut reader_of_nothing);
        assert!(waited.is_none() && outcome.is_ok());
    }
}

#[test]
fn an_odd_or_unreadable_thread_keeps_what_it_was_last_seen_to_have_waited() {
    let recorded = Recorded::new();
    recorded.task(9, "100 7 1\n").task(10, "100 5 1\n");
    let mut reader = reader(&recorded.files(), 1);
    assert_eq!(next(&mut reader).0, Some(12));
    recorded.task(9, "200 many 2\n").task(10, "200 6 2\n");
    let (waited, outcome) = next(&mut reader);
    assert_eq!(waited, Some(13));
    assert!(outcome.unwrap_err().to_string().contains("\"many\""));

    std::fs::remove_file(recorded.files().own("task/10/schedstat")).unwrap();
    std::fs::create_dir(recorded.files().own("task/10/schedstat")).unwrap();
    recorded.task(9, "300 8 3\n");
    let (waited, outcome) = next(&mut reader);
    assert_eq!(waited, Some(14));
    assert!(outcome.unwrap_err().to_string().contains("task/10/schedstat"));
}

#[test]
fn few_descriptors_are_kept() {
    let limit = sys::descriptors().unwrap();
    assert!(kept() as u64 <= KEPT.min(limit / SHARE));
    let recorded = Recorded::new();
    for number in 100..200 {
        recorded.task(number, "1 1 1\n");
    }
    let open = || {
        let folders = std::fs::read_dir("/proc/self/fd").unwrap();
        let of_ours = |link: &Path| link.starts_with(recorded.0.path());
        folders
            .filter(|entry| {
                std::fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|link| of_ours(&link))
            })
            .count()
    };
    for (kept, expected) in [(0, 1), (1, 2), (64, 65), (500, 101)] {
        let mut reader = reader(&recorded.files(), kept);
        assert_eq!(next(&mut reader).0, Some(100));
        assert_eq!(next(&mut reader).0, Some(100));
        // The folder is one more.
        assert_eq!(open(), expected, "{kept}");
    }
}

/// Threads that wait until they are let go.
fn threads(count: usize) -> (mpsc::Sender<()>, Vec<JoinHandle<()>>) {
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(receiver));
    let wait = |receiver: std::sync::Arc<std::sync::Mutex<mpsc::Receiver<()>>>| {
        std::thread::spawn(move || {
            let _ = receiver.lock().unwrap().recv();
        })
    };
    (sender, (0..count).map(|_| wait(receiver.clone())).collect())
}

/// Threads that are there come and go with the tests beside this one, so that only bounds are sure.
#[test]
fn real_threads_come_and_go_and_the_sum_never_falls() {
    for kept in [0, 3, 64] {
        let mut tasks = Tasks::new(kept);
        let mut directory = ProcDirectory::new(ProcFiles::default().own("task"));
        let mut last = 0;
        let mut read = || {
            tasks.read(&mut directory, &mut Faults::default()).unwrap();
            let waited = tasks.waited().unwrap();
            assert!(waited >= last);
            last = waited;
            tasks.alive()
        };
        for count in [1, 100, 5] {
            let (release, threads) = threads(count);
            assert!(read() > count);
            drop(release);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(read() > 0);
        }
    }
}

#[test]
fn a_clear_reading_says_nothing() {
    let mut reading = Reading { waited: Some(1) };
    reading.clear();
    assert_eq!(reading, Reading::default());
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "([0-9]{0,21} ?){0,4}\n?") {
        let _ = (read(&bytes), read(text.as_bytes()));
    }

    /// Whatever a thread's numbers do, the sum only grows.
    #[test]
    fn the_sum_never_falls(lines in proptest::collection::vec((0u64..5, 0u64..5, 0u64..5, any::<bool>()), 1..8)) {
        let recorded = Recorded::new();
        recorded.task(1, "1 0 1\n");
        let mut reader = reader(&recorded.files(), 0);
        let mut last = 0;
        for (ran, waited, turns, is_there) in lines {
            recorded.task(2, &format!("{ran} {waited} {turns}\n"));
            if !is_there {
                recorded.exit(2);
            }
            let (sum, outcome) = next(&mut reader);
            prop_assert!(outcome.is_ok());
            prop_assert!(sum.unwrap() >= last);
            last = sum.unwrap();
        }
    }
}
