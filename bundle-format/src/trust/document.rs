//! TUF metadata as bytes: one form for each document, signed by hand.
//!
//! The TUF library's own editor can neither make a partly signed file nor the same bytes twice.

use std::{collections::BTreeSet, num::NonZeroU64};

use serde::{Serialize, de::DeserializeOwned};
use tough::schema::{
    Hashes, Metafile, Role, RoleKeys, RoleType, Root, Signature, Signed, key::Key,
};

use super::TrustError;
use crate::{digest::Sha256, keys::SigningKey};

/// The version of the TUF specification that all metadata claim.
pub(super) const SPEC_VERSION: &str = "1.0.0";
/// `timestamp.json` is padded with spaces to a multiple of this, so that a further signature does
/// not change its length.
pub(super) const SLOT: usize = 2048;

/// Adds a signature. Signatures are kept in the order of their key ids.
pub(super) fn sign<T: Role>(document: &mut Signed<T>, key: &SigningKey) -> Result<(), TrustError> {
    let keyid = key.tuf_key().key_id().map_err(broken)?;
    let message = document.signed.canonical_form().map_err(broken)?;
    if document.signatures.iter().any(|signature| signature.keyid == keyid) {
        return Err(TrustError::refused(format!("the key {} has signed it already", key.key_id())));
    }
    document.signatures.push(Signature { keyid, sig: key.sign(&message).into() });
    document.signatures.sort_by(|a, b| a.keyid.as_ref().cmp(b.keyid.as_ref()));
    Ok(())
}

/// SHA-256 of what signatures of a document cover: the document without them.
pub(super) fn digest<T: Role>(signed: &T) -> Result<Sha256, TrustError> {
    signed.canonical_form().map(|form| Sha256::hash(&form)).map_err(broken)
}

/// The one form of a document: pretty JSON with sorted keys.
pub(super) fn to_bytes<T: Serialize>(document: &Signed<T>) -> Result<Vec<u8>, TrustError> {
    // By way of a `Value`, whose maps are sorted; the schema's own are hash maps.
    serde_json::to_value(document)
        .and_then(|value| serde_json::to_vec_pretty(&value))
        .map_err(broken)
}

/// A timestamp in its slot, which has room for `signatures` in all, however many it has by now.
pub(super) fn to_slot<T: Serialize>(
    document: &Signed<T>,
    signatures: usize,
) -> Result<Vec<u8>, TrustError> {
    /// Bytes that one more signature takes at most, with its key id and JSON around it.
    const SIGNATURE: usize = 288;
    let mut unsigned = serde_json::to_value(document).map_err(broken)?;
    if let Some(list) = unsigned.get_mut("signatures") {
        *list = serde_json::Value::Array(Vec::new());
    }
    let length = serde_json::to_vec_pretty(&unsigned).map_err(broken)?.len();
    let slots = (length + signatures * SIGNATURE).div_ceil(SLOT);
    let mut bytes = to_bytes(document)?;
    bytes.resize(slots * SLOT, b' ');
    Ok(bytes)
}

/// Parses a document; the error is a plain clause.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Signed<T>, String> {
    // Only the place: the parser's text names types of this program.
    serde_json::from_slice(bytes)
        .map_err(|e| format!("does not parse (line {}, column {})", e.line(), e.column()))
}

/// Parses a document that must be in its one form, so that no byte of it can change unnoticed.
pub(super) fn parse_strict<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
) -> Result<Signed<T>, String> {
    let document: Signed<T> = parse(bytes)?;
    let is_sorted = document.signatures.is_sorted_by(|a, b| a.keyid.as_ref() < b.keyid.as_ref());
    match to_bytes(&document) {
        Ok(form) if form == bytes && is_sorted && has_lower_hexadecimal(bytes) => Ok(document),
        _ => Err("is not in the one form that a bundle may hold".to_owned()),
    }
}

