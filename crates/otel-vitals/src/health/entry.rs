//! One registered check: when it runs, what it said last, and what that means by now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::check::{Call, Check};
use super::instruments::Series;
use super::{CheckReport, ComponentType, Kind, Observed, Outcome, Status};

/// How much longer than it may a check takes before it counts as one that does not answer: until then its timeout tells.
const GRACE: Duration = Duration::from_secs(1);

/// How late a run may at least be before the last answer does not count any more.
const LATE: Duration = Duration::from_secs(10);

pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) critical: bool,
    pub(super) timeout: Duration,
    pub(super) series: Arc<Series>,
    component_type: ComponentType,
    period: Duration,
    state: Mutex<State>,
}

struct State {
    /// None once it is not to run any more.
    call: Option<Call>,
    latest: Option<Latest>,
    /// Since when it runs.
    running: Option<Instant>,
    /// When it is to run next; none is never again.
    due: Option<Instant>,
    /// It was removed while it ran.
    is_orphan: bool,
    /// What was logged last.
    logged: Status,
}

/// What it said last.
struct Latest {
    outcome: Outcome,
    time: SystemTime,
    /// None when it could not be asked.
    duration: Option<Duration>,
}

/// What is to be done with it.
pub(super) enum Next {
    /// It is to run now, and to be looked at when it has not answered by then.
    Run(Call, Instant),
    /// It is to be looked at then.
    At(Instant),
    Nothing,
}

/// A change that is to be logged.
pub(super) struct Change {
    pub(super) status: Status,
    pub(super) output: Option<String>,
}

/// What it says by now.
enum Seen<'a> {
    NotYet,
    /// It has been running for so long.
    Silent(Duration),
    /// It should have run so long ago.
    Late(Duration),
    Told(&'a Latest),
}

impl Entry {
    pub(super) fn new(name: &str, check: Check) -> Self {
        let state = State {
            latest: None,
            running: None,
            due: Some(Instant::now()),
            is_orphan: false,
            logged: Status::Pass,
            call: Some(Arc::clone(&check.call)),
        };
        Entry {
            series: Arc::new(Series::of_check(name, check.kind)),
            name: name.to_owned(),
            kind: check.kind,
            critical: check.critical,
            timeout: check.timeout,
            component_type: check.component_type,
            period: check.period(),
            state: Mutex::new(state),
        }
    }

    /// What is to be done at the moment `now`. What is to run counts as running from here on.
    pub(super) fn next(&self, now: Instant) -> Next {
        let mut state = self.lock();
        let silent_from = |started: Instant| started + self.timeout + GRACE;
        if let Some(silent) = state.running.map(silent_from) {
            return if silent > now { Next::At(silent) } else { Next::Nothing };
        }
        match (state.due, &state.call) {
            (Some(due), Some(call)) if due <= now => {
                let call = Arc::clone(call);
                state.running = Some(now);
                Next::Run(call, silent_from(now))
            }
            (Some(due), Some(_)) => Next::At(due),
            _ => Next::Nothing,
        }
    }

    /// A run has ended, with an outcome unless it was cut short. Returns whether it was removed in the meantime.
    pub(super) fn ended(&self, outcome: Option<Outcome>, duration: Option<Duration>) -> bool {
        let mut state = self.lock();
        state.running = None;
        if let Some(outcome) = outcome {
            let is_over = self.kind == Kind::Startup && outcome.status != Status::Fail;
            state.due = if is_over { None } else { Some(Instant::now() + self.period) };
            state.latest = Some(Latest { outcome, time: SystemTime::now(), duration });
        }
        state.is_orphan
    }

    pub(super) fn is_running(&self) -> bool {
        self.lock().running.is_some()
    }

    /// It is not to run any more. Returns what it called.
    pub(super) fn retire(&self) -> Option<Call> {
        self.lock().call.take()
    }

    /// It is removed. Returns what it called, and whether it runs now and must be waited for.
    pub(super) fn remove(&self) -> (Option<Call>, bool) {
        let mut state = self.lock();
        state.is_orphan = state.running.is_some();
        (state.call.take(), state.is_orphan)
    }

