//! Needs: what a site lacks of its snapshots, by name for people and by digest for the connected side.
//! Reads only.

use bundle_format::{
    digest::Sha256,
    index::SegmentRef,
    limits::BundleLimits,
    needs::{MissingSegment, Needs},
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
        volume::{
            checked_segments::stored_records,
            missing_payloads::{NamedPayloads, PayloadSearch},
        },
    },
    update::DocumentLimits,
};

type Result<T> = std::result::Result<T, TransferError>;

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
    let content = ContentStore::for_reading(&data.content());
    let folder = data.segments();
    let open = |segment: &SegmentRef| stored_records(&folder, segment, &BundleLimits::default());
    let is_here = |sha256: &Sha256, size| {
        let counts = catalog.payload(sha256)?.is_none_or(|row| row.present);
        Ok(counts && content.contains(sha256, size)?)
    };
    let search =
        PayloadSearch { open: &open, is_here: &is_here, catalog: Some(&catalog), documents };
    let mut found = Needs::new(mirror, site.to_owned(), snapshot);
    let mut payloads = lost_payloads(&catalog, &content, &search)?;
    let named = catalog.segments_of(snapshot)?;
    for segment in named.iter().filter(|s| segments::find(&folder, s).is_none()) {
        let SegmentRef { sha256, kind, size, .. } = *segment;
        found.segments.push(MissingSegment { sha256, kind, size });
    }
    if pending.is_some() {
        search.add_missing(&named, &mut payloads)?;
    }
    found.payloads = payloads.into_values().map(|missing| missing.needed).collect();
    Ok(found)
}

/// The mirror that has signed a snapshot, which is the first one that came here.
fn mirror_of(data: &DataDir, snapshot: u64, now: Timestamp) -> Result<Uuid> {
    let (state, head) = (trust::load_state(data)?, heads::load(data, snapshot)?);
    let expect = Expectation { site: None, now, refuse_expired: false };
    let verified = check_head(&state, &head, &expect, &BundleLimits::default())
        .map_err(|source| TransferError::Trust { path: data.snapshot(snapshot), source })?;
    Ok(verified.index.mirror_id)
}

/// Payloads of the snapshot in force whose bytes are not here.
fn lost_payloads(
    catalog: &Catalog,
    content: &ContentStore,
    search: &PayloadSearch<'_>,
) -> Result<NamedPayloads> {
    let mut absent = Vec::new();
    catalog.absent_payloads(&mut |sha256, size| absent.push((sha256, size)))?;
    let mut named_here = Vec::new();
    catalog.payloads(&mut |row| {
        if row.present {
            named_here.push((row.sha256, row.size));
        }
    })?;
    for (sha256, size) in named_here {
        if !content.contains(&sha256, size)? {
            absent.push((sha256, size));
        }
    }
    let mut lost = NamedPayloads::new();
    for (sha256, size) in absent {
        lost.insert(sha256, search.named(sha256, size, None)?);
    }
    Ok(lost)
}
