//! Files and folders that operating systems put beside the files of people: on sticks, on shares, in
//! folders of documents. Nobody means them when a folder is named.

use std::{ffi::OsStr, fs, io, path::Path};

/// What systems make beside hidden files, in lower case.
const NAMES: [&str; 6] = [
    "$recycle.bin",
    "desktop.ini",
    "ehthumbs.db",
    "lost+found",
    "system volume information",
    "thumbs.db",
];

/// What systems make among hidden files, in lower case; `._…` and `.trash…` besides.
const HIDDEN: [&str; 6] =
    [".apdisk", ".directory", ".ds_store", ".fseventsd", ".spotlight-v100", ".temporaryitems"];

/// Whether a name in a folder is passed over: hidden ones (`._X.tar` of a Mac, `.Trash`), and those of
/// [`NAMES`].
pub(crate) fn is_sidecar(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || NAMES.contains(&name.to_lowercase().as_str())
}

/// Whether a folder may become ours: it is not there, or holds nothing but what systems put there.
///
/// # Errors
/// When it cannot be looked into.
pub fn is_free(folder: &Path) -> io::Result<bool> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(true),
        entries => entries?,
    };
    for entry in entries {
        if !is_of_system(&entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a system made it: a hidden file of people is something, too.
fn is_of_system(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_lowercase();
    let is_trash = name.starts_with("._") || name.starts_with(".trash");
    is_trash || NAMES.contains(&name.as_str()) || HIDDEN.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_nothing_of_people_is_free() {
        let folder = tempfile::tempdir().unwrap();
        assert!(is_free(&folder.path().join("absent")).unwrap());
        fs::create_dir(folder.path().join("System Volume Information")).unwrap();
        fs::write(folder.path().join(".DS_Store"), b"x").unwrap();
        assert!(is_free(folder.path()).unwrap());
        for name in ["letter.txt", ".git"] {
            fs::write(folder.path().join(name), b"x").unwrap();
            assert!(!is_free(folder.path()).unwrap(), "{name}");
            fs::remove_file(folder.path().join(name)).unwrap();
        }
    }

    #[test]
    fn what_systems_make_is_passed_over() {
        for name in
            ["._a.tar", ".DS_Store", "Thumbs.db", "System Volume Information", "$RECYCLE.BIN"]
        {
            assert!(is_sidecar(OsStr::new(name)), "{name}");
        }
        for name in ["a.tar", "a.xml", "thumbs.db.xml", "recycle.bin"] {
            assert!(!is_sidecar(OsStr::new(name)), "{name}");
        }
    }
}
