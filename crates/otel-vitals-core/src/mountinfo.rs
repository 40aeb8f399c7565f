//! The table of mounts, as `/proc/<pid>/mountinfo` has it. Linux only.

use crate::Malformed;
use crate::scan::{self, Faults};
use std::borrow::Cow;

/// One line of the table. Texts are as the kernel escapes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mount<'a> {
    /// The start of the line, from the number of the mount to the mount point: what tells this mount from every
    /// other, now and later.
    pub identity: &'a [u8],
    /// Number of the mount.
    pub id: u64,
    /// Number of the mount that it is mounted on.
    pub parent: u64,
    /// Major and minor number of the file system, such as `8:1`.
    pub device: &'a [u8],
    /// Which folder of the file system is mounted; `/` is all of it.
    pub root: &'a [u8],
    /// Where it is mounted.
    pub point: &'a [u8],
    /// Whether it is mounted read-only, or the file system is read-only.
    pub read_only: bool,
    /// Type of the file system.
    pub kind: &'a [u8],
    /// What is mounted: a device, a server and path, or any word; may be empty.
    pub source: &'a [u8],
    /// Options of the file system, such as `rw,cpu,cpuacct`.
    pub super_options: &'a [u8],
}

/// What stands between the fields of the mount, of which some are optional, and those of the file system.
const DIVIDER: &[u8] = b" - ";

/// A line such as
/// `36 35 98:0 /root /mnt rw,noatime master:1 shared:2 - ext4 /dev/sda1 rw,errors=continue`.
fn mount(line: &[u8]) -> Result<Mount<'_>, Malformed> {
    let malformed = || Malformed::new("a line of mountinfo", line);
    let divider = line.windows(DIVIDER.len()).position(|window| window == DIVIDER).ok_or_else(malformed)?;
    let (left, right) = line.split_at_checked(divider).ok_or_else(malformed)?;
    let mut fields = left.split(|byte| *byte == b' ');
    let mut next = || fields.next().filter(|field| !field.is_empty()).ok_or_else(malformed);
    let (id, parent, device, root, point, options) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let five = [id, parent, device, root, point].iter().map(|field| field.len() + 1).sum::<usize>() - 1;
    // Fields on this side may be empty, so that every single blank counts.
    let mut fields = right.get(DIVIDER.len()..).unwrap_or_default().split(|byte| *byte == b' ');
    let mut next = || fields.next().ok_or_else(malformed);
    let (kind, source, super_options) = (next()?, next()?, next()?);
    let read_only = |options: &[u8]| options.split(|byte| *byte == b',').any(|option| option == b"ro");
    Ok(Mount {
        identity: left.get(..five).ok_or_else(malformed)?,
        id: scan::number(id, "the number of a mount")?,
        parent: scan::number(parent, "the number of a mount")?,
        device,
        root,
        point,
        read_only: read_only(options) || read_only(super_options),
        kind,
        source,
        super_options,
    })
}

/// The table, in the order of the kernel. A line that is none costs only itself and is kept in `faults`.
#[must_use]
pub fn read<'a>(bytes: &'a [u8], faults: &mut Faults) -> Vec<Mount<'a>> {
    scan::lines(bytes).filter_map(|line| faults.keep(mount(line))).collect()
}

/// `text` without the escapes of the kernel, which writes blanks, tabs, line feeds, backslashes and `#` as `\040`.
#[must_use]
pub fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        match escape(rest) {
            Some((byte, after)) => {
                plain.push(byte);
                rest = after;
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    Cow::Owned(plain)
}

/// The byte that a backslash and three octal digits at the start of `text` stand for, and what follows.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let ([b'\\', digits @ ..], after) = text.split_first_chunk::<4>()? else { return None };
    let mut value: u8 = 0;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value = value.checked_mul(8)?.checked_add(digit)?;
    }
    Some((value, after))
}

#[cfg(test)]
mod tests;
