//! Volumes: read (verified first, then walked once, front to end), and written.
//!
//! | file | what it owns |
//! |---|---|
//! | `read` | finding volumes, checking their beginning, walking them |
//! | `pipe` | volumes that come through a pipe |
//! | `pump` | copying and hashing on several threads |
//! | `payload_table` | which payloads a snapshot names |
//! | `checked_segments` | segments that were read, kept while a command runs |
//! | `missing_payloads` | payloads that are missing, and what updates call them |
//! | `update_summary` | an update as people know it |
//! | `verify`, `verify_report` | a whole bundle checked with nothing but a root: what is there, damaged, missing |
//! | `segment_diff` | how the updates of two snapshots differ |
//! | `inspect` | what is on volumes: updates, files, policy |
//! | `layout`, `medium`, `write` | which object goes on which volume; what a medium can take; writing them |
//! | `parity`, `repair` | parity files beside volumes; what they restore |
//! | `source` | the volumes of a finished bundle, all of them |
//! | `repack` | a finished bundle in volumes of another size |
//! | `transcript`, `noted_segments` | every check that was made, for somebody else to make again |

pub(super) mod checked_segments;
pub(super) mod inspect;
pub(super) mod layout;
pub(super) mod medium;
pub(super) mod missing_payloads;
mod noted_segments;
pub(super) mod parity;
pub(super) mod payload_table;
pub(super) mod pipe;
pub(super) mod pump;
pub(super) mod read;
pub(super) mod repack;
pub(super) mod repair;
pub(super) mod segment_diff;
mod source;
pub(super) mod transcript;
pub(super) mod update_summary;
pub(super) mod verify;
pub(super) mod verify_report;
pub(super) mod write;
