//! Empty stores, each in a folder of its own that goes when the test ends.

use std::path::PathBuf;

use bundle_format::digest::{PayloadDigests, PayloadHasher};
use tempfile::TempDir;
use tidegate::{catalog::Catalog, content::ContentStore, fleet::Fleet};

/// A catalogue, and the path of its file.
pub(crate) fn catalog() -> (TempDir, PathBuf, Catalog) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = Catalog::open(&path).unwrap();
    (folder, path, catalog)
}

/// A fleet.
pub(crate) fn fleet() -> (TempDir, Fleet) {
    let folder = tempfile::tempdir().unwrap();
    let fleet = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
    (folder, fleet)
}

/// A store of payloads, in `content/` of the folder.
pub(crate) fn content() -> (TempDir, ContentStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = ContentStore::open(&folder.path().join("content")).unwrap();
    (folder, store)
}

/// A catalogue and a store of payloads side by side, as sources fill them.
pub(crate) struct Stores {
    pub(crate) folder: TempDir,
    pub(crate) catalog: Catalog,
    pub(crate) content: ContentStore,
}

impl Stores {
    /// Empty ones.
    pub(crate) fn new() -> Self {
        let (folder, _, catalog) = catalog();
        let content = ContentStore::open(&folder.path().join("content")).unwrap();
        Self { folder, catalog, content }
    }
}

/// The digests of a payload.
pub(crate) fn digests(bytes: &[u8]) -> PayloadDigests {
    let mut hasher = PayloadHasher::new();
    hasher.update(bytes);
    hasher.finish()
}
