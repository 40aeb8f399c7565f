//! What the dynamic linker tells of the objects that it has loaded.
#![allow(unsafe_code)]
#![allow(clippy::unnecessary_cast, reason = "addresses have 32 bits on some systems")]

use std::ffi::{CStr, OsStr};
use std::mem::{offset_of, size_of};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{ptr, slice};

use libc::{c_int, c_void, dl_phdr_info, size_t};

use super::{Bytes, Module, Section, Tables, VDSO, elf};

const PAGE: u64 = 4096;
const EXECUTABLE: u32 = libc::PF_X;

#[cfg(target_pointer_width = "64")]
type Header = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type Header = libc::Elf32_Phdr;

/// How many objects were ever loaded and unloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Generation {
    loaded: u64,
    unloaded: u64,
}

/// None where the C library does not count.
pub(super) fn generation() -> Option<Generation> {
    let mut generation = None;
    each(|object, size| {
        if size >= offset_of!(dl_phdr_info, dlpi_subs) + size_of_val(&object.dlpi_subs) {
            generation = Some(Generation { loaded: object.dlpi_adds, unloaded: object.dlpi_subs });
        }
        ControlFlow::Break(())
    });
    generation
}

/// All objects; `program` tells the file of the program by where its code begins. What `known` has of one is taken instead of reading its tables.
pub(super) fn read(
    program: fn(u64) -> PathBuf,
    mut known: impl FnMut(&Module) -> Option<Module>,
) -> Vec<Module> {
    let vdso = vdso();
    let (mut all, mut first, mut has_vdso) = (Vec::new(), true, false);
    each(|object, _| {
        let is_vdso = vdso != 0
            && headers(object).iter().any(|header| is_loaded(header) && start(object, header) == vdso);
        has_vdso |= is_vdso;
        all.extend(module(object, std::mem::take(&mut first), is_vdso, program, &mut known));
        ControlFlow::Continue(())
    });
    if !has_vdso && let Some(object) = vdso_object(vdso) {
        all.extend(module(&object, false, true, program, &mut known));
    }
    all
}

fn module(
    object: &dl_phdr_info,
    first: bool,
    is_vdso: bool,
    program: fn(u64) -> PathBuf,
    known: &mut impl FnMut(&Module) -> Option<Module>,
) -> Option<Module> {
    let code =
        || headers(object).iter().filter(|header| is_loaded(header) && header.p_flags & EXECUTABLE != 0);
    let lowest = code().min_by_key(|header| header.p_vaddr)?;
    let end = code().map(|header| start(object, header).wrapping_add(header.p_memsz as u64)).max()?;
    let start = start(object, lowest) / PAGE * PAGE;
    let mut module = Module {
        // Both C libraries list the program first, glibc without a name and musl with the one that it was called by.
        path: match (is_vdso, first) {
            (true, _) => VDSO.into(),
            (false, true) => program(start),
            (false, false) => name(object).to_path_buf(),
        },
        start,
        end: end.checked_next_multiple_of(PAGE)?,
        offset: lowest.p_offset as u64 / PAGE * PAGE,
        bias: object.dlpi_addr as u64,
        build_id: build_id(object),
        tables: None,
    };
    if let Some(known) = known(&module) {
        return Some(known);
    }
    // The program and the vDSO are never unmapped.
    module.tables = tables(object, first || is_vdso);
    Some(module)
}

fn build_id(object: &dl_phdr_info) -> Option<Arc<[u8]>> {
    let notes = headers(object).iter().filter(|header| header.p_type == libc::PT_NOTE);
    notes
        .filter_map(|header| {
            elf::build_id(mapped(object, header.p_vaddr as u64, header.p_memsz as u64)?).map(Arc::from)
        })
        .next()
}

fn tables(object: &dl_phdr_info, in_place: bool) -> Option<Tables> {
    let header = headers(object).iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME)?;
    let address = header.p_vaddr as u64;
    let index = mapped(object, address, header.p_memsz as u64)?;
    let eh_frame_address = elf::eh_frame_start(index, address)?;
    let rest = mapped(object, eh_frame_address, u64::MAX)?;
    // To find its end is to read all of it, which would make much of a big program's resident; a copy reads it anyway.
    let eh_frame = if in_place { rest } else { rest.get(..elf::eh_frame_size(rest))? };
    let section = |address: u64, bytes: &'static [u8]| Section {
        addresses: address..address.saturating_add(bytes.len() as u64),
        bytes: if in_place { Bytes::Mapped(bytes) } else { Bytes::Copied(bytes.into()) },
    };
    Some(Tables { eh_frame_hdr: section(address, index), eh_frame: section(eh_frame_address, eh_frame) })
}

