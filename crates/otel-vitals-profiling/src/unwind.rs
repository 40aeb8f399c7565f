//! From registers and a stack to the functions that were being executed.
//!
//! What is found are look-up addresses, the leaf first: of the leaf the address that it is given, of every caller one less than where
//! the call returns to, which is within the call.

pub(crate) mod live;
mod machine;

use std::sync::Arc;

use framehop::Unwinder as _;

use crate::modules::{Bytes, Module, Modules, Section};

/// How many frames of a stack are kept, from the leaf on.
pub(crate) const DEEPEST: usize = 512;

/// The registers that a stack is unwound from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registers {
    /// The instruction.
    pub(crate) ip: u64,
    pub(crate) sp: u64,
    /// `rbp`, or `x29`.
    pub(crate) fp: u64,
    /// `x30`, where the leaf returns to; x86-64 has none.
    pub(crate) lr: u64,
}

/// Why a stack has no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is whole: the function that a thread began with is the last.
    Root,
    /// The next frame is not in what was captured of the stack.
    Truncated,
    /// The next address is in no object. One may have been loaded since, of which [`Unwinder::refresh`] makes known.
    Unknown,
    /// It has more frames than are kept.
    TooDeep,
    /// There is no way to go on: a stack that is not one.
    Lost,
}

/// Unwinds stacks that were copied.
pub(crate) struct Unwinder {
    modules: Arc<Modules>,
    tables: machine::Unwinder<framehop::MayAllocateDuringUnwind>,
    cache: machine::Cache<framehop::MayAllocateDuringUnwind>,
    reached: u64,
}

impl Unwinder {
    /// One that knows the objects that are loaded now.
    pub(crate) fn new() -> Self {
        let modules = Modules::now();
        Unwinder { tables: tables(&modules), cache: machine::Cache::new(), modules, reached: 0 }
    }

    /// Learns of objects that were loaded or unloaded; false when none was.
    pub(crate) fn refresh(&mut self) -> bool {
        let modules = Modules::now();
        if Arc::ptr_eq(&modules, &self.modules) {
            return false;
        }
        // A new cache: what is in the old one is told apart by a number of 16 bits.
        *self = Unwinder { tables: tables(&modules), cache: machine::Cache::new(), modules, reached: 0 };
        true
    }

    /// The objects that it knows.
    pub(crate) fn modules(&self) -> &Arc<Modules> {
        &self.modules
    }

    /// Appends the frames of the stack of which `stack` is what was at `registers.sp` and above.
    pub(crate) fn unwind(&mut self, registers: Registers, stack: &[u8], frames: &mut Vec<u64>) -> End {
        let mut reached = registers.sp;
        let mut read = |address: u64| {
            let word = word(stack, registers.sp, address).ok_or(())?;
            reached = reached.max(address + 8);
            Ok(word)
        };
        let end = self.walk(registers, &mut read, frames);
        self.reached = reached;
        end
    }

    /// The end of what was read of the stack that was unwound last: of one that is whole, nothing beyond is needed.
    pub(crate) fn reached(&self) -> u64 {
        self.reached
    }

    fn walk(
        &mut self,
        registers: Registers,
        read: &mut impl FnMut(u64) -> Result<u64, ()>,
        frames: &mut Vec<u64>,
    ) -> End {
        let mut walk = self.tables.iter_frames(
            machine::without_signature(registers.ip),
            machine::registers(&registers),
            &mut self.cache,
            read,
        );
        for depth in 0..DEEPEST {
            let frame = match walk.next() {
                Ok(Some(frame)) => frame,
                Ok(None) => return End::Root,
                Err(error) => return end(&error, depth),
            };
            let address = frame.address_for_lookup();
            let known = self.modules.find(address).is_some();
            // Whatever ran is the leaf, code that was generated included. What unwinding leads to must be code.
            if known || depth == 0 {
                frames.push(address);
            }
            if !known && depth > 0 {
                return End::Unknown;
            }
        }
        End::TooDeep
    }
}

fn end(error: &framehop::Error, depth: usize) -> End {
    match error {
        framehop::Error::CouldNotReadStack(_) => End::Truncated,
        // Frame pointers end with a zero, which is met where a thread's first function has no table.
        framehop::Error::ReturnAddressIsNull if depth > 1 => End::Root,
        _ => End::Lost,
    }
}

fn word(stack: &[u8], start: u64, address: u64) -> Option<u64> {
    let offset = usize::try_from(address.checked_sub(start)?).ok()?;
    Some(u64::from_ne_bytes(*stack.get(offset..)?.first_chunk()?))
}

fn tables<P: framehop::AllocationPolicy>(modules: &Modules) -> machine::Unwinder<P> {
    let mut unwinder = machine::Unwinder::new();
    for module in modules.iter() {
        unwinder.add_module(of(module));
    }
    unwinder
}

