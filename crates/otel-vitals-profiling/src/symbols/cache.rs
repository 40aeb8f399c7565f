//! Names that were found, for the next profile.

use super::{Function, Line, Names};
use crate::lock::Lock;
use crate::objects::Object;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};

/// How many addresses are kept, beyond those of the last profile.
const ADDRESSES: usize = 1 << 15;
/// How many bytes they take, about.
const BYTES: usize = 4 << 20;
/// What is of the last profile may be so many times as much.
const OF_ONE: usize = 4;

/// The cache of this process, for one at a time. None in a child that was forked while the parent used it: nobody there will ever give
/// it back.
pub(super) fn kept() -> Option<MutexGuard<'static, Option<Cache>>> {
    static CACHE: Lock<Option<Cache>> = Lock::new(None);
    CACHE.lock()
}

/// Names by the build of their object and the address in its file: an object that is loaded elsewhere, or again, is the same, and
/// another at its place is not.
#[derive(Debug, Default)]
pub(super) struct Cache {
    objects: HashMap<Arc<[u8]>, HashMap<u64, Known>>,
    functions: HashSet<Arc<Function>>,
    addresses: usize,
    bytes: usize,
    /// How many profiles were written.
    profiles: u64,
}

#[derive(Debug)]
struct Known {
    names: Arc<Names>,
    /// The last profile that it was in.
    profile: u64,
}

impl Cache {
    pub(super) fn get(&mut self, object: &Object, address: u64) -> Option<Arc<Names>> {
        let known = self.objects.get_mut(&*key(object)?)?.get_mut(&address)?;
        known.profile = self.profiles;
        Some(Arc::clone(&known.names))
    }

    pub(super) fn insert(&mut self, object: &Object, address: u64, names: Names) -> Arc<Names> {
        let names = Arc::new(names);
        if let Some(key) = key(object) {
            self.addresses += 1;
            self.bytes += size_of_names(&names);
            let known = Known { names: Arc::clone(&names), profile: self.profiles };
            self.objects.entry(key).or_default().insert(address, known);
        }
        names
    }

    /// The one copy of this function.
    pub(super) fn function(&mut self, function: Function) -> Arc<Function> {
        if let Some(known) = self.functions.get(&function) {
            return Arc::clone(known);
        }
        self.bytes += size_of_function(&function);
        let function = Arc::new(function);
        self.functions.insert(Arc::clone(&function));
        function
    }

    /// Forgets what the profile that was just written has not used when it has become too much, and everything when that alone is far
    /// too much. To be called between profiles, within which everything is needed anyway.
    pub(super) fn keep_within_bounds(&mut self) {
        if self.is_beyond(1) {
            self.forget_what_is_old();
        }
        if self.is_beyond(OF_ONE) {
            *self = Cache { profiles: self.profiles, ..Cache::default() };
        }
        self.profiles += 1;
    }

    fn is_beyond(&self, times: usize) -> bool {
        self.addresses > ADDRESSES * times || self.bytes > BYTES * times
    }

    fn forget_what_is_old(&mut self) {
        for names in self.objects.values_mut() {
            names.retain(|_, known| known.profile == self.profiles);
            names.shrink_to_fit();
        }
        self.objects.retain(|_, names| !names.is_empty());
        // Those that nothing refers to any more.
        self.functions.retain(|function| Arc::strong_count(function) > 1);
        self.functions.shrink_to_fit();
        self.addresses = self.objects.values().map(HashMap::len).sum();
        let names = self.objects.values().flat_map(HashMap::values);
        self.bytes = names.map(|known| size_of_names(&known.names)).sum::<usize>()
            + self.functions.iter().map(|function| size_of_function(function)).sum::<usize>();
    }
}

/// Bytes that they take, about.
fn size_of_names(names: &Names) -> usize {
    size_of::<(u64, Known, Names)>() + names.lines.len() * size_of::<Line>()
}

/// Bytes that it takes, about.
fn size_of_function(function: &Function) -> usize {
    let texts = [&function.name, &function.system_name, &function.file];
    size_of::<Function>() + texts.map(String::len).iter().sum::<usize>()
}

/// What tells builds apart. The program is always the same one; what else has no build id is not kept.
fn key(object: &Object) -> Option<Arc<[u8]>> {
    match &object.build_id {
        Some(id) => Some(Arc::clone(id)),
        None => object.program.then(|| Arc::from([])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(build_id: Option<&[u8]>, program: bool) -> Object {
        let build_id = build_id.map(Arc::from);
        Object { path: "/x".into(), start: 0, end: 0, offset: 0, bias: 0, build_id, program }
    }

    fn names(cache: &mut Cache, name: &str) -> Names {
        let function = Function { name: name.to_owned(), system_name: name.to_owned(), file: String::new() };
        Names { lines: vec![Line { function: cache.function(function), line: 1 }], offset: None }
    }

    #[test]
    fn objects_are_told_apart_by_their_build() {
        let mut cache = Cache::default();
        let (one, other) = (object(Some(b"one"), false), object(Some(b"other"), false));
        let found = names(&mut cache, "f");
        cache.insert(&one, 7, found);
        assert!(cache.get(&one, 7).is_some());
        assert!(cache.get(&one, 8).is_none());
        assert!(cache.get(&other, 7).is_none());
    }

    #[test]
    fn of_what_has_no_build_id_only_the_program_is_kept() {
        let mut cache = Cache::default();
        for program in [true, false] {
            let object = object(None, program);
            let found = names(&mut cache, "f");
            cache.insert(&object, 7, found);
            assert_eq!(cache.get(&object, 7).is_some(), program);
        }
    }

    #[test]
    fn a_function_is_there_once_however_many_addresses_it_has() {
        let mut cache = Cache::default();
        let [one, other] = [(), ()].map(|()| names(&mut cache, "f"));
        assert!(one.lines.iter().zip(&other.lines).all(|(a, b)| Arc::ptr_eq(&a.function, &b.function)));
        assert_eq!(cache.functions.len(), 1);
    }

    #[test]
    fn what_the_last_profile_has_used_outlives_what_it_has_not() {
        let mut cache = Cache::default();
        let one = object(Some(b"one"), false);
        for address in 0..=ADDRESSES as u64 {
            let found = names(&mut cache, if address == 0 { "g" } else { "f" });
            cache.insert(&one, address, found);
        }
        // All of it is of this profile.
        cache.keep_within_bounds();
        assert_eq!(cache.addresses, ADDRESSES + 1);
        assert!(cache.get(&one, 1).is_some() && cache.get(&one, 7).is_some());
        cache.keep_within_bounds();
        assert!(cache.get(&one, 0).is_none() && cache.get(&one, 8).is_none());
        assert!(cache.get(&one, 1).is_some() && cache.get(&one, 7).is_some());
        assert_eq!((cache.addresses, cache.functions.len()), (2, 1));
        assert!(cache.bytes < 1000, "{}", cache.bytes);
    }

    #[test]
    fn far_too_much_is_forgotten_whoever_has_used_it() {
        let mut cache = Cache::default();
        let one = object(Some(b"one"), false);
        let found = names(&mut cache, &"f".repeat(BYTES));
        cache.insert(&one, 1, found);
        cache.keep_within_bounds();
        assert!(cache.get(&one, 1).is_some());
        let found = names(&mut cache, &"g".repeat(BYTES * OF_ONE));
        cache.insert(&one, 2, found);
        cache.keep_within_bounds();
        assert!(cache.get(&one, 1).is_none() && cache.get(&one, 2).is_none());
        assert_eq!((cache.bytes, cache.addresses), (0, 0));
    }
}
