//! Update documents: Microsoft's XML as an upstream server hands it out, what we read from it, and
//! the fragments that agents get. Pure: no I/O, no clock. [MS-WUSP] 3.1.1.1, [MS-WSUSSS] 2.2.4
//!
//! The catalogue keeps the original byte for byte; what is here is derived from it.

mod characters;
mod compatible;
mod document;
mod drivers;
mod error;
mod files;
mod fragments;
mod identity;
mod kb;
mod limits;
mod localized;
mod namespace;
mod parse;
mod properties;
mod reader;
mod relationships;
mod sections;
mod writer;

pub use compatible::compatible_protocol;
pub use document::{
    Clause, DriverMetadata, EulaFile, LocalizedProperties, Properties, UpdateDocument, UpdateFile,
    UpdateType,
};
pub use error::DocumentError;
pub use fragments::{Fragments, LocalizedFragment, fragments};
pub use identity::{RevisionId, UpdateId, UpdateIdentity};
pub use kb::kb_number;
pub use limits::DocumentLimits;
