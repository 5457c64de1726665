//! Volumes as they are read: verified first, then walked once, front to end. Writes nothing but
//! what a pipe brings, for as long as it is read.
//!
//! | file | what it owns |
//! |---|---|
//! | `read` | finding volumes, checking their beginning, walking them |
//! | `pipe` | volumes that come through a pipe |
//! | `pump` | copying and hashing on several threads |
//! | `payload_table` | which payloads a snapshot names |
//! | `verify` | a whole bundle checked with nothing but a root |

pub(super) mod payload_table;
pub(super) mod pipe;
pub(super) mod pump;
pub(super) mod read;
pub(super) mod verify;
