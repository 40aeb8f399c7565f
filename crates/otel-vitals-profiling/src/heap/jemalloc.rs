//! The profile that jemalloc keeps itself.

mod dump;
mod sys;

use std::fs::File;
use std::io::{self, Read as _};

use crate::objects;
use crate::profile::{Frame, Sample, ValueType};
use crate::{Error, Profile};
use dump::{Counts, Dump};

pub(super) fn profile() -> Result<Profile, Error> {
    if !sys::is_built_with_profiles() {
        return Err(unavailable(
            "this jemalloc is built without profiling; tikv-jemallocator builds it with its feature `profiling`",
        ));
    }
    if !sys::is_profiling() {
        return Err(unavailable(
            "jemalloc was started without profiling; it takes `prof:true` in `MALLOC_CONF` (`_RJEM_MALLOC_CONF` where its \
             functions have that prefix) or in the program's symbol `malloc_conf`",
        ));
    }
    let text = dumped().map_err(|source| Error::System { what: "jemalloc's heap profile", source })?;
    let dump = dump::parse(&text).ok_or_else(|| Error::System {
        what: "jemalloc's heap profile",
        source: io::Error::new(io::ErrorKind::InvalidData, "it is not in the format heap_v2"),
    })?;
    let is_active = sys::is_active();
    if !is_active && dump.stacks.is_empty() {
        return Err(unavailable(
            "jemalloc samples nothing: it was started with `prof_active:false`, and `prof.active` was not set since",
        ));
    }
    let mut profile = of(&dump, sys::accumulates());
    if !is_active {
        profile.comment("jemalloc samples nothing now (`prof.active` is false): what was allocated since that was set is not here");
    }
    Ok(profile)
}

/// What jemalloc writes, to a file that is in memory and has no name.
fn dumped() -> io::Result<String> {
    let mut file: File = sys::memory_file()?;
    sys::dump_to(&file)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    // Behind the stacks are names of files, which may be anything.
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn of(dump: &Dump, accumulates: bool) -> Profile {
    let of = |kind, unit| ValueType { kind, unit };
    let mut types = vec![of("inuse_objects", "count"), of("inuse_space", "bytes")];
    if accumulates {
        types.splice(0..0, [of("alloc_objects", "count"), of("alloc_space", "bytes")]);
    }
    let mut profile = Profile::empty(types);
    profile.of_allocator = true;
    profile.objects = Some(objects::loaded());
    profile.period = Some((of("space", "bytes"), otel_vitals_core::signed(dump.rate)));
    profile.comment("as jemalloc's own profiler has it: also what other code than Rust has got from jemalloc, in size classes");
    if !accumulates {
        profile.comment("what was ever allocated is not here: jemalloc keeps that with `prof_accum:true`");
    }
    profile.samples = dump
        .stacks
        .iter()
        .map(|(stack, held, ever)| {
            let (held, ever) = (held.unbiased(dump.rate), ever.unbiased(dump.rate));
            let values =
                if accumulates { vec![ever.0, ever.1, held.0, held.1] } else { vec![held.0, held.1] };
            // What is dumped are addresses that calls return to.
            let stack = stack.iter().map(|back| Frame::Code(back.saturating_sub(1))).collect();
            Sample { stack, values, labels: Vec::new() }
        })
        .collect();
    profile
}

impl Counts {
    /// Objects and bytes that these samples stand for, as jeprof has it: each for as many as it takes for one sample of their mean
    /// size.
    fn unbiased(self, rate: u64) -> (i64, i64) {
        let (objects, bytes) = (self.objects as f64, self.bytes as f64);
        if self.objects == 0 || self.bytes == 0 || rate == 0 {
            return (otel_vitals_core::signed(self.objects), otel_vitals_core::signed(self.bytes));
        }
        let sampled = -(-(bytes / objects) / rate as f64).exp_m1();
        ((objects / sampled).round() as i64, (bytes / sampled).round() as i64)
    }
}

fn unavailable(why: &'static str) -> Error {
    Error::Unavailable { what: "heap profile of jemalloc", why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_stand_for_more_the_smaller_they_are() {
        let counts = |objects, bytes| Counts { objects, bytes };
        assert_eq!(counts(0, 0).unbiased(1 << 19), (0, 0));
        assert_eq!(counts(2, 2 << 30).unbiased(1 << 19), (2, 2 << 30));
        // One over 1 − exp(−1).
        let (objects, bytes) = counts(1_000, 1_000 << 19).unbiased(1 << 19);
        assert_eq!((objects, bytes >> 19), (1_582, 1_581));
        assert_eq!(counts(1, 8).unbiased(1 << 19), (65_537, 524_292));
    }

    #[test]
    fn a_dump_becomes_a_profile_of_look_up_addresses() {
        let dump = Dump {
            rate: 1,
            stacks: vec![(
                vec![0x10, 0x20],
                Counts { objects: 1, bytes: 100 },
                Counts { objects: 3, bytes: 300 },
            )],
        };
        let profile = of(&dump, true);
        assert_eq!(profile.samples[0].values, [3, 300, 1, 100]);
        assert_eq!(*profile.samples[0].stack, [Frame::Code(0xf), Frame::Code(0x1f)]);
        assert_eq!((profile.default_type, profile.total("alloc_space")), ("inuse_space", Some(300)));
        let held_alone = of(&dump, false);
        assert_eq!((held_alone.total("alloc_space"), held_alone.total("inuse_space")), (None, Some(100)));
    }
}
