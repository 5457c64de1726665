//! Records: their types, and their bytes.

use std::borrow::Cow;

use uuid::Uuid;

use crate::{
    digest::{CHUNK_SIZE, Sha1, Sha256},
    index::SegmentKind,
};

/// One record of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An update revision.
    Revision(RevisionRecord),
    /// A revision that the mirror no longer offers.
    Withdrawal {
        /// The update.
        update_id: Uuid,
        /// Its revision.
        revision_number: u32,
    },
    /// A payload.
    Payload(PayloadRecord),
    /// What decrypts a file.
    Key {
        /// The file, as documents name it.
        sha1: Sha1,
        /// The key, 1 to [`KEY_MAX`] bytes.
        key: Vec<u8>,
    },
    /// Which computers a set of drivers is for.
    DriverSet {
        /// Its id.
        id: Uuid,
        /// As its publisher writes it; `None`: it is gone.
        xml: Option<String>,
    },
}

/// Bytes that a key may have.
pub const KEY_MAX: usize = 4096;

/// An update revision with the number that the mirror gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRecord {
    /// The update.
    pub update_id: Uuid,
    /// Its revision.
    pub revision_number: u32,
    /// Assigned once by the mirror; agents cache it. [MS-WUSP] 3.1.1
    pub revision_id: i32,
    /// The original document, byte for byte.
    pub xml: Vec<u8>,
}

/// A payload as the mirror knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRecord {
    /// Of the whole payload: the object's name.
    pub sha256: Sha256,
    /// Of the whole payload: how agents name it.
    pub sha1: Sha1,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of each [`CHUNK_SIZE`] piece. Empty when not carried.
    pub chunks: Vec<Sha256>,
    /// Why the mirror does not carry it; `None` when it does.
    pub not_carried: Option<String>,
}

/// The type byte of each record.
pub(super) const REVISION: u8 = 1;
pub(super) const WITHDRAWAL: u8 = 2;
pub(super) const PAYLOAD: u8 = 3;
pub(super) const KEY: u8 = 4;
pub(super) const DRIVER_SET: u8 = 5;

/// Bytes of a revision record before its document.
pub(super) const REVISION_PREFIX: usize = 16 + 4 + 4;
/// Bytes of a withdrawal.
pub(super) const WITHDRAWAL_LEN: usize = 16 + 4;
/// Bytes of a payload record before its chunks or its reason.
pub(super) const PAYLOAD_PREFIX: usize = 32 + 20 + 8 + 1;
/// Bytes of a key record before its key.
pub(super) const KEY_PREFIX: usize = 20;
/// Bytes of a driver set record before its text.
pub(super) const DRIVER_SET_PREFIX: usize = 16 + 1;
/// Bytes that a reason for not carrying a payload may have.
const REASON_MAX: usize = 1024;

/// A record's type and its body in two pieces, so that a large document is not copied.
pub(super) struct Encoded<'a> {
    pub(super) kind: u8,
    pub(super) prefix: Vec<u8>,
    pub(super) rest: Cow<'a, [u8]>,
}

impl Record {
    /// The kind of segment that this record belongs in.
    pub fn kind(&self) -> SegmentKind {
        match self {
            Self::Revision(_) | Self::Withdrawal { .. } => SegmentKind::Catalogue,
            Self::Payload(_) => SegmentKind::Payloads,
            Self::Key { .. } => SegmentKind::DecryptionKeys,
            Self::DriverSet { .. } => SegmentKind::DriverSets,
        }
    }

    /// Its bytes.
    pub(super) fn encode(&self) -> Result<Encoded<'_>, String> {
        match self {
            Self::Revision(revision) => {
                let mut prefix = Vec::with_capacity(REVISION_PREFIX);
                prefix.extend(revision.update_id.as_bytes());
                prefix.extend(revision.revision_number.to_le_bytes());
                prefix.extend(revision.revision_id.to_le_bytes());
                Ok(Encoded { kind: REVISION, prefix, rest: Cow::Borrowed(&revision.xml) })
            }
            Self::Withdrawal { update_id, revision_number } => {
                let mut prefix = Vec::with_capacity(WITHDRAWAL_LEN);
                prefix.extend(update_id.as_bytes());
                prefix.extend(revision_number.to_le_bytes());
                Ok(Encoded { kind: WITHDRAWAL, prefix, rest: Cow::Borrowed(&[]) })
            }
            Self::Payload(payload) => {
                payload.check()?;
                let mut prefix = Vec::with_capacity(PAYLOAD_PREFIX);
                prefix.extend(payload.sha256.as_bytes());
                prefix.extend(payload.sha1.as_bytes());
                prefix.extend(payload.size.to_le_bytes());
                prefix.push(u8::from(payload.not_carried.is_some()));
                let rest = match &payload.not_carried {
                    Some(reason) => Cow::Borrowed(reason.as_bytes()),
                    None => Cow::Owned(payload.chunks.iter().flat_map(|c| *c.as_bytes()).collect()),
                };
                Ok(Encoded { kind: PAYLOAD, prefix, rest })
            }
            Self::Key { sha1, key } => {
                check_key(sha1, key)?;
                let prefix = sha1.as_bytes().to_vec();
                Ok(Encoded { kind: KEY, prefix, rest: Cow::Borrowed(key) })
            }
            Self::DriverSet { id, xml } => {
                let mut prefix = Vec::with_capacity(DRIVER_SET_PREFIX);
                prefix.extend(id.as_bytes());
                prefix.push(u8::from(xml.is_none()));
                let rest = Cow::Borrowed(xml.as_deref().unwrap_or_default().as_bytes());
                Ok(Encoded { kind: DRIVER_SET, prefix, rest })
            }
        }
    }
}

