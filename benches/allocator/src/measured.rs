//! Times of programs that take turns.

use std::collections::BTreeMap;
use std::io;

use super::program::{SIZES, Work};
use super::{Inner, Program, Programs};

/// What is measured of a program.
pub type Cell = (Work, usize, usize);

/// ns per pair or reallocation of every program, by work, size and threads.
#[derive(Clone, Debug)]
pub struct Measured {
    programs: Vec<(Program, BTreeMap<Cell, Runs>)>,
}

/// What one thread took in each run, ns.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    together: Vec<f64>,
    not_together: Vec<f64>,
}

/// How many threads allocate at the same time.
pub const THREADS: [usize; 3] = [1, 2, 4];

/// Which part of the time threads must have had all processors they could use, for their run to count where they may get
/// into each other's way.
const TOGETHER: f64 = 0.9;

impl Measured {
    /// Runs each program behind which one of `inners` is, with each number of threads, `rounds` times in turns.
    ///
    /// # Errors
    /// When a program cannot be run or says something else.
    pub fn in_turns(
        programs: &Programs,
        inners: &[Inner],
        rounds: usize,
        microseconds: u32,
    ) -> io::Result<Self> {
        let all = inners.iter().flat_map(|inner| programs.of(*inner));
        let mut measured = Measured { programs: all.map(|program| (program, BTreeMap::new())).collect() };
        for _ in 0..rounds {
            for threads in THREADS {
                for (program, cells) in &mut measured.programs {
                    let arguments = ["times", &threads.to_string(), &microseconds.to_string()];
                    let said = programs.run(*program, &arguments)?;
                    record(cells, threads, &said).ok_or_else(|| io::Error::other(said))?;
                }
            }
        }
        Ok(measured)
    }

    /// Every program, in order.
    pub fn programs(&self) -> impl Iterator<Item = Program> + '_ {
        self.programs.iter().map(|(program, _)| *program)
    }

    /// What `program` took for `cell`.
    #[must_use]
    pub fn runs(&self, program: Program, cell: Cell) -> Option<&Runs> {
        self.programs.iter().find(|(known, _)| *known == program)?.1.get(&cell)
    }

    /// Cells of several threads that never had the processors to themselves, and how many there are.
    #[must_use]
    pub fn never_together(&self) -> (usize, usize) {
        let cells = || self.programs.iter().flat_map(|(_, cells)| cells.values());
        (cells().filter(|runs| runs.together.is_empty()).count(), cells().count())
    }
}

impl Runs {
    /// The shortest, of runs in which all threads ran at the same time; if there are none, of all.
    #[must_use]
    pub fn fastest(&self) -> f64 {
        self.counted().iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The one in the middle.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut sorted = self.counted().to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn counted(&self) -> &[f64] {
        if self.together.is_empty() { &self.not_together } else { &self.together }
    }
}

fn record(cells: &mut BTreeMap<Cell, Runs>, threads: usize, said: &str) -> Option<()> {
    let mut lines = said.lines();
    for work in Work::ALL {
        for size in SIZES {
            let mut words = lines.next()?.split(' ');
            let is_expected =
                words.next() == Some(work.name()) && words.next()?.parse::<usize>().ok()? == size;
            let (nanoseconds, together) = (words.next()?.parse().ok()?, words.next()?.parse::<f64>().ok()?);
            let runs = cells.entry((work, size, threads)).or_default();
            // A thread alone waits for nobody, and its CPU time is what it took.
            if threads == 1 || together >= TOGETHER {
                runs.together.push(nanoseconds);
            } else {
                runs.not_together.push(nanoseconds);
            }
            is_expected.then_some(())?;
        }
    }
    Some(())
}
