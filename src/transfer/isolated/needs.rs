//! Needs: what a site lacks of its snapshots, by name for people and by digest for the connected side.
//! Reads only.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
};

use bundle_format::{
    digest::{Sha1, Sha256},
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    needs::{MissingPayload, MissingSegment, Needs},
    segment::{PayloadRecord, Record},
    trust::{Expectation, check_head},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    catalog::{Catalog, SnapshotState},
    content::ContentStore,
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::{heads, segments, side::require_isolated, trust},
        volume::payload_table::{expect_payload, payload_segments},
    },
    update::{DocumentLimits, UpdateDocument},
};

type Result<T> = std::result::Result<T, TransferError>;

/// As many titles are given of the updates that need a payload.
const TITLES: usize = 3;

/// What this site lacks of the newest snapshot that has come here, and of the one in force.
///
/// # Errors
/// On a connected side, before the first import, and when a store fails.
pub fn needs(data: &DataDir, now: Timestamp, documents: &DocumentLimits) -> Result<Needs> {
    let site = require_isolated(data)?;
    let nothing = || {
        TransferError::Unfit {
        what: "nothing was imported here yet, so there is no snapshot that could lack something: bring a first bundle (`tidegate export --full` on the connected side)".to_owned(),
    }
    };
    if !data.catalog().exists() {
        return Err(nothing());
    }
    let catalog = Catalog::open_to_look(&data.catalog())?;
    let snapshots = catalog.snapshots()?;
    let newest = |state| snapshots.iter().rfind(|row| row.state == state).map(|row| row.number);
    let (in_force, pending) = (newest(SnapshotState::InForce), newest(SnapshotState::Pending));
    let pending = pending.filter(|pending| in_force.is_none_or(|in_force| in_force < *pending));
    let snapshot = pending.or(in_force).ok_or_else(nothing)?;
    let mirror = match catalog.mirror_id()? {
        Some(mirror) => mirror,
        None => mirror_of(data, snapshot, now)?,
    };
    let search = Search {
        data,
        catalog: &catalog,
        content: ContentStore::for_reading(&data.content()),
        documents,
    };
    let mut found = Needs::new(mirror, site.to_owned(), snapshot);
    let mut payloads = search.lost_payloads()?;
    let segments = catalog.segments_of(snapshot)?;
    for segment in segments.iter().filter(|segment| !search.is_here(segment)) {
        let SegmentRef { sha256, kind, size, .. } = *segment;
        found.segments.push(MissingSegment { sha256, kind, size });
    }
    if pending.is_some() {
        search.add_missing(&segments, &mut payloads)?;
        search.name_by_documents(&segments, &mut payloads)?;
    }
    found.payloads = payloads.into_values().map(|missing| missing.needed).collect();
    Ok(found)
}

/// The mirror that has signed a snapshot, which is the first one that came here.
fn mirror_of(data: &DataDir, snapshot: u64, now: Timestamp) -> Result<Uuid> {
    let (state, head) = (trust::load_state(data)?, heads::load(data, snapshot)?);
    // What is here was signed under the root before, by the mirror that the catalogue names.
    if state.is_root_replaced()
        && let Some(mirror) = Catalog::open_read_only(&data.catalog())?.mirror_id()?
    {
        return Ok(mirror);
    }
    let expect = Expectation { site: None, now, refuse_expired: false };
    let verified = check_head(&state, &head, &expect, &BundleLimits::default())
        .map_err(|source| TransferError::Trust { path: data.snapshot(snapshot), source })?;
    Ok(verified.index.mirror_id)
}

/// A payload that is not here.
struct Missing {
    sha1: Option<Sha1>,
    needed: MissingPayload,
}

struct Search<'a> {
    data: &'a DataDir,
    catalog: &'a Catalog,
    content: ContentStore,
    documents: &'a DocumentLimits,
}

