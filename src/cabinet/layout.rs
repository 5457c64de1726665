//! The structure of a cabinet: header, folders, members, data blocks. [MS-CAB] 2

use std::io::{self, Read, Seek, SeekFrom};

use super::error::CabinetError;

/// The first bytes of every cabinet.
pub const MAGIC: &[u8; 4] = b"MSCF";

/// A block never unpacks to more than this. [MS-CAB] 2.4
const BLOCK_LIMIT: u64 = 32 * 1024;

const HAS_PREVIOUS: u16 = 1;
const HAS_NEXT: u16 = 2;
const HAS_RESERVE: u16 = 4;

/// What the caller wants to know of the structure.
pub(super) struct Layout {
    /// Bytes of the signature that stands behind the cabinet.
    pub(super) signature_bytes: u64,
}

struct Folder {
    first_block: u64,
    blocks: u16,
    stored: bool,
    unpacked: u64,
}

/// Walks the whole structure without unpacking: about 8 bytes are read for each 32 KiB.
pub(super) fn check<R: Read + Seek>(reader: &mut R) -> Result<Layout, CabinetError> {
    let length = reader.seek(SeekFrom::End(0)).map_err(CabinetError::Io)?;
    let mut fields = Fields { reader, length };
    fields.seek(0)?;
    let header: [u8; 36] = fields.bytes()?;
    if !header.starts_with(MAGIC) {
        return Err(damaged("it does not begin as a cabinet"));
    }
    let mut header = header.get(4..).unwrap_or_default();
    let (_, total, _, first_member, _) = (
        u32le(&mut header),
        u32le(&mut header),
        u32le(&mut header),
        u32le(&mut header),
        u32le(&mut header),
    );
    let version = u16le(&mut header);
    let (folders, members, flags) = (u16le(&mut header), u16le(&mut header), u16le(&mut header));
    if version != 0x0103 {
        return Err(damaged(format!("its format is {}.{}, not 1.3", version >> 8, version & 0xff)));
    }
    if flags & (HAS_PREVIOUS | HAS_NEXT) != 0 {
        return Err(damaged("it is one of a set that spans several cabinets"));
    }
    let total = u64::from(total);
    let reserve = if flags & HAS_RESERVE == 0 { Reserve::default() } else { fields.reserve()? };
    check_length(length, total, &reserve.header)?;

    let mut all = fields.folders(folders, reserve.per_folder)?;
    let after_folders = fields.position()?;
    for (number, folder) in all.iter_mut().enumerate() {
        if folder.blocks > 0 && folder.first_block < after_folders {
            return Err(damaged(format!("the data of folder {number} overlap the header")));
        }
        fields.blocks(folder, number, reserve.per_block, total)?;
    }
    fields.seek(u64::from(first_member))?;
    for _ in 0..members {
        fields.check_member(&all)?;
    }
    Ok(Layout { signature_bytes: length - total })
}

/// The file is as long as the header says, or longer by exactly the signature that the reserved
/// area names.
fn check_length(length: u64, total: u64, reserve: &[u8]) -> Result<(), CabinetError> {
    if length == total {
        return Ok(());
    }
    if length < total {
        return Err(damaged(format!("it was cut short: {length} of {total} bytes are there")));
    }
    let mut reserve = reserve;
    let (marker, offset, size) = (u32le(&mut reserve), u32le(&mut reserve), u32le(&mut reserve));
    if marker != 0 && u64::from(offset) == total && total + u64::from(size) == length {
        return Ok(());
    }
    Err(damaged(format!("it has {length} bytes, but says {total}")))
}

#[derive(Default)]
struct Reserve {
    header: Vec<u8>,
    per_folder: u8,
    per_block: u8,
}

struct Fields<'a, R> {
    reader: &'a mut R,
    length: u64,
}

