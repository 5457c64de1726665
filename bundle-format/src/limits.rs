//! Every bound on input, with the attack that it stops.

/// Bounds on what a bundle may hold. The defaults fit the largest real mirrors with room to spare.
#[derive(Debug, Clone)]
pub struct BundleLimits {
    /// Bytes of `VOLUME.json`, which lists the objects of a volume (endless note).
    pub note_bytes: u64,
    /// Bytes of all files of the head together (endless head).
    pub head_bytes: u64,
    /// Bytes of one metadata file in the head (endless metadata).
    pub metadata_bytes: u64,
    /// Root files in the head (endless root chain).
    pub roots: u64,
    /// Bytes of the compressed snapshot index or policy (endless target).
    pub index_bytes: u64,
    /// Bytes of the unpacked snapshot index or policy (decompression bomb).
    pub index_unpacked_bytes: u64,
    /// Target groups in the policy: a server prepares what it offers to each (many groups for all updates).
    pub policy_groups: u64,
    /// Entries of each other list of the policy: approvals, declines, licences, what was taken back, rules
    /// (a policy that is applied for hours).
    pub policy_entries: u64,
    /// Bytes of one compressed segment (endless object).
    pub segment_bytes: u64,
    /// Bytes of one unpacked segment (decompression bomb).
    pub segment_unpacked_bytes: u64,
    /// Bytes of one record, which bounds an update document (allocation bomb).
    pub record_bytes: u64,
    /// Bytes of one payload (endless payload).
    pub payload_bytes: u64,
}

impl Default for BundleLimits {
    fn default() -> Self {
        Self {
            note_bytes: 64 * 1024 * 1024,
            head_bytes: 64 * 1024 * 1024,
            metadata_bytes: 1024 * 1024,
            roots: 1024,
            index_bytes: 16 * 1024 * 1024,
            index_unpacked_bytes: 128 * 1024 * 1024,
            policy_groups: 5000,
            policy_entries: 250_000,
            segment_bytes: 8 * 1024 * 1024 * 1024 - 1,
            segment_unpacked_bytes: 64 * 1024 * 1024 * 1024,
            record_bytes: 129 * 1024 * 1024,
            payload_bytes: 128 * 1024 * 1024 * 1024,
        }
    }
}
