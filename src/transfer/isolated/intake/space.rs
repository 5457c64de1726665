//! Proving that there is room before the first object is read.

use std::collections::{HashMap, HashSet};

use bundle_format::{digest::Sha256, index::SegmentRef, trust::Freshness};

use super::stage::Stage;
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    file_error::Doing as _,
    transfer::{error::TransferError, volume::read::Volume},
};

/// Room that is kept free beside the bytes that are known.
const MARGIN: u64 = 16 * 1024 * 1024;

/// Proves that there is room for everything on the volumes that is not here yet, for joining
/// parts, and for the catalogue to grow by what is not served yet. `pending` are the segments of
/// pending snapshots, which these volumes may complete.
pub(in crate::transfer::isolated) fn prove_space(
    stage: &Stage,
    volumes: &[Volume],
    catalog: Option<&Catalog>,
    served: &[SegmentRef],
    pending: &[SegmentRef],
    data: &DataDir,
) -> Result<(), TransferError> {
    let growth = catalog_growth(stage, volumes, served, pending);
    let needed =
        arriving_bytes(stage, volumes, catalog)?.saturating_add(growth).saturating_add(MARGIN);
    let free = fs4::available_space(data.root()).doing("ask for the free space of", data.root())?;
    if free < needed {
        let path = data.root().to_owned();
        return Err(TransferError::NoSpace { path, needed, free, what: "this bundle" });
    }
    Ok(())
}

/// Bytes of files: what comes, and copies of the kept parts that it may complete.
fn arriving_bytes(
    stage: &Stage,
    volumes: &[Volume],
    catalog: Option<&Catalog>,
) -> Result<u64, TransferError> {
    let (mut counted, mut joined) = (HashSet::new(), HashSet::new());
    let mut needed = 0_u64;
    for Volume { note, verified, .. } in volumes {
        let segments: HashMap<Sha256, &SegmentRef> =
            verified.index.segments.iter().map(|s| (s.sha256, s)).collect();
        for object in &note.objects {
            if !counted.insert((object.sha256, object.offset)) {
                continue;
            }
            let more = match segments.get(&object.sha256) {
                Some(segment) if stage.find_segment(segment).is_some() => 0,
                Some(segment) => segment.size,
                None if stage.dry_run || stage.has_object(object, catalog)? => 0,
                None if object.offset.is_some() && joined.insert(object.sha256) => {
                    object.size.saturating_add(stage.parts.kept_bytes(&object.sha256))
                }
                None => object.size,
            };
            needed = needed.saturating_add(more);
        }
    }
    Ok(needed)
}

/// The records of segments that are here or on the volumes, and not served yet, become rows.
fn catalog_growth(
    stage: &Stage,
    volumes: &[Volume],
    served: &[SegmentRef],
    pending: &[SegmentRef],
) -> u64 {
    let mut counted: HashSet<Sha256> = served.iter().map(|segment| segment.sha256).collect();
    let on_volumes: HashSet<Sha256> =
        volumes.iter().flat_map(|v| &v.note.objects).map(|object| object.sha256).collect();
    let newer = volumes
        .iter()
        .filter(|volume| volume.verified.freshness != Freshness::Older)
        .flat_map(|volume| &volume.verified.index.segments);
    let mut growth = 0_u64;
    for segment in pending.iter().chain(newer) {
        let is_here = on_volumes.contains(&segment.sha256) || stage.find_segment(segment).is_some();
        if is_here && counted.insert(segment.sha256) {
            growth = growth.saturating_add(segment.unpacked_size);
        }
    }
    growth
}
