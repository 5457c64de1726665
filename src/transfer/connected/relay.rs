//! Relay: an isolated side packs the snapshot that is in force there for another site, with the same
//! signatures and without any key.

use bundle_format::{
    digest::Sha256, index::SegmentRef, limits::BundleLimits, trust::inspect_for_signing,
};

use super::selection::{Answer, Contents, segment_object, without_lost};
use crate::{
    catalog::{Catalog, SnapshotRow, SnapshotState},
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::{heads, side::require_isolated},
        volume::layout::{Object, ObjectKind},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

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
    let payloads = contents.carried.iter().filter(|(sha256, _)| lacks(sha256));
    objects.extend(payloads.map(|(sha256, size)| Object {
        sha256: *sha256,
        size: *size,
        kind: ObjectKind::Payload,
    }));
    refuse_lost(data, &contents.segments)?;
    let (objects, unanswered) = without_lost(data, catalog, objects)?;
    Ok(Answer { snapshot, objects, unanswered, is_exact: true })
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
