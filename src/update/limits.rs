//! Bounds on what is read.

/// Bounds on a document.
#[derive(Debug, Clone)]
pub struct DocumentLimits {
    /// Bytes of the document. Real ones reach 47 MB.
    pub bytes: u64,
    /// Nesting of elements.
    pub depth: usize,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self { bytes: 128 * 1024 * 1024, depth: 256 }
    }
}
