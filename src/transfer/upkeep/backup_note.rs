//! What a backup says of itself: `BACKUP.json`, the list of its files with their digests, and a page for
//! whoever finds it.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Component, Path},
};

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{data_dir::Side, file_error::Doing as _, transfer::error::TransferError};

type Result<T> = std::result::Result<T, TransferError>;

/// The version of the form of a backup.
const FORMAT: u32 = 1;
/// The list of files, for `sha256sum -c`; the last file that is written.
pub(super) const SUMS: &str = "SHA256SUMS";
/// The note.
pub(super) const NOTE: &str = "BACKUP.json";
/// The page.
pub(super) const PAGE: &str = "README.txt";
/// A list or a note is no longer than this, in bytes.
const LONGEST_LIST: u64 = 1 << 30;
/// Nor is a line of the list.
const LONGEST_LINE: u64 = 4096;

/// What a backup is of.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct BackupNote {
    format: u32,
    /// Which program made it.
    pub(super) program: String,
    /// When.
    pub(super) created: Timestamp,
    /// Of which side.
    pub(super) side: Side,
    /// The snapshot in force, or the one that was sealed last.
    pub(super) snapshot: Option<u64>,
    /// Whether the payloads are in it.
    pub(super) with_content: bool,
    /// Files, but for this one, the page and the list.
    pub(super) files: u64,
    /// Files that could not be read when it was made.
    pub(super) unreadable: Vec<String>,
}

impl BackupNote {
    pub(super) fn new(side: Side, created: Timestamp, with_content: bool) -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            created,
            side,
            snapshot: None,
            with_content,
            files: 0,
            unreadable: Vec::new(),
        }
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>> {
        let mut json =
            serde_json::to_vec_pretty(self).map_err(std::io::Error::from).doing("write", NOTE)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads the note of a backup.
    pub(super) fn read(backup: &Path) -> Result<Self> {
        let path = backup.join(NOTE);
        let mut json = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(LONGEST_LIST).read_to_end(&mut json))
            .doing("read the backup", &path)?;
        let note: Self = serde_json::from_slice(&json).map_err(|error| {
            TransferError::refused_by(format!("{} is damaged", path.display()), error)
        })?;
        if note.format != FORMAT {
            let what = format!(
                "{} was made by Tidegate {} in a form that this program does not know: use that program",
                backup.display(),
                note.program
            );
            return Err(TransferError::Unfit { what });
        }
        Ok(note)
    }

    /// The page for people.
    pub(super) fn page(&self) -> String {
        let (side, keys) = match &self.side {
            Side::Connected { mirror_id } => (
                format!("connected side, mirror {mirror_id}"),
                "It holds the signing keys (keys/): whoever has them and their passphrase can sign for your sites.\n",
            ),
            Side::Isolated { site } => (format!("isolated side, site {site}"), ""),
        };
        format!(
            "A backup of a Tidegate data folder: {side}, {:.0}, made by Tidegate {}.\n\n\
             Bring it back:  tidegate --data NEW-FOLDER restore THIS-FOLDER\n\
             Look at it:     sha256sum -c {SUMS}\n\n\
             Keep it like the data folder itself. It holds secrets: what signs the cookies of agents, and the\n\
             configuration, which may name a password.\n{keys}",
            self.created, self.program
        )
    }
}

/// The list of files as it is written.
pub(super) fn list(files: &BTreeMap<String, Sha256>) -> String {
    files.iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect()
}

/// Reads the list of a backup.
pub(super) fn read_list(backup: &Path) -> Result<BTreeMap<String, Sha256>> {
    let path = backup.join(SUMS);
    let file = File::open(&path).doing("read the backup", &path)?;
    let mut lines = BufReader::new(file.take(LONGEST_LIST));
    let mut files = BTreeMap::new();
    loop {
        let mut line = Vec::new();
        lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).doing("read", &path)?;
        if line.is_empty() {
            return Ok(files);
        }
        let entry = str::from_utf8(&line).ok().and_then(|line| {
            let (sha256, name) = line.strip_suffix('\n')?.split_once("  ")?;
            Some((name.to_owned(), sha256.parse::<Sha256>().ok()?))
        });
        let entry = entry.filter(|(name, _)| is_plain(Path::new(name)));
        if entry.is_none_or(|(name, sha256)| files.insert(name, sha256).is_some()) {
            return Err(TransferError::refused(format!(
                "{} is damaged: line {} is none of a list of files. Take another backup",
                path.display(),
                files.len() + 1
            )));
        }
    }
}

/// Whether a name stays within the folder that it is in, and in its line of the list.
pub(super) fn is_plain(name: &Path) -> bool {
    let parts = || name.components();
    name.to_str().is_some_and(|text| !text.contains(|c: char| c.is_control() || c == '\\'))
        && parts().next().is_some()
        && parts().all(|part| matches!(part, Component::Normal(_)))
        && parts().map(|part| part.as_os_str()).collect::<std::path::PathBuf>().as_os_str()
            == name.as_os_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_within_the_folder_are_read() {
        for name in ["a", "keys/1.root.json", "content/ab/cd"] {
            assert!(is_plain(Path::new(name)), "{name}");
        }
        for name in ["", "/a", "../a", "a/../../b", "./a", "a//b", "a/", "a\nb", "a\\b"] {
            assert!(!is_plain(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let good = format!("{}  a\n", Sha256::hash(b"a"));
        let read = |text: &str| {
            std::fs::write(folder.path().join(SUMS), text).unwrap();
            read_list(folder.path()).map(|files| files.len())
        };
        assert_eq!(read(&good).unwrap(), 1);
        let other = good.replace("  a", "  ../a");
        for bad in [&good[..40], good.trim_end(), &good.repeat(2), "x\n", &other] {
            assert!(matches!(read(bad), Err(TransferError::Refused { .. })), "{bad:?}");
        }
    }
}