impl<R: Read + Seek> Fields<'_, R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], CabinetError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), CabinetError> {
        self.reader.read_exact(bytes).map_err(|e| {
            if e.kind() == io::ErrorKind::UnexpectedEof {
                damaged("it was cut short")
            } else {
                CabinetError::Io(e)
            }
        })
    }

    fn seek(&mut self, to: u64) -> Result<(), CabinetError> {
        if to > self.length {
            return Err(damaged(format!("it points to byte {to}, but has {}", self.length)));
        }
        self.reader.seek(SeekFrom::Start(to)).map_err(CabinetError::Io)?;
        Ok(())
    }

    fn position(&mut self) -> Result<u64, CabinetError> {
        self.reader.stream_position().map_err(CabinetError::Io)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), CabinetError> {
        let to = self.position()?.saturating_add(bytes);
        self.seek(to)
    }

    fn reserve(&mut self) -> Result<Reserve, CabinetError> {
        let sizes: [u8; 4] = self.bytes()?;
        let mut sizes = sizes.as_slice();
        let header = u16le(&mut sizes);
        let [per_folder, per_block] = [u8le(&mut sizes), u8le(&mut sizes)];
        let mut bytes = vec![0; usize::from(header)];
        self.fill(&mut bytes)?;
        Ok(Reserve { header: bytes, per_folder, per_block })
    }

    /// The entries of the folders, which follow the header.
    fn folders(&mut self, folders: u16, reserve: u8) -> Result<Vec<Folder>, CabinetError> {
        let mut all = Vec::with_capacity(usize::from(folders));
        for _ in 0..folders {
            let entry: [u8; 8] = self.bytes()?;
            let mut entry = entry.as_slice();
            let (first_block, blocks, method) =
                (u32le(&mut entry), u16le(&mut entry), u16le(&mut entry));
            self.skip(u64::from(reserve))?;
            let first_block = u64::from(first_block);
            all.push(Folder { first_block, blocks, stored: method & 0xf == 0, unpacked: 0 });
        }
        Ok(all)
    }

    /// Reads the entry of a member, which must lie within its folder.
    fn check_member(&mut self, folders: &[Folder]) -> Result<(), CabinetError> {
        let entry: [u8; 16] = self.bytes()?;
        let mut entry = entry.as_slice();
        let (size, offset, folder) = (u32le(&mut entry), u32le(&mut entry), u16le(&mut entry));
        let name = self.name()?;
        let end = u64::from(size) + u64::from(offset);
        match folders.get(usize::from(folder)) {
            None => Err(damaged(format!("member {name:?} is in a folder that is not there"))),
            Some(folder) if end > folder.unpacked => Err(damaged(format!(
                "member {name:?} ends at byte {end} of its folder, which has {}",
                folder.unpacked
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Walks the blocks of a folder and notes its unpacked size.
    fn blocks(
        &mut self,
        folder: &mut Folder,
        number: usize,
        reserve: u8,
        total: u64,
    ) -> Result<(), CabinetError> {
        let mut at = folder.first_block;
        for block in 0..folder.blocks {
            self.seek(at)?;
            let head: [u8; 8] = self.bytes()?;
            let mut head = head.as_slice();
            let (_checksum, packed, unpacked) =
                (u32le(&mut head), u16le(&mut head), u16le(&mut head));
            let (packed, unpacked) = (u64::from(packed), u64::from(unpacked));
            at += 8 + u64::from(reserve) + packed;
            if unpacked == 0
                || unpacked > BLOCK_LIMIT
                || folder.stored && packed != unpacked
                || at > total
            {
                return Err(damaged(format!("block {block} of folder {number} has a wrong size")));
            }
            folder.unpacked += unpacked;
        }
        Ok(())
    }

    /// A name of at most 256 bytes, ended by a zero.
    fn name(&mut self) -> Result<String, CabinetError> {
        let mut name = Vec::new();
        loop {
            let [byte] = self.bytes()?;
            match byte {
                0 => return Ok(String::from_utf8_lossy(&name).into_owned()),
                _ if name.len() > 256 => return Err(damaged("a member's name has no end")),
                _ => name.push(byte),
            }
        }
    }
}

fn damaged(what: impl Into<String>) -> CabinetError {
    CabinetError::Damaged(what.into())
}

/// The callers hand in slices of the right length; a short one counts as zeros.
fn split_bytes<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    match bytes.split_first_chunk::<N>() {
        Some((first, rest)) => {
            *bytes = rest;
            *first
        }
        None => [0; N],
    }
}

fn u8le(bytes: &mut &[u8]) -> u8 {
    u8::from_le_bytes(split_bytes(bytes))
}

fn u16le(bytes: &mut &[u8]) -> u16 {
    u16::from_le_bytes(split_bytes(bytes))
}

fn u32le(bytes: &mut &[u8]) -> u32 {
    u32::from_le_bytes(split_bytes(bytes))
}
