//! What is measured: one way to collect one group.

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use otel_vitals_core::SourceContext;
use std::fmt;
use std::time::{Duration, Instant};

use crate::bare::Bare;
use crate::group::Group;
use crate::peers;
use crate::pipeline::{Direct, Periodic, replay};
use crate::raw::Raw;

/// How long a reading of ours stays fresh in what is timed. No undisturbed collection takes so long, and two are further
/// apart, so that every collection reads every source exactly once, as at an interval of seconds.
pub const FRESH: Duration = Duration::from_micros(250);

/// The same where something slows down what is measured, such as `strace`.
pub const FRESH_WHEN_TRACED: Duration = Duration::from_millis(20);

/// Who collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// This project.
    Ours,
    /// Nobody: the system calls alone.
    Raw,
    /// The crate procfs.
    Procfs,
    /// The crate sysinfo.
    Sysinfo,
    /// The crate opentelemetry-instrumentation-process.
    InstrumentationProcess,
    /// The crate opentelemetry-system-metrics.
    SystemMetrics,
}

/// How far a collection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Sources are read and callbacks run, without an SDK.
    Reading,
    /// The SDK collects on the thread that asks.
    Collection,
    /// The SDK's periodic reader collects on its own thread and exports to memory.
    Flush,
    /// [`Collection`](Extent::Collection) of the same instruments and series, with callbacks that read nothing.
    EmptyCollection,
    /// [`Flush`](Extent::Flush) of the same instruments and series, with callbacks that read nothing.
    EmptyFlush,
}

/// One way to collect one group, ready to be run.
pub struct Subject {
    /// What is collected.
    pub group: Group,
    /// By whom.
    pub who: Who,
    /// How far.
    pub extent: Extent,
    run: Box<dyn FnMut()>,
    fresh: Duration,
    ran: Option<Instant>,
}

impl Who {
    /// Everybody.
    pub const ALL: [Who; 6] =
        [Who::Ours, Who::Raw, Who::Procfs, Who::Sysinfo, Who::InstrumentationProcess, Who::SystemMetrics];

    /// The name on a command line and in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Who::Ours => "otel-vitals",
            Who::Raw => "raw",
            Who::Procfs => "procfs",
            Who::Sysinfo => "sysinfo",
            Who::InstrumentationProcess => "opentelemetry-instrumentation-process",
            Who::SystemMetrics => "opentelemetry-system-metrics",
        }
    }
}

impl Extent {
    /// All of them.
    pub const ALL: [Extent; 5] =
        [Extent::Reading, Extent::Collection, Extent::Flush, Extent::EmptyCollection, Extent::EmptyFlush];

    /// The name on a command line and in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Extent::Reading => "reading",
            Extent::Collection => "collection",
            Extent::Flush => "flush",
            Extent::EmptyCollection => "empty-collection",
            Extent::EmptyFlush => "empty-flush",
        }
    }
}

impl Subject {
    /// The subject, warmed up; none where `who` does not do that.
    #[must_use]
    pub fn new(group: Group, who: Who, extent: Extent, fresh: Duration) -> Option<Self> {
        let run: Box<dyn FnMut()> = match (who, extent) {
            (Who::Ours, Extent::Reading) => reading(group, fresh),
            (Who::Raw, Extent::Reading) => {
                let mut raw = Raw::new(group)?;
                Box::new(move || raw.run())
            }
            (Who::Procfs, Extent::Reading) => peers::procfs::reading(group)?,
            (Who::Sysinfo, Extent::Reading) => peers::sysinfo::reading(group)?,
            (Who::SystemMetrics, Extent::Reading) if group == Group::Process => {
                peers::system_metrics::reading()
            }
            (Who::InstrumentationProcess, Extent::Reading) if group == Group::Process => {
                Box::new(|| peers::instrumentation_process::callbacks().run())
            }
            (Who::Raw | Who::Procfs | Who::Sysinfo | Who::SystemMetrics, _) => return None,
            (Who::InstrumentationProcess, _) if group != Group::Process => return None,
            (Who::Ours | Who::InstrumentationProcess, _) => {
                with_sdk(extent, move |provider| register(group, who, fresh, provider))
            }
        };
        let mut subject = Subject { group, who, extent, run, fresh, ran: None };
        for _ in 0..3 {
            subject.run();
        }
        Some(subject)
    }

    /// Collects once, after what was read before has gone stale; returns how long that took.
    pub fn run(&mut self) -> Duration {
        self.go_stale();
        let started = Instant::now();
        (self.run)();
        let ended = Instant::now();
        self.ran = Some(ended);
        ended - started
    }

    /// Waits until the next collection reads again. Busily, because an idle processor is slow to wake.
    pub fn go_stale(&self) {
        while self.ran.is_some_and(|ran| ran.elapsed() <= self.fresh) {
            std::hint::spin_loop();
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} {}", self.group.name(), self.who.name(), self.extent.name())
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Subject({self})")
    }
}

/// What one collection of `group` gives.
#[must_use]
pub fn collected(group: Group) -> ResourceMetrics {
    collection_of(|provider| register(group, Who::Ours, FRESH, provider))
}

/// What one collection of `who`, who comes with an SDK, gives of `group`.
#[must_use]
pub fn collected_by(group: Group, who: Who) -> ResourceMetrics {
    collection_of(|provider| register(group, who, FRESH, provider))
}

/// The second collection, because some metrics compare two.
fn collection_of(register: impl Fn(&SdkMeterProvider)) -> ResourceMetrics {
    let mut pipeline = Direct::default();
    register(pipeline.provider());
    pipeline.collect();
    std::thread::sleep(2 * FRESH_WHEN_TRACED);
    pipeline.collect();
    pipeline.into_batch()
}

/// The callbacks alone. What our sources record of themselves goes to an SDK, as it does in a service.
fn reading(group: Group, fresh: Duration) -> Box<dyn FnMut()> {
    let pipeline = Direct::default();
    let context = SourceContext::new(&pipeline.provider().meter("self-metrics"), fresh);
    let bare = Bare::default();
    group.register(|_scope| bare.meter(), &context);
    let callbacks = bare.take();
    Box::new(move || {
        let _kept = &pipeline;
        callbacks.run();
    })
}

fn with_sdk(extent: Extent, register: impl Fn(&SdkMeterProvider)) -> Box<dyn FnMut()> {
    let empty = |provider: &SdkMeterProvider| replay(&collection_of(&register), provider);
    match extent {
        Extent::Flush | Extent::EmptyFlush => {
            let pipeline = Periodic::default();
            match extent {
                Extent::Flush => register(pipeline.provider()),
                _ => empty(pipeline.provider()),
            }
            Box::new(move || pipeline.flush())
        }
        _ => {
            let mut pipeline = Direct::default();
            match extent {
                Extent::EmptyCollection => empty(pipeline.provider()),
                _ => register(pipeline.provider()),
            }
            Box::new(move || {
                pipeline.collect();
            })
        }
    }
}

fn register(group: Group, who: Who, fresh: Duration, provider: &SdkMeterProvider) {
    if who == Who::InstrumentationProcess {
        return peers::instrumentation_process::callbacks().build_on(&provider.meter(who.name()));
    }
    let context = SourceContext::new(&provider.meter("self-metrics"), fresh);
    group.register(|scope| provider.meter_with_scope(scope), &context);
}
