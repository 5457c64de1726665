//! The fragments of a revision as they go into a pack.

/// A fragment, escaped and compressed.
pub(super) struct CompressedFragment {
    pub(super) framed: Vec<u8>,
    /// Length before compression.
    pub(super) escaped: u64,
}

/// All fragments of one revision.
pub(super) struct Packed {
    pub(super) core: CompressedFragment,
    pub(super) extended: CompressedFragment,
    pub(super) texts: Vec<PackedText>,
}

pub(super) struct PackedText {
    pub(super) eula: bool,
    pub(super) language: String,
    pub(super) geo_id: Option<String>,
    pub(super) piece: CompressedFragment,
}
