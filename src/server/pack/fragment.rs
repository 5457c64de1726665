//! Fragments: which there are, and reading one.

use std::{io, sync::Arc};

use bundle_format::digest::Sha256;
use bytes::Bytes;
use sha2::Digest as _;

use super::{
    file::Pack,
    format::{PackSpan, check},
};
use crate::protocol::xpress;

/// Which fragment of a revision. [MS-WUSP] 3.1.1.1
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FragmentKind<'a> {
    /// What SyncUpdates delivers.
    Core,
    /// Properties, files and handler.
    Extended,
    /// Texts in a language.
    Localized(&'a str),
    /// A licence text in a language, for the rest of the world if there are several.
    Eula(&'a str),
}

/// A fragment in a pack: its text escaped once for SOAP, compressed as Xpress blocks.
#[derive(Debug, Clone)]
pub struct PackedFragment {
    pack: Arc<Pack>,
    span: PackSpan,
}

/// The same bytes at the same place.
impl PartialEq for PackedFragment {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pack, &other.pack) && self.span == other.span
    }
}

impl Eq for PackedFragment {}

impl PackedFragment {
    pub(super) fn new(pack: Arc<Pack>, span: PackSpan) -> Self {
        Self { pack, span }
    }

    /// Length of [`PackedFragment::framed`] in bytes.
    pub fn framed_len(&self) -> u64 {
        self.span.framed
    }

    /// Length of [`PackedFragment::escaped`] in bytes.
    pub fn escaped_len(&self) -> u64 {
        self.span.escaped
    }

    /// The Xpress blocks, ready to be glued between others.
    ///
    /// # Errors
    /// When the disk fails or the pack is damaged.
    pub fn framed(&self) -> io::Result<Bytes> {
        self.pack.read_checked(&self.span).map(Bytes::from)
    }

    /// The escaped text, UTF-8, ready to stand in `Xml`.
    ///
    /// # Errors
    /// When the disk fails or the pack is damaged.
    pub fn escaped(&self) -> io::Result<Bytes> {
        let limit = usize::try_from(self.span.escaped).map_err(io::Error::other)?;
        let framed = self.framed()?;
        let text = xpress::decompress(&framed, limit).map_err(|_| self.pack.damaged())?;
        if text.len() == limit { Ok(text.into()) } else { Err(self.pack.damaged()) }
    }

    /// The Xpress blocks in pieces of at most `size` bytes, for fragments of many megabytes.
    pub fn chunks(&self, size: usize) -> Chunks {
        Chunks {
            pack: Arc::clone(&self.pack),
            span: self.span,
            size: size.max(1),
            at: 0,
            hasher: sha2::Sha256::new(),
        }
    }
}

/// Pieces of a fragment, read one at a time. The last one is given out only if all together are what
/// was once written.
pub struct Chunks {
    pack: Arc<Pack>,
    span: PackSpan,
    size: usize,
    at: u64,
    hasher: sha2::Sha256,
}

impl Iterator for Chunks {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.span.framed.checked_sub(self.at).filter(|left| *left > 0)?;
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.size);
        let bytes = match self.pack.read(&self.span, self.at, length) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.at = self.span.framed;
                return Some(Err(error));
            }
        };
        self.hasher.update(&bytes);
        self.at += length as u64;
        if self.at == self.span.framed {
            let digest = Sha256::from_bytes(self.hasher.clone().finalize().into());
            if check(&digest) != self.span.check {
                return Some(Err(self.pack.damaged()));
            }
        }
        Some(Ok(bytes.into()))
    }
}
