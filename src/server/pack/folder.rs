//! The folder of the pack files: opening, merging, removing.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::Path,
};

use super::{
    error::PackError,
    file::{OpenPack, Pack},
    format::UNFINISHED,
    writer::PackWriter,
};
use crate::{file_error::Doing as _, update::UpdateIdentity};

/// Makes the folder and locks it until the file is dropped. `None` on a file system that is read-only:
/// nobody writes there.
pub(super) fn lock(folder: &Path) -> Result<Option<File>, PackError> {
    let is_read_only = |error: &io::Error| error.kind() == io::ErrorKind::ReadOnlyFilesystem;
    match fs::create_dir_all(folder) {
        Err(error) if is_read_only(&error) && folder.is_dir() => return Ok(None),
        made => made.doing("make the folder", folder)?,
    }
    let path = folder.join("lock");
    let lock = match File::create(&path) {
        Err(error) if is_read_only(&error) => return Ok(None),
        made => made.doing("make", &path)?,
    };
    fs4::FileExt::lock(&lock).doing("lock", &path)?;
    Ok(Some(lock))
}

/// Opens all packs in the order of their numbers; removes damaged ones and what killed runs left.
pub(super) fn open_all(folder: &Path) -> Result<Vec<OpenPack>, PackError> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder).doing("list", folder)? {
        let path = entry.doing("list", folder)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(UNFINISHED) {
            remove(&path);
            continue;
        }
        let Some(number) = name.strip_suffix(".pack").and_then(|n| n.parse().ok()) else {
            continue;
        };
        match Pack::open(&path, number) {
            Ok(pack) => packs.push(pack),
            Err(PackError::Damaged { path, what }) => {
                tracing::warn!(path = %path.display(), what, "a pack is damaged and is made again");
                remove(&path);
            }
            Err(error) => return Err(error),
        }
    }
    packs.sort_by_key(|(pack, _)| pack.number());
    Ok(packs)
}

/// The revisions whose fragments are in the packs of a folder. For who looks: nothing is made or removed,
/// and what cannot be read does not count.
pub fn packed_in(folder: &Path) -> HashSet<UpdateIdentity> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let packs = paths.filter(|path| path.extension().is_some_and(|name| name == "pack"));
    let opened = packs.filter_map(|path| Pack::open(&path, 0).ok());
    opened.flat_map(|(_, entries)| entries).map(|(identity, _)| identity).collect()
}

pub(super) fn next_number(packs: &[OpenPack]) -> u64 {
    packs.iter().map(|(pack, _)| pack.number()).max().unwrap_or(0) + 1
}

/// Removes packs that hold nothing that is still in the catalogue.
pub(super) fn remove_dead(packs: &mut Vec<OpenPack>, alive: &HashSet<UpdateIdentity>) {
    packs.retain(|(pack, entries)| {
        let used = entries.iter().any(|(identity, _)| alive.contains(identity));
        if !used {
            remove(pack.path());
        }
        used
    });
}

/// Copies what is alive into one pack and removes the others. Views that still use these keep them
/// open.
pub(super) fn merge(
    folder: &Path,
    packs: &mut Vec<OpenPack>,
    alive: &HashSet<UpdateIdentity>,
) -> Result<(), PackError> {
    let mut writer = PackWriter::new(folder)?;
    let mut copied = HashSet::new();
    for (pack, entries) in packs.iter().rev() {
        for (identity, entry) in entries {
            if alive.contains(identity) && copied.insert(*identity) {
                writer.copy(*identity, pack, entry)?;
            }
        }
    }
    let merged = writer.finish(next_number(packs))?;
    for (pack, _) in packs.drain(..) {
        remove(pack.path());
    }
    packs.push(merged);
    Ok(())
}

/// What cannot be removed stays: it only takes space, and the next start tries again.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove an old pack");
    }
}
