//! Who may look into the data folder: its owner alone. It holds the key of cookies, what computers
//! report, and locks that whoever can open them can hold.

use std::{fs, io, path::Path};

/// What of ours may lie in the data folder. Anything else there is not ours to change.
#[cfg(unix)]
const OURS: [&str; 19] = [
    "tidegate.json",
    "catalog.sqlite",
    "catalog.sqlite-wal",
    "catalog.sqlite-shm",
    "fleet.sqlite",
    "fleet.sqlite-wal",
    "fleet.sqlite-shm",
    "sync.lock",
    "content",
    "segments",
    "snapshots",
    "trust",
    "keys",
    "journal",
    "receipts",
    "packs",
    "parts",
    "incoming",
    "damaged",
];

/// Makes a folder, and those above it, for their owner alone. What is there already stays as it is.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Takes from other users what an older version, or a copy with other permissions, gave them. What
/// cannot be changed is warned of: looking goes on.
#[cfg(unix)]
pub(super) fn tighten(root: &Path) {
    let ours = OURS.iter().map(|name| root.join(name));
    for path in std::iter::once(root.to_owned()).chain(ours) {
        if let Err(error) = tighten_one(&path) {
            tracing::warn!(
                path = %path.display(),
                %error,
                "other users may read this, and it cannot be changed: take that from them with `chmod -R go= FOLDER` as its owner"
            );
            return;
        }
    }
}

/// Other systems have no such permissions.
#[cfg(not(unix))]
pub(super) fn tighten(_root: &Path) {}

#[cfg(unix)]
fn tighten_one(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let mode = found.permissions().mode();
    // A link leads to a place of the administrator's own; a sticky folder is one for everybody.
    if found.is_symlink() || mode & 0o1000 != 0 || mode & 0o077 == 0 {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700)) {
        // SQLite takes away what it made beside a database when the last user of it ends.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that runs into one fails, as it should")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_ours_is_for_its_owner_alone_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        make_folder(&root).unwrap();
        assert_eq!(mode(&root), 0o700);
        for name in ["fleet.sqlite", "notes.txt"] {
            fs::write(root.join(name), b"x").unwrap();
            set(&root.join(name), 0o644);
        }
        fs::create_dir(root.join("trust")).unwrap();
        for path in [root.join("trust"), root.clone()] {
            set(&path, 0o755);
        }
        tighten(&root);
        assert_eq!([mode(&root), mode(&root.join("trust"))], [0o700, 0o700]);
        assert_eq!(mode(&root.join("fleet.sqlite")), 0o600);
        assert_eq!(mode(&root.join("notes.txt")), 0o644);
    }

    #[test]
    fn a_folder_for_everybody_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        set(folder.path(), 0o1777);
        tighten(folder.path());
        assert_eq!(mode(folder.path()), 0o777);
    }
}