    pub(super) fn status(&self, now: Instant) -> Status {
        self.status_of(&self.seen(&self.lock(), now))
    }

    pub(super) fn report(&self, now: Instant) -> CheckReport {
        let state = self.lock();
        let seen = self.seen(&state, now);
        let latest = state.latest.as_ref();
        CheckReport {
            name: self.name.clone(),
            kind: self.kind,
            critical: self.critical,
            status: self.status_of(&seen),
            component_type: self.component_type,
            observed: seen.observed(),
            time: latest.map(|latest| latest.time),
            duration: match seen {
                Seen::Silent(by_now) => Some(by_now),
                _ => latest.and_then(|latest| latest.duration),
            },
            output: seen.output(),
        }
    }

    /// What is to be logged, if it says something else than before. That it has not run yet is nothing.
    pub(super) fn change(&self, now: Instant) -> Option<Change> {
        let mut state = self.lock();
        let seen = self.seen(&state, now);
        if matches!(seen, Seen::NotYet) {
            return None;
        }
        let change = Change { status: self.status_of(&seen), output: seen.output() };
        let before = std::mem::replace(&mut state.logged, change.status);
        (before != change.status && !state.is_orphan).then_some(change)
    }

    fn seen<'a>(&self, state: &'a State, now: Instant) -> Seen<'a> {
        let since = |moment| now.saturating_duration_since(moment);
        if let Some(by_now) = state.running.map(since)
            && by_now >= self.timeout + GRACE
        {
            return Seen::Silent(by_now);
        }
        let Some(latest) = &state.latest else { return Seen::NotYet };
        match state.due.map(since) {
            Some(late) if state.running.is_none() && late > self.timeout + self.period.max(LATE) => {
                Seen::Late(late)
            }
            _ => Seen::Told(latest),
        }
    }

    /// What is not known is not ready, and no reason to restart the service.
    fn status_of(&self, seen: &Seen<'_>) -> Status {
        match seen {
            Seen::Told(latest) => latest.outcome.status,
            Seen::Silent(_) => Status::Fail,
            Seen::NotYet | Seen::Late(_) if self.kind == Kind::Liveness => Status::Warn,
            Seen::NotYet | Seen::Late(_) => Status::Fail,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing of others' runs under the lock, and every field is whole at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen<'_> {
    fn output(&self) -> Option<String> {
        match self {
            Seen::NotYet => Some("has not run yet".to_owned()),
            Seen::Silent(by_now) => Some(format!("has not answered for {:?}", rounded(*by_now))),
            Seen::Late(late) => Some(format!("should have run {:?} ago", rounded(*late))),
            Seen::Told(latest) => latest.outcome.output.clone(),
        }
    }

    fn observed(&self) -> Option<Observed> {
        match self {
            Seen::Told(latest) => latest.outcome.observed.clone(),
            _ => None,
        }
    }
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn entry(kind: Kind) -> Entry {
        Entry::new("subject", Check::new(|| async {}).kind(kind).timeout(2 * SECOND).cache(4 * SECOND))
    }

    fn run(entry: &Entry, now: Instant) {
        assert!(matches!(entry.next(now), Next::Run(..)));
    }

    fn told(entry: &Entry, now: Instant) -> (Status, Option<String>) {
        let report = entry.report(now);
        assert_eq!(report.status, entry.status(now));
        (report.status, report.output)
    }

    #[test]
    fn before_its_first_answer_it_only_spares_the_living() {
        for (kind, status) in
            [(Kind::Liveness, Status::Warn), (Kind::Readiness, Status::Fail), (Kind::Startup, Status::Fail)]
        {
            let entry = entry(kind);
            let now = Instant::now();
            assert_eq!(told(&entry, now), (status, Some("has not run yet".to_owned())));
            assert!(entry.change(now).is_none());
            run(&entry, now);
            assert_eq!(told(&entry, now).0, status);
        }
    }

    #[test]
    fn one_run_at_a_time_and_the_next_when_it_is_due() {
        let entry = entry(Kind::Readiness);
        let now = Instant::now();
        run(&entry, now);
        assert!(matches!(entry.next(now), Next::At(at) if at == now + 3 * SECOND));
        assert!(matches!(entry.next(now + 60 * SECOND), Next::Nothing), "it still runs");
        assert!(!entry.ended(Some(Outcome::pass()), Some(SECOND)));
        let Next::At(due) = entry.next(now) else { panic!("it is not due yet") };
        assert!(due >= now + 4 * SECOND);
        run(&entry, due);
    }

    #[test]
    fn the_last_answer_holds_until_the_next_is_overdue() {
        for kind in [Kind::Liveness, Kind::Readiness] {
            let entry = entry(kind);
            let now = Instant::now();
            run(&entry, now);
            entry.ended(Some(Outcome::pass()), Some(SECOND));
            let Next::At(due) = entry.next(now) else { panic!("it is not due yet") };
            run(&entry, due);
            assert_eq!(told(&entry, due + 2 * SECOND), (Status::Pass, None));
            let silent = (Status::Fail, Some("has not answered for 3s".to_owned()));
            assert_eq!(told(&entry, due + 3 * SECOND), silent);
            assert_eq!(entry.report(due + 3 * SECOND).duration, Some(3 * SECOND));
            entry.ended(Some(Outcome::pass()), Some(SECOND));
            assert_eq!(told(&entry, Instant::now()), (Status::Pass, None));
        }
    }

    #[test]
    fn an_answer_that_nobody_renews_does_not_hold_for_ever() {
        for (kind, status) in [(Kind::Liveness, Status::Warn), (Kind::Readiness, Status::Fail)] {
            let entry = entry(kind);
            run(&entry, Instant::now());
            entry.ended(Some(Outcome::pass()), Some(SECOND));
            let Next::At(due) = entry.next(Instant::now()) else { panic!("it is not due yet") };
            assert_eq!(told(&entry, due + 12 * SECOND).0, Status::Pass);
            let late = (status, Some("should have run 13s ago".to_owned()));
            assert_eq!(told(&entry, due + 13 * SECOND), late);
        }
    }

    #[test]
    fn a_start_that_has_passed_has_passed() {
        let entry = entry(Kind::Startup);
        run(&entry, Instant::now());
        entry.ended(Some(Outcome::fail("no")), Some(SECOND));
        let Next::At(due) = entry.next(Instant::now()) else { panic!("it is tried again") };
        run(&entry, due);
        entry.ended(Some(Outcome::warn("slow")), Some(SECOND));
        let later = due + 1_000_000 * SECOND;
        assert!(matches!(entry.next(later), Next::Nothing));
        assert_eq!(told(&entry, later), (Status::Warn, Some("slow".to_owned())));
    }

    #[test]
    fn each_change_is_logged_once() {
        let entry = entry(Kind::Readiness);
        let mut logged = Vec::new();
        for outcome in [
            Outcome::pass(),
            Outcome::fail("a"),
            Outcome::fail("b"),
            Outcome::warn("c"),
            Outcome::pass(),
            Outcome::pass(),
        ] {
            entry.ended(Some(outcome), Some(SECOND));
            let now = Instant::now();
            logged.extend(entry.change(now).map(|change| (change.status, change.output)));
            assert!(entry.change(now).is_none());
        }
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(logged, [(Status::Fail, text("a")), (Status::Warn, text("c")), (Status::Pass, None)],);
    }

    #[test]
    fn what_is_removed_while_it_runs_is_waited_for() {
        let entry = entry(Kind::Readiness);
        assert!(matches!(entry.remove(), (Some(_), false)));
        let entry = self::entry(Kind::Readiness);
        run(&entry, Instant::now());
        assert!(matches!(entry.remove(), (Some(_), true)));
        assert!(entry.ended(Some(Outcome::fail("late")), Some(SECOND)));
        assert!(entry.change(Instant::now()).is_none());
        assert!(matches!(entry.next(Instant::now() + 60 * SECOND), Next::Nothing));
    }
}
