//! What can be collected on its own.

use opentelemetry::InstrumentationScope;
use opentelemetry::metrics::Meter;
use otel_vitals_core::SourceContext;
use otel_vitals_host::HostOptions;
use otel_vitals_runtime::ProcessOptions;

/// A metric group, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// `process.*` as it is by default.
    Process,
    /// [`Process`](Group::Process), with the opt-in metrics that need no further system call, the load and the uptime
    /// of the machine: at least twice as many metrics as opentelemetry-instrumentation-process has. Without the wait for
    /// a core, which costs by the thread and is no match for anything that it has.
    ProcessTwice,
    /// `system.cpu.*`.
    Cpu,
    /// `system.memory.*`.
    Memory,
    /// `system.paging.*`.
    Paging,
    /// `system.disk.*`.
    Disk,
    /// `system.filesystem.*`.
    Filesystem,
    /// `system.network.*`.
    Network,
    /// `linux.load.average`.
    Load,
    /// `system.uptime`.
    Uptime,
    /// `system.process.*`.
    Processes,
    /// `linux.cgroup.cpu.*`.
    Cgroup,
    /// `linux.pressure.stall.time`.
    Pressure,
    /// Everything that is on by default.
    Default,
    /// Everything that there is, opt-in or not.
    Everything,
}

impl Group {
    /// All of them.
    pub const ALL: [Group; 15] = [
        Group::Process,
        Group::ProcessTwice,
        Group::Cpu,
        Group::Memory,
        Group::Paging,
        Group::Disk,
        Group::Filesystem,
        Group::Network,
        Group::Load,
        Group::Uptime,
        Group::Processes,
        Group::Cgroup,
        Group::Pressure,
        Group::Default,
        Group::Everything,
    ];

    /// The name on a command line and in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Group::Process => "process",
            Group::ProcessTwice => "process-twice",
            Group::Cpu => "cpu",
            Group::Memory => "memory",
            Group::Paging => "paging",
            Group::Disk => "disk",
            Group::Filesystem => "filesystem",
            Group::Network => "network",
            Group::Load => "load",
            Group::Uptime => "uptime",
            Group::Processes => "processes",
            Group::Cgroup => "cgroup",
            Group::Pressure => "pressure",
            Group::Default => "default",
            Group::Everything => "everything",
        }
    }

    /// The group of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == name)
    }

    /// Declares the instruments of the group, each on the meter of its scope.
    pub fn register(self, meter: impl Fn(InstrumentationScope) -> Meter, context: &SourceContext) {
        otel_vitals_runtime::register(&meter(otel_vitals_runtime::scope()), context, &self.process());
        otel_vitals_host::register(&meter(otel_vitals_host::scope()), context, &self.host());
    }

    fn process(self) -> ProcessOptions {
        let mut options = ProcessOptions::default();
        options.enabled =
            matches!(self, Group::Process | Group::ProcessTwice | Group::Default | Group::Everything);
        let free = matches!(self, Group::ProcessTwice | Group::Everything);
        options.cpu_utilization = free;
        options.memory_utilization = free;
        options.disk_operations = free;
        options.signals_pending = self == Group::Everything;
        options.scheduler_wait = self != Group::ProcessTwice;
        options
    }

    fn host(self) -> HostOptions {
        let all = matches!(self, Group::Default | Group::Everything);
        let opt_in = self == Group::Everything;
        let mut options = HostOptions::default();
        options.cpu.enabled = all || self == Group::Cpu;
        options.cpu.per_core = opt_in;
        options.cpu.utilization = opt_in;
        options.cpu.frequency = opt_in;
        options.memory.enabled = all || self == Group::Memory;
        options.memory.limit = opt_in;
        options.memory.shared = opt_in;
        options.memory.hugepages = opt_in;
        options.paging.enabled = all || self == Group::Paging;
        options.disk.enabled = all || self == Group::Disk;
        options.disk.limit = opt_in;
        options.filesystem.enabled = all || self == Group::Filesystem;
        options.filesystem.limit = opt_in;
        options.network.enabled = all || self == Group::Network;
        options.load.enabled = all || matches!(self, Group::Load | Group::ProcessTwice);
        options.uptime.enabled = all || matches!(self, Group::Uptime | Group::ProcessTwice);
        options.processes.enabled = all || self == Group::Processes;
        options.cgroup.enabled = all || self == Group::Cgroup;
        options.pressure.enabled = all || self == Group::Pressure;
        options
    }
}
