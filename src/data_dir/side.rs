//! Which side a data folder belongs to, and the names of sites.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::DataDirError;

/// Which side a data folder belongs to; kept in `tidegate.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "side", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Side {
    /// Fills the mirror and exports it.
    Connected {
        /// The mirror, the numbering authority of its revision IDs.
        #[serde(rename = "mirror-id")]
        mirror_id: Uuid,
    },
    /// Imports and serves.
    Isolated {
        /// The isolated network, as bundles name it.
        site: String,
    },
}

/// Whether a text can name a site: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`, beginning with a letter
/// or digit. Names go into signed metadata and file names.
///
/// # Errors
/// [`DataDirError::Invalid`] otherwise.
pub fn check_site(site: &str) -> Result<(), DataDirError> {
    let good = (1..=64).contains(&site.len())
        && site
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        && site.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if good {
        return Ok(());
    }
    Err(DataDirError::Invalid {
        what: format!(
            "{site:?} cannot name a site: use 1 to 64 of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit"
        ),
    })
}
