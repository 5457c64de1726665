//! What may be wrong with an update document.

/// Why a document is refused. Positions count from 1.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is larger than the limit.
    #[error("the document has {size} bytes, over the limit of {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// It is no well-formed XML, nests too deeply, or holds a document type or an entity of its own.
    #[error("line {line}, column {column}: {what}")]
    Xml {
        /// Line.
        line: u64,
        /// Column.
        column: u64,
        /// What is wrong.
        what: String,
    },
    /// It is XML, but not an update document.
    #[error("line {line}, column {column}: not an update document: {what}")]
    Invalid {
        /// Line.
        line: u64,
        /// Column.
        column: u64,
        /// What is wrong.
        what: String,
    },
}
