//! What is asked, and what is answered.

use std::fmt;
use std::time::{Duration, SystemTime};

use super::Observed;

/// What is asked of a service by who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Probe {
    /// Whether it should go on. One that fails is restarted.
    Live,
    /// Whether requests should be sent to it.
    Ready,
    /// Whether it has started. Until then the others are not asked.
    Startup,
}

/// What a check is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// For [`Probe::Live`]: what only a restart mends.
    Liveness,
    /// For [`Probe::Ready`]: what requests need.
    #[default]
    Readiness,
    /// For [`Probe::Startup`], and for [`Probe::Ready`] until it has passed once. It does not run any more then.
    Startup,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Well.
    Pass,
    /// It works, and somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

/// What a check looks at, as `componentType` of `application/health+json` has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ComponentType {
    /// A part of the service, or another service.
    #[default]
    Component,
    /// What keeps data.
    Datastore,
    /// The process and its machine.
    System,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// How it is. Only [`Status::Fail`] fails the probe.
    pub status: Status,
    /// Why it is not [`Status::Pass`]: what fails, or when nothing does what warns, each with what it says. In the order in
    /// which checks were registered.
    pub reasons: Vec<String>,
    /// The checks of this probe, in the same order.
    pub checks: Vec<CheckReport>,
}

/// What one check says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CheckReport {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Whether the probe fails when it does; one that is not critical only makes it warn.
    pub critical: bool,
    /// How what it looks at is.
    pub status: Status,
    /// What it looks at.
    pub component_type: ComponentType,
    /// What it has measured, if it says so.
    pub observed: Option<Observed>,
    /// When it has answered last; none before the first time.
    pub time: Option<SystemTime>,
    /// How long it took to answer; while one has not answered in time, how long that is by now.
    pub duration: Option<Duration>,
    /// What it says, or what is wrong with it.
    pub output: Option<String>,
}

impl Probe {
    /// All of them.
    pub const ALL: &[Probe] = &[Probe::Live, Probe::Ready, Probe::Startup];

    /// The value of `otel_vitals.health.probe.name`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Probe::Live => "live",
            Probe::Ready => "ready",
            Probe::Startup => "startup",
        }
    }

    /// The checks that are for it.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Probe::Live => Kind::Liveness,
            Probe::Ready => Kind::Readiness,
            Probe::Startup => Kind::Startup,
        }
    }
}

impl Kind {
    /// All of them.
    pub const ALL: &[Kind] = &[Kind::Liveness, Kind::Readiness, Kind::Startup];

    /// The value of `otel_vitals.health.check.kind`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Liveness => "liveness",
            Kind::Readiness => "readiness",
            Kind::Startup => "startup",
        }
    }
}

impl Status {
    /// All of them, from good to bad, which is also how they compare.
    pub const ALL: &[Status] = &[Status::Pass, Status::Warn, Status::Fail];

    /// The value of `otel_vitals.health.state`, and of `status` in `application/health+json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Warn => "warn",
            Status::Fail => "fail",
        }
    }
}

impl ComponentType {
    /// The value of `componentType` in `application/health+json`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ComponentType::Component => "component",
            ComponentType::Datastore => "datastore",
            ComponentType::System => "system",
        }
    }
}

impl CheckReport {
    /// What it makes of the whole.
    pub(super) fn weight(&self) -> Status {
        weight(self.status, self.critical)
    }

    /// The check as a reason.
    pub(super) fn reason(&self) -> String {
        match self.output.as_deref().filter(|output| !output.is_empty()) {
            Some(output) => format!("{}: {output}", self.name),
            None if self.status == Status::Fail => format!("{}: failed", self.name),
            None => format!("{}: warns", self.name),
        }
    }
}

/// What a check of this status makes of the whole.
pub(super) fn weight(status: Status, critical: bool) -> Status {
    if critical { status } else { status.min(Status::Warn) }
}

macro_rules! display {
    ($($named:ty),*) => {
        $(impl fmt::Display for $named {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        })*
    };
}

display!(Probe, Kind, Status, ComponentType);
