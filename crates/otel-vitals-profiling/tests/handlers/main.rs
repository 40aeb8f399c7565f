//! Signals and forks beside a CPU profile: handlers of the application go on, and a forked child is a process of its own.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn main() {}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[path = "../seen/mod.rs"]
mod seen;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sys;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn main() {
    // Each in a child, in which no handler was installed yet, and which may end by a signal.
    let scenarios: [(&str, fn()); 9] = [
        ("there is no handler before a profile and none after it", steps::no_handler_stays),
        ("handlers of the application get the signals that are not ours", steps::handler_before),
        ("a handler on top of ours that passes signals on is not called for ever", steps::handler_on_top),
        ("a handler that takes over ends the profile", steps::handler_meanwhile),
        ("so does one for the other signal, where the application handles the first", steps::other_meanwhile),
        ("whoever puts the default back ends the profile and not the process", steps::default_meanwhile),
        ("a handler for SIGURG keeps events away", steps::handler_for_events),
        ("a thread that blocks the signal has its CPU time without a stack", steps::blocked),
        ("a child that was forked meanwhile has no part in it and can take its own", steps::forked),
    ];
    for (what, scenario) in scenarios {
        assert_eq!(sys::in_child(scenario), Ok(0), "{what}");
    }
    let by_default = sys::in_child(steps::default_action);
    assert_eq!(by_default, Err(libc::SIGPROF), "what SIGPROF does by default, it does where we have it, too");
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod steps {
    use crate::seen::*;
    use crate::sys;
    use otel_vitals_profiling::Error;
    use otel_vitals_profiling::cpu::{self, Recording, Trigger};
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{Duration, Instant};

    const DEADLINE: Duration = Duration::from_secs(30);
    const A_WHILE: Duration = Duration::from_millis(50);
    /// What a profile says that ended early.
    const DISTURBED: &str = "something else took the signal";

    pub(super) fn no_handler_stays() {
        for before in [libc::SIG_DFL, libc::SIG_IGN] {
            for trigger in triggers() {
                sys::set_urgent(before);
                let recording = start(997, trigger);
                assert!(![libc::SIG_DFL, libc::SIG_IGN].contains(&sys::urgent()), "{trigger:?}");
                let refused = cpu::start(&options(997, trigger));
                assert!(matches!(refused, Err(Error::Busy)), "{refused:?}");
                spend(A_WHILE);
                let _ = recording.finish();
                assert_eq!(sys::urgent(), before, "{trigger:?}");
                drop(start(997, trigger));
                assert_eq!(sys::urgent(), before, "{trigger:?}");
            }
        }
        assert_eq!(sys::profile(), libc::SIG_DFL);
    }

    pub(super) fn handler_before() {
        sys::count_profile_signals();
        for beside in [false, true] {
            if beside {
                // Timers must take that one then.
                sys::count_urgent_signals();
            }
            let recording = start(997, Trigger::Timers);
            spend(A_WHILE);
            sys::send();
            assert!(recording.finish().total("cpu").unwrap() > 0, "beside both: {beside}");
            sys::send();
        }
        assert_eq!(sys::COUNTED.load(Relaxed), 4, "its own, and none of ours");
        assert_eq!(sys::COUNTED_URGENT.load(Relaxed), 0);
    }

    pub(super) fn handler_on_top() {
        sys::count_urgent_signals();
        drop(start(997, Trigger::Timers));
        sys::count_and_pass_on();
        for _ in 0..3 {
            let recording = start(997, Trigger::Timers);
            spend(A_WHILE);
            sys::send();
            assert!(recording.finish().total("cpu").unwrap() > 0);
        }
        // Once from ours, which it passes on to, which leaves it at that.
        assert_eq!(sys::COUNTED.load(Relaxed), 3);
    }

    pub(super) fn handler_meanwhile() {
        for trigger in triggers() {
            let recording = start(100, trigger);
            sys::count_urgent_signals();
            ends_by_itself(recording);
            sys::set_urgent(libc::SIG_DFL);
        }
    }

    pub(super) fn other_meanwhile() {
        sys::count_urgent_signals();
        let recording = start(100, Trigger::Timers);
        sys::count_profile_signals();
        ends_by_itself(recording);
    }

    pub(super) fn default_meanwhile() {
        for trigger in triggers() {
            let recording = start(997, trigger);
            spend(A_WHILE);
            sys::set_urgent(libc::SIG_DFL);
            spend(A_WHILE);
            ends_by_itself(recording);
            // The next one is whole.
            let recording = start(997, trigger);
            spend(A_WHILE);
            let text = recording.finish().text();
            assert!(!text.contains(DISTURBED), "{text}");
        }
    }

    fn ends_by_itself(recording: Recording) {
        let until = Instant::now() + DEADLINE;
        let works = || {
            let timers = std::fs::read_to_string("/proc/self/timers").unwrap_or_default();
            let files = std::fs::read_dir("/proc/self/fd").unwrap();
            let mut events = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
            !timers.is_empty() || events.any(|file| file.to_string_lossy().contains("perf_event"))
        };
        while works() {
            assert!(Instant::now() < until, "the triggers go on");
            std::thread::sleep(Duration::from_millis(1));
        }
        let text = recording.finish().text();
        assert!(text.contains(DISTURBED), "{text}");
    }

    pub(super) fn handler_for_events() {
        sys::count_urgent_signals();
        let refused = cpu::start(&options(997, Trigger::Perf));
        assert!(matches!(refused, Err(Error::Unavailable { .. })), "{refused:?}");
        let recording = start(997, Trigger::Auto);
        spend(A_WHILE);
        assert!(recording.finish().total("cpu").unwrap() > 0);
    }

    pub(super) fn blocked() {
        for trigger in triggers() {
            let recording = start(997, trigger);
            std::thread::Builder::new()
                .name("blocks".into())
                .spawn(|| {
                    sys::block_signals();
                    spend(A_WHILE * 4);
                })
                .unwrap()
                .join()
                .unwrap();
            let profile = recording.finish();
            let total = Duration::from_nanos(profile.total("cpu").unwrap().unsigned_abs());
            assert!(total >= A_WHILE * 4, "{total:?}");
            let stacks = stacks(&profile);
            let bare = time(&stacks, |stack| stack.leaf().starts_with('['));
            assert!(bare >= A_WHILE * 3, "{trigger:?}: {bare:?} without a stack");
        }
    }

    pub(super) fn forked() {
        for trigger in triggers() {
            let recording = start(997, trigger);
            spend(A_WHILE);
            let mut recording = Some(recording);
            let outcome = sys::in_child_with(|| {
                spend(A_WHILE);
                let profile = recording.take().unwrap().finish();
                assert_eq!(profile.total("samples"), Some(0), "nobody has sampled here");
                let own = start(997, trigger);
                spend(A_WHILE);
                assert!(own.finish().total("cpu").unwrap() > 0);
            });
            assert_eq!(outcome, Ok(0), "{trigger:?}");
            spend(A_WHILE);
            let profile = recording.unwrap().finish();
            assert!(profile.total("cpu").unwrap() > 0);
        }
    }

    pub(super) fn default_action() {
        sys::count_urgent_signals();
        let recording = start(997, Trigger::Timers);
        spend(A_WHILE);
        drop(recording);
        sys::send();
        // Ends here.
    }
}
