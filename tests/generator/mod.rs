//! A catalogue generator: update documents of our own making, shaped like the real ones, as many as
//! wanted. Test support, not shipped. Everything follows from the seed and the position in the
//! catalogue, so nothing is kept: a document is made when it is asked for, and forgotten.
//!
//! What the numbers imitate: the documents of two real `wsusutil` packages, the file sizes of a real
//! server from 2019 to 2024, and what is known of a Windows 11 catalogue.

pub mod documents;
pub mod entry;
pub mod output;
pub mod plan;
pub mod random;
pub mod rules;
pub mod sizes;

pub use plan::{Plan, Profile};
