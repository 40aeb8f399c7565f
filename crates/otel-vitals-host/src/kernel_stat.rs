//! `/proc/stat`, read once for the groups that live on it.
//!
//! | value | source | group |
//! | --- | --- | --- |
//! | time by mode, of the machine or of each core | line `cpu`, or lines `cpuN` | `cpu` |
//! | logical processors online | number of lines `cpuN` | `cpu` |
//! | processes created since boot | line `processes` | `processes` |
//! | tasks that run or wait for a core | line `procs_running` | `processes` |

use opentelemetry::KeyValue;
use otel_vitals_core::scan::{self, Faults};
use otel_vitals_core::{KernelFile, Malformed, Source, SourceContext, Table, signed};
use std::iter::Peekable;

use crate::cpu_time::{CpuTime, MODES};
use crate::roots::Roots;

/// What `/proc/stat` says.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The machine as one, or each of its cores.
    pub(crate) cpus: Table<Cpu>,
    /// Logical processors online (processors).
    pub(crate) online: Option<u64>,
    /// Processes and threads created since boot (tasks).
    pub(crate) created: Option<u64>,
    /// Tasks that run or wait for a core now (tasks).
    pub(crate) running: Option<u64>,
}

/// One line `cpu` or `cpuN`.
#[derive(Debug)]
pub(crate) struct Cpu {
    /// The attributes of the series of each mode.
    pub(crate) attributes: [Vec<KeyValue>; MODES.len()],
    /// The time in each mode.
    pub(crate) time: CpuTime,
}

impl otel_vitals_core::Reading for Reading {
    fn clear(&mut self) {
        self.cpus.iter_mut().for_each(|cpu| cpu.time.clear());
        (self.online, self.created, self.running) = (None, None, None);
    }
}

/// Whose time to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Machine,
    Cores,
}

pub(crate) fn read(bytes: &[u8], detail: Detail, reading: &mut Reading) -> Result<(), Malformed> {
    let mut faults = Faults::default();
    let mut lines = scan::lines(bytes).peekable();
    read_cpus(&mut lines, detail, reading, &mut faults);
    // The line `intr`, tens of kilobytes on a big machine, costs a search for its end and no more.
    for line in lines {
        let counts = [(&b"processes "[..], &mut reading.created), (b"procs_running ", &mut reading.running)];
        for (key, count) in counts {
            if let Some(rest) = line.strip_prefix(key) {
                *count = faults.keep(scan::number(rest, "a number of processes"));
            }
        }
        if reading.created.is_some() && reading.running.is_some() {
            break;
        }
    }
    faults.require(&reading.online, "lines of processors");
    faults.require(&reading.created, "a line processes");
    faults.require(&reading.running, "a line procs_running");
    // There was a first process and the reader itself runs: a zero is a kernel that does not count (gVisor).
    reading.created = reading.created.filter(|created| *created > 0);
    reading.running = reading.running.filter(|running| *running > 0);
    faults.result()
}

/// The lines `cpu` and `cpuN`, with which the file begins.
fn read_cpus<'a>(
    lines: &mut Peekable<impl Iterator<Item = &'a [u8]>>,
    detail: Detail,
    reading: &mut Reading,
    faults: &mut Faults,
) {
    let mut online = 0;
    reading.cpus.update(|rows| {
        while let Some(line) = lines.next_if(|line| line.starts_with(b"cpu")) {
            let name = scan::fields(line).next().unwrap_or_default();
            let number = match name.strip_prefix(b"cpu") {
                None | Some([]) => None,
                Some(digits) => match faults.keep(scan::number(digits, "the number of a processor")) {
                    None => continue,
                    number => number,
                },
            };
            online += u64::from(number.is_some());
            if number.is_some() == (detail == Detail::Cores) {
                let cpu = rows.row(name, |_| Cpu::new(number));
                faults.keep(cpu.time.read(line.get(name.len()..).unwrap_or_default()));
            }
        }
    });
    reading.online = Some(online).filter(|online| *online > 0);
}

impl Cpu {
    /// The processor `number`, or the machine as one.
    fn new(number: Option<u64>) -> Self {
        let number = number.map(|number| KeyValue::new("cpu.logical_number", signed(number)));
        let attributes =
            MODES.map(|mode| [KeyValue::new("cpu.mode", mode)].into_iter().chain(number.clone()).collect());
        Cpu { attributes, time: CpuTime::default() }
    }
}

/// The source of both groups; `per_core` keeps the time of each core instead of the machine's.
pub(crate) fn source(context: &SourceContext, roots: &Roots, per_core: bool) -> Source<Reading> {
    let detail = if per_core { Detail::Cores } else { Detail::Machine };
    let mut file = KernelFile::single_record(roots.path("/proc/stat"));
    context.source("system.stat", Reading::default(), move |reading: &mut Reading| {
        file.parse(|bytes| read(bytes, detail, reading))
    })
}

#[cfg(test)]
mod tests;
