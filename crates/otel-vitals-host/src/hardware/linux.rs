//! Linux.

mod machine;
mod mounted;
mod rates;

use otel_vitals_core::ReadError;
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    CpuReading, DiskReading, DiskSpace, HardwareOptions, HardwareReading, MemoryReading, late, without_space,
};
use crate::askers::{Ask, Asker, Askers};
use crate::filesystem::space::Blocks;
use crate::filesystem::sys;
use crate::roots::Roots;
use machine::Machine;
use mounted::Mounted;

/// Name of the thread that asks the kernel.
const THREAD: &str = "vitals-machine";

pub(super) struct Reader {
    disks: Vec<Watched>,
    askers: Askers<Answer>,
    roots: Roots,
    machine: Option<Asker<Figures>>,
    deadline: Duration,
}

type Figures = (MemoryReading, CpuReading);

struct Watched {
    path: String,
    /// Where this process reaches it; none when there can be no such path.
    reached: Option<CString>,
    asker: Option<Asker<Answer>>,
}

/// What a file system says.
struct Answer {
    blocks: Blocks,
    mounted: Option<Mounted>,
}

impl Reader {
    pub(super) fn new(options: HardwareOptions) -> Self {
        let roots = Roots::new(options.root_path.as_deref());
        let prefix = roots.foreign().map(Path::to_path_buf).unwrap_or_default();
        let ask = move |path: &CStr| {
            let blocks = sys::statvfs(path)?;
            Ok(Answer { blocks, mounted: Mounted::at(path, &prefix) })
        };
        Reader::asking(options, roots, Arc::new(ask))
    }

    fn asking(options: HardwareOptions, roots: Roots, ask: Ask<Answer>) -> Self {
        let watched = |path: String| {
            let reached = CString::new(roots.path(&path).as_os_str().as_bytes()).ok();
            Watched { path, reached, asker: None }
        };
        let disks = options.disks.into_iter().map(watched).collect();
        Reader { disks, askers: Askers::new(ask), roots, machine: None, deadline: options.deadline }
    }

    pub(super) fn read(&mut self) -> HardwareReading {
        let asked = Instant::now();
        let refusals: Vec<_> = self.disks.iter_mut().map(|disk| disk.ask(&self.askers)).collect();
        let (memory, cpu) = self.ask_machine(asked);
        let disks = self.disks.iter_mut().zip(refusals).map(|(disk, refusal)| match refusal {
            Ok(()) => disk.answer(asked, self.deadline),
            Err(error) => DiskReading::failed(&disk.path, error),
        });
        HardwareReading { disks: disks.collect(), memory, cpu }
    }

    pub(super) fn keep_up(&mut self) {
        let _ = self.ask_machine(Instant::now());
    }

    fn ask_machine(&mut self, asked: Instant) -> Figures {
        let answer = match &mut self.machine {
            Some(machine) => answer(machine, asked, self.deadline),
            slot => {
                let mut machine = Machine::new(&self.roots, Path::new("/"));
                Asker::start(THREAD, move || Ok(machine.read()))
                    .and_then(|machine| answer(slot.insert(machine), asked, self.deadline))
            }
        };
        answer.unwrap_or_else(|error| {
            // One that has ended is not kept: the next look starts another.
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.machine = None;
            }
            let problem = Some(said(&error, self.deadline));
            let cpu = CpuReading { problem: problem.clone(), ..CpuReading::default() };
            (MemoryReading { problem, ..MemoryReading::default() }, cpu)
        })
    }
}

fn answer<T>(asker: &mut Asker<T>, asked: Instant, deadline: Duration) -> io::Result<T> {
    asker.ask();
    asker.answer(deadline.saturating_sub(asked.elapsed()))
}

impl Watched {
    fn ask(&mut self, askers: &Askers<Answer>) -> io::Result<()> {
        let asker = match &mut self.asker {
            Some(asker) => asker,
            slot => {
                let path = self.reached.as_deref().ok_or(io::ErrorKind::InvalidFilename)?;
                slot.insert(askers.start(path)?)
            }
        };
        asker.ask();
        Ok(())
    }

    fn answer(&mut self, asked: Instant, deadline: Duration) -> DiskReading {
        let timeout = deadline.saturating_sub(asked.elapsed());
        let answer = match &mut self.asker {
            Some(asker) => asker.answer(timeout),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        match answer {
            Ok(answer) => answer.reading(&self.path),
            Err(error) => {
                if error.kind() == io::ErrorKind::BrokenPipe {
                    self.asker = None;
                }
                DiskReading::failed(&self.path, said(&error, deadline))
            }
        }
    }
}

impl Answer {
    fn reading(self, path: &str) -> DiskReading {
        let space = space(&self.blocks);
        let problem = space.is_none().then(|| without_space(Path::new(path)).to_string());
        let (kind, mount_point) = self.mounted.map(|mounted| (mounted.kind, mounted.point)).unzip();
        DiskReading { path: path.to_owned(), space, mount_point: mount_point.flatten(), kind, problem }
    }
}

fn said(error: &io::Error, deadline: Duration) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => late(deadline),
        io::ErrorKind::BrokenPipe => "the thread that asks has ended".to_owned(),
        _ => error.to_string(),
    }
}

pub(super) fn disk_space(path: &Path) -> Result<DiskSpace, ReadError> {
    let failed = |source| ReadError::Call { call: format!("statvfs of {}", path.display()), source };
    let text = CString::new(path.as_os_str().as_bytes()).map_err(|error| failed(error.into()))?;
    let blocks = sys::statvfs(&text).map_err(failed)?;
    space(&blocks).ok_or_else(|| without_space(path))
}

fn space(blocks: &Blocks) -> Option<DiskSpace> {
    let space = blocks.space()?;
    let [used, available, reserved] = space.states;
    Some(DiskSpace { total: space.total, used, available, reserved })
}

#[cfg(test)]
mod tests;
