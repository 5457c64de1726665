//! Relay: an isolated side packs the snapshot that is in force there for another site, with the same
//! signatures and without any key.

use bundle_format::{
    digest::Sha256, index::SegmentRef, limits::BundleLimits, trust::inspect_for_signing,
};

use super::selection::{Answer, Contents, segment_object};
use crate::{
    catalog::{Catalog, SnapshotRow, SnapshotState},
    content::ContentStore,
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::{heads, side::require_isolated},
        volume::layout::{Object, ObjectKind},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// So many files that are not here are named.
const NAMED: usize = 10;

/// What is passed on to `site`: all that the snapshot in force names, or what came after the snapshot
/// `since`, as far as it is here.
pub(super) fn relayed(
    data: &DataDir,
    catalog: &Catalog,
    site: &str,
    since: Option<u64>,
) -> Result<Answer> {
    let here = require_isolated(data)?;
    let snapshots = catalog.snapshots()?;
    let in_force = snapshots.into_iter().rfind(|row| row.state == SnapshotState::InForce);
    let Some(snapshot) = in_force else {
        let what =
            "no snapshot is in force here that could be passed on: import one first".to_owned();
        return Err(TransferError::Unfit { what });
    };
    if site == here {
        let what = format!("{site} is this site itself: name the one to pass it on to");
        return Err(TransferError::Unfit { what });
    }
    check_site(data, &snapshot, site)?;
    let number = snapshot.number;
    let contents = Contents::of(data, catalog, number, number)?;
    let there = since.map(|since| Contents::of(data, catalog, since, number)).transpose()?;
    let lacks = |name: &Sha256| there.as_ref().is_none_or(|there| !there.has(name));
    let segments = contents.segments.iter().filter(|segment| lacks(&segment.sha256));
    let mut objects: Vec<Object> = segments.map(segment_object).collect();
    let content = ContentStore::for_reading(&data.content());
    let mut absent = Vec::new();
    for (sha256, size) in &contents.carried {
        let (sha256, size) = (*sha256, *size);
        if !lacks(&sha256) {
            continue;
        }
        if content.contains(&sha256, size)? {
            objects.push(Object { sha256, size, kind: ObjectKind::Payload });
        } else {
            absent.push(sha256);
        }
    }
    refuse_lost(data, &contents.segments)?;
    Ok(Answer { snapshot, objects, unanswered: told(catalog, &absent)?, is_exact: true })
}

/// The mirror has signed for whom a snapshot is.
fn check_site(data: &DataDir, snapshot: &SnapshotRow, site: &str) -> Result<()> {
    let head = heads::load(data, snapshot.number)?;
    let sites = inspect_for_signing(&head, &BundleLimits::default())
        .map_err(|source| TransferError::Sign { doing: "read the snapshot", source })?
        .index
        .sites;
    if sites.iter().any(|of| of == site) {
        return Ok(());
    }
    Err(TransferError::Unfit {
        what: format!(
            "snapshot {} is not for the site {site}, which would refuse it, but for {}: on the connected side `tidegate seal --site {site}` makes the next one for it too",
            snapshot.number,
            sites.join(", ")
        ),
    })
}

/// What is not here cannot be passed on; without a list nothing can.
fn refuse_lost(data: &DataDir, segments: &[SegmentRef]) -> Result<()> {
    let lost =
        segments.iter().find(|segment| !data.segments().join(segment.sha256.to_string()).is_file());
    match lost {
        None => Ok(()),
        Some(segment) => Err(TransferError::Unfit {
            what: format!(
                "a part of the catalogue is not here any more ({}): `tidegate check --put-aside`, then a bundle for what `tidegate needs` says",
                segment.sha256
            ),
        }),
    }
}

/// Payloads that are not here, for people.
fn told(catalog: &Catalog, absent: &[Sha256]) -> Result<Vec<String>> {
    let mut told = Vec::new();
    for sha256 in absent.iter().take(NAMED) {
        let name = catalog.names_of_payload(sha256)?.first().map(ToString::to_string);
        told.push(format!("{} is not here", name.unwrap_or_else(|| sha256.to_string())));
    }
    if let Some(more) = absent.len().checked_sub(NAMED).filter(|more| *more > 0) {
        told.push(format!("{more} further files are not here"));
    }
    Ok(told)
}
