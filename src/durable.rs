//! How a file comes to stay on the disk: written under a temporary name in the same folder, synced,
//! renamed, and the folder synced. After a crash there is either the old file or the new one.
//!
//! Everything that this program must find again after a crash is written through here.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
};

use tempfile::NamedTempFile;

/// Writes a small file; its folder is made if it is not there.
///
/// # Errors
/// When the disk fails; the old file is then still there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    persist(file, path)?;
    Ok(())
}

/// Writes a file that a person has named, outside our folders: in place, because nobody would sweep a
/// temporary file that a killed run leaves beside it. What cannot be written whole is removed.
///
/// # Errors
/// When the disk fails.
pub(crate) fn write_in_place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    let written = file.write_all(bytes).and_then(|()| where_possible(file.sync_all()));
    if written.is_err() {
        // The error says that it is not there.
        let _ = fs::remove_file(path);
    }
    written
}

/// Gives a written temporary file its name, for good. It must lie in the file system of `path`.
///
/// # Errors
/// When the disk fails; the temporary file is then removed.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> io::Result<File> {
    let file = rename(file, path)?;
    sync_folder(folder_of(path))?;
    Ok(file)
}

/// As [`persist`], but never over a file that is there: the error is then of the kind `AlreadyExists`.
///
/// # Errors
/// When there is such a file, or the disk fails; the temporary file is then removed.
pub(crate) fn persist_new(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// As [`persist`], without the sync of the folder, for many files in one folder: call [`sync_folder`]
/// after the last one.
///
/// # Errors
/// As [`persist`].
pub(crate) fn rename(file: NamedTempFile, path: &Path) -> io::Result<File> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)
}

/// Makes the names in a folder durable: what was renamed, made or removed there; where the file system
/// can do that.
///
/// # Errors
/// When the disk fails.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    where_possible(File::open(folder).and_then(|folder| folder.sync_all()))
}

/// Gives a file or folder permissions, where the file system has such: FAT, shares and sticks that were
/// mounted for all have none, and neither have systems that are no Unix.
///
/// # Errors
/// When the disk fails.
pub(crate) fn permit(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        where_possible(fs::set_permissions(path, fs::Permissions::from_mode(mode)))
    }
    #[cfg(not(unix))]
    {
        let _ = (path, mode);
        Ok(())
    }
}

/// For what never changes: no program shall write to it by mistake. Where the file system can say that.
///
/// # Errors
/// When the disk fails.
pub(crate) fn make_read_only(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o444);
    #[cfg(not(unix))]
    permissions.set_readonly(true);
    where_possible(file.set_permissions(permissions))
}

/// What a file system refuses because it is not made for it does not count; what fails does, and so
/// does a right that is missing.
pub(crate) fn where_possible(result: io::Result<()>) -> io::Result<()> {
    /// `EPERM`; `EACCES`, of the same kind, is a right that is missing.
    const NOT_PERMITTED: i32 = 1;
    match &result {
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
            Ok(())
        }
        // Windows opens no folders at all.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            if !cfg!(unix) || e.raw_os_error() == Some(NOT_PERMITTED) { Ok(()) } else { result }
        }
        _ => result,
    }
}

/// Removes the files and folders of a folder whose names begin so: what killed runs left. The caller
/// holds the lock of whoever makes such names.
///
/// # Errors
/// When the disk fails.
pub(crate) fn sweep(folder: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(prefix) {
            continue;
        }
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
            other => other.and_then(|_| fs::remove_file(entry.path())),
        };
        // Somebody else has removed it since.
        removed.or_else(|e| if e.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    }
    Ok(())
}

/// The folder of a file; of a bare name the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn what_a_file_system_cannot_do_does_not_count() {
        let result = |number| where_possible(Err(io::Error::from_raw_os_error(number)));
        for (number, name) in [(1, "EPERM"), (22, "EINVAL"), (38, "ENOSYS")] {
            assert!(result(number).is_ok(), "{name}");
        }
        for (number, name) in [(5, "EIO"), (28, "ENOSPC"), (13, "EACCES"), (30, "EROFS")] {
            assert!(result(number).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("state");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path().join("below")).unwrap().count(), 1);
    }

    #[test]
    fn what_killed_runs_left_is_swept_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("keys.a1")).unwrap();
        fs::write(folder.path().join("keys.a1").join("root-1.pem"), b"secret").unwrap();
        fs::write(folder.path().join("keys.b2"), b"x").unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        sweep(folder.path(), "keys.").unwrap();
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["keys"]);
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("state")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/state")), Path::new("a"));
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("inside"), b"x").unwrap();
        assert!(write(&taken, b"bytes").is_err());
        assert!(taken.join("inside").exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