/// The bytes at a linked address of the object, at most as many as there are in the file's part of the segment.
///
/// They are there until the object is unmapped: for ever if it is never, else until the callback returns which got `object`.
fn mapped(object: &dl_phdr_info, address: u64, size: u64) -> Option<&'static [u8]> {
    let segment = headers(object).iter().find(|header| {
        is_loaded(header)
            && header.p_flags & libc::PF_R != 0
            && (header.p_vaddr as u64..(header.p_vaddr as u64).saturating_add(header.p_filesz as u64))
                .contains(&address)
    })?;
    let size = size.min((segment.p_vaddr as u64).saturating_add(segment.p_filesz as u64) - address);
    let start = (object.dlpi_addr as u64).wrapping_add(address) as usize;
    // SAFETY: the bytes are in a segment that the linker has mapped from the file, to be read; what they hold, notes and unwind
    // tables, nobody writes to. The caller uses them for as long as the object is mapped, as said above.
    Some(unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(start), size as usize) })
}

fn is_loaded(header: &Header) -> bool {
    header.p_type == libc::PT_LOAD
}

fn start(object: &dl_phdr_info, header: &Header) -> u64 {
    (object.dlpi_addr as u64).wrapping_add(header.p_vaddr as u64)
}

fn headers(object: &dl_phdr_info) -> &[Header] {
    if object.dlpi_phdr.is_null() {
        return &[];
    }
    // SAFETY: the linker says that there are so many, and holds its lock while it lends the object.
    unsafe { slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) }
}

fn name(object: &dl_phdr_info) -> &Path {
    if object.dlpi_name.is_null() {
        return Path::new("");
    }
    // SAFETY: a name ends with a zero, and stays for as long as the object is lent.
    Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(object.dlpi_name) }.to_bytes()))
}

/// Where the kernel has mapped the vDSO; zero without one.
fn vdso() -> u64 {
    // SAFETY: the call has no conditions.
    unsafe { libc::getauxval(libc::AT_SYSINFO_EHDR) as u64 }
}

/// The vDSO, of which a C library does not tell to programs that are linked statically.
fn vdso_object(at: u64) -> Option<dl_phdr_info> {
    #[cfg(target_pointer_width = "64")]
    type File = libc::Elf64_Ehdr;
    #[cfg(target_pointer_width = "32")]
    type File = libc::Elf32_Ehdr;
    if at == 0 {
        return None;
    }
    // SAFETY: the kernel has mapped an ELF file there, header and segment headers included, for ever.
    let file: &File = unsafe { &*ptr::with_exposed_provenance::<File>(at as usize) };
    if usize::from(file.e_phentsize) != size_of::<Header>() {
        return None;
    }
    // SAFETY: a structure of numbers and pointers, all of which may be zero.
    let mut object: dl_phdr_info = unsafe { std::mem::zeroed() };
    object.dlpi_phdr = ptr::with_exposed_provenance(at.wrapping_add(file.e_phoff as u64) as usize);
    object.dlpi_phnum = file.e_phnum;
    let linked = headers(&object).iter().find(|header| is_loaded(header))?.p_vaddr as u64;
    object.dlpi_addr = at.wrapping_sub(linked) as _;
    Some(object)
}

/// Calls `act` with each object and with how many bytes the C library has written of it. No object goes meanwhile.
fn each<F: FnMut(&dl_phdr_info, usize) -> ControlFlow<()>>(mut act: F) {
    unsafe extern "C" fn call<F: FnMut(&dl_phdr_info, usize) -> ControlFlow<()>>(
        object: *mut dl_phdr_info,
        size: size_t,
        act: *mut c_void,
    ) -> c_int {
        // SAFETY: `act` is what is passed below, which nobody else uses meanwhile; the linker lends an object that is whole.
        let (act, object) = unsafe { (&mut *act.cast::<F>(), &*object) };
        act(object, size).is_break().into()
    }
    // SAFETY: the callback takes what it is given, and does not unwind.
    unsafe { libc::dl_iterate_phdr(Some(call::<F>), ptr::from_mut(&mut act).cast()) };
}
