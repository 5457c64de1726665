//! Payloads that are missing: which they are, and what updates call them, by the catalogue or by the
//! documents of a snapshot that is in no catalogue yet.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use bundle_format::{
    digest::{Sha1, Sha256},
    index::{SegmentKind, SegmentRef},
    needs::MissingPayload,
    segment::{PayloadRecord, Record},
};

use super::{
    checked_segments::Records,
    payload_table::{expect_payload, payload_segments},
};
use crate::{
    catalog::Catalog,
    file_error::Doing as _,
    transfer::{error::TransferError, store::segments},
    update::{DocumentLimits, UpdateDocument},
};

type Result<T> = std::result::Result<T, TransferError>;

/// As many titles are given of the updates that need a payload.
const TITLES: usize = 3;

/// A payload, and what it is called.
pub(in crate::transfer) struct NamedPayload {
    pub(in crate::transfer) sha1: Option<Sha1>,
    pub(in crate::transfer) needed: MissingPayload,
}

/// Payloads by their names, for people in the end.
pub(in crate::transfer) type NamedPayloads = BTreeMap<Sha256, NamedPayload>;

/// Where to look.
pub(in crate::transfer) struct PayloadSearch<'a> {
    /// The records of a segment, if it is there.
    pub(in crate::transfer) open: &'a dyn Fn(&SegmentRef) -> Result<Option<Records>>,
    /// Whether the bytes of a payload are there.
    pub(in crate::transfer) is_here: &'a dyn Fn(&Sha256, u64) -> Result<bool>,
    /// The catalogue of this side, if there is one.
    pub(in crate::transfer) catalog: Option<&'a Catalog>,
    pub(in crate::transfer) documents: &'a DocumentLimits,
}

impl PayloadSearch<'_> {
    /// Adds the payloads that the tables of a snapshot name, as far as those are there, and that are
    /// missing; and names all of them.
    pub(in crate::transfer) fn add_missing(
        &self,
        segments: &[SegmentRef],
        missing: &mut NamedPayloads,
    ) -> Result<()> {
        let mut records: HashMap<Sha256, PayloadRecord> = HashMap::new();
        for segment in payload_segments(segments) {
            for record in (self.open)(segment)?.into_iter().flatten() {
                let mut record = expect_payload(record.map_err(segments::refused)?)?;
                record.chunks = Vec::new();
                records.insert(record.sha256, record);
            }
        }
        for (sha256, record) in records {
            if record.not_carried.is_some()
                || missing.contains_key(&sha256)
                || (self.is_here)(&sha256, record.size)?
            {
                continue;
            }
            let found = self.named(sha256, record.size, Some(record.sha1))?;
            missing.insert(sha256, found);
        }
        self.name_by_documents(segments, missing)
    }

    /// A payload with the names that the catalogue has for it.
    pub(in crate::transfer) fn named(
        &self,
        sha256: Sha256,
        size: u64,
        sha1: Option<Sha1>,
    ) -> Result<NamedPayload> {
        let mut needed = MissingPayload { sha256, size, file: None, updates: Vec::new() };
        let Some(catalog) = self.catalog else { return Ok(NamedPayload { sha1, needed }) };
        for name in catalog.names_of_payload(&sha256)? {
            add_name(&mut needed, &name.file, name.title);
        }
        let sha1 = match sha1 {
            None => catalog.payload(&sha256)?.map(|row| row.sha1),
            known => known,
        };
        Ok(NamedPayload { sha1, needed })
    }

    /// Names payloads by the documents of a snapshot. A document that does not read names nothing.
    pub(in crate::transfer) fn name_by_documents(
        &self,
        segments: &[SegmentRef],
        payloads: &mut NamedPayloads,
    ) -> Result<()> {
        let by_sha1 = nameless(payloads);
        if by_sha1.is_empty() {
            return Ok(());
        }
        for segment in segments.iter().filter(|s| s.kind == SegmentKind::Catalogue) {
            for record in (self.open)(segment)?.into_iter().flatten() {
                let Record::Revision(record) = record.map_err(segments::refused)? else { continue };
                if let Ok(document) = UpdateDocument::parse(&record.xml, self.documents) {
                    name_files(&document, &by_sha1, payloads);
                }
            }
        }
        Ok(())
    }
}

/// The payloads that no update has named yet, as documents name them.
pub(super) fn nameless(payloads: &NamedPayloads) -> HashMap<Sha1, Sha256> {
    let nameless = payloads.iter().filter(|(_, payload)| payload.needed.file.is_none());
    nameless.filter_map(|(sha256, payload)| Some((payload.sha1?, *sha256))).collect()
}

/// Names the payloads that a document names.
pub(super) fn name_files(
    document: &UpdateDocument,
    by_sha1: &HashMap<Sha1, Sha256>,
    payloads: &mut NamedPayloads,
) {
    let mut seen = HashSet::new();
    for file in document.files.iter().filter(|file| seen.insert(file.sha1)) {
        if let Some(payload) = by_sha1.get(&file.sha1).and_then(|name| payloads.get_mut(name)) {
            let title = document.title("en").unwrap_or_default().to_owned();
            add_name(&mut payload.needed, &file.name, title);
        }
    }
}

fn add_name(payload: &mut MissingPayload, file: &str, title: String) {
    payload.file.get_or_insert_with(|| file.to_owned());
    if payload.updates.len() < TITLES && !payload.updates.contains(&title) {
        payload.updates.push(title);
    }
}

/// Bytes of payloads that are there, from where to where.
#[derive(Default)]
pub(super) struct Pieces(BTreeMap<Sha256, Vec<(u64, u64)>>);

impl Pieces {
    pub(super) fn add(&mut self, name: Sha256, from: u64, size: u64) {
        self.0.entry(name).or_default().push((from, from.saturating_add(size)));
    }

    /// Adds the parts that wait at the site.
    pub(super) fn add_kept(&mut self, folder: &Path) -> Result<()> {
        if !folder.exists() {
            return Ok(());
        }
        for entry in folder.read_dir().doing("list", folder)? {
            let entry = entry.doing("list", folder)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let part = name.split_once('.').and_then(|(name, from)| {
                Some((name.parse::<Sha256>().ok()?, from.parse::<u64>().ok()?))
            });
            if let (Some((name, from)), Ok(found)) = (part, entry.metadata()) {
                self.add(name, from, found.len());
            }
        }
        Ok(())
    }

    /// Whether they make the whole; they may overlap.
    pub(super) fn make_whole(&self, name: &Sha256, size: u64) -> bool {
        let Some(pieces) = self.0.get(name) else { return false };
        let mut pieces = pieces.clone();
        pieces.sort_unstable();
        let end = pieces
            .into_iter()
            .fold(0, |end, (from, to)| if from <= end { end.max(to) } else { end });
        end >= size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_overlap_do_not_count_twice() {
        let name = Sha256::hash(b"a payload");
        let mut pieces = Pieces::default();
        assert!(!pieces.make_whole(&name, 0));
        for (from, size) in [(0, 10), (0, 10), (20, 10)] {
            pieces.add(name, from, size);
        }
        assert!(!pieces.make_whole(&name, 30), "10 to 20 are missing");
        pieces.add(name, 5, 20);
        assert!(pieces.make_whole(&name, 30));
        assert!(!pieces.make_whole(&name, 31));
    }
}
