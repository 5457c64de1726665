//! Moving finished files to their places.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
};

use crate::{
    durable,
    file_error::{Doing as _, FileError},
    transfer::kill,
};

type Result<T> = std::result::Result<T, FileError>;

/// Files that are synced at the same time.
const SYNCING: usize = 8;

/// Moves files from where they are to where they belong: syncs all, renames all, syncs the folders.
pub(super) fn move_files(moves: &[(PathBuf, PathBuf)]) -> Result<()> {
    sync_all(moves)?;
    let mut folders = BTreeSet::new();
    for (from, to) in moves {
        if let Some(folder) = to.parent() {
            if !folder.is_dir() {
                fs::create_dir_all(folder).doing("make", folder)?;
                folders.extend(folder.parent().map(Path::to_owned));
            }
            folders.insert(folder.to_owned());
        }
        fs::rename(from, to).doing("move to its place", to)?;
        kill::step("object renamed");
    }
    for folder in folders {
        durable::sync_folder(&folder).doing("sync", &folder)?;
    }
    Ok(())
}

/// Syncs files on several threads: a file system commits many at once about as fast as one.
fn sync_all(moves: &[(PathBuf, PathBuf)]) -> Result<()> {
    let sync = |from: &Path| -> Result<()> {
        let file = File::open(from).doing("open", from)?;
        durable::make_read_only(&file).and_then(|()| file.sync_all()).doing("sync", from)?;
        kill::step("object synced");
        Ok(())
    };
    std::thread::scope(|scope| {
        let share = moves.len().div_ceil(SYNCING).max(1);
        let threads: Vec<_> = moves
            .chunks(share)
            .map(|moves| scope.spawn(|| moves.iter().try_for_each(|(from, _)| sync(from))))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| {
                Err(std::io::Error::other("a thread stopped")).doing("sync", "incoming/")
            })
        })
    })
}
