//! Key files: ed25519 in PKCS#8 PEM, with an optional passphrase.

use std::path::Path;

/// What went wrong with a key file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("cannot read or write the key file {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no key file, or the passphrase is missing or wrong.
    #[error("cannot use the key file {path}: {what}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        what: String,
    },
}

/// A secret ed25519 key.
pub struct SigningKey {
    // aws_lc_rs::signature::Ed25519KeyPair
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        unimplemented!()
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When the file is missing, no key, or the passphrase does not open it.
    pub fn load(path: &Path, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let _ = (path, passphrase);
        unimplemented!()
    }

    /// Writes a key file that only its owner may read; never overwrites one.
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn save(&self, path: &Path, passphrase: Option<&str>) -> Result<(), KeyError> {
        let _ = (path, passphrase);
        unimplemented!()
    }

    /// The TUF key id, in hexadecimal.
    pub fn key_id(&self) -> String {
        unimplemented!()
    }
}
