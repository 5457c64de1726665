//! Which object goes on which volume.

use bundle_format::{
    container::{ObjectEntry, PART_MAX, VolumeNote, volume_size},
    digest::{CHUNK_SIZE, Sha256},
    index::FORMAT_VERSION,
    trust::Head,
};
use uuid::Uuid;

use crate::transfer::error::TransferError;

type Result<T> = std::result::Result<T, TransferError>;

/// What one more member adds to a volume at most: header, padding, its lines in `VOLUME.json` and
/// `SHA256SUMS`.
const MEMBER_COST: u64 = 512 + 511 + 1024;

/// An object to be packed.
pub(crate) struct Object {
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    pub(crate) kind: ObjectKind,
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    /// A segment of revisions; never cut.
    Catalogue,
    /// A segment of payload records; never cut.
    Table,
    /// A payload, which may be cut at chunk borders.
    Payload,
}

/// The note of each volume: objects in the order given, cut and divided so that no volume is larger
/// than `most` bytes. Always at least one volume.
///
/// Payload tables are on each volume that holds payloads, if that costs little: each can then be
/// checked by itself, and taken in before the others.
pub(crate) fn lay_out(
    head: &Head,
    index: Sha256,
    site: &str,
    snapshot: u64,
    objects: &[Object],
    most: Option<u64>,
) -> Result<Vec<VolumeNote>> {
    let empty = VolumeNote {
        format_version: FORMAT_VERSION,
        set: Uuid::nil(),
        volume: 1,
        of: 1,
        site: site.to_owned(),
        snapshot,
        objects: Vec::new(),
    };
    let base = volume_size(&empty, head).saturating_add(4096);
    let most = most.unwrap_or(u64::MAX);
    let least = base.saturating_add(least_space(objects));
    let Some(space) = most.checked_sub(base).filter(|_| most >= least) else {
        return Err(TransferError::Unfit {
            what: format!(
                "a volume of {most} bytes is too small for this bundle: use at least {least}"
            ),
        });
    };
    let tables: Vec<&Object> = objects.iter().filter(|o| o.kind == ObjectKind::Table).collect();
    let volumes = divide_over_volumes(objects, &tables, space)
        // The tables take too much room: each is on one volume only.
        .or_else(|| divide_over_volumes(objects, &[], space))
        .ok_or_else(|| TransferError::Unfit {
            what: "a part of the catalogue is too large for any volume".to_owned(),
        })?;
    number_volumes(empty, index, volumes)
}

/// Divides objects over volumes with room for `space` bytes each; `tables` are on each volume with
/// payloads. `None` when that takes more room; without tables, [`least_space`] is enough.
fn divide_over_volumes(
    objects: &[Object],
    tables: &[&Object],
    space: u64,
) -> Option<Vec<Vec<ObjectEntry>>> {
    if packed_size(tables) > space / 8 {
        return None;
    }
    let (mut volumes, mut volume, mut room) = (Vec::new(), Vec::new(), space);
    // `is_fresh`: the volume holds nothing but tables. `has_tables`: it holds all of them.
    let (mut is_fresh, mut has_tables) = (true, false);
    for object in objects {
        let payload = object.kind == ObjectKind::Payload;
        let mut offset = 0;
        loop {
            if payload && !has_tables {
                let missing = missing_tables(tables, &volume);
                if packed_size(&missing) <= room {
                    room -= packed_size(&missing);
                    // In the index they stand before the objects that are on the volume already.
                    volume.splice(0..0, missing.into_iter().map(whole_entry));
                    has_tables = true;
                }
            }
            let left = object.size - offset;
            let fits = room.saturating_sub(MEMBER_COST).min(PART_MAX);
            let take = match (payload, left <= fits && room >= MEMBER_COST) {
                (true, _) if !has_tables => 0,
                (_, true) => left,
                (true, false) => fits - fits % CHUNK_SIZE,
                (false, false) => 0,
            };
            let last = take == left && (has_tables || !payload) && room >= MEMBER_COST;
            if last || take > 0 {
                volume.push(ObjectEntry {
                    sha256: object.sha256,
                    offset: (offset > 0 || !last).then_some(offset),
                    size: take,
                });
                is_fresh = false;
                room -= take + MEMBER_COST;
                offset += take;
                if last {
                    break;
                }
            } else if is_fresh {
                return None;
            } else {
                volumes.push(std::mem::take(&mut volume));
                (room, is_fresh, has_tables) = (space, true, false);
            }
        }
    }
    volumes.push(volume);
    Some(volumes)
}

