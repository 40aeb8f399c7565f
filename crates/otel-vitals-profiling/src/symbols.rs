//! Which functions, files and lines are at an address.
//!
//! Debug information is read when a profile is written, of one object at a time, for one profile at a time, and put away again: what
//! was found is kept, within bounds, so that the next profile reads less. (In the child of a fork that came in the midst of it, each
//! profile reads for itself.)

mod batch;
mod cache;
mod debug;
mod names;

use crate::objects::{self, Object};
use batch::Batch;
use cache::Cache;
use debug::Debug;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A function, as it is called in one file.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Function {
    /// For people.
    pub(crate) name: String,
    /// For the linker.
    pub(crate) system_name: String,
    /// Empty where it is not known.
    pub(crate) file: String,
}

/// Where in a function something is.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) function: Arc<Function>,
    /// Zero where it is not known.
    pub(crate) line: u32,
}

/// What is known of one address.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The innermost inlined function first, the one that has the code last; none without symbols.
    pub(crate) lines: Vec<Line>,
    /// How far from the start of the latter the address is, where a table of symbols says.
    pub(crate) offset: Option<u64>,
}

/// Names of addresses.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    /// The program first.
    pub(crate) objects: Vec<Object>,
    places: HashMap<u64, Place>,
}

/// One address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    /// Which of the objects it is in.
    pub(crate) object: Option<usize>,
    pub(crate) names: Arc<Names>,
}

impl Symbols {
    /// The names of these addresses in what is loaded now.
    pub(crate) fn of(addresses: impl Iterator<Item = u64>) -> Self {
        Symbols::within(objects::loaded, addresses)
    }

    /// The names of these addresses in these objects, whether they are still loaded or not.
    pub(crate) fn within(
        objects: impl FnOnce() -> Vec<Object>,
        addresses: impl Iterator<Item = u64>,
    ) -> Self {
        let addresses: BTreeSet<u64> = addresses.collect();
        if addresses.is_empty() {
            return Symbols::default();
        }
        Symbols::look_up(objects(), addresses)
    }

    fn look_up(objects: Vec<Object>, addresses: BTreeSet<u64>) -> Self {
        let mut of_objects = vec![Vec::new(); objects.len()];
        let mut places = HashMap::with_capacity(addresses.len());
        for address in addresses {
            let object = objects::find(&objects, address);
            match object.and_then(|object| of_objects.get_mut(object)) {
                Some(addresses) => addresses.push(address),
                None => drop(places.insert(address, Place::default())),
            }
        }
        // Held to the end, so that the debug information of one object is in memory at any time, however many profiles are written at
        // once.
        let (mut kept, mut own) = (cache::kept(), Cache::default());
        let cache = kept.as_mut().map_or(&mut own, |kept| kept.get_or_insert_default());
        for (place, (object, addresses)) in objects.iter().zip(of_objects).enumerate() {
            let names = names(object, &addresses, cache);
            let found = addresses.into_iter().zip(names);
            places.extend(found.map(|(address, names)| (address, Place { object: Some(place), names })));
        }
        cache.keep_within_bounds();
        Symbols { objects, places }
    }

    /// What is at an address that was asked for.
    pub(crate) fn at(&self, address: u64) -> Option<&Place> {
        self.places.get(&address)
    }
}

/// The names of addresses in one object.
fn names(object: &Object, addresses: &[u64], cache: &mut Cache) -> Vec<Arc<Names>> {
    let in_file = addresses.iter().map(|address| address.wrapping_sub(object.bias));
    let unknown: Vec<u64> = in_file.clone().filter(|address| cache.get(object, *address).is_none()).collect();
    let mut found = HashMap::new();
    if !unknown.is_empty() {
        let batch = apart(|| look_up(object, &unknown));
        let names = batch.read(|function| cache.function(function));
        let names: Vec<_> = unknown.into_iter().zip(names).collect();
        found.extend(
            names.into_iter().map(|(address, names)| (address, cache.insert(object, address, names))),
        );
    }
    let mut known = |address: u64| found.get(&address).cloned().or_else(|| cache.get(object, address));
    in_file.map(|address| known(address).unwrap_or_default()).collect()
}

