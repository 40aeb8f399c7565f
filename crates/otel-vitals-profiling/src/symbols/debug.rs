//! The debug information of one object: of its own file, or of the one that was separated from it.

use super::names::{demangled, is_bare};
use super::{Function, Line, Names};
use crate::objects::Object;
use addr2line::Loader;
use object::{Object as _, ReadCache};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where debug information that is separate from its object is installed.
const SEPARATE: &str = "/usr/lib/debug";

/// The program, as long as it runs.
const PROGRAM: &str = "/proc/self/exe";

pub(super) struct Debug {
    /// What has lines and inlined functions, where there is such a file, and otherwise the object itself.
    lines: Loader,
    /// The object itself, where that is another: its table of symbols.
    symbols: Option<Loader>,
}

/// What a file says about itself.
struct Header {
    build_id: Option<Vec<u8>>,
    has_lines: bool,
    /// The name of the file into which the debug information was moved.
    debug_link: Option<PathBuf>,
    /// The file of what several debug files have in common.
    common: Option<PathBuf>,
}

impl Debug {
    /// None where no file is this object any more, or it cannot be read.
    pub(super) fn open(object: &Object) -> Option<Self> {
        let (path, header) = file_of(object)?;
        if !header.has_lines
            && let Some((path_of_lines, header)) = separate(object, &header)
            && let Some(lines) = load(&path_of_lines, &header)
        {
            return Some(Debug { lines, symbols: Loader::new(&path).ok() });
        }
        Some(Debug { lines: load(&path, &header)?, symbols: None })
    }

    /// What is at an address, as the file numbers them.
    pub(super) fn names(&self, address: u64, mut one: impl FnMut(Function) -> Arc<Function>) -> Names {
        let symbol = self.lines.find_symbol_info(address);
        let symbol = symbol.or_else(|| self.symbols.as_ref()?.find_symbol_info(address));
        let mut found = self.frames(address);
        // The outermost has the code, and with it the symbol.
        match (found.last_mut(), &symbol) {
            (None, Some(symbol)) => {
                found.push(Found { name: symbol.name().to_owned(), ..Found::default() });
            }
            (Some(outermost), Some(symbol)) if outermost.is_bare => {
                outermost.name = symbol.name().to_owned();
            }
            _ => {}
        }
        found.retain(|found| !found.name.is_empty());
        let lines = found.into_iter().map(|found| {
            let name = demangled(&found.name, found.language);
            let function = one(Function { name, system_name: found.name, file: found.file });
            Line { function, line: found.line }
        });
        Names { lines: lines.collect(), offset: symbol.map(|symbol| address.wrapping_sub(symbol.address())) }
    }

    /// The functions at an address, the innermost inlined first.
    fn frames(&self, address: u64) -> Vec<Found> {
        let mut all = Vec::new();
        // What cannot be read further is left out.
        let Ok(mut frames) = self.lines.find_frames(address) else {
            return all;
        };
        while let Ok(Some(frame)) = frames.next() {
            let mut found = Found { is_bare: true, ..Found::default() };
            if let Some(function) = &frame.function
                && let Ok(name) = function.raw_name()
            {
                found.is_bare = is_bare(&name, function.language);
                found.language = function.language;
                found.name = name.into_owned();
            }
            if let Some(location) = frame.location {
                found.file = location.file.unwrap_or_default().to_owned();
                found.line = location.line.unwrap_or_default();
            }
            all.push(found);
        }
        all
    }
}

/// A function as debug information has it.
#[derive(Default)]
struct Found {
    name: String,
    language: Option<addr2line::gimli::DwLang>,
    /// Whether a symbol knows better.
    is_bare: bool,
    file: String,
    line: u32,
}

