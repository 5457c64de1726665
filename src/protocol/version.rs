//! Protocol versions: two integers, not a decimal number.

use std::{fmt, str::FromStr};

/// `major.minor`. 2.32 is newer than 2.4. [MS-WUSP] 2.2.2.2.1
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProtocolVersion {
    /// Before the dot.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

impl ProtocolVersion {
    /// Clients from here on know `FilterCategoryIds`, `NeedTwoGroupOutOfScopeUpdates`,
    /// `DeployedOutOfScopeRevisionIds` and `DriverSyncNotNeeded`.
    pub const CATEGORY_SCANS: Self = Self { major: 1, minor: 7 };
    /// Clients from here on know `AutoSelect`, `AutoDownload` and `SupersedenceBehavior`.
    pub const AUTO_SELECT: Self = Self { major: 1, minor: 8 };
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no protocol version (x.y)")]
pub struct BadVersion {
    text: String,
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ProtocolVersion {
    type Err = BadVersion;

    fn from_str(text: &str) -> Result<Self, BadVersion> {
        let number = |digits: &str| {
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        text.trim()
            .split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| BadVersion { text: text.chars().take(100).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_pairs_of_integers() {
        let version = |text: &str| text.parse::<ProtocolVersion>().unwrap();
        assert!(version("2.32") > version("2.4"));
        assert!(version("1.20") > version("1.8"));
        assert!(version("1.7") >= ProtocolVersion::CATEGORY_SCANS);
        assert_eq!(version(" 2.90 ").to_string(), "2.90");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "2", "2.", ".9", "2.9.1", "a.b", "+1.8", "1.-8", "99999.1"] {
            assert!(text.parse::<ProtocolVersion>().is_err(), "{text}");
        }
    }
}
