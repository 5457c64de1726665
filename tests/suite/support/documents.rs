//! Identities, elements of update documents, and the sample documents of `tidegate demo`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bundle_format::digest::{Sha1, Sha256};
use tempfile::TempDir;
use tidegate::update::{UpdateId, UpdateIdentity};
use uuid::Uuid;

/// The update that a number stands for.
pub(crate) fn numbered(n: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(n))
}

/// A revision of the update that a number stands for.
pub(crate) fn identity(n: u128, revision: u32) -> UpdateIdentity {
    UpdateIdentity { id: numbered(n), revision }
}

/// The `File` element of a payload with these bytes.
pub(crate) fn file(name: &str, payload: &[u8]) -> String {
    file_of(name, &Sha1::hash(payload), &Sha256::hash(payload), payload.len() as u64)
}

/// The `File` element of a payload with these digests and so many bytes.
pub(crate) fn file_of(name: &str, sha1: &Sha1, sha256: &Sha256, size: u64) -> String {
    let (sha1, sha256) = (sha1.to_base64(), sha256.to_base64());
    format!(
        r#"<File Digest="{sha1}" DigestAlgorithm="SHA1" FileName="{name}" Size="{size}" Modified="2026-01-01T00:00:00Z"><AdditionalDigest Algorithm="SHA256">{sha256}</AdditionalDigest></File>"#
    )
}

/// Where the sample documents of `tidegate demo` are; their payloads are below in `payloads`.
pub(crate) fn samples_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/samples")
}

/// A copy of the sample documents and their payloads, in one folder.
pub(crate) fn samples() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_samples(&samples_folder(), folder.path());
    copy_samples(&samples_folder().join("payloads"), folder.path());
    folder
}

/// A copy of the sample documents, and one of their payloads.
pub(crate) fn samples_apart() -> (TempDir, TempDir) {
    let (documents, payloads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy_samples(&samples_folder(), documents.path());
    copy_samples(&samples_folder().join("payloads"), payloads.path());
    (documents, payloads)
}

fn copy_samples(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_file() && !name.ends_with(".rs") {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}
