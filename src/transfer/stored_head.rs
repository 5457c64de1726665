//! `snapshots/<n>/`: the signed head of a snapshot as plain files.

use std::{fs, path::Path};

use bundle_format::trust::Head;

use super::{TransferError, error::io_error, keys::sync_folder, kill};
use crate::data_dir::DataDir;

type Result<T> = std::result::Result<T, TransferError>;

/// Writes a head so that the folder is either there whole or not at all. One that is there already
/// (of a run that was killed before it counted) is replaced.
pub(super) fn store(data: &DataDir, number: u64, head: &Head) -> Result<()> {
    let folder = data.snapshot(number);
    if load(data, number).is_ok_and(|stored| stored == *head) {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(data.root());
    fs::create_dir_all(parent).map_err(io_error("make", parent))?;
    let scratch = tempfile::Builder::new()
        .prefix("tmp.")
        .tempdir_in(parent)
        .map_err(io_error("make a folder in", parent))?;
    for (name, bytes) in &head.files {
        let path = scratch.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(io_error("make", folder))?;
        }
        fs::write(&path, bytes)
            .and_then(|()| fs::File::open(&path)?.sync_all())
            .map_err(io_error("write", &path))?;
        kill::step("head file");
    }
    for folder in ["metadata", "targets"] {
        let folder = scratch.path().join(folder);
        if folder.exists() {
            sync_folder(&folder)?;
        }
    }
    sync_folder(scratch.path())?;
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(io_error("remove the leftover", &folder))?;
    }
    fs::rename(scratch.path(), &folder).map_err(io_error("make", &folder))?;
    drop(scratch.keep());
    kill::step("head renamed");
    sync_folder(parent)
}

/// Reads a stored head. It is checked again like any other before it is believed.
pub(super) fn load(data: &DataDir, number: u64) -> Result<Head> {
    let folder = data.snapshot(number);
    let mut head = Head::default();
    for part in ["metadata", "targets"] {
        let path = folder.join(part);
        read_folder(&path, part, &mut head).map_err(io_error("read", &path))?;
    }
    Ok(head)
}

fn read_folder(path: &Path, part: &str, head: &mut Head) -> std::io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = format!("{part}/{}", entry.file_name().to_string_lossy());
        head.files.insert(name, fs::read(entry.path())?.into());
    }
    Ok(())
}
