//! Fingerprints of roots, to compare by voice.

use tough::schema::{Root, Signed};

use super::{TrustError, document, words};
use crate::digest::Sha256;

/// Fingerprint of a root, to compare by voice: of its canonical signed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub Sha256);

impl Fingerprint {
    /// Of a root file.
    ///
    /// # Errors
    /// When it is no root.
    pub fn from_root(root: &[u8]) -> Result<Self, TrustError> {
        let root: Signed<Root> = document::parse(root)
            .map_err(|what| TrustError::refused(format!("the root file {what}")))?;
        Self::from_parsed(&root.signed)
    }

    /// Of a parsed root. Signatures do not count, so that adding one changes nothing.
    pub(super) fn from_parsed(root: &Root) -> Result<Self, TrustError> {
        document::digest(root).map(Self)
    }

    /// As words: sixteen, for the first 128 bits.
    pub fn words(&self) -> String {
        words::spoken(self.0.as_bytes())
    }

    /// Whether `text` (words or hexadecimal, in any case and spacing) is this fingerprint.
    pub fn matches(&self, text: &str) -> bool {
        let hexadecimal: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-')).collect();
        if hexadecimal.parse() == Ok(self.0) {
            return true;
        }
        let said: Vec<String> = text
            .split(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        said.join(" ") == self.words()
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.words(), self.0)
    }
}
