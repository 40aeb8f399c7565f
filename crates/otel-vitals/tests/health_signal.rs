//! A SIGTERM begins the shutdown in a program that catches it as most do, and does what it did in any other.
//!
//! The process is a child, which is this program again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(child::CATCHES) => child::run(child::catch_with_ctrlc),
        Some(child::CATCHES_WITH_TOKIO) => child::run(child::catch_with_tokio),
        Some(child::CATCHES_NOT) => child::run(|| ()),
        Some(child::IS_INTERRUPTED) => child::run_until_interrupted(),
        Some(child::CATCHES_ONCE) => child::run_until_ended(),
        _ => {
            parent::one_that_catches_it_is_not_ready_any_more(child::CATCHES);
            parent::one_that_catches_it_is_not_ready_any_more(child::CATCHES_WITH_TOKIO);
            parent::one_that_does_not_is_ended_by_it();
            parent::one_whose_reads_it_interrupts_is_interrupted();
            parent::one_that_catches_it_once_is_ended_by_the_second();
        }
    }
}

#[cfg(target_os = "linux")]
mod child {
    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use otel_vitals::health::{Check, Probe, Status};
    use otel_vitals::{Config, Vitals};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    pub(super) const CATCHES: &str = "catches";
    pub(super) const CATCHES_WITH_TOKIO: &str = "catches-with-tokio";
    pub(super) const CATCHES_NOT: &str = "catches-not";
    pub(super) const IS_INTERRUPTED: &str = "is-interrupted";
    pub(super) const CATCHES_ONCE: &str = "catches-once";

    const SHORT: Duration = Duration::from_millis(10);

    /// How often the program's own handler was called.
    static CAUGHT: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn catch_with_ctrlc() {
        ctrlc::set_handler(|| {
            CAUGHT.fetch_add(1, Ordering::SeqCst);
        })
        .unwrap();
    }

    pub(super) fn catch_with_tokio() {
        use tokio::signal::unix::{SignalKind, signal};
        let (ready, is_ready) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut terminations = signal(SignalKind::terminate()).unwrap();
                ready.send(()).unwrap();
                while terminations.recv().await.is_some() {
                    CAUGHT.fetch_add(1, Ordering::SeqCst);
                }
            });
        });
        is_ready.recv().unwrap();
    }

    extern "C" fn note(_: libc::c_int) {
        CAUGHT.fetch_add(1, Ordering::SeqCst);
    }

    /// Reads what never comes, until a signal interrupts that, and then ends as one does that is well-behaved.
    pub(super) fn run_until_interrupted() {
        sys::catch(libc::SIGTERM, note, 0);
        let vitals = start();
        println!("ready");
        let read = rustix::io::read(std::io::stdin(), &mut [0; 1]);
        assert_eq!(read, Err(rustix::io::Errno::INTR));
        assert!(!vitals.health().is_shutting_down(), "it is not listened along");
        vitals.health().begin_shutdown();
        println!("{}", vitals.health().report(Probe::Ready).reasons.join(", "));
        vitals.shutdown().unwrap();
    }

    /// Says when it is signalled, and goes on until it is a second time.
    pub(super) fn run_until_ended() {
        sys::catch(libc::SIGTERM, note, libc::SA_RESTART | libc::SA_RESETHAND);
        let vitals = start();
        println!("ready");
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if CAUGHT.swap(0, Ordering::SeqCst) > 0 {
                println!("caught");
            }
            assert!(!vitals.health().is_shutting_down(), "it is not listened along");
            std::thread::sleep(SHORT);
        }
        panic!("the second did not end it");
    }

    /// Says that it is ready, is so for a while, and says when it is not any more and its handler was called, too.
    pub(super) fn run(catch: impl FnOnce()) {
        let vitals = start();
        // The thread has looked for a handler by now, and found none.
        catch();
        println!("ready");
        let started = Instant::now();
        while !vitals.health().is_shutting_down() || CAUGHT.load(Ordering::SeqCst) == 0 {
            assert!(started.elapsed() < Duration::from_secs(60), "nothing was told");
            std::thread::sleep(SHORT);
        }
        println!("{}", vitals.health().report(Probe::Ready).reasons.join(", "));
        vitals.shutdown().unwrap();
    }

    /// Returns once checks run.
    fn start() -> Vitals {
        let vitals = Vitals::builder()
            .config(Config::default())
            .meter_provider(SdkMeterProvider::default())
            .start()
            .unwrap();
        vitals.health().register("runs", Check::new(|| async {}).cache(SHORT)).unwrap();
        while vitals.health().report(Probe::Ready).status != Status::Pass {
            std::thread::sleep(SHORT);
        }
        vitals
    }

    #[allow(unsafe_code)]
    mod sys {
        //! The system calls behind this module, and nothing else.

        /// From now on `signal` calls `handler`, which must be one that a signal may call.
        pub(super) fn catch(signal: libc::c_int, handler: extern "C" fn(libc::c_int), flags: libc::c_int) {
            // SAFETY: all zeroes is a valid action, without flags, a mask or a restorer.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            (action.sa_sigaction, action.sa_flags) = (handler as *const () as usize, flags);
            // SAFETY: `action` is valid and lives through the call, and nowhere is written what was there before. Without SA_SIGINFO
            // the handler is called with one number.
            let outcome = unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
            assert_eq!((outcome, flags & libc::SA_SIGINFO), (0, 0));
        }
    }
}

