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
//! | `seed` | a lost connected side, rebuilt from a bundle |

pub(super) mod check;
pub(super) mod consistency;
pub(super) mod prune;
pub(super) mod seed;
pub(super) mod snapshot_diff;
pub(super) mod snapshots;
