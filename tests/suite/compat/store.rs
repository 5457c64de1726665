//! `tests/compat/`: a folder for each release, in which files of some size are compressed with
//! Zstandard and end with `.frozen.zst`, and the digests of all of them in `SHA256SUMS`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::sides::tree;

/// Files from this size on are compressed, but for JSON, which people may want to read; in bytes.
const COMPRESSED: usize = 4096;

/// Not `.zst` alone: indexes and policies of snapshots are called so themselves.
const ENDING: &str = ".frozen.zst";

/// The folder of all releases.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat")
}

/// The releases that have frozen files, oldest first by name.
pub(super) fn releases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut releases: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    releases.sort();
    releases
}

/// The digests of all frozen files as they lie in the repository, one a line, by name.
pub(super) fn sums() -> String {
    let mut sums = String::new();
    for release in releases() {
        let name = release.file_name().unwrap().to_str().unwrap();
        for (file, digest) in tree(&release) {
            sums += &format!("{digest}  {name}/{file}\n");
        }
    }
    sums
}

/// Copies a folder into `tests/compat/`; compresses what is large.
pub(super) fn freeze(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            freeze(&entry.path(), &to.join(name));
            continue;
        }
        assert!(!name.ends_with("-wal") && !name.ends_with("-shm"), "{name}: a database is open");
        let bytes = fs::read(entry.path()).unwrap();
        if bytes.len() < COMPRESSED || name.ends_with(".json") {
            fs::write(to.join(name), bytes).unwrap();
        } else {
            let bytes = zstd::encode_all(&*bytes, 19).unwrap();
            fs::write(to.join(format!("{name}{ENDING}")), bytes).unwrap();
        }
    }
}

/// Copies a frozen folder to where programs may write; decompresses.
pub(super) fn thaw(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            thaw(&entry.path(), &to.join(name));
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        match name.strip_suffix(ENDING) {
            Some(name) => fs::write(to.join(name), zstd::decode_all(&*bytes).unwrap()).unwrap(),
            None => fs::write(to.join(name), bytes).unwrap(),
        }
    }
}
