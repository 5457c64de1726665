//! `snapshots/<n>/`: the signed head of a snapshot as plain files.

use std::{fs, path::Path};

use bundle_format::trust::Head;

use crate::{
    data_dir::DataDir,
    durable,
    transfer::{
        error::{TransferError, io_error},
        kill,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The folders of a head.
const PARTS: [&str; 2] = ["metadata", "targets"];

/// Writes a head so that the folder is either there whole or not at all.
pub(crate) fn store(data: &DataDir, number: u64, head: &Head) -> Result<()> {
    let folder = data.snapshot(number);
    if folder.exists() {
        return update(&folder, head);
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
    for folder in PARTS {
        let folder = scratch.path().join(folder);
        if folder.exists() {
            durable::sync_folder(&folder).map_err(io_error("sync", &folder))?;
        }
    }
    durable::sync_folder(scratch.path()).map_err(io_error("sync", scratch.path()))?;
    fs::rename(scratch.path(), &folder).map_err(io_error("make", &folder))?;
    drop(scratch.keep());
    kill::step("head renamed");
    durable::sync_folder(parent).map_err(io_error("sync", parent))
}

/// Brings a head that is there up to date file by file, so that it is never away: of one that counts,
/// a signature on the timestamp or a root is new, and each state on the way holds.
fn update(folder: &Path, head: &Head) -> Result<()> {
    for (name, bytes) in &head.files {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|stored| stored == *bytes) {
            continue;
        }
        durable::write(&path, bytes).map_err(io_error("write", &path))?;
        kill::step("head file replaced");
    }
    // What is left of a run that was killed before it counted.
    for part in PARTS {
        let path = folder.join(part);
        for name in names(&path).map_err(io_error("list", &path))? {
            if !head.files.contains_key(&format!("{part}/{name}")) {
                let path = path.join(name);
                fs::remove_file(&path).map_err(io_error("remove the leftover", &path))?;
            }
        }
    }
    Ok(())
}

/// Reads a stored head. It is checked again like any other before it is believed.
pub(crate) fn load(data: &DataDir, number: u64) -> Result<Head> {
    let folder = data.snapshot(number);
    let mut head = Head::default();
    for part in PARTS {
        let path = folder.join(part);
        for name in names(&path).map_err(io_error("list", &path))? {
            // A temporary file of a killed run is no part of it.
            if !name.starts_with('.') {
                let path = path.join(&name);
                let bytes = fs::read(&path).map_err(io_error("read", &path))?;
                head.files.insert(format!("{part}/{name}"), bytes.into());
            }
        }
    }
    Ok(head)
}

fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}
