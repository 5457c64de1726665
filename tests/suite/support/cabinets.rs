//! Cabinets as an upstream sends them, good and bad ones.

use std::io::{Cursor, Write as _};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cab::{CabinetBuilder, CompressionType};

/// Bytes of a block when unpacked.
const BLOCK: usize = 32 * 1024;
/// LZX with a window of 2 MiB, as a WSUS writes it.
const LZX: u16 = 0x1503;

/// `XmlUpdateBlobCompressed`.
pub(crate) fn blob(cabinet: &[u8]) -> String {
    format!("<XmlUpdateBlobCompressed>{}</XmlUpdateBlobCompressed>", STANDARD.encode(cabinet))
}

/// UTF-16, little-endian, without a mark.
pub(crate) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// MSZIP; a member of each name with the same bytes.
pub(crate) fn mszip(names: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut builder = CabinetBuilder::new();
    let folder = builder.add_folder(CompressionType::MsZip);
    for name in names {
        folder.add_file(*name);
    }
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    while let Some(mut member) = writer.next_file().unwrap() {
        member.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// LZX whose blocks are of the kind that is not compressed: one block for each 32 KiB. [MS-PATCH] 2.6
pub(crate) fn lzx(bytes: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for (number, piece) in bytes.chunks(BLOCK).enumerate() {
        // The translation of calls (off) is said once, in front; then the kind and the size.
        let first = u32::from(number == 0);
        let header = (3_u32 << 24 | u32::try_from(piece.len()).unwrap()) << (5 - first);
        let mut block = Vec::new();
        for word in [header >> 16, header & 0xffff] {
            block.extend(u16::try_from(word).unwrap().to_le_bytes());
        }
        for _ in 0..3 {
            block.extend(1_u32.to_le_bytes());
        }
        block.extend(piece);
        block.resize(block.len().next_multiple_of(2), 0);
        data.extend(0_u32.to_le_bytes());
        data.extend(u16::try_from(block.len()).unwrap().to_le_bytes());
        data.extend(u16::try_from(piece.len()).unwrap().to_le_bytes());
        data.extend(block);
    }
    let begin = 36 + 8 + 16 + 5;
    let mut cabinet = b"MSCF".to_vec();
    let total = u32::try_from(begin + data.len()).unwrap();
    for field in [0, total, 0, 44, 0] {
        cabinet.extend(field.to_le_bytes());
    }
    for field in [0x0103_u16, 1, 1, 0, 0, 0] {
        cabinet.extend(field.to_le_bytes());
    }
    cabinet.extend(u32::try_from(begin).unwrap().to_le_bytes());
    let blocks = u16::try_from(bytes.len().div_ceil(BLOCK)).unwrap();
    for field in [blocks, LZX] {
        cabinet.extend(field.to_le_bytes());
    }
    cabinet.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    cabinet.extend([0; 12]);
    cabinet.extend(b"blob\0");
    cabinet.extend(data);
    cabinet
}

/// Says that its only member has so many bytes.
pub(crate) fn claiming(mut cabinet: Vec<u8>, size: u32) -> Vec<u8> {
    let at = u32::from_le_bytes(cabinet[16..20].try_into().unwrap()) as usize;
    cabinet[at..at + 4].copy_from_slice(&size.to_le_bytes());
    cabinet
}
