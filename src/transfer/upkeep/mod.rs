//! Looking after a data folder: checking, clearing, rebuilding. The only folder that knows both
//! sides.
//!
//! | file | what it owns |
//! |---|---|
//! | `check` | every stored file against its name and the catalogue |
//! | `consistency` | whether the stores belong together |
//! | `prune` | what nobody needs any more, removed |
//! | `snapshots` | which snapshots there are, and which still matter |
//! | `snapshot_diff` | how two of them differ |
//! | `backup`, `restore` | a copy of a data folder while it is in use, and a new one from it |
//! | `backup_note` | what a backup says of itself |
//! | `file_copy` | copying into a new folder |
//! | `seed` | a lost connected side, rebuilt from a bundle |

pub(super) mod backup;
mod backup_note;
pub(super) mod check;
pub(super) mod consistency;
mod file_copy;
pub(super) mod prune;
pub(super) mod restore;
pub(super) mod seed;
pub(super) mod snapshot_diff;
pub(super) mod snapshots;