/// The file that is loaded as this object. That of the program the kernel keeps, whatever is at its path by now; of a library it is the
/// one at its path, if it has the same build id.
fn file_of(object: &Object) -> Option<(PathBuf, Header)> {
    if object.program {
        let kept = Path::new(PROGRAM);
        // Beside its path there may be more.
        let path = if is_same(&object.path, kept) { &object.path } else { kept };
        let header = Header::read(path)?;
        // Where the dynamic linker was told to start the program, the kernel's file is the linker.
        let other = header.build_id.is_some()
            && object.build_id.is_some()
            && header.build_id.as_deref() != object.build_id.as_deref();
        if !other {
            return Some((path.to_owned(), header));
        }
    }
    let header = Header::read(&object.path)?;
    let same = header.build_id.is_some() && header.build_id.as_deref() == object.build_id.as_deref();
    same.then(|| (object.path.clone(), header))
}

#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let file = |path| std::fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((file(one), file(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
fn is_same(_one: &Path, _other: &Path) -> bool {
    false
}

/// The file with the debug information of an object that has none, if there is one of the same build.
fn separate(object: &Object, header: &Header) -> Option<(PathBuf, Header)> {
    let build_id = header.build_id.as_deref()?;
    let (first, rest) = build_id.split_first()?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let by_build_id = format!("{SEPARATE}/.build-id/{first:02x}/{}.debug", hex(rest));
    let mut candidates = vec![PathBuf::from(by_build_id)];
    if let (Some(link), Some(folder)) = (&header.debug_link, object.path.parent()) {
        let elsewhere = Path::new(SEPARATE).join(folder.strip_prefix("/").unwrap_or(folder));
        candidates.extend([folder, &folder.join(".debug"), &elsewhere].map(|folder| folder.join(link)));
    }
    candidates.into_iter().find_map(|path| {
        let found = Header::read(&path)?;
        let same = found.build_id.as_deref() == Some(build_id);
        (same && found.has_lines).then_some((path, found))
    })
}

fn load(path: &Path, header: &Header) -> Option<Loader> {
    let common = header.common.as_ref().map(|common| match path.parent() {
        Some(folder) => folder.join(common),
        None => common.clone(),
    });
    let with_common = common.and_then(|common| Loader::new_with_sup(path, Some(common)).ok());
    with_common.or_else(|| Loader::new(path).ok())
}

