//! An error of the file system, with what was attempted on what: the one form that all rooms use.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Something could not be done to a file or a folder.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}", path.display())]
pub struct FileError {
    /// What was attempted, as a verb: `read`, `make the folder`.
    pub doing: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

/// Says what was attempted when a call of the file system fails.
pub trait Doing<T> {
    /// Adds what was attempted, and on what: `fs::read(&path).doing("read", &path)?`.
    ///
    /// # Errors
    /// The same failure as a [`FileError`].
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, FileError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, path: impl AsRef<Path>) -> Result<T, FileError> {
        self.map_err(|source| FileError { doing, path: path.as_ref().to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_was_attempted_on_what() {
        let missing = Path::new("no-such-folder/no-such-file");
        let error = std::fs::read(missing).doing("read", missing).unwrap_err();
        assert_eq!(error.to_string(), "cannot read no-such-folder/no-such-file");
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }
}
