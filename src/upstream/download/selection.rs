//! Which files are wanted.

use std::path::PathBuf;

use crate::update::UpdateId;

/// Which files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileSelection {
    /// Of updates that are approved for installation or removal, and not declined; and what servers
    /// below this one have asked for.
    Approved,
    /// Of all updates that are not declined.
    All,
    /// Of these updates.
    Updates(Vec<UpdateId>),
    /// Of the updates of a KB article.
    Kb(String),
    /// Those in a list: a SHA-256 or SHA-1 in hexadecimal at the beginning of each line.
    Needs(PathBuf),
}