/// Does it on a thread of its own: what reading debug information takes for a while is then in an arena of the C library's of its own,
/// which is given back when the thread ends, where it would otherwise stay with whatever is allocated beside it.
fn apart<T: Default + Send>(work: impl Fn() -> T + Sync) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("vitals-symbols".to_owned());
        match thread.spawn_scoped(scope, &work) {
            Ok(thread) => thread.join().unwrap_or_default(),
            Err(_) => work(),
        }
    })
}

/// The names of the first of these addresses, of as many as can be looked up.
fn look_up(object: &Object, addresses: &[u64]) -> Batch {
    let mut batch = Batch::new();
    // What others wrote reads what others wrote: strange debug information must not cost the profile.
    let Some(debug) = otel_vitals_core::caught(|| Debug::open(object)).flatten() else {
        return batch;
    };
    for address in addresses {
        let Some(names) = otel_vitals_core::caught(|| debug.names(*address, Arc::new)) else {
            break;
        };
        batch.push(&names);
    }
    batch
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// The address of a function of its own, which no other test has asked for.
    fn address(of: fn()) -> u64 {
        of as usize as u64
    }

    fn within(objects: Vec<Object>, address: u64) -> Symbols {
        Symbols::within(|| objects, [address].into_iter())
    }

    fn name(symbols: &Symbols, address: u64) -> Option<&str> {
        let place = symbols.at(address).expect("it was asked for");
        Some(place.names.lines.last()?.function.name.as_str())
    }

    #[test]
    fn what_was_found_once_is_known_without_the_file() {
        let here = address(what_was_found_once_is_known_without_the_file);
        let objects = objects::loaded();
        let expected = "otel_vitals_profiling::symbols::tests::what_was_found_once_is_known_without_the_file";
        assert_eq!(name(&within(objects.clone(), here), here), Some(expected));
        // Loaded elsewhere, as a library that is unloaded and comes again may be.
        const ELSEWHERE: u64 = 0x1000;
        let gone = objects.into_iter().map(|object| Object {
            path: "/nowhere".into(),
            program: false,
            start: object.start + ELSEWHERE,
            end: object.end + ELSEWHERE,
            bias: object.bias + ELSEWHERE,
            ..object
        });
        let symbols = within(gone.collect(), here + ELSEWHERE);
        assert_eq!(name(&symbols, here + ELSEWHERE), Some(expected));
    }

    #[test]
    fn an_object_of_another_build_gives_no_names_and_keeps_its_addresses() {
        let here = address(an_object_of_another_build_gives_no_names_and_keeps_its_addresses);
        for build_id in [Some(Arc::from(*b"another build")), None] {
            let other = |object| Object { build_id: build_id.clone(), program: false, ..object };
            let symbols = within(objects::loaded().into_iter().map(other).collect(), here);
            assert_eq!(name(&symbols, here), None);
            assert_eq!(symbols.at(here).and_then(|place| place.object), Some(0));
        }
    }

    #[test]
    fn where_one_object_was_after_another_there_are_no_names() {
        let here = address(where_one_object_was_after_another_there_are_no_names);
        let mut objects = objects::loaded();
        let program = objects[0].clone();
        objects::merge(&mut objects, [program.clone()]);
        let name_of =
            "otel_vitals_profiling::symbols::tests::where_one_object_was_after_another_there_are_no_names";
        assert_eq!(name(&within(objects.clone(), here), here), Some(name_of), "the same twice is one");
        // It lay behind the program's start, where `here` is.
        let gone = Object { path: "/gone".into(), start: program.start + 1, program: false, ..program };
        objects::merge(&mut objects, [gone]);
        let symbols = within(objects, here);
        assert_eq!((name(&symbols, here), symbols.at(here).and_then(|place| place.object)), (None, None));
    }

    #[test]
    fn an_address_in_no_object_has_neither_names_nor_an_object() {
        let symbols = Symbols::of([0x10, u64::MAX].into_iter());
        for address in [0x10, u64::MAX] {
            assert_eq!(
                (name(&symbols, address), symbols.at(address).and_then(|place| place.object)),
                (None, None)
            );
        }
        assert!(symbols.at(0x11).is_none());
    }

    #[test]
    fn libraries_have_names_too() {
        // Of a library that is linked dynamically at its address in there, and of one that is linked statically at its own.
        let symbol = libc::getpid as *const () as u64;
        let symbols = Symbols::of([symbol].into_iter());
        let found = name(&symbols, symbol).expect("it has a name");
        assert!(found.contains("getpid"), "{found}");
    }
}
