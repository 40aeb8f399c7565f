//! How long tasks have waited for a resource: the pressure stall information of the kernel. Linux only.
//!
//! The machine's files are `/proc/pressure/<resource>`; those of a control group are
//! [found](crate::cgroup::Cgroup::pressure) in its folder. Where the kernel was built or started without (`psi=0`), there are no files, or
//! reading one fails with `EOPNOTSUPP`.

use crate::Malformed;
use crate::scan::{self, Faults};

/// What tasks wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// A processor.
    Cpu,
    /// Memory that has to be reclaimed or read back.
    Memory,
    /// A block device.
    Io,
    /// Interrupts that ran instead, where the kernel accounts for their time.
    Irq,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 4] = [Resource::Cpu, Resource::Memory, Resource::Io, Resource::Irq];

    /// The kernel's word, such as `cpu`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
            Resource::Io => "io",
            Resource::Irq => "irq",
        }
    }
}

/// What a pressure file says; both totals only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// Time in which at least one task waited (microseconds). Of interrupts there is none.
    pub some: Option<u64>,
    /// Time in which all tasks that had something to do waited (microseconds). Of processors there is none before Linux
    /// 5.13, and of those of the whole machine it is always 0, which means nothing.
    pub full: Option<u64>,
}

impl Pressure {
    /// Lines such as `some avg10=0.00 avg60=0.32 avg300=1.40 total=3646190734`: what can be understood, and the first
    /// fault if there is one.
    pub fn parse(bytes: &[u8]) -> (Self, Result<(), Malformed>) {
        let mut pressure = Pressure::default();
        let mut faults = Faults::default();
        for line in scan::whole_lines(bytes) {
            let mut fields = scan::fields(line);
            let total = match fields.next() {
                Some(b"some") => &mut pressure.some,
                Some(b"full") => &mut pressure.full,
                _ => continue,
            };
            *total = faults.keep(microseconds(fields, line));
        }
        faults.require(&pressure.some.or(pressure.full), "a line some or full");
        (pressure, faults.result())
    }
}

fn microseconds<'a>(mut fields: impl Iterator<Item = &'a [u8]>, line: &[u8]) -> Result<u64, Malformed> {
    const EXPECTED: &str = "total= and a stall time in microseconds";
    let total = fields.find_map(|field| field.strip_prefix(b"total="));
    scan::number(total.ok_or_else(|| Malformed::new(EXPECTED, line))?, EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOME: &str = "some avg10=0.03 avg60=0.32 avg300=1.40 total=3646190734\n";
    const FULL: &str = "full avg10=0.00 avg60=0.00 avg300=0.00 total=17\n";

    #[test]
    fn reads_what_kernels_write() {
        for (text, some, full) in [
            (format!("{SOME}{FULL}"), Some(3_646_190_734), Some(17)),
            // Processors before Linux 5.13.
            (SOME.to_owned(), Some(3_646_190_734), None),
            // Interrupts.
            (FULL.to_owned(), None, Some(17)),
            (format!("new avg10=1.00 total=x\n{FULL}"), None, Some(17)),
        ] {
            assert_eq!(Pressure::parse(text.as_bytes()), (Pressure { some, full }, Ok(())), "{text}");
        }
    }

    #[test]
    fn what_is_cut_costs_only_itself() {
        let text = format!("{SOME}{FULL}");
        let (pressure, _) = Pressure::parse(&text.as_bytes()[..text.len() - 2]);
        assert_eq!(pressure, Pressure { some: Some(3_646_190_734), full: None });
        let (pressure, outcome) = Pressure::parse(b"some avg10=0.03 total=36");
        assert_eq!(pressure, Pressure::default());
        assert_eq!(outcome.unwrap_err().expected, "a line some or full");
    }

    #[test]
    fn an_odd_total_costs_only_itself() {
        for odd in ["some total=-1\n", "some total=\n", "some avg10=0.00\n", "some\n"] {
            let (pressure, outcome) = Pressure::parse(format!("{odd}{FULL}").as_bytes());
            assert_eq!(pressure, Pressure { some: None, full: Some(17) });
            assert_eq!(outcome.unwrap_err().expected, "total= and a stall time in microseconds", "{odd}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..128),
                        text in "((some|full|total=|avg10=|[0-9]{1,21}| |\n){0,4}){0,8}") {
            let _ = (Pressure::parse(&bytes), Pressure::parse(text.as_bytes()));
        }
    }
}