fn of(module: &Module) -> framehop::Module<Bytes> {
    let range = |section: &Section| section.addresses.clone();
    let tables = module.tables.as_ref();
    let sections = framehop::ExplicitModuleSectionInfo {
        eh_frame_hdr_svma: tables.map(|tables| range(&tables.eh_frame_hdr)),
        eh_frame_hdr: tables.map(|tables| tables.eh_frame_hdr.bytes.clone()),
        eh_frame_svma: tables.map(|tables| range(&tables.eh_frame)),
        eh_frame: tables.map(|tables| tables.eh_frame.bytes.clone()),
        ..Default::default()
    };
    framehop::Module::new(module.path.display().to_string(), module.start..module.end, module.bias, sections)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hint::black_box;

    /// What a signal handler would have copied, here.
    fn captured() -> (Registers, Vec<u8>) {
        let here = live::here();
        let stack = live::Stack::at(here.sp);
        let words = (0..8 << 10).map_while(|word| stack.read(here.sp + word * 8));
        (here, words.flat_map(u64::to_ne_bytes).collect())
    }

    #[inline(never)]
    fn recurse(depth: usize, act: &mut dyn FnMut()) {
        if depth == 0 {
            act();
        } else {
            black_box(recurse as fn(usize, &mut dyn FnMut()))(depth - 1, act);
        }
        black_box(depth);
    }

    /// Whether `frame` is a call that `recurse` makes.
    fn is_recurse(frame: u64) -> bool {
        let start = recurse as fn(usize, &mut dyn FnMut()) as usize as u64;
        (start..start + 0x400).contains(&frame)
    }

    #[test]
    fn a_copied_stack_has_the_frames_that_were_called_and_the_threads_first_as_its_last() {
        let mut unwinder = Unwinder::new();
        let (mut frames, mut end) = (Vec::new(), None);
        recurse(20, &mut || {
            let (registers, stack) = captured();
            end = Some(unwinder.unwind(registers, &stack, &mut frames));
        });
        assert_eq!(end, Some(End::Root), "{frames:x?}");
        let first = frames.iter().position(|frame| is_recurse(*frame)).expect("it was running");
        let (calls, callers) = frames[first + 1..].split_at(20);
        assert!(calls.iter().all(|frame| is_recurse(*frame) && *frame == calls[0]), "{frames:x?}");
        assert_ne!(callers[0], calls[0], "{frames:x?}");
    }

    #[test]
    fn a_stack_that_is_deeper_than_what_is_kept_is_cut() {
        let mut unwinder = Unwinder::new();
        let (mut frames, mut end) = (Vec::new(), None);
        recurse(DEEPEST, &mut || {
            let (registers, stack) = captured();
            end = Some(unwinder.unwind(registers, &stack, &mut frames));
        });
        assert!(matches!(end, Some(End::TooDeep | End::Truncated)), "{end:?}");
        assert!(frames.len() <= DEEPEST && frames.len() > DEEPEST / 2, "{}", frames.len());
    }

    #[test]
    fn a_stack_of_which_little_was_copied_says_so() {
        let mut unwinder = Unwinder::new();
        let (mut frames, mut end) = (Vec::new(), None);
        recurse(20, &mut || {
            let (registers, stack) = captured();
            end = Some(unwinder.unwind(registers, &stack[..stack.len().min(600)], &mut frames));
        });
        assert_eq!(end, Some(End::Truncated));
        assert!(!frames.is_empty());
    }

    proptest! {
        #[test]
        fn no_registers_and_no_stack_make_it_panic(
            ip: u64, sp: u64, fp: u64, lr: u64, bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        ) {
            let mut frames = Vec::new();
            Unwinder::new().unwind(Registers { ip, sp, fp, lr }, &bytes, &mut frames);
        }

        #[test]
        fn no_stack_below_real_code_makes_it_panic(
            function in 0_usize..100, at in 0_u64..100_000, sp in prop_oneof![Just(0), Just(u64::MAX - 16), 0..1_u64 << 47], fp: u64,
            words in proptest::collection::vec(prop_oneof![any::<u64>(), 0_u64..64], 0..200),
        ) {
            let mut unwinder = Unwinder::new();
            let modules = Arc::clone(unwinder.modules());
            let module = modules.iter().nth(function % modules.iter().count()).unwrap();
            let ip = module.start + at % (module.end - module.start);
            // Garbage that leads into code, too.
            let stack: Vec<u8> = words.iter().flat_map(|word| if word % 3 == 0 { ip ^ word } else { *word }.to_ne_bytes()).collect();
            let mut frames = Vec::new();
            unwinder.unwind(Registers { ip, sp, fp: if fp % 2 == 0 { sp.wrapping_add(fp % 1_000) } else { fp }, lr: ip }, &stack, &mut frames);
            prop_assert!(frames.len() <= DEEPEST);
        }
    }
}
