//! The objects of which this process is made: where each lies, which file and build it is, and how to unwind its functions.

mod elf;
mod sys;

use std::ffi::OsString;
use std::ops::{Deref, Range};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::lock::Lock;

/// The name of the object that the kernel maps into every process.
pub(crate) const VDSO: &str = "[vdso]";

/// One object: the program, a library, the vDSO.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    /// The file, of the program as the kernel has it mapped; of the vDSO, [`VDSO`].
    pub(crate) path: PathBuf,
    /// Where its code begins, rounded down to a page.
    pub(crate) start: u64,
    /// Where its code ends, rounded up to a page.
    pub(crate) end: u64,
    /// Where in the file that begins.
    pub(crate) offset: u64,
    /// What is added to an address of the file, as it was linked, to get the one in memory.
    pub(crate) bias: u64,
    /// The note `NT_GNU_BUILD_ID`.
    pub(crate) build_id: Option<Arc<[u8]>>,
    pub(crate) tables: Option<Tables>,
}

impl Module {
    /// Whether `other` is the same file at the same place, as far as can be told: what was known of the one is true of the other.
    fn is(&self, other: &Module) -> bool {
        (self.start, self.end, self.bias) == (other.start, other.end, other.bias)
            && self.path == other.path
            && self.build_id == other.build_id
    }
}

/// How to unwind the functions of an object.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    /// The index of `.eh_frame`.
    pub(crate) eh_frame_hdr: Section,
    pub(crate) eh_frame: Section,
}

/// Bytes of an object, and where it says that they are.
#[derive(Clone, Debug)]
pub(crate) struct Section {
    pub(crate) addresses: Range<u64>,
    pub(crate) bytes: Bytes,
}

#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    /// Of an object that is never unmapped, in place.
    Mapped(&'static [u8]),
    /// Of one that `dlclose` may unmap at any time.
    Copied(Arc<[u8]>),
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::Mapped(&[])
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Mapped(bytes) => bytes,
            Bytes::Copied(bytes) => bytes,
        }
    }
}

/// The objects of this process at a time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Modules {
    /// In the order of their addresses.
    all: Vec<Module>,
}

impl Modules {
    /// The objects as they are now. They are read anew when some were loaded or unloaded since the last time.
    ///
    /// It takes a lock of the dynamic linker's and allocates: not for signal handlers, nor within an allocator.
    pub(crate) fn now() -> Arc<Modules> {
        static KNOWN: Lock<Option<(sys::Generation, Arc<Modules>)>> = Lock::new(None);
        let Some(mut known) = KNOWN.lock() else { return Arc::new(Modules::read(&Modules::default())) };
        let generation = sys::generation();
        if let (Some(now), Some((then, modules))) = (generation, known.as_ref())
            && now == *then
        {
            return Arc::clone(modules);
        }
        let before = known.as_ref().map(|(_, modules)| Arc::clone(modules)).unwrap_or_default();
        let modules = Arc::new(Modules::read(&before));
        // What was loaded between the two is read again next time, since the generation is the older one.
        *known = Some((generation.unwrap_or_default(), Arc::clone(&modules)));
        modules
    }

    fn read(before: &Modules) -> Modules {
        let mut all = sys::read(program, |found| before.all.iter().find(|module| module.is(found)).cloned());
        all.sort_by_key(|module| module.start);
        Modules { all }
    }

    /// The object whose code is at `address`.
    pub(crate) fn find(&self, address: u64) -> Option<&Module> {
        let after = self.all.partition_point(|module| module.start <= address);
        self.all.get(after.checked_sub(1)?).filter(|module| address < module.end)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Module> {
        self.all.iter()
    }

    /// Bytes that copies of tables take.
    #[cfg(test)]
    fn copied(&self) -> usize {
        let size = |section: &Section| match &section.bytes {
            Bytes::Mapped(_) => 0,
            Bytes::Copied(bytes) => bytes.len(),
        };
        self.all
            .iter()
            .filter_map(|module| module.tables.as_ref())
            .map(|tables| size(&tables.eh_frame_hdr) + size(&tables.eh_frame))
            .sum()
    }
}

/// The file of the program, whose code begins at `start`.
fn program(start: u64) -> PathBuf {
    // Where the dynamic linker was called with the program as its argument, `exe` is the linker.
    std::fs::read("/proc/self/maps")
        .ok()
        .and_then(|maps| mapped_at(&maps, start))
        .unwrap_or_else(|| std::fs::read_link("/proc/self/exe").unwrap_or_default())
}

/// The file that is mapped at `address`. The kernel writes a line break in its name as `\012`.
fn mapped_at(maps: &[u8], address: u64) -> Option<PathBuf> {
    let line = maps
        .split(|byte| *byte == b'\n')
        .find(|line| range(line).is_some_and(|range| range.contains(&address)))?;
    let path = line.get(line.iter().position(|byte| *byte == b'/')?..)?;
    let mut name = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        let (byte, after) = rest.strip_prefix(b"\\012").map_or((*byte, after), |after| (b'\n', after));
        name.push(byte);
        rest = after;
    }
    Some(OsString::from_vec(name).into())
}

