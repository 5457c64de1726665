//! What is remembered of an upstream between runs, and what that makes of the next question.
//!
//! An anchor is valid for one server and for the ids that were asked for with it. It is stored only
//! when everything that was listed with it is in the catalogue or noted as failed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{facts::UpstreamFacts, hardware::Hardware};
use crate::{
    protocol::server_sync::{IdAndDelta, LanguageAndDelta, ServerSyncFilter},
    update::{UpdateDocument, UpdateId, UpdateIdentity},
};

/// Key of the note of an upstream, before its address.
pub(super) const NOTE: &str = "upstream/";

/// What the user chose, as names; `None` is everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SelectionNames {
    pub(super) products: Option<Vec<String>>,
    pub(super) classifications: Option<Vec<String>>,
    pub(super) languages: Option<Vec<String>>,
}

/// What the choice means to this server. No products and no classifications: everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ResolvedSelection {
    pub(super) products: Vec<UpdateId>,
    pub(super) classifications: Vec<UpdateId>,
    /// None: all.
    pub(super) languages: Vec<i32>,
}

/// Drivers by hardware: what was asked for, and the anchor of the first call of that round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DriverState {
    pub(super) anchor: Option<String>,
    pub(super) products: Vec<UpdateId>,
    pub(super) hardware: Hardware,
}

/// A note in the catalogue, one per upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct UpstreamState {
    pub(super) facts: UpstreamFacts,
    pub(super) last_attempt: Option<Timestamp>,
    /// When everything that was asked for was last here.
    pub(super) last_success: Option<Timestamp>,
    pub(super) chosen: SelectionNames,
    /// Of the list of categories.
    pub(super) config_anchor: Option<String>,
    /// Of the list of updates, for what `selection` says.
    pub(super) anchor: Option<String>,
    #[serde(rename = "asked")]
    pub(super) selection: ResolvedSelection,
    /// Listed or bundled, but the server did not give them: tried again each time. Sorted.
    pub(super) failed: Vec<UpdateIdentity>,
    /// Bundled by something that is held, not listed, not yet fetched.
    pub(super) members: Vec<UpdateIdentity>,
    /// Held, with encrypted files whose keys have not been given yet.
    pub(super) keyless: Vec<UpdateIdentity>,
    /// Named by prerequisites, but not to be had. Sorted.
    pub(super) unresolved: Vec<UpdateId>,
    /// What everything that is held names has been looked for.
    pub(super) closed: bool,
    pub(super) drivers: DriverState,
}

impl UpstreamState {
    /// Anchors of another server, or of one that was rebuilt, mean nothing.
    pub(super) fn forget_anchors(&mut self) {
        self.config_anchor = None;
        self.anchor = None;
        self.drivers.anchor = None;
    }

    /// Notes what has to be asked for after a document was stored: members of a bundle, and keys of
    /// encrypted files. Says whether there is anything.
    pub(super) fn note_follow_ups(
        &mut self,
        document: &UpdateDocument,
        members: Vec<UpdateIdentity>,
    ) -> bool {
        let is_encrypted = document.properties.file_decryption;
        let any = is_encrypted || !members.is_empty();
        self.members.extend(members);
        if is_encrypted {
            self.keyless.push(document.identity);
        }
        any
    }