impl Search<'_> {
    fn is_here(&self, segment: &SegmentRef) -> bool {
        let path = self.data.segments().join(segment.sha256.to_string());
        fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == segment.size)
    }

    /// Payloads of the snapshot in force whose bytes are not here.
    fn lost_payloads(&self) -> Result<BTreeMap<Sha256, Missing>> {
        let mut absent = Vec::new();
        self.catalog.absent_payloads(&mut |sha256, size| absent.push((sha256, size)))?;
        let mut named_here = Vec::new();
        self.catalog.payloads(&mut |row| {
            if row.present {
                named_here.push((row.sha256, row.size));
            }
        })?;
        for (sha256, size) in named_here {
            if !self.content.contains(&sha256, size)? {
                absent.push((sha256, size));
            }
        }
        let mut lost = BTreeMap::new();
        for (sha256, size) in absent {
            lost.insert(sha256, self.named_by_catalogue(sha256, size)?);
        }
        Ok(lost)
    }

    fn named_by_catalogue(&self, sha256: Sha256, size: u64) -> Result<Missing> {
        let names = self.catalog.names_of_payload(&sha256)?;
        let file = names.first().map(|name| name.file.clone());
        let mut updates: Vec<String> = Vec::new();
        for name in names {
            if updates.len() < TITLES && !updates.contains(&name.title) {
                updates.push(name.title);
            }
        }
        let sha1 = self.catalog.payload(&sha256)?.map(|row| row.sha1);
        Ok(Missing { sha1, needed: MissingPayload { sha256, size, file, updates } })
    }

    /// Adds the payloads that the tables of a pending snapshot name and that are not here.
    fn add_missing(
        &self,
        segments: &[SegmentRef],
        missing: &mut BTreeMap<Sha256, Missing>,
    ) -> Result<()> {
        let mut records: HashMap<Sha256, PayloadRecord> = HashMap::new();
        let limits = BundleLimits::default();
        for segment in payload_segments(segments).filter(|segment| self.is_here(segment)) {
            let path = self.data.segments().join(segment.sha256.to_string());
            for record in segments::open(&path, segment, &limits, segments::refused)? {
                let mut record = expect_payload(record.map_err(segments::refused)?)?;
                record.chunks = Vec::new();
                records.insert(record.sha256, record);
            }
        }
        for (sha256, record) in records {
            if record.not_carried.is_some() || missing.contains_key(&sha256) {
                continue;
            }
            let row = self.catalog.payload(&sha256)?;
            let counts = row.is_none_or(|row| row.present);
            if counts && self.content.contains(&sha256, record.size)? {
                continue;
            }
            let mut found = self.named_by_catalogue(sha256, record.size)?;
            found.sha1 = Some(record.sha1);
            missing.insert(sha256, found);
        }
        Ok(())
    }

    /// Names payloads by the documents of a pending snapshot, which are in no catalogue yet. A document
    /// that does not read names nothing.
    fn name_by_documents(
        &self,
        segments: &[SegmentRef],
        missing: &mut BTreeMap<Sha256, Missing>,
    ) -> Result<()> {
        let nameless = missing.iter().filter(|(_, missing)| missing.needed.file.is_none());
        let by_sha1: HashMap<Sha1, Sha256> =
            nameless.filter_map(|(sha256, missing)| Some((missing.sha1?, *sha256))).collect();
        if by_sha1.is_empty() {
            return Ok(());
        }
        let limits = BundleLimits::default();
        let catalogue = segments.iter().filter(|s| s.kind == SegmentKind::Catalogue);
        for segment in catalogue.filter(|segment| self.is_here(segment)) {
            let path = self.data.segments().join(segment.sha256.to_string());
            for record in segments::open(&path, segment, &limits, segments::refused)? {
                let Record::Revision(record) = record.map_err(segments::refused)? else { continue };
                let Ok(document) = UpdateDocument::parse(&record.xml, self.documents) else {
                    continue;
                };
                name_files(&document, &by_sha1, missing);
            }
        }
        Ok(())
    }
}

fn name_files(
    document: &UpdateDocument,
    by_sha1: &HashMap<Sha1, Sha256>,
    missing: &mut BTreeMap<Sha256, Missing>,
) {
    let mut seen = HashSet::new();
    for file in document.files.iter().filter(|file| seen.insert(file.sha1)) {
        let Some(missing) = by_sha1.get(&file.sha1).and_then(|sha256| missing.get_mut(sha256))
        else {
            continue;
        };
        let needed = &mut missing.needed;
        needed.file.get_or_insert_with(|| file.name.clone());
        let title = document.title("en").unwrap_or_default().to_owned();
        if needed.updates.len() < TITLES && !needed.updates.contains(&title) {
            needed.updates.push(title);
        }
    }
}
