//! The bytes of a pack file.
//!
//! ```text
//! magic (16 bytes, with the version)
//! fragments, framed Xpress blocks, one after another; after those of a revision its list of texts
//! index: for each revision identity (20 bytes) and three spans (32 bytes each)
//! offset and length of the index (8 bytes each), SHA-256 of the index
//! ```
//!
//! All numbers are little-endian. A span is offset, framed length, escaped length and the first 8
//! bytes of the SHA-256 of the framed bytes: enough against a failing disk, which is all that this
//! has to find.

use bundle_format::digest::Sha256;
use uuid::Uuid;

use crate::update::{UpdateId, UpdateIdentity};

/// To be raised with every change of this format, and whenever `update::fragments` or the escaping
/// comes to give other bytes: older packs are then made again.
pub(super) const MAGIC: &[u8; 16] = b"tidegate pack 2\n";
pub(super) const TRAILER: usize = 8 + 8 + 32;
const SPAN: usize = 32;
pub(super) const ENTRY: usize = 16 + 4 + 3 * SPAN;

/// Begin of the names of files that are being written.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// Where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackSpan {
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) framed: u64,
    /// Bytes when unpacked.
    pub(super) escaped: u64,
    pub(super) check: [u8; 8],
}

/// The fragments of one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackEntry {
    pub(super) core: PackSpan,
    pub(super) extended: PackSpan,
    /// The list of texts, not compressed.
    pub(super) texts: PackSpan,
}

/// A fragment in some language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) eula: bool,
    pub(super) language: String,
    pub(super) geo_id: Option<String>,
    pub(super) span: PackSpan,
}

/// The first bytes of a digest.
pub(super) fn check(digest: &Sha256) -> [u8; 8] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

pub(super) fn put_span(out: &mut Vec<u8>, span: &PackSpan) {
    for number in [span.offset, span.framed, span.escaped] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&span.check);
}

/// Languages and countries are a few letters; what is longer than 255 bytes is none and is cut.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let cut = text.floor_char_boundary(usize::from(length));
    out.push(u8::try_from(cut).unwrap_or(u8::MAX));
    out.extend_from_slice(text.get(..cut).unwrap_or_default().as_bytes());
}

/// Reads numbers off the front.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn span(&mut self) -> Option<PackSpan> {
        Some(PackSpan {
            offset: self.u64()?,
            framed: self.u64()?,
            escaped: self.u64()?,
            check: self.array()?,
        })
    }

    pub(super) fn entry(&mut self) -> Option<(UpdateIdentity, PackEntry)> {
        let id = UpdateId(Uuid::from_bytes(self.array()?));
        let revision = u32::from_le_bytes(self.array()?);
        let entry = PackEntry { core: self.span()?, extended: self.span()?, texts: self.span()? };
        Some((UpdateIdentity { id, revision }, entry))
    }

    fn string(&mut self) -> Option<String> {
        let [length] = self.array()?;
        String::from_utf8(self.bytes(usize::from(length))?.to_vec()).ok()
    }

    pub(super) fn text(&mut self) -> Option<Text> {
        let [eula] = self.array()?;
        let language = self.string()?;
        let geo_id = Some(self.string()?).filter(|geo| !geo.is_empty());
        Some(Text { eula: eula == 1, language, geo_id, span: self.span()? })
    }
}