    /// Which updates to ask for. With an anchor every id is asked for its changes only, unless it is
    /// new to the filter. How a server combines a new product with an old classification is nowhere
    /// written; so what is new in one list makes all of the other list whole, and every pair with
    /// the new id comes whichever way it combines.
    pub(super) fn filter(&self, wanted: &ResolvedSelection) -> ServerSyncFilter {
        let everything = wanted.products.is_empty() && wanted.classifications.is_empty();
        let everything_before =
            self.selection.products.is_empty() && self.selection.classifications.is_empty();
        let fewer_languages_before = !self.selection.languages.is_empty()
            && (wanted.languages.is_empty()
                || wanted.languages.iter().any(|l| !self.selection.languages.contains(l)));
        let anchor = match () {
            // An unfiltered list has no ids that could be asked for as a whole.
            () if everything && (!everything_before || fewer_languages_before) => None,
            () => self.anchor.clone(),
        };
        let new = |wanted: &[UpdateId], asked: &[UpdateId]| {
            !everything_before && wanted.iter().any(|id| !asked.contains(id))
        };
        let new_product = new(&wanted.products, &self.selection.products);
        let new_classification = new(&wanted.classifications, &self.selection.classifications);
        let changes = |asked: &[UpdateId], id: &UpdateId, other_new: bool| {
            anchor.is_some()
                && !other_new
                && !fewer_languages_before
                && (everything_before || asked.contains(id))
        };
        let with_delta = |ids: &[UpdateId], asked: &[UpdateId], other_new: bool| {
            ids.iter()
                .map(|id| IdAndDelta { id: *id, delta: changes(asked, id, other_new) })
                .collect()
        };
        ServerSyncFilter {
            categories: with_delta(&wanted.products, &self.selection.products, new_classification),
            classifications: with_delta(
                &wanted.classifications,
                &self.selection.classifications,
                new_product,
            ),
            languages: wanted
                .languages
                .iter()
                .map(|id| LanguageAndDelta {
                    id: *id,
                    delta: anchor.is_some() && !fewer_languages_before,
                })
                .collect(),
            anchor,
            ..ServerSyncFilter::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u128) -> UpdateId {
        UpdateId(uuid::Uuid::from_u128(n))
    }

    fn wanted(products: &[u128], classifications: &[u128], languages: &[i32]) -> ResolvedSelection {
        ResolvedSelection {
            products: products.iter().copied().map(id).collect(),
            classifications: classifications.iter().copied().map(id).collect(),
            languages: languages.to_vec(),
        }
    }

    fn after(selection: ResolvedSelection) -> UpstreamState {
        UpstreamState { anchor: Some("1,2026".to_owned()), selection, ..UpstreamState::default() }
    }

    fn deltas(filter: &ServerSyncFilter) -> (Vec<bool>, Vec<bool>) {
        let of = |ids: &[IdAndDelta]| ids.iter().map(|id| id.delta).collect();
        (of(&filter.categories), of(&filter.classifications))
    }

    #[test]
    fn the_first_list_is_whole_and_the_second_holds_changes() {
        let want = wanted(&[1, 2], &[8], &[]);
        let first = UpstreamState::default().filter(&want);
        assert_eq!(
            (first.anchor.as_deref(), deltas(&first)),
            (None, (vec![false; 2], vec![false]))
        );
        let second = after(want.clone()).filter(&want);
        assert_eq!(second.anchor.as_deref(), Some("1,2026"));
        assert_eq!(deltas(&second), (vec![true; 2], vec![true]));
    }

    #[test]
    fn a_new_id_is_asked_for_as_a_whole_with_all_of_the_other_list() {
        let state = after(wanted(&[1], &[8, 9], &[]));
        let product = state.filter(&wanted(&[1, 2], &[8, 9], &[]));
        assert_eq!(deltas(&product), (vec![true, false], vec![false, false]));
        let classification = state.filter(&wanted(&[1], &[7, 8, 9], &[]));
        assert_eq!(deltas(&classification), (vec![false], vec![false, true, true]));
        // Fewer ids are no reason to list anything again.
        assert_eq!(deltas(&state.filter(&wanted(&[1], &[8], &[]))), (vec![true], vec![true]));
    }

    #[test]
    fn everything_is_a_filter_too() {
        let all = ResolvedSelection::default();
        assert_eq!(after(all.clone()).filter(&all).anchor.as_deref(), Some("1,2026"));
        assert_eq!(after(wanted(&[1], &[8], &[])).filter(&all).anchor, None);
        let narrowed = after(all).filter(&wanted(&[1], &[8], &[]));
        assert_eq!(deltas(&narrowed), (vec![true], vec![true]));
    }

    #[test]
    fn more_languages_make_all_whole() {
        let state = after(wanted(&[1], &[8], &[1033]));
        for languages in [&[1033, 1031][..], &[]] {
            let filter = state.filter(&wanted(&[1], &[8], languages));
            assert_eq!(deltas(&filter), (vec![false], vec![false]));
            assert!(filter.languages.iter().all(|language| !language.delta));
        }
        let fewer = after(wanted(&[1], &[8], &[])).filter(&wanted(&[1], &[8], &[1033]));
        assert_eq!(deltas(&fewer), (vec![true], vec![true]));
    }
}