fn range(line: &[u8]) -> Option<Range<u64>> {
    let addresses = str::from_utf8(line.split(|byte| *byte == b' ').next()?).ok()?;
    let (start, end) = addresses.split_once('-')?;
    Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_program_is_where_its_functions_are() {
        let modules = Modules::now();
        let here = the_program_is_where_its_functions_are as fn() as usize as u64;
        let module = modules.find(here).expect("this function is in an object");
        assert_eq!(module.path, std::env::current_exe().expect("a program has a path"));
        assert!(module.tables.is_some());
        assert!(matches!(
            module.tables.as_ref().map(|tables| &tables.eh_frame.bytes),
            Some(Bytes::Mapped(_))
        ));
        assert!(modules.copied() < 2 << 20, "{} bytes are copied", modules.copied());
    }

    #[test]
    fn the_program_has_the_name_that_it_is_mapped_with() {
        let maps = b"1000-2000 r--p 00000000 fe:00 1 /lib/ld.so\n2000-3000 r-xp 00001000 fe:00 2                 /a b\\012c\xff\n3000-4000 r-xp 0 0:0 0 \n";
        let path = |address| mapped_at(maps, address).map(|path| path.into_os_string().into_vec());
        assert_eq!(path(0x1fff), Some(b"/lib/ld.so".to_vec()));
        assert_eq!(path(0x2000), Some(b"/a b\nc\xff".to_vec()));
        assert_eq!((path(0x3000), path(0x4000)), (None, None));
    }

    #[test]
    fn mappings_are_those_that_the_kernel_tells() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("a process has mappings");
        let modules = Modules::now();
        for module in modules.iter().filter(|module| module.path != Path::new(VDSO)) {
            let line = maps
                .lines()
                .find(|line| line.starts_with(&format!("{:x}-", module.start)))
                .unwrap_or_else(|| panic!("no mapping at {:x} for {}", module.start, module.path.display()));
            assert_eq!(line, line.trim_end());
            assert!(line.contains("-xp ") || line.contains(" r-xp "), "{line}");
            assert!(line.contains(&format!(" {:08x} ", module.offset)), "{line}: {:x}", module.offset);
            let path = std::fs::canonicalize(&module.path).expect("the object has a file");
            assert!(line.ends_with(path.to_str().expect("a path in UTF-8")), "{line}");
        }
        assert!(modules.iter().any(|module| module.path == Path::new(VDSO)), "{modules:?}");
    }

    #[test]
    fn build_ids_are_those_of_the_files() {
        use object::Object as _;
        let modules = Modules::now();
        let mut with_id = 0;
        for module in modules.iter().filter(|module| module.path != Path::new(VDSO)) {
            let file = std::fs::read(&module.path).expect("the object has a file");
            let file = object::File::parse(&*file).expect("it is an object");
            assert_eq!(
                module.build_id.as_deref(),
                file.build_id().expect("it has notes"),
                "{}",
                module.path.display()
            );
            with_id += usize::from(module.build_id.is_some());
        }
        assert!(with_id > 0, "no object has a build id: this tests nothing");
    }

    #[test]
    fn nothing_is_read_anew_while_nothing_is_loaded() {
        assert!(Arc::ptr_eq(&Modules::now(), &Modules::now()));
    }

    #[test]
    fn an_address_between_objects_is_in_none() {
        let modules = Modules::now();
        assert!(modules.find(0).is_none());
        assert!(modules.find(u64::MAX).is_none());
        for module in modules.iter() {
            assert_eq!(modules.find(module.start).map(|found| found.start), Some(module.start));
            assert_eq!(modules.find(module.end - 1).map(|found| found.start), Some(module.start));
            assert_ne!(modules.find(module.end).map(|found| found.start), Some(module.start));
        }
    }
}
