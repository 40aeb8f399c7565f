//! A SIGTERM begins the shutdown in a program that catches it, and ends one that does not.
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
        _ => {
            parent::one_that_catches_it_is_not_ready_any_more(child::CATCHES);
            parent::one_that_catches_it_is_not_ready_any_more(child::CATCHES_WITH_TOKIO);
            parent::one_that_does_not_is_ended_by_it();
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

    /// Says that it is ready, is so for a while, and says when it is not any more and its handler was called, too.
    pub(super) fn run(catch: impl FnOnce()) {
        let vitals = Vitals::builder()
            .config(Config::default())
            .meter_provider(SdkMeterProvider::default())
            .start()
            .unwrap();
        vitals.health().register("runs", Check::new(|| async {}).cache(SHORT)).unwrap();
        while vitals.health().report(Probe::Ready).status != Status::Pass {
            std::thread::sleep(SHORT);
        }
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
            let mut child = command.arg(name).stdout(Stdio::piped()).spawn().unwrap();
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
        let started = Instant::now();
        // Until the handler is seen, which takes some seconds, only the program's own is called.
        let told = loop {
            subject.terminate();
            match subject.lines.recv_timeout(Duration::from_millis(200)) {
                Ok(told) => break told,
                Err(RecvTimeoutError::Timeout) => {
                    assert!(started.elapsed() < DEADLINE, "{name}: nothing was told")
                }
                Err(RecvTimeoutError::Disconnected) => panic!("{name}: {:?}", subject.ended()),
            }
        };
        assert_eq!(told, "shutting down", "{name}");
        let ended = subject.ended();
        assert!(ended.success(), "{name}: {ended}");
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
}
