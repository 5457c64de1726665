//! Files and folders that operating systems put beside the files of people: on sticks, on shares, in
//! folders of documents. Nobody means them when a folder is named.

use std::ffi::OsStr;

/// What systems make beside hidden files, in lower case.
const NAMES: [&str; 6] = [
    "$recycle.bin",
    "desktop.ini",
    "ehthumbs.db",
    "lost+found",
    "system volume information",
    "thumbs.db",
];

/// Whether a name in a folder is passed over: hidden ones (`._X.tar` of a Mac, `.Trash`), and those of
/// [`NAMES`].
pub(crate) fn is_sidecar(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || NAMES.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

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
