//! What an export packs: what was never packed for the site, everything, what came after a snapshot, or
//! exactly what the site asks for.

use std::collections::{BTreeMap, HashSet};

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    needs::{NeedsRequest, ObjectPrefix},
};

use crate::{
    catalog::{Catalog, SnapshotRow, SnapshotState},
    content::ContentStore,
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::{heads, segments},
        volume::{
            layout::{Object, ObjectKind},
            payload_table::{expect_payload, payload_segments},
        },
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// What to pack.
#[derive(Debug, Clone, Default)]
pub enum ExportSelection {
    /// What was not packed for the site before.
    #[default]
    Unpacked,
    /// Everything that the snapshot names.
    Full,
    /// Everything that this snapshot does not name, which the site has.
    Since(u64),
    /// Everything that the snapshot does not name which the site has acknowledged with a receipt.
    SinceAcknowledged,
    /// Exactly what the site lacks. Nothing is sealed for it, and no key is needed.
    Needs(NeedsRequest),
    /// On an isolated side: what it has of the snapshot in force, or what of it came after another one.
    Relay {
        /// A snapshot that the other site has.
        since: Option<u64>,
    },
}

/// The objects of the newest snapshot that a site lacks: segments in the order of the index, then
/// payloads by name, ascending. A volume may have no other order.
pub(super) fn objects_to_pack(
    data: &DataDir,
    catalog: &Catalog,
    site: &str,
    snapshot: u64,
    selection: &ExportSelection,
) -> Result<Vec<Object>> {
    let full = !matches!(selection, ExportSelection::Unpacked);
    let there = match selection {
        ExportSelection::Since(since) => Some(Contents::of(data, catalog, *since, snapshot)?),
        _ => None,
    };
    let is_there = |name: &Sha256| there.as_ref().is_some_and(|there| there.has(name));
    let mut objects = Vec::new();
    for segment in catalog.segments_of(snapshot)? {
        if (full || !catalog.is_packed(site, &segment.sha256)?) && !is_there(&segment.sha256) {
            objects.push(segment_object(&segment));
        }
    }
    catalog.payloads_to_pack(site, full, &mut |sha256, size| {
        if !is_there(&sha256) {
            objects.push(Object { sha256, size, kind: ObjectKind::Payload });
        }
    })?;
    Ok(objects)
}

pub(super) fn segment_object(segment: &SegmentRef) -> Object {
    let kind = match segment.kind {
        SegmentKind::Payloads => ObjectKind::Table,
        _ => ObjectKind::Catalogue,
    };
    Object { sha256: segment.sha256, size: segment.size, kind }
}

/// What a snapshot names.
pub(super) struct Contents {
    pub(super) segments: Vec<SegmentRef>,
    /// The payloads that it carries, with their sizes.
    pub(super) carried: BTreeMap<Sha256, u64>,
    /// For each payload the table that names it last.
    tables: BTreeMap<Sha256, Sha256>,
}

impl Contents {
    /// `newest`: the last snapshot that there is.
    pub(super) fn of(data: &DataDir, catalog: &Catalog, number: u64, newest: u64) -> Result<Self> {
        let unfit = |what: String| Err(TransferError::Unfit { what });
        if number > newest {
            return unfit(format!("there is no snapshot {number} yet: the newest one is {newest}"));
        }
        let segments = catalog.segments_of(number)?;
        let mut contents = Self { segments, carried: BTreeMap::new(), tables: BTreeMap::new() };
        if contents.segments.is_empty() {
            return unfit(format!(
                "what snapshot {number} named is not on record here any more: use --full"
            ));
        }
        let limits = BundleLimits::default();
        for segment in payload_segments(&contents.segments) {
            let path = data.segments().join(segment.sha256.to_string());
            if !path.is_file() {
                return unfit(format!(
                    "the list of files of snapshot {number} is not here any more (`tidegate prune` removes it): use --full"
                ));
            }
            for record in segments::open(&path, segment, &limits, segments::failed)? {
                let record = expect_payload(record.map_err(segments::failed)?)?;
                contents.tables.insert(record.sha256, segment.sha256);
                match record.not_carried {
                    Some(_) => contents.carried.remove(&record.sha256),
                    None => contents.carried.insert(record.sha256, record.size),
                };
            }
        }
        Ok(contents)
    }

    pub(super) fn has(&self, name: &Sha256) -> bool {
        self.carried.contains_key(name) || self.segments.iter().any(|s| s.sha256 == *name)
    }
}

/// What answers the needs of a site.
pub(super) struct Answer {
    /// The snapshot whose signatures go with it.
    pub(super) snapshot: SnapshotRow,
    pub(super) objects: Vec<Object>,
    /// What the site asks for and cannot get, for people.
    pub(super) unanswered: Vec<String>,
    /// Nothing but what the site asks for, and all of it.
    pub(super) is_exact: bool,
}

/// Finds what a site asks for: in the snapshot that lacks it, or, if that one is of no use any more, in
/// the newest one, together with what of it was never packed for the site.
pub(super) fn answer(
    data: &DataDir,
    catalog: &Catalog,
    mirror: uuid::Uuid,
    needs: &NeedsRequest,
) -> Result<Answer> {
    check_request(catalog, mirror, needs)?;
    let sealed: Vec<SnapshotRow> =
        catalog.snapshots()?.into_iter().filter(|row| row.state == SnapshotState::Sealed).collect();
    let Some(newest) = sealed.last().cloned() else {
        return Err(TransferError::Unfit { what: "nothing was sealed here yet".to_owned() });
    };
    let asked = sealed.into_iter().find(|row| row.number == needs.snapshot);
    if let Some(asked) = asked.filter(|asked| is_usable(data, asked.number, newest.number)) {
        // A snapshot whose lists are gone cannot answer; the newest one can.
        if let Ok(answer) = answer_from(data, catalog, asked, newest.number, needs)
            && answer.is_exact
        {
            return Ok(answer);
        }
    }
    let number = newest.number;
    let mut answer = answer_from(data, catalog, newest, number, needs)?;
    let names: HashSet<Sha256> = answer.objects.iter().map(|object| object.sha256).collect();
    let more = objects_to_pack(data, catalog, &needs.site, number, &ExportSelection::Unpacked)?;
    answer.objects.extend(more.into_iter().filter(|object| !names.contains(&object.sha256)));
    let place: BTreeMap<Sha256, usize> =
        catalog.segments_of(number)?.iter().map(|s| s.sha256).zip(0..).collect();
    answer.objects.sort_by_key(|object| {
        (place.get(&object.sha256).copied().unwrap_or(usize::MAX), object.sha256)
    });
    Ok(answer)
}

fn check_request(catalog: &Catalog, mirror: uuid::Uuid, needs: &NeedsRequest) -> Result<()> {
    let unfit = |what: String| Err(TransferError::Unfit { what });
    if !needs.is_of(mirror) {
        return unfit(format!(
            "these needs are of a site that follows another mirror than this one ({mirror})"
        ));
    }
    let sites = catalog.sites()?;
    if !sites.contains(&needs.site) {
        return unfit(format!(
            "these needs are of the site {}, for which nothing was ever packed here (sites: {})",
            needs.site,
            sites.join(", ")
        ));
    }
    if needs.is_empty() {
        return unfit(format!(
            "the site {} lacks nothing of snapshot {}: `tidegate export --site {}` packs what is new since",
            needs.site, needs.snapshot, needs.site
        ));
    }
    Ok(())
}

/// Whether the signatures of a snapshot are here, and are not older than the newest root: a site that has
/// seen a newer one refuses what the keys before it have signed.
fn is_usable(data: &DataDir, number: u64, newest: u64) -> bool {
    let roots = |number| {
        heads::load(data, number)
            .map(|head| head.files.keys().filter(|name| name.ends_with(".root.json")).count())
    };
    match (roots(number), roots(newest)) {
        (Ok(of_it), Ok(of_newest)) => of_it == of_newest,
        _ => false,
    }
}

fn answer_from(
    data: &DataDir,
    catalog: &Catalog,
    snapshot: SnapshotRow,
    newest: u64,
    needs: &NeedsRequest,
) -> Result<Answer> {
    let contents = Contents::of(data, catalog, snapshot.number, newest)?;
    let content = ContentStore::for_reading(&data.content());
    let mut unanswered = Vec::new();
    let (mut asked, mut lost_bundle) = (HashSet::new(), HashSet::new());
    for prefix in &needs.segments {
        let before = asked.len();
        let found = contents.segments.iter().filter(|s| prefix.matches(&s.sha256));
        asked.extend(found.map(|segment| segment.sha256));
        if asked.len() == before {
            lost_with_it(catalog, &needs.site, prefix, &mut lost_bundle, &mut unanswered)?;
        }
    }
    let mut objects: Vec<Object> = contents
        .segments
        .iter()
        .filter(|segment| asked.contains(&segment.sha256))
        .map(segment_object)
        .collect();
    let mut payloads: BTreeMap<Sha256, u64> = BTreeMap::new();
    for prefix in &needs.payloads {
        let found = matching(&contents.carried, prefix);
        if found.is_empty() {
            unanswered
                .push(format!("the file {prefix} is not carried by snapshot {}", snapshot.number));
        }
        payloads.extend(found);
    }
    // The site cannot know what a list that it lacks names, nor what came with it.
    payloads.extend(contents.carried.iter().filter_map(|(name, size)| {
        let table = contents.tables.get(name)?;
        (asked.contains(table) || lost_bundle.contains(name)).then_some((*name, *size))
    }));
    for (sha256, size) in payloads {
        if content.contains(&sha256, size)? {
            objects.push(Object { sha256, size, kind: ObjectKind::Payload });
        } else {
            unanswered.push(lost(catalog, &sha256)?);
        }
    }
    let is_exact = unanswered.is_empty() && lost_bundle.is_empty();
    Ok(Answer { snapshot, objects, unanswered, is_exact })
}

/// A part of the catalogue that has become part of another one since: the bundle that brought it did not
/// arrive, so the site lacks what else was packed with it.
fn lost_with_it(
    catalog: &Catalog,
    site: &str,
    part: &ObjectPrefix,
    lost: &mut HashSet<Sha256>,
    unanswered: &mut Vec<String>,
) -> Result<()> {
    let snapshots = catalog.packed_with(site, &part.range())?;
    if snapshots.is_empty() {
        unanswered.push(format!(
            "the part {part} of the catalogue is not known here: if the site lacks something after the import, use --full"
        ));
    }
    for snapshot in snapshots {
        lost.extend(catalog.packed_in(site, snapshot)?);
    }
    Ok(())
}

fn matching(carried: &BTreeMap<Sha256, u64>, prefix: &ObjectPrefix) -> Vec<(Sha256, u64)> {
    carried.range(prefix.range()).map(|(name, size)| (*name, *size)).collect()
}

/// So many lost files are named.
const NAMED: usize = 10;

/// Takes out the payloads whose bytes are not here, and names them: one that is lost keeps back no other.
pub(super) fn without_lost(
    data: &DataDir,
    catalog: &Catalog,
    objects: Vec<Object>,
) -> Result<(Vec<Object>, Vec<String>)> {
    let content = ContentStore::for_reading(&data.content());
    let (mut here, mut lost_files) = (Vec::new(), Vec::new());
    for object in objects {
        if object.kind != ObjectKind::Payload || content.contains(&object.sha256, object.size)? {
            here.push(object);
        } else {
            lost_files.push(object.sha256);
        }
    }
    let named = lost_files.iter().take(NAMED).map(|sha256| lost(catalog, sha256));
    let mut unanswered = named.collect::<Result<Vec<_>>>()?;
    if lost_files.len() > NAMED {
        unanswered.push(format!("nor are those of {} further files", lost_files.len() - NAMED));
    }
    Ok((here, unanswered))
}

fn lost(catalog: &Catalog, sha256: &Sha256) -> Result<String> {
    let names = catalog.names_of_payload(sha256)?;
    let name = names.first().map_or_else(|| sha256.to_string(), ToString::to_string);
    Ok(format!("the bytes of {name} are not here any more: `tidegate check` finds what is lost"))
}
