//! Receipts: a site says, signed with a key of its own, which snapshot it serves (SPEC.md 16). They go
//! from the isolated to the connected side.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    digest::Sha256,
    index::{MAX_SNAPSHOT, is_site},
    keys::SigningKey,
    trust::Fingerprint,
};

/// The largest receipt that is read, in bytes (endless file).
pub const RECEIPT_BYTES: u64 = 64 * 1024;
/// The version of the file that this code writes and reads.
const VERSION: u32 = 1;
/// What a signature of this key is for, so that it serves for nothing else.
const TYPE: &str = "tidegate-receipt";

/// Why a receipt cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiptError {
    /// A newer format: nothing is wrong with it, this program is too old.
    #[error(
        "this receipt has format version {version}, and this program reads {VERSION}; update Tidegate on this side first"
    )]
    Version {
        /// The version that it has.
        version: u64,
    },
    /// It is not what `tidegate receipt` writes.
    #[error("this is no receipt as `tidegate receipt` writes it: {what}. Have it written again")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// It is not what was signed.
    #[error(
        "the signature of this receipt does not hold: it was changed on the way. Have it written again, and ask who carried it"
    )]
    Signature,
}

/// What a site says. The order of the fields is that of their names: the signature is over this form,
/// compact (`jq -cjS .signed`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Receipt {
    /// When it was made, by the clock of the site.
    pub created: Timestamp,
    format_version: u32,
    /// SHA-256 of the compressed index of the snapshot.
    pub index_sha256: Sha256,
    /// The last entry of the site's journal.
    pub journal_number: u64,
    /// SHA-256 of its line.
    pub journal_sha256: Sha256,
    /// The mirror that the site follows.
    pub mirror_id: Uuid,
    /// The key of the site, 32 bytes in hexadecimal.
    pub public_key: String,
    /// The site.
    pub site: String,
    /// The snapshot in force.
    pub snapshot: u64,
    r#type: String,
}

/// What a receipt says, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReceipt {
    /// When it is made.
    pub created: Timestamp,
    /// The site.
    pub site: String,
    /// The mirror that the site follows.
    pub mirror_id: Uuid,
    /// The snapshot in force.
    pub snapshot: u64,
    /// SHA-256 of its compressed index.
    pub index_sha256: Sha256,
    /// Number of the last entry of the site's journal, and SHA-256 of its line.
    pub journal: (u64, Sha256),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    signature: String,
    signed: Receipt,
}

impl Receipt {
    /// Makes a receipt, signed with the key of the site; gives its file, too.
    pub fn sign(new: NewReceipt, key: &SigningKey) -> (Self, Vec<u8>) {
        let NewReceipt { created, site, mirror_id, snapshot, index_sha256, journal } = new;
        let receipt = Self {
            created: Timestamp::from_second(created.as_second()).unwrap_or(created),
            format_version: VERSION,
            index_sha256,
            journal_number: journal.0,
            journal_sha256: journal.1,
            mirror_id,
            public_key: key.public(),
            site,
            snapshot,
            r#type: TYPE.to_owned(),
        };
        let signature = hex::encode(key.sign(&receipt.signed_form()));
        let document = Document { signature, signed: receipt.clone() };
        let mut file = serde_json::to_vec_pretty(&document).unwrap_or_default();
        file.push(b'\n');
        (receipt, file)
    }

