//! Volumes: read (verified first, then walked once, front to end), and written.
//!
//! | file | what it owns |
//! |---|---|
//! | `read` | finding volumes, checking their beginning, walking them |
//! | `pump` | copying and hashing on several threads |
//! | `payload_table` | which payloads a snapshot names |
//! | `verify` | a whole bundle checked with nothing but a root |
//! | `layout`, `medium`, `write` | which object goes on which volume; what a medium can take; writing them |
//! | `parity`, `repair` | parity files beside volumes; what they restore |
//! | `source` | the volumes of a finished bundle, all of them |
//! | `repack` | a finished bundle in volumes of another size |

pub(super) mod layout;
pub(super) mod medium;
pub(super) mod parity;
pub(super) mod payload_table;
pub(super) mod pump;
pub(super) mod read;
pub(super) mod repack;
pub(super) mod repair;
mod source;
pub(super) mod verify;
pub(super) mod write;
