//! What the bytes of an object say.

const GNU_BUILD_ID: u32 = 3;

/// The build id among notes.
pub(super) fn build_id(mut notes: &[u8]) -> Option<&[u8]> {
    while let Some((header, rest)) = notes.split_first_chunk::<12>() {
        let [name_size, size, kind] = words(header);
        let (name, rest) = padded(rest, name_size)?;
        let (description, rest) = padded(rest, size)?;
        if kind == GNU_BUILD_ID && name == b"GNU\0" && !description.is_empty() {
            return Some(description);
        }
        notes = rest;
    }
    None
}

fn words(header: &[u8; 12]) -> [u32; 3] {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *header;
    [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]), u32::from_ne_bytes([i, j, k, l])]
}

fn padded(bytes: &[u8], size: u32) -> Option<(&[u8], &[u8])> {
    let size = size as usize;
    Some((bytes.get(..size)?, bytes.get(size.checked_next_multiple_of(4)?..).unwrap_or_default()))
}

/// Where `.eh_frame` begins, of whose index these are the bytes, at `address`.
///
/// Linkers write one encoding, a signed distance of four bytes from where it is written.
pub(super) fn eh_frame_start(index: &[u8], address: u64) -> Option<u64> {
    const VERSION: u8 = 1;
    const RELATIVE_SIGNED_4: u8 = 0x1b;
    const RELATIVE_SIGNED_8: u8 = 0x1c;
    let ([VERSION, encoding, _, _], rest) = index.split_first_chunk()? else { return None };
    let distance = match *encoding {
        RELATIVE_SIGNED_4 => i64::from(i32::from_ne_bytes(*rest.first_chunk()?)),
        RELATIVE_SIGNED_8 => i64::from_ne_bytes(*rest.first_chunk()?),
        _ => return None,
    };
    address.checked_add(4)?.checked_add_signed(distance)
}

/// Bytes of `.eh_frame`, which begins where `bytes` do and ends at its terminator, or where they end.
pub(super) fn eh_frame_size(bytes: &[u8]) -> usize {
    let mut at = 0_usize;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let next = match u32::from_ne_bytes(*length) {
            0 => return at + 4,
            // The lengths of 64-bit DWARF follow; nobody writes such an `.eh_frame`.
            u32::MAX => return bytes.len(),
            length => at.checked_add(4 + length as usize),
        };
        match next {
            Some(next) if next <= bytes.len() => at = next,
            _ => break,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(name: &[u8], kind: u32, description: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        note.extend((name.len() as u32).to_ne_bytes());
        note.extend((description.len() as u32).to_ne_bytes());
        note.extend(kind.to_ne_bytes());
        for part in [name, description] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    #[test]
    fn a_build_id_is_found_behind_other_notes() {
        let notes = [
            note(b"GNU\0", 1, &[0; 16]),
            note(b"stapsdt\0", 3, b"probe"),
            note(b"GNU\0", 3, b"0123456789abcdef0123"),
        ]
        .concat();
        assert_eq!(build_id(&notes), Some(b"0123456789abcdef0123".as_slice()));
        assert_eq!(build_id(&notes[..notes.len() - 1]), None, "cut short");
        assert_eq!(build_id(&note(b"Go\0\0", 4, b"id")), None);
        assert_eq!(build_id(&[]), None);
    }

    #[test]
    fn an_index_leads_to_its_section() {
        let index = [&[1, 0x1b, 3, 0x3b][..], &(-0x100_i32).to_ne_bytes()].concat();
        assert_eq!(eh_frame_start(&index, 0x1000), Some(0x1000 + 4 - 0x100));
        assert_eq!(eh_frame_start(&[2, 0x1b, 3, 0x3b, 0, 0, 0, 0], 0x1000), None, "of another version");
        assert_eq!(eh_frame_start(&[1, 0xff, 3, 0x3b, 0, 0, 0, 0], 0x1000), None, "without a section");
    }

    #[test]
    fn a_section_ends_at_its_terminator() {
        let section =
            [&8_u32.to_ne_bytes()[..], &[1; 8], &4_u32.to_ne_bytes(), &[2; 4], &[0; 4], &[9; 100]].concat();
        assert_eq!(eh_frame_size(&section), 12 + 8 + 4);
        assert_eq!(eh_frame_size(&section[..20]), 20);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), address: u64) {
            build_id(&bytes);
            eh_frame_start(&bytes, address);
            prop_assert!(eh_frame_size(&bytes) <= bytes.len());
        }
    }
}
