//! What both sides keep in the data folder, beside the databases.
//!
//! | file | what it owns | writes |
//! |---|---|---|
//! | `side` | which side a data folder is | nothing |
//! | `trust` | newest root and rollback counters, and their lock | `trust/` |
//! | `segments` | segments by SHA-256 | `segments/` |
//! | `heads` | the signed beginnings of snapshots | `snapshots/` |

pub(super) mod heads;
pub(super) mod segments;
pub(super) mod side;
pub(super) mod trust;