impl Header {
    fn read(path: &Path) -> Option<Self> {
        // Neither a pipe nor a device is an object, and to open one may wait for ever.
        if !std::fs::metadata(path).ok()?.is_file() {
            return None;
        }
        let cache = ReadCache::new(File::open(path).ok()?);
        let file = object::File::parse(&cache).ok()?;
        let linked = |name: &[u8]| std::str::from_utf8(name).ok().map(PathBuf::from);
        let debug_link = file.gnu_debuglink().ok().flatten().and_then(|(name, _)| linked(name));
        let common = file.gnu_debugaltlink().ok().flatten().and_then(|(name, _)| linked(name));
        Some(Header {
            build_id: file.build_id().ok().flatten().map(<[u8]>::to_vec),
            has_lines: file.section_by_name(".debug_info").is_some(),
            debug_link,
            common,
        })
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;
    use tempfile::TempDir;

    /// The program, as if its file were this one.
    fn program(path: &Path) -> Object {
        let program = crate::objects::loaded().into_iter().next().expect("there is a program");
        assert!(program.program && program.build_id.is_some());
        Object { path: path.to_owned(), program: false, ..program }
    }

    fn its_file() -> PathBuf {
        std::env::current_exe().expect("a program has a path")
    }

    /// The function at the address of [`program`], and its file and line.
    fn found(debug: &Debug) -> Option<(String, String, u32)> {
        let bias = crate::objects::loaded().first().expect("there is a program").bias;
        let names = debug.names(program as *const () as u64 - bias, Arc::new);
        assert!(names.lines.is_empty() || names.offset == Some(0));
        let line = names.lines.last()?;
        Some((line.function.name.clone(), line.function.file.clone(), line.line))
    }

    const NAME: &str = "otel_vitals_profiling::symbols::debug::tests::program";

    fn has_name_file_and_line(debug: &Debug) {
        let (name, file, line) = found(debug).expect("there is a name");
        assert_eq!(name, NAME);
        assert!(file.ends_with("src/symbols/debug.rs") && line > 150, "{file}:{line}");
    }

    #[test]
    fn a_function_has_its_name_its_file_and_its_line() {
        has_name_file_and_line(&Debug::open(&program(&its_file())).expect("it is there"));
    }

    #[test]
    fn the_file_of_the_program_is_found_when_another_is_at_its_path_or_none() {
        let folder = TempDir::new().expect("a folder");
        let replaced = folder.path().join("replaced");
        fs::copy("/proc/self/exe", &replaced).expect("it can be copied");
        tool("objcopy", &["--remove-section=.note.gnu.build-id"], &replaced);
        for path in [&replaced, &folder.path().join("gone"), &PathBuf::new(), &folder.path().to_owned()] {
            has_name_file_and_line(
                &Debug::open(&Object { program: true, ..program(path) }).expect("the kernel has it"),
            );
            assert!(Debug::open(&program(path)).is_none(), "a library has no other file");
        }
        // As when `ld.so` is told to start the program: the kernel's file is another.
        let other =
            Object { program: true, build_id: Some(Arc::from(*b"another build")), ..program(&its_file()) };
        assert!(Debug::open(&other).is_none());
    }

    #[test]
    fn debug_information_is_found_where_a_link_leads() {
        let folder = TempDir::new().expect("a folder");
        let [file, debug] = ["program", "program.debug"].map(|name| folder.path().join(name));
        for file in [&file, &debug] {
            fs::copy("/proc/self/exe", file).expect("it can be copied");
        }
        tool("objcopy", &["--only-keep-debug"], &debug);
        tool("objcopy", &["--strip-all", &format!("--add-gnu-debuglink={}", debug.display())], &file);
        has_name_file_and_line(&Debug::open(&program(&file)).expect("it is there"));
        // One of another build is not taken.
        tool("objcopy", &["--remove-section=.note.gnu.build-id"], &debug);
        assert_eq!(found(&Debug::open(&program(&file)).expect("the object is there")), None);
    }

    #[test]
    fn without_debug_information_there_are_names_of_symbols() {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("program");
        fs::copy("/proc/self/exe", &file).expect("it can be copied");
        tool("objcopy", &["--strip-debug"], &file);
        let debug = Debug::open(&program(&file)).expect("it is there");
        assert_eq!(found(&debug), Some((NAME.to_owned(), String::new(), 0)));
    }

    #[test]
    fn strange_debug_information_costs_names_alone() {
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("program");
        let mut bytes = fs::read("/proc/self/exe").expect("it can be read");
        let sections: Vec<_> = {
            use object::ObjectSection as _;
            let parsed = object::File::parse(&*bytes).expect("it is an object");
            let named = |name: &str| parsed.section_by_name(name).and_then(|section| section.file_range());
            [".debug_info", ".debug_line", ".debug_abbrev"].iter().filter_map(|name| named(name)).collect()
        };
        assert_eq!(sections.len(), 3);
        for (start, size) in sections {
            for place in (start..start + size).step_by(101) {
                bytes[usize::try_from(place).expect("it fits")] ^= 0x55;
            }
        }
        fs::write(&file, bytes).expect("it can be written");
        let outcome = otel_vitals_core::caught(|| Debug::open(&program(&file)).map(|debug| found(&debug)));
        // Where anything is known, it is what the symbols say.
        if let Some(Some(Some((name, _, _)))) = outcome {
            assert!(!name.is_empty());
        }
    }

    fn tool(name: &str, arguments: &[&str], file: &Path) {
        let status = Command::new(name).args(arguments).arg(file).status().expect("it comes with a compiler");
        assert!(status.success(), "{name} {arguments:?}");
    }
}