#[cfg(target_os = "linux")]
mod parent {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead as _, BufReader};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command, ExitStatus, Stdio};
    use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
    use std::time::{Duration, Instant};

    const DEADLINE: Duration = Duration::from_secs(60);
    /// In which the child has looked for a handler more than once.
    const A_WHILE: Duration = Duration::from_millis(2_500);

    struct Subject {
        child: Child,
        lines: Receiver<String>,
    }

    impl Subject {
        fn start(name: &str) -> Self {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let mut child = command.arg(name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let output = BufReader::new(child.stdout.take().unwrap());
            let (told, lines) = mpsc::channel();
            // Ends with the child.
            std::thread::spawn(move || {
                output.lines().map_while(Result::ok).try_for_each(|line| told.send(line))
            });
            let subject = Subject { child, lines };
            assert_eq!(subject.lines.recv_timeout(DEADLINE).unwrap(), "ready");
            subject
        }

        fn terminate(&self) {
            let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
        }

        fn is_told_to_end_and_does(&mut self) {
            let started = Instant::now();
            let told = loop {
                self.terminate();
                match self.lines.recv_timeout(Duration::from_millis(200)) {
                    Ok(told) => break told,
                    Err(RecvTimeoutError::Timeout) => {
                        assert!(started.elapsed() < DEADLINE, "nothing was told")
                    }
                    Err(RecvTimeoutError::Disconnected) => panic!("{:?}", self.ended()),
                }
            };
            assert_eq!(told, "shutting down");
            let ended = self.ended();
            assert!(ended.success(), "{ended}");
        }

        fn ended(&mut self) -> ExitStatus {
            let started = Instant::now();
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                assert!(started.elapsed() < DEADLINE, "the child does not end");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    impl Drop for Subject {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    pub(super) fn one_that_catches_it_is_not_ready_any_more(name: &str) {
        let mut subject = Subject::start(name);
        // Until the handler is seen, which takes some seconds, only the program's own is called.
        subject.is_told_to_end_and_does();
        println!("{name}: ok");
    }

    pub(super) fn one_that_does_not_is_ended_by_it() {
        let mut subject = Subject::start(super::child::CATCHES_NOT);
        std::thread::sleep(A_WHILE);
        subject.terminate();
        let ended = subject.ended();
        assert_eq!(ended.signal(), Some(Signal::TERM.as_raw()), "{ended}");
        println!("{}: ok", super::child::CATCHES_NOT);
    }

    pub(super) fn one_whose_reads_it_interrupts_is_interrupted() {
        let mut subject = Subject::start(super::child::IS_INTERRUPTED);
        std::thread::sleep(A_WHILE);
        // The first may come before it reads.
        subject.is_told_to_end_and_does();
        println!("{}: ok", super::child::IS_INTERRUPTED);
    }

    pub(super) fn one_that_catches_it_once_is_ended_by_the_second() {
        let mut subject = Subject::start(super::child::CATCHES_ONCE);
        std::thread::sleep(A_WHILE);
        subject.terminate();
        assert_eq!(subject.lines.recv_timeout(DEADLINE).unwrap(), "caught");
        subject.terminate();
        let ended = subject.ended();
        assert_eq!(ended.signal(), Some(Signal::TERM.as_raw()), "{ended}");
        println!("{}: ok", super::child::CATCHES_ONCE);
    }
}
