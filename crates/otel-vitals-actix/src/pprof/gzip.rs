//! A gzip file that begins before there is anything to say.
//!
//! Its header says nothing of what follows, and an empty block says that there is more to come, as often as one likes (RFC 1951, 3.2.4). So what is
//! compressed later can follow both, without its own header, and whatever reads gzip reads all of it as one.

use actix_web::web::Bytes;

/// Magic bytes, deflate, no flags, no time, no level, unknown system (RFC 1952, 2.3).
pub(super) const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// A stored block of no bytes that is not the last. It ends where a byte does, and so does the next.
pub(super) const NOTHING: &[u8] = &[0, 0, 0, 0xff, 0xff];

/// What follows the header in a gzip file with nothing in its header that is not in [`HEADER`].
pub(super) fn after_header(file: Vec<u8>) -> Option<Bytes> {
    let flags = file.get(3)?;
    let is_plain = file.starts_with(HEADER.get(..3)?) && *flags == 0;
    (is_plain && file.len() > HEADER.len()).then(|| Bytes::from(file).slice(HEADER.len()..))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `otel` by gzip(1), without a name.
    const FILE: [u8; 24] = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x2f, 0x49, 0xcd, 1, 0, 0x4d, 0xcd, 0x63, 0x53, 4, 0, 0, 0,
    ];

    #[test]
    fn what_follows_is_that_of_the_file() {
        assert_eq!(after_header(FILE.to_vec()).unwrap(), FILE[10..]);
    }

    #[test]
    fn what_is_no_file_of_ours_is_refused() {
        let mut named = FILE.to_vec();
        named[3] = 8;
        for wrong in [vec![], b"GIF".to_vec(), FILE[..10].to_vec(), named, vec![0; 24]] {
            assert_eq!(after_header(wrong.clone()), None, "{wrong:?}");
        }
    }
}
