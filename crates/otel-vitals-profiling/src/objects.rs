//! The objects whose names are looked up.

use std::path::PathBuf;
use std::sync::Arc;

/// An object of this process: the program, a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) path: PathBuf,
    /// Where its code begins in memory.
    pub(crate) start: u64,
    /// Where its code ends.
    pub(crate) end: u64,
    /// Where in the file that begins.
    pub(crate) offset: u64,
    /// What an address in memory has more than the one that the file says.
    pub(crate) bias: u64,
    pub(crate) build_id: Option<Arc<[u8]>>,
    /// Whether it is the program itself, whose file the kernel keeps whatever is at its path by now.
    pub(crate) program: bool,
}

impl Object {
    pub(crate) fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

/// What is loaded now, the program first.
#[cfg(target_os = "linux")]
pub(crate) fn loaded() -> Vec<Object> {
    of(&crate::modules::Modules::now())
}

/// The same of what was loaded at another time.
#[cfg(target_os = "linux")]
pub(crate) fn of(modules: &crate::modules::Modules) -> Vec<Object> {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

    // What the kernel adds to the path of a file that is gone.
    const GONE: &[u8] = b" (deleted)";
    let program = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    let mut objects: Vec<_> = modules
        .iter()
        .map(|module| {
            let path = module.path.as_os_str().as_bytes();
            let path = path.strip_suffix(GONE).unwrap_or(path);
            Object {
                path: std::ffi::OsString::from_vec(path.to_vec()).into(),
                start: module.start,
                end: module.end,
                offset: module.offset,
                bias: module.bias,
                build_id: module.build_id.clone(),
                program: module.path == program,
            }
        })
        .collect();
    objects.sort_by_key(|object| !object.program);
    objects
}

/// Adds what is not among `objects` yet.
pub(crate) fn merge(objects: &mut Vec<Object>, others: impl IntoIterator<Item = Object>) {
    for object in others {
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
}

/// Which of `objects` an address is in. None where several were, one after another: each would give it a name.
pub(crate) fn find(objects: &[Object], address: u64) -> Option<usize> {
    let mut all = objects.iter().enumerate().filter(|(_, object)| object.contains(address));
    let (place, _) = all.next()?;
    all.next().is_none().then_some(place)
}

/// What is loaded cannot be told here: addresses stay without names.
#[cfg(not(target_os = "linux"))]
pub(crate) fn loaded() -> Vec<Object> {
    Vec::new()
}