/// Bytes of a volume that are enough for what cannot be cut: a segment, or a chunk of a payload.
fn least_space(objects: &[Object]) -> u64 {
    let uncut = |object: &Object| match object.kind {
        ObjectKind::Payload => object.size.min(CHUNK_SIZE),
        ObjectKind::Catalogue | ObjectKind::Table => object.size,
    };
    objects.iter().map(|object| uncut(object).saturating_add(MEMBER_COST)).max().unwrap_or(0)
}

fn missing_tables<'a>(tables: &[&'a Object], volume: &[ObjectEntry]) -> Vec<&'a Object> {
    let here = |table: &Object| volume.iter().any(|entry| entry.sha256 == table.sha256);
    tables.iter().copied().filter(|table| !here(table)).collect()
}

fn whole_entry(object: &Object) -> ObjectEntry {
    ObjectEntry { sha256: object.sha256, offset: None, size: object.size }
}

/// Bytes that objects take on a volume.
fn packed_size(objects: &[&Object]) -> u64 {
    objects.iter().map(|object| object.size + MEMBER_COST).sum()
}

/// Numbers the volumes and names the set after what it holds: the same snapshot, site and layout
/// give the same set.
fn number_volumes(
    empty: VolumeNote,
    index: Sha256,
    volumes: Vec<Vec<ObjectEntry>>,
) -> Result<Vec<VolumeNote>> {
    let mut held = index.as_bytes().to_vec();
    held.extend_from_slice(empty.site.as_bytes());
    for volume in &volumes {
        held.push(0xff);
        for entry in volume {
            held.extend_from_slice(entry.sha256.as_bytes());
            held.extend_from_slice(&entry.offset.unwrap_or_default().to_le_bytes());
            held.extend_from_slice(&entry.size.to_le_bytes());
        }
    }
    let set = Uuid::new_v5(&Uuid::NAMESPACE_OID, Sha256::hash(&held).as_bytes());
    let of = u32::try_from(volumes.len()).map_err(|_| TransferError::Unfit {
        what: "the volume size is so small that there would be billions of volumes".to_owned(),
    })?;
    Ok((1..)
        .zip(volumes)
        .map(|(volume, objects)| VolumeNote { set, volume, of, objects, ..empty.clone() })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: u8, size: u64, payload: bool) -> Object {
        let kind = if payload { ObjectKind::Payload } else { ObjectKind::Catalogue };
        Object { sha256: Sha256::hash(&[name]), size, kind }
    }

    fn lay(objects: &[Object], most: Option<u64>) -> Result<Vec<VolumeNote>> {
        lay_out(&Head::default(), Sha256::hash(b"index"), "plant-7", 3, objects, most)
    }

    #[test]
    fn everything_fits_one_volume_without_a_limit() {
        let volumes = lay(&[object(1, 10, false), object(2, 20_000_000_000, true)], None).unwrap();
        assert_eq!(volumes.len(), 1);
        let sizes: Vec<_> = volumes[0].objects.iter().map(|o| (o.offset, o.size)).collect();
        let first = PART_MAX;
        assert_eq!(
            sizes,
            [
                (None, 10),
                (Some(0), first),
                (Some(first), first),
                (Some(2 * first), 20_000_000_000 - 2 * first)
            ]
        );
    }

    #[test]
    fn no_volume_is_larger_than_asked_and_parts_end_at_chunks() {
        let most = 5 * CHUNK_SIZE + 100_000;
        let objects = [
            object(1, 3 * CHUNK_SIZE, false),
            object(2, 0, true),
            object(3, 11 * CHUNK_SIZE + 7, true),
        ];
        let volumes = lay(&objects, Some(most)).unwrap();
        assert!(volumes.len() > 2);
        for volume in &volumes {
            assert!(volume_size(volume, &Head::default()) <= most);
            assert_eq!(volume.set, volumes[0].set);
            assert_eq!(usize::try_from(volume.of).unwrap(), volumes.len());
        }
        let parts: Vec<_> = volumes
            .iter()
            .flat_map(|v| &v.objects)
            .filter(|o| o.sha256 == objects[2].sha256)
            .collect();
        let mut at = 0;
        for part in &parts {
            assert_eq!(part.offset, Some(at));
            at += part.size;
            assert!(at % CHUNK_SIZE == 0 || at == objects[2].size);
        }
        assert_eq!(at, objects[2].size);
    }

    #[test]
    fn a_segment_that_fits_no_volume_is_an_error() {
        assert!(lay(&[object(1, 100_000_000, false)], Some(50_000_000)).is_err());
        assert!(lay(&[], Some(100)).is_err());
    }

    #[test]
    fn the_size_that_a_refusal_names_is_enough_at_once_and_the_least() {
        let table = |name, size| Object { kind: ObjectKind::Table, ..object(name, size, false) };
        let bundles = [
            vec![],
            vec![object(1, 3_000_000, false), object(2, 40_000_000, true)],
            vec![table(1, 900_000), object(2, 700, false), object(3, 2 * CHUNK_SIZE, true)],
            vec![object(1, 10_000, false), table(2, 9_000), object(3, 800, true)],
            vec![object(1, CHUNK_SIZE, true), object(2, 5, true)],
        ];
        for objects in bundles {
            for tried in [1, 5000, 9000, 20_000] {
                let Err(error) = lay(&objects, Some(tried)) else { continue };
                let said = error.to_string();
                let named: u64 = said.rsplit(' ').next().unwrap().parse().unwrap();
                assert!(lay(&objects, Some(named)).is_ok(), "{said}");
                assert!(lay(&objects, Some(named - 1)).is_err(), "{said}");
            }
        }
    }

    #[test]
    fn another_layout_is_another_set() {
        let objects = [object(1, CHUNK_SIZE, true), object(2, CHUNK_SIZE, true)];
        let one = lay(&objects, None).unwrap();
        let two = lay(&objects, Some(CHUNK_SIZE + 50_000)).unwrap();
        assert_eq!(two.len(), 2);
        assert_ne!(one[0].set, two[0].set);
        assert_eq!(one[0].set, lay(&objects, None).unwrap()[0].set);
    }

    #[test]
    fn tables_are_on_each_volume_with_payloads_when_there_is_room() {
        let table = |name, size| Object { kind: ObjectKind::Table, ..object(name, size, false) };
        let objects = |table_size, segment_size| {
            [
                table(1, table_size),
                object(2, segment_size, false),
                table(3, table_size),
                object(4, 5 * CHUNK_SIZE, true),
            ]
        };
        let names = |volumes: &[VolumeNote]| -> Vec<Vec<u8>> {
            let name = |entry: &ObjectEntry| {
                (0..9).find(|name| Sha256::hash(&[*name]) == entry.sha256).unwrap()
            };
            volumes.iter().map(|v| v.objects.iter().map(name).collect()).collect()
        };
        let most = CHUNK_SIZE + 300_000;
        let volumes = lay(&objects(1000, CHUNK_SIZE), Some(most)).unwrap();
        let last = vec![1, 3, 4];
        assert_eq!(names(&volumes)[0], [1, 2, 3]);
        assert_eq!(names(&volumes)[1..], vec![last.clone(); 5]);
        assert!(volumes.iter().all(|volume| volume_size(volume, &Head::default()) <= most));
        // The second table begins a volume; the first comes before it all the same.
        let most = CHUNK_SIZE + 2_500_000;
        let volumes = lay(&objects(1_000_000, CHUNK_SIZE + 1_000_000), Some(most)).unwrap();
        assert_eq!(names(&volumes)[0], [1, 2]);
        assert_eq!(names(&volumes)[1..], vec![last; 5]);
        // They would take more than an eighth of each.
        let volumes = lay(&objects(200_000, CHUNK_SIZE), Some(CHUNK_SIZE + 250_000)).unwrap();
        assert_eq!(names(&volumes).concat().iter().filter(|name| **name == 1).count(), 1);
    }
}
