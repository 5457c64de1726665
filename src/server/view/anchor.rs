//! What a cookie remembers: up to which view its computer knows the deployments of its groups.

use bundle_format::digest::Sha256;
use uuid::Uuid;

/// Bits of the view number; the rest names the set of groups.
const NUMBER_BITS: u32 = 40;

/// Anchors for one set of groups.
///
/// Change marks are kept for each set of groups. A computer that was moved knows nothing of the
/// deployments of its new set, however new its anchor is; so an anchor says for which set it holds.
pub(super) struct Anchors {
    set: u64,
    view: u64,
}

impl Anchors {
    pub(super) fn new(groups: &[Uuid], view: u64) -> Self {
        let names: Vec<u8> = groups.iter().flat_map(|id| *id.as_bytes()).collect();
        let digest = Sha256::hash(&names);
        let prefix = digest.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { set: u64::from_be_bytes(prefix) >> NUMBER_BITS, view }
    }

    /// Up to which view everything is known: 0 if the anchor is of another set of groups, or newer
    /// than any view, as after the fleet was restored from a backup.
    pub(super) fn known_until(&self, anchor: u64) -> u64 {
        let view = anchor & ((1 << NUMBER_BITS) - 1);
        if anchor >> NUMBER_BITS == self.set && view <= self.view { view } else { 0 }
    }

    /// The anchor of a computer that has received every deployment.
    pub(super) fn newest(&self) -> u64 {
        self.set << NUMBER_BITS | self.view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_holds_for_its_groups_only_and_not_beyond_the_newest_view() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let old = Anchors::new(&[a], 5).newest();
        assert_eq!(Anchors::new(&[a], 5).known_until(old), 5);
        assert_eq!(Anchors::new(&[a], 9).known_until(old), 5);
        assert_eq!(Anchors::new(&[a], 4).known_until(old), 0);
        assert_eq!(Anchors::new(&[a, b], 9).known_until(old), 0);
        assert_eq!(Anchors::new(&[], 9).known_until(old), 0);
        assert_eq!(Anchors::new(&[a], 9).known_until(0), 0);
    }
}
