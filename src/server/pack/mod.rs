//! Packs: the fragments of all revisions, escaped for SOAP and compressed once, read by position.
//!
//! Real Core fragments reach 47 MB each and 1.2 GB for one Windows version: they cannot live in
//! memory, and compressing them for every answer would cost more than everything else. Xpress blocks
//! are independent, so what is stored here is glued into answers as it is.
//!
//! Packs are derived from the catalogue. `packs/<n>.pack` never changes once it has its name; what is
//! new goes into a further pack; a damaged one is thrown away and made again; many are merged into
//! one. All of them may be deleted while no server runs.
//!
//! | file | what it owns |
//! |---|---|
//! | `packs` | all packs, and where each revision's fragments are |
//! | `folder` | the pack files: opening, merging, removing |
//! | `build`, `packed` | making fragments out of documents |
//! | `format`, `file`, `writer` | one pack file |
//! | `fragment` | reading a fragment |

mod build;
pub(super) mod error;
mod file;
mod folder;
mod format;
pub(super) mod fragment;
mod packed;
pub(super) mod packs;
#[cfg(test)]
mod tests;
mod writer;

pub use build::UnpackableRevision;
pub use error::PackError;
pub use folder::packed_in;
pub use fragment::{Chunks, FragmentKind, PackedFragment};
pub use packs::Packs;
