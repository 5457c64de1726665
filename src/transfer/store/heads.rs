//! `snapshots/<n>/`: the signed head of a snapshot as plain files.

use std::{fs, path::Path};

use bundle_format::trust::Head;
use jiff::Timestamp;

use crate::{
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, kill},
};

type Result<T> = std::result::Result<T, TransferError>;

/// The folders of a head.
const PARTS: [&str; 2] = ["metadata", "targets"];

/// Writes a head so that the folder is either there whole or not at all.
pub(crate) fn store(data: &DataDir, number: u64, head: &Head) -> Result<()> {
    let folder = data.snapshot(number);
    if folder.exists() {
        return update_files(&folder, head);
    }
    let parent = folder.parent().unwrap_or(data.root());
    fs::create_dir_all(parent).doing("make", parent)?;
    let scratch = tempfile::Builder::new()
        .prefix("tmp.")
        .tempdir_in(parent)
        .doing("make a folder in", parent)?;
    for (name, bytes) in &head.files {
        let path = scratch.path().join(name);
        durable::write(&path, bytes).doing("write", &path)?;
        kill::step("head file");
    }
    durable::sync_folder(scratch.path()).doing("sync", scratch.path())?;
    fs::rename(scratch.path(), &folder).doing("make", &folder)?;
    drop(scratch.keep());
    kill::step("head renamed");
    durable::sync_folder(parent).doing("sync", parent)?;
    Ok(())
}

/// Brings a stored head up to date file by file, so that there is a valid head at every moment: only
/// a signature on the timestamp or a root can be new, and every state in between verifies.
fn update_files(folder: &Path, head: &Head) -> Result<()> {
    for (name, bytes) in &head.files {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|stored| stored == *bytes) {
            continue;
        }
        durable::write(&path, bytes).doing("write", &path)?;
        kill::step("head file replaced");
    }
    // Leftovers of a run that was killed before its commit.
    for part in PARTS {
        let path = folder.join(part);
        for name in list_names(&path).doing("list", &path)? {
            if !head.files.contains_key(&format!("{part}/{name}")) {
                let path = path.join(name);
                fs::remove_file(&path).doing("remove the leftover", &path)?;
            }
        }
    }
    Ok(())
}

/// Reads a stored head. Nothing in it may be used before it is checked like one from outside.
pub(crate) fn load(data: &DataDir, number: u64) -> Result<Head> {
    load_parts(data, number, &PARTS)
}

fn load_parts(data: &DataDir, number: u64, parts: &[&str]) -> Result<Head> {
    let folder = data.snapshot(number);
    let mut head = Head::default();
    for part in parts {
        let path = folder.join(part);
        for name in list_names(&path).doing("list", &path)? {
            // A temporary file of a killed run is no part of it.
            if !name.starts_with('.') {
                let path = path.join(&name);
                let bytes = fs::read(&path).doing("read", &path)?;
                head.files.insert(format!("{part}/{name}"), bytes.into());
            }
        }
    }
    Ok(head)
}

/// When the first signature of a stored head expires, as it says; `None` when it is not here. It was
/// checked when it came, and is only shown.
pub(in crate::transfer) fn expires(data: &DataDir, number: u64) -> Option<Timestamp> {
    let head = load_parts(data, number, &["metadata"]).ok()?;
    let is_root = |name: &str| name.ends_with("root.json");
    let newest_root = head.roots().pop();
    let others = head.files.iter().filter(|(name, _)| name.ends_with(".json") && !is_root(name));
    let all = others.map(|(_, bytes)| bytes).chain(newest_root.as_ref());
    all.filter_map(|bytes| {
        let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
        document.get("signed")?.get("expires")?.as_str()?.parse().ok()
    })
    .min()
}

/// The newest snapshot that was signed here; 0 when none was. (At a site the count may have begun anew.)
pub(crate) fn newest(data: &DataDir) -> Result<u64> {
    let folder = data.snapshots();
    if !folder.exists() {
        return Ok(0);
    }
    let mut newest = 0;
    for entry in fs::read_dir(&folder).doing("list", &folder)? {
        let name = entry.doing("list", &folder)?.file_name();
        newest = name.to_str().and_then(|name| name.parse().ok()).unwrap_or(0).max(newest);
    }
    Ok(newest)
}

fn list_names(folder: &Path) -> std::io::Result<Vec<String>> {
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}