/// Whether digests, keys, key ids and signatures are in lower case: the schema's types keep the
/// letters that they were read from. All are longer than any word of the metadata that has only
/// hexadecimal digits.
fn has_lower_hexadecimal(bytes: &[u8]) -> bool {
    const SHORTEST: usize = 32;
    let is_upper = |text: &[u8]| {
        text.len() >= SHORTEST
            && text.iter().all(u8::is_ascii_hexdigit)
            && text.iter().any(u8::is_ascii_uppercase)
    };
    !bytes.split(|b| *b == b'"').any(is_upper)
}

/// Refuses metadata of another major version of the TUF specification; the error is a plain clause.
pub(super) fn check_specification(version: &str) -> Result<(), String> {
    let (major, _) = version.split_once('.').unwrap_or((version, ""));
    if major == "1" {
        return Ok(());
    }
    Err(format!(
        "it follows version {version:?} of the TUF specification, which this program does not know; \
         install a newer tidegate here"
    ))
}

/// Parses a padded timestamp, which must be in its one form.
pub(super) fn parse_slot<T: Serialize + DeserializeOwned>(
    bytes: &[u8],
) -> Result<Signed<T>, String> {
    let document = bytes.trim_ascii_end();
    let padding = bytes.get(document.len()..).unwrap_or_default();
    if !bytes.len().is_multiple_of(SLOT) || padding.iter().any(|b| *b != b' ') {
        return Err(format!("is not padded with spaces to a multiple of {SLOT} bytes"));
    }
    parse_strict(document)
}

/// How one metadata file names another.
pub(super) fn metafile(file: &[u8], version: NonZeroU64) -> Metafile {
    Metafile {
        version,
        length: Some(file.len() as u64),
        hashes: Some(hashes(file)),
        _extra: Default::default(),
    }
}

/// The digests of a file as metadata name them.
pub(super) fn hashes(file: &[u8]) -> Hashes {
    Hashes { sha256: Sha256::hash(file).as_bytes().to_vec().into(), _extra: Default::default() }
}

/// What a root has under one of its roles.
pub(super) fn role(root: &Root, role: RoleType) -> Result<&RoleKeys, String> {
    root.roles.get(&role).ok_or_else(|| format!("it names no keys for {role}"))
}

/// The rules for a root beyond what TUF asks for; the error is a plain clause.
pub(super) fn check_root(root: &Root) -> Result<(), String> {
    check_specification(&root.spec_version)?;
    if !root.consistent_snapshot {
        return Err("it does not ask for consistent snapshots".to_owned());
    }
    for kind in [RoleType::Root, RoleType::Timestamp, RoleType::Snapshot, RoleType::Targets] {
        let keys = role(root, kind)?;
        let known = keys.keyids.iter().filter_map(|id| root.keys.get(id)).collect::<Vec<_>>();
        if known.len() != keys.keyids.len() {
            return Err(format!("it lists a key for {kind} without its value"));
        }
        distinct(&kind.to_string(), known.iter().copied())?;
        if (known.len() as u64) < keys.threshold.get() {
            return Err(format!(
                "it asks for {} signatures of {kind} but names {} keys",
                keys.threshold,
                known.len()
            ));
        }
    }
    Ok(())
}

/// Refuses a role in which one public key counts twice, be it under two ids.
pub(super) fn distinct<'a>(role: &str, keys: impl Iterator<Item = &'a Key>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(public(key)) {
            return Err(format!("it names the same public key twice for {role}"));
        }
    }
    Ok(())
}

/// The bytes of a public key, whatever else its JSON holds.
pub(super) fn public(key: &Key) -> Vec<u8> {
    match key {
        Key::Ed25519 { keyval, .. } => keyval.public.to_vec(),
        Key::Rsa { keyval, .. } => keyval.public.to_vec(),
        Key::Ecdsa { keyval, .. } | Key::EcdsaOld { keyval, .. } => keyval.public.to_vec(),
    }
}

/// A document of our own that cannot be written: a fault of this program.
pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> TrustError {
    TrustError::machine("metadata could not be written as JSON", error)
}
