//! What an administrator can do about an error.

use std::{error::Error, io};

use crate::sqlite::{SqliteFailure, sqlite_failure};

/// What an administrator can do about a cause of an error, if it lies in the disk or in the state of a
/// database file.
pub fn advice(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if cause.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::FileTooLarge) {
        return Some(
            "the file system there takes no file as large as that: use one that does (ext4, NTFS, exFAT), or raise the limit of the shell (`ulimit -f`)",
        );
    }
    let failure = match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => SqliteFailure::Full,
        Some(io::ErrorKind::ReadOnlyFilesystem) => SqliteFailure::ReadOnlyFileSystem,
        _ => sqlite_failure(cause)?,
    };
    Some(match failure {
        SqliteFailure::Full => "free space there, then run it again",
        SqliteFailure::Disk => {
            "the disk or its file system failed: look into the system's log, then run it again"
        }
        SqliteFailure::ReadOnlyFileSystem => {
            "commands that only look work; for this one mount the file system for writing (the system makes it read-only when the disk fails: look into its log)"
        }
        SqliteFailure::ReadOnly => {
            "run it as a user who may write this file and its folder, on a file system that is not read-only"
        }
        SqliteFailure::Forbidden => {
            "run it as a user who may read and write this file and its folder"
        }
        SqliteFailure::Damaged => "bring the file back from a backup",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_advice() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(advice(&full).unwrap().contains("free space"));
        assert_eq!(advice(&io::Error::from(io::ErrorKind::NotFound)), None);
    }
}