    /// Reads a receipt. Its signature is by the key that it names itself: whether that is the key of the
    /// site is for the caller to decide, by its [`Receipt::fingerprint`].
    ///
    /// # Errors
    /// [`ReceiptError`] when version, limits, shape or signature are not in order.
    pub fn read(file: &[u8]) -> Result<Self, ReceiptError> {
        let malformed = |what: &str| ReceiptError::Malformed { what: what.to_owned() };
        if file.len() as u64 > RECEIPT_BYTES {
            return Err(malformed("it is larger than one can be"));
        }
        let broken = |e: serde_json::Error| match e.classify() {
            serde_json::error::Category::Eof => malformed("it ends in the middle"),
            _ => ReceiptError::Malformed { what: format!("line {} was changed", e.line()) },
        };
        let value: serde_json::Value = serde_json::from_slice(file).map_err(broken)?;
        let version = value.pointer("/signed/format-version").and_then(serde_json::Value::as_u64);
        let version = version.ok_or_else(|| malformed("it has no format version"))?;
        if version != u64::from(VERSION) {
            return Err(ReceiptError::Version { version });
        }
        let Document { signature, signed } = serde_json::from_slice(file).map_err(broken)?;
        let key = signed.key().ok_or_else(|| malformed("its key is none"))?;
        let signature = hex::decode(signature).map_err(|_| malformed("its signature is none"))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&signed.signed_form(), &signature)
            .map_err(|_| ReceiptError::Signature)?;
        if signed.r#type != TYPE {
            return Err(malformed("it says to be something else"));
        }
        if !is_site(&signed.site) {
            return Err(malformed("the name of its site cannot be one"));
        }
        if signed.snapshot > MAX_SNAPSHOT || signed.journal_number > MAX_SNAPSHOT {
            return Err(malformed("one of its numbers is out of range"));
        }
        Ok(signed)
    }

    /// The fingerprint of the site's key, to compare by voice: SHA-256 of its 32 bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::hash(&self.key().unwrap_or_default()))
    }

    fn key(&self) -> Option<[u8; 32]> {
        hex::decode(&self.public_key).ok()?.try_into().ok()
    }

    fn signed_form(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (Receipt, Vec<u8>) {
        let new = NewReceipt {
            created: "2026-05-01T08:00:00.5Z".parse().unwrap(),
            site: "plant-7".to_owned(),
            mirror_id: Uuid::from_u128(7),
            snapshot: 5,
            index_sha256: Sha256::hash(b"index"),
            journal: (12, Sha256::hash(b"line")),
        };
        Receipt::sign(new, &SigningKey::generate().unwrap())
    }

    #[test]
    fn what_was_signed_is_read() {
        let (receipt, file) = signed();
        assert_eq!(Receipt::read(&file), Ok(receipt.clone()));
        assert_eq!(receipt.created.to_string(), "2026-05-01T08:00:00Z");
        assert!(receipt.fingerprint().matches(&receipt.fingerprint().words()));
    }

    /// As `jq -cjS .signed` writes it, so that others can check the signature.
    #[test]
    fn the_signed_form_is_compact_and_sorted_by_name() {
        let (receipt, file) = signed();
        let value: serde_json::Value = serde_json::from_slice(&file).unwrap();
        let sorted: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_value(value["signed"].clone()).unwrap();
        assert_eq!(serde_json::to_vec(&sorted).unwrap(), receipt.signed_form());
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let (_, file) = signed();
        let text = String::from_utf8(file.clone()).unwrap();
        for (at, byte) in text.bytes().enumerate() {
            // Space between the values is free, and so is the case of the hexadecimal signature.
            if byte.is_ascii_whitespace() {
                continue;
            }
            let mut changed = file.clone();
            changed[at] = if byte == b'5' { b'6' } else { b'5' };
            assert!(Receipt::read(&changed).is_err(), "{at}");
            assert!(Receipt::read(&file[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_what_to_do() {
        let (_, file) = signed();
        let text = String::from_utf8(file).unwrap();
        let newer = text.replace("\"format-version\": 1", "\"format-version\": 2");
        assert_eq!(Receipt::read(newer.as_bytes()), Err(ReceiptError::Version { version: 2 }));
        let more = text.replace("\"site\"", "\"extra\": 1, \"site\"");
        assert!(matches!(Receipt::read(more.as_bytes()), Err(ReceiptError::Malformed { .. })));
        let other = text.replace("plant-7", "plant-8");
        assert_eq!(Receipt::read(other.as_bytes()), Err(ReceiptError::Signature));
        let long = format!("{text}{}", " ".repeat(70_000));
        assert!(Receipt::read(long.as_bytes()).is_err());
    }
}
