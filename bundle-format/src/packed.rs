//! How this crate compresses: one setting for everything, so that the same input gives the same
//! bytes, and one bounded way back.

use std::io::{self, BufRead, Read, Write};

use zstd::stream::{read::Decoder, write::Encoder};

/// Compression level of everything that is written.
const LEVEL: i32 = 9;
/// Window of what is written (8 MiB): bounds the memory that a reader needs.
const WINDOW_LOG: u32 = 23;
/// The widest window that a reader accepts (128 MiB): stops a frame that asks for gigabytes.
const WINDOW_LOG_MAX: u32 = 27;

/// An encoder of one frame without content size, checksum or dictionary, on one thread.
pub(crate) fn encoder<W: Write>(inner: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(inner, LEVEL)?;
    encoder.window_log(WINDOW_LOG)?;
    encoder.include_contentsize(false)?;
    encoder.include_checksum(false)?;
    encoder.include_dictid(false)?;
    Ok(encoder)
}

/// A decoder of exactly one frame.
pub(crate) fn decoder<R: BufRead>(inner: R) -> io::Result<Decoder<'static, R>> {
    let mut decoder = Decoder::with_buffer(inner)?.single_frame();
    decoder.window_log_max(WINDOW_LOG_MAX)?;
    Ok(decoder)
}

/// Compresses `bytes`.
pub(crate) fn pack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = encoder(Vec::new())?;
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Unpacks one frame of at most `limit` bytes with nothing behind it; the error is a plain clause.
pub(crate) fn unpack(bytes: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    let broken = |error: io::Error| format!("it does not unpack ({error})");
    let mut unpacked = Vec::new();
    let mut decoder = decoder(bytes).map_err(broken)?;
    decoder.by_ref().take(limit.saturating_add(1)).read_to_end(&mut unpacked).map_err(broken)?;
    if unpacked.len() as u64 > limit {
        return Err(format!("it unpacks to more than the limit of {limit} bytes"));
    }
    if !decoder.finish().is_empty() {
        return Err("bytes follow its compressed frame".to_owned());
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_there_and_back() {
        let text = b"what a mirror is".repeat(1000);
        let packed = pack(&text).unwrap();
        assert_eq!(packed, pack(&text).unwrap(), "the same input gives the same bytes");
        assert_eq!(unpack(&packed, 16_000).unwrap(), text);
        assert!(unpack(&packed, 15_999).unwrap_err().contains("limit"));
    }

    #[test]
    fn anything_but_one_whole_frame_is_refused() {
        let packed = pack(b"abc").unwrap();
        let twice = [packed.as_slice(), packed.as_slice()].concat();
        assert!(unpack(&twice, 100).unwrap_err().contains("follow"));
        assert!(unpack(&packed[..packed.len() - 1], 100).is_err());
        assert!(unpack(b"not zstd at all", 100).is_err());
    }

    #[test]
    fn a_window_wider_than_the_limit_is_refused() {
        let mut encoder = Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.include_contentsize(false).unwrap();
        encoder.write_all(b"abc").unwrap();
        assert!(unpack(&encoder.finish().unwrap(), 100).is_err());
    }
}
