//! Volumes as they are read: verified first, then walked once, front to end. Writes nothing.
//!
//! | file | what it owns |
//! |---|---|
//! | `read` | finding volumes, checking their beginning, walking them |
//! | `pump` | copying and hashing on several threads |
//! | `payload_table` | which payloads a snapshot names |
//! | `transcript` | every check that was made, for somebody else to make again |
//! | `verify` | a whole bundle checked with nothing but a root |

pub(super) mod payload_table;
pub(super) mod pump;
pub(super) mod read;
pub(super) mod transcript;
pub(super) mod verify;