/// A revision record from its prefix and its document.
pub(super) fn revision(prefix: &[u8; REVISION_PREFIX], xml: Vec<u8>) -> Record {
    let mut fields = Fields(prefix);
    Record::Revision(RevisionRecord {
        update_id: Uuid::from_bytes(fields.take()),
        revision_number: u32::from_le_bytes(fields.take()),
        revision_id: i32::from_le_bytes(fields.take()),
        xml,
    })
}

/// A withdrawal from its bytes.
pub(super) fn withdrawal(body: &[u8; WITHDRAWAL_LEN]) -> Record {
    let mut fields = Fields(body);
    Record::Withdrawal {
        update_id: Uuid::from_bytes(fields.take()),
        revision_number: u32::from_le_bytes(fields.take()),
    }
}

/// A payload record from its prefix and the rest.
pub(super) fn payload(prefix: &[u8; PAYLOAD_PREFIX], rest: Vec<u8>) -> Result<Record, String> {
    let mut fields = Fields(prefix);
    let sha256 = Sha256::from_bytes(fields.take());
    let sha1 = Sha1::from_bytes(fields.take());
    let size = u64::from_le_bytes(fields.take());
    let (chunks, not_carried) = match fields.take() {
        [0] => {
            let (chunks, odd) = rest.as_chunks::<{ Sha256::LEN }>();
            if !odd.is_empty() {
                return Err("a payload record ends within a digest".to_owned());
            }
            (chunks.iter().map(|chunk| Sha256::from_bytes(*chunk)).collect(), None)
        }
        [1] => match String::from_utf8(rest) {
            Ok(reason) => (Vec::new(), Some(reason)),
            Err(_) => return Err("the reason in a payload record is not UTF-8".to_owned()),
        },
        [flag] => return Err(format!("a payload record has the unknown flag {flag}")),
    };
    let payload = PayloadRecord { sha256, sha1, size, chunks, not_carried };
    payload.check()?;
    Ok(Record::Payload(payload))
}

/// A key record from its prefix and the key.
pub(super) fn key(prefix: &[u8; KEY_PREFIX], key: Vec<u8>) -> Result<Record, String> {
    let sha1 = Sha1::from_bytes(*prefix);
    check_key(&sha1, &key)?;
    Ok(Record::Key { sha1, key })
}

fn check_key(sha1: &Sha1, key: &[u8]) -> Result<(), String> {
    if key.is_empty() || key.len() > KEY_MAX {
        return Err(format!(
            "the key of file {sha1} has {} bytes; 1 to {KEY_MAX} are allowed",
            key.len()
        ));
    }
    Ok(())
}

/// A driver set from its prefix and its text.
pub(super) fn driver_set(
    prefix: &[u8; DRIVER_SET_PREFIX],
    rest: Vec<u8>,
) -> Result<Record, String> {
    let mut fields = Fields(prefix);
    let id = Uuid::from_bytes(fields.take());
    let xml = match fields.take() {
        [0] => Some(String::from_utf8(rest).map_err(|_| format!("driver set {id} is not UTF-8"))?),
        [1] if rest.is_empty() => None,
        [1] => return Err(format!("driver set {id} is gone, but has a text")),
        [flag] => return Err(format!("driver set {id} has the unknown flag {flag}")),
    };
    Ok(Record::DriverSet { id, xml })
}

impl PayloadRecord {
    /// The rules that hold for reading and writing alike.
    fn check(&self) -> Result<(), String> {
        let chunks = if self.not_carried.is_some() { 0 } else { self.size.div_ceil(CHUNK_SIZE) };
        if self.chunks.len() as u64 != chunks {
            return Err(format!(
                "payload {} of {} bytes has {} chunk digests instead of {chunks}",
                self.sha256,
                self.size,
                self.chunks.len()
            ));
        }
        match &self.not_carried {
            Some(reason) if reason.is_empty() || reason.len() > REASON_MAX => Err(format!(
                "payload {} is not carried for a reason of {} bytes; 1 to {REASON_MAX} are allowed",
                self.sha256,
                reason.len()
            )),
            _ => Ok(()),
        }
    }
}

/// Fixed-size fields from the front of a slice whose length is known to suffice.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *field
    }
}
