//! Which functions, files and lines are at an address.
//!
//! Debug information is read when a profile is written, of one object at a time, for one profile at a time, and put away again: what
//! was found is kept, within bounds, so that the next profile reads less.

mod cache;
mod debug;
mod names;

use crate::objects::{self, Object};
use cache::Cache;
use debug::Debug;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

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
        let addresses: BTreeSet<u64> = addresses.collect();
        if addresses.is_empty() {
            return Symbols::default();
        }
        Symbols::within(objects::loaded(), addresses)
    }

    fn within(objects: Vec<Object>, addresses: BTreeSet<u64>) -> Self {
        let mut of_objects = vec![Vec::new(); objects.len()];
        let mut places = HashMap::with_capacity(addresses.len());
        for address in addresses {
            let object = objects.iter().position(|object| object.contains(address));
            match object.and_then(|object| of_objects.get_mut(object)) {
                Some(addresses) => addresses.push(address),
                None => drop(places.insert(address, Place::default())),
            }
        }
        // Held to the end, so that the debug information of one object is in memory at any time, however many profiles are written.
        static CACHE: Mutex<Option<Cache>> = Mutex::new(None);
        let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = cache.get_or_insert_default();
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
    let mut debug = Opened::NotYet;
    let mut find = |address: &u64| {
        let address = address.wrapping_sub(object.bias);
        if let Some(known) = cache.get(object, address) {
            return known;
        }
        let names = debug.of(object).and_then(|debug| {
            // What others wrote reads what others wrote: strange debug information must not cost the profile.
            otel_vitals_core::caught(|| debug.names(address, |function| cache.function(function)))
        });
        match names {
            Some(names) => cache.insert(object, address, names),
            None => {
                debug = Opened::Unreadable;
                Arc::default()
            }
        }
    };
    addresses.iter().map(&mut find).collect()
}

/// Debug information that is opened when something is not known yet.
enum Opened {
    NotYet,
    Readable(Box<Debug>),
    Unreadable,
}

impl Opened {
    fn of(&mut self, object: &Object) -> Option<&Debug> {
        if let Opened::NotYet = self {
            let opened = otel_vitals_core::caught(|| Debug::open(object)).flatten();
            *self = opened.map_or(Opened::Unreadable, |debug| Opened::Readable(Box::new(debug)));
        }
        match self {
            Opened::Readable(debug) => Some(debug),
            _ => None,
        }
    }
}
