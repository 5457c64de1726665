//! A document on its way: plain text, or a cabinet with UTF-16. [MS-WSUSSS] 3.1.4.6.3.3

use std::io::{self, BufReader, Cursor, Read, Write};

use crate::cabinet::{Cabinet, CabinetError};

/// Documents of more bytes of UTF-16 are compressed, as on a WSUS.
const PLAIN_BYTES: usize = 5120;
/// The only member.
const MEMBER: &str = "blob";

/// `XmlUpdateBlob` or `XmlUpdateBlobCompressed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// The document.
    Plain(String),
    /// A cabinet.
    Compressed(Vec<u8>),
}

/// Why a document did not come out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The cabinet is damaged.
    #[error("the compressed document cannot be unpacked")]
    Cabinet(#[from] CabinetError),
    /// The document is longer than allowed, or the cabinet says so.
    #[error("the document is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: u64,
    },
    /// The member is no UTF-16.
    #[error("the compressed document is not UTF-16")]
    Text,
    /// It could not be compressed.
    #[error("compressing a document failed")]
    Compress(#[source] io::Error),
}

impl Blob {
    /// Puts a document into the form that a WSUS would choose.
    ///
    /// # Errors
    /// When the compressor fails.
    pub fn new(document: String) -> Result<Self, BlobError> {
        let units = document.encode_utf16().count();
        if units * 2 <= PLAIN_BYTES {
            return Ok(Self::Plain(document));
        }
        compress(&document).map(Self::Compressed).map_err(BlobError::Compress)
    }

    /// The document as UTF-8, as published: no declaration, no byte order mark.
    ///
    /// # Errors
    /// When it is longer than `limit` bytes or the cabinet is damaged.
    pub fn into_document(self, limit: u64) -> Result<String, BlobError> {
        match self {
            Self::Plain(document) if document.len() as u64 > limit => {
                Err(BlobError::TooLong { limit })
            }
            Self::Plain(document) => Ok(document),
            Self::Compressed(cabinet) => unpack(&cabinet, limit),
        }
    }
}

fn unpack(cabinet: &[u8], limit: u64) -> Result<String, BlobError> {
    let mut cabinet = Cabinet::open(Cursor::new(cabinet))?;
    let members = cabinet.members().take(2).collect::<Vec<_>>();
    let [info] = members.as_slice() else {
        return Err(CabinetError::NoMember(MEMBER.to_owned()).into());
    };
    // A character has two bytes of UTF-16 for one of UTF-8, or less.
    if info.size > limit.saturating_mul(2) + 2 {
        return Err(BlobError::TooLong { limit });
    }
    let mut member = BufReader::with_capacity(64 * 1024, cabinet.member(&info.name)?);
    let (mut left, mut failed) = (info.size, None);
    let units = std::iter::from_fn(|| {
        let mut unit = [0; 2];
        if left == 0 {
            return None;
        }
        left = left.saturating_sub(2);
        match member.read_exact(&mut unit) {
            Ok(()) => Some(u16::from_le_bytes(unit)),
            Err(error) => {
                failed = Some(error);
                None
            }
        }
    });
    // Most documents are mostly ASCII. Bounded by the limit, and touched only as far as it is used.
    let mut document = String::with_capacity(usize::try_from(info.size / 2).unwrap_or_default());
    for (at, character) in char::decode_utf16(units).enumerate() {
        match character {
            Ok('\u{feff}') if at == 0 => {}
            Ok(character) => document.push(character),
            Err(_) => return Err(BlobError::Text),
        }
        if document.len() as u64 > limit {
            return Err(BlobError::TooLong { limit });
        }
    }
    match failed {
        // Half a unit at the end.
        Some(error) if error.kind() == io::ErrorKind::UnexpectedEof && info.size % 2 == 1 => {
            Err(BlobError::Text)
        }
        Some(error) => Err(CabinetError::from_read(error).into()),
        None => Ok(document),
    }
}

/// A cabinet of MSZIP: every cabinet reader knows it; a WSUS itself sends LZX.
fn compress(document: &str) -> io::Result<Vec<u8>> {
    let mut builder = cab::CabinetBuilder::new();
    builder.add_folder(cab::CompressionType::MsZip).add_file(MEMBER);
    let mut writer = builder.build(Cursor::new(Vec::new()))?;
    while let Some(file) = writer.next_file()? {
        let mut file = io::BufWriter::with_capacity(64 * 1024, file);
        for unit in document.encode_utf16() {
            file.write_all(&unit.to_le_bytes())?;
        }
        file.flush()?;
    }
    let mut cabinet = writer.finish()?.into_inner();
    without_date(&mut cabinet);
    Ok(cabinet)
}

/// Date, time and attributes are 0, as on a WSUS: the same document is the same cabinet. [MS-CAB] 2.3
fn without_date(cabinet: &mut [u8]) {
    let files = cabinet.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let Some(at) = files.and_then(|offset| usize::try_from(offset).ok()) else { return };
    if let Some(fields) = at.checked_add(16).and_then(|end| cabinet.get_mut(at + 10..end)) {
        fields.fill(0);
    }
}
