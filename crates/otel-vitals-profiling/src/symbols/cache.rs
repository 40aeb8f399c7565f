//! Names that were found, for the next profile.

use super::{Function, Line, Names};
use crate::objects::Object;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many addresses are kept.
const ADDRESSES: usize = 1 << 15;
/// How many bytes they take at most, about.
const BYTES: usize = 4 << 20;

/// Names by the build of their object and the address in its file: an object that is loaded elsewhere, or again, is the same, and
/// another at its place is not.
#[derive(Debug, Default)]
pub(super) struct Cache {
    objects: HashMap<Arc<[u8]>, HashMap<u64, Arc<Names>>>,
    functions: HashSet<Arc<Function>>,
    addresses: usize,
    bytes: usize,
}

impl Cache {
    pub(super) fn get(&self, object: &Object, address: u64) -> Option<Arc<Names>> {
        self.objects.get(&*key(object)?)?.get(&address).cloned()
    }

    pub(super) fn insert(&mut self, object: &Object, address: u64, names: Names) -> Arc<Names> {
        let names = Arc::new(names);
        if let Some(key) = key(object) {
            self.addresses += 1;
            self.bytes += size_of::<(u64, Arc<Names>, Names)>() + names.lines.len() * size_of::<Line>();
            self.objects.entry(key).or_default().insert(address, Arc::clone(&names));
        }
        names
    }

    /// The one copy of this function.
    pub(super) fn function(&mut self, function: Function) -> Arc<Function> {
        if let Some(known) = self.functions.get(&function) {
            return Arc::clone(known);
        }
        let texts = [&function.name, &function.system_name, &function.file];
        self.bytes += size_of::<Function>() + texts.map(String::len).iter().sum::<usize>();
        let function = Arc::new(function);
        self.functions.insert(Arc::clone(&function));
        function
    }

    /// Forgets everything when it has become too much. To be called between profiles, within which everything is needed anyway.
    pub(super) fn keep_within_bounds(&mut self) {
        if self.addresses > ADDRESSES || self.bytes > BYTES {
            *self = Cache::default();
        }
    }
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
    fn too_much_is_forgotten() {
        let mut cache = Cache::default();
        let one = object(Some(b"one"), false);
        for address in 0..=ADDRESSES as u64 {
            let found = names(&mut cache, "f");
            cache.insert(&one, address, found);
        }
        cache.keep_within_bounds();
        assert!(cache.get(&one, 1).is_none());
        let found = names(&mut cache, &"f".repeat(BYTES));
        cache.insert(&one, 1, found);
        assert!(cache.get(&one, 1).is_some());
        cache.keep_within_bounds();
        assert!(cache.get(&one, 1).is_none());
        assert_eq!((cache.bytes, cache.addresses), (0, 0));
    }
}
