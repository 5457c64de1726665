//! Payloads in parts that somebody has changed, and bytes that lie where payloads belong but do not
//! count.

use std::{fs, io::Read as _, num::NonZeroU64, path::PathBuf};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeReader, VolumeWriter},
    digest::{CHUNK_SIZE, PayloadHasher, Sha256},
    index::{FORMAT_VERSION, Index, SegmentKind},
    keys::SigningKey,
    limits::Limits,
    policy::Policy,
    segment::{PayloadRecord, Record, SegmentWriter},
    trust,
};
use tidegate::{
    catalog::Catalog,
    content::ContentStore,
    transfer::{ExportOptions, Fault, VerifyAgainst, VerifyOptions, check, verify},
};
use uuid::Uuid;

use super::sides::{Mirror, Site, bytes, days, now};

const MIRROR: u128 = 7;

/// Takes a volume apart, lets `change` have its note and objects, and writes it anew: sums and
/// headers fit, as somebody who changes a volume would see to.
fn rewritten(
    volume: &[u8],
    change: impl FnOnce(&mut VolumeNote, &mut Vec<Vec<u8>>),
) -> Option<Vec<u8>> {
    let (mut reader, mut note, head) = VolumeReader::open(volume, &Limits::default()).unwrap();
    let mut objects = Vec::new();
    while reader.next_object().unwrap().is_some() {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        objects.push(body);
    }
    note.objects.iter().find(|object| object.offset.is_some())?;
    change(&mut note, &mut objects);
    let mut writer = VolumeWriter::new(Vec::new(), &note, &head).unwrap();
    for object in &objects {
        writer.object(&mut object.as_slice()).unwrap();
    }
    Some(writer.finish().unwrap())
}

/// A mirror whose one payload is cut over several volumes.
fn cut() -> (Mirror, Vec<PathBuf>) {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 2 * CHUNK_SIZE as usize + 999)]);
    let options =
        ExportOptions { volume_size: Some(CHUNK_SIZE + 200_000), ..ExportOptions::default() };
    let volumes = mirror.export_with("plant-7", &options).unwrap().volumes;
    assert!(volumes.len() > 1);
    (mirror, volumes)
}

#[test]
fn a_part_with_other_bytes_or_another_end_is_refused() {
    let (mirror, volumes) = cut();
    let site = Site::new("plant-7", &mirror.root);
    let before = site.tree();
    let part = |note: &VolumeNote| note.objects.iter().position(|o| o.offset.is_some()).unwrap();
    let flip = |note: &mut VolumeNote, objects: &mut Vec<Vec<u8>>| {
        objects[part(note)][500] ^= 1;
    };
    let shorten = |note: &mut VolumeNote, objects: &mut Vec<Vec<u8>>| {
        let part = part(note);
        objects[part].pop();
        note.objects[part].size -= 1;
    };
    let options = VerifyOptions { now: now(), refuse_expired: false, limits: Limits::default() };
    let mut tried = 0;
    for volume in &volumes {
        let good = fs::read(volume).unwrap();
        for (bad, says) in
            [(rewritten(&good, flip), "other bytes"), (rewritten(&good, shorten), "does not fit")]
        {
            let Some(bad) = bad else { continue };
            tried += 1;
            fs::write(volume, bad).unwrap();
            let error = site.import(&volumes).unwrap_err();
            assert_eq!(error.fault(), Fault::Refused, "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(site.tree(), before);
            let error = verify(&volumes, VerifyAgainst::Root(&mirror.root), &options, &());
            assert_eq!(error.unwrap_err().fault(), Fault::Refused);
        }
        fs::write(volume, good).unwrap();
    }
    assert!(tried >= 4, "{tried}");
    let verified = verify(&volumes, VerifyAgainst::Root(&mirror.root), &options, &()).unwrap();
    assert!(verified.is_complete());
    assert!(site.import(&volumes).unwrap().is_complete());
}

/// Each chunk is what the signed table says, the whole is not.
#[test]
fn parts_that_do_not_make_the_whole_are_refused() {
    let mirror = Mirror::new(MIRROR);
    let site = Site::new("plant-7", &mirror.root);
    let payload = bytes(1, CHUNK_SIZE as usize + 999);
    let mut hasher = PayloadHasher::new();
    hasher.update(&payload);
    let digests = hasher.finish();
    let record = PayloadRecord {
        sha256: Sha256::of(b"another payload"),
        sha1: digests.sha1,
        size: digests.size,
        chunks: digests.chunks,
        not_carried: None,
    };
    let mut writer = SegmentWriter::new(Vec::new(), SegmentKind::Payloads).unwrap();
    writer.push(&Record::Payload(record.clone())).unwrap();
    let (segment, named) = writer.finish().unwrap();
    let load = |name: &str| SigningKey::load(&mirror.data.keys().join(name), None).unwrap();
    let (content, policy_key) = (load("content-1.pem"), load("policy-1.pem"));
    let index = Index {
        format_version: FORMAT_VERSION,
        critical: Vec::new(),
        mirror_id: Uuid::from_u128(MIRROR),
        snapshot: 1,
        created: now(),
        sites: vec!["plant-7".to_owned()],
        segments: vec![named.clone()],
    };
    let head = trust::seal(&trust::Seal {
        roots: &[fs::read(&mirror.root).unwrap()],
        index: &index,
        policy: (&Policy::default(), NonZeroU64::MIN),
        content: &content,
        timestamp: &[&content],
        policy_key: &policy_key,
        expires: days(100),
    })
    .unwrap();
    let (first, second) = payload.split_at(CHUNK_SIZE as usize);
    let part = |offset: u64, bytes: &[u8]| ObjectEntry {
        sha256: record.sha256,
        offset: Some(offset),
        size: bytes.len() as u64,
    };
    let note = VolumeNote {
        format_version: FORMAT_VERSION,
        set: Uuid::from_u128(1),
        volume: 1,
        of: 1,
        site: "plant-7".to_owned(),
        snapshot: 1,
        objects: vec![
            ObjectEntry { sha256: named.sha256, offset: None, size: named.size },
            part(0, first),
            part(CHUNK_SIZE, second),
        ],
    };
    let mut writer = VolumeWriter::new(Vec::new(), &note, &head).unwrap();
    for object in [segment.as_slice(), first, second] {
        writer.object(&mut { object }).unwrap();
    }
    let path = site.folder.path().join("volume.tar");
    fs::write(&path, writer.finish().unwrap()).unwrap();
    let error = site.import(&[path]).unwrap_err();
    assert_eq!(error.fault(), Fault::Refused);
    assert!(error.to_string().contains("do not make the whole"), "{error}");
}

/// `check` was killed after it had noted a loss, and before it moved the damaged file away.
#[test]
fn a_file_that_counts_as_lost_is_replaced() {
    let mirror = Mirror::new(MIRROR);
    let payload = bytes(1, 5000);
    mirror.add(1, 1, std::slice::from_ref(&payload));
    let volumes = mirror.export("plant-7").volumes;
    let site = Site::new("plant-7", &mirror.root);
    site.import(&volumes).unwrap();
    let name = Sha256::of(&payload);
    let path = ContentStore::open(&site.data.content()).unwrap().path(&name);
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes(2, 5000)).unwrap();
    let mut catalog = Catalog::open(&site.data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.payload_lost(&name).unwrap();
    writer.commit().unwrap();
    assert_eq!(site.import(&volumes).unwrap().new_objects, 1);
    assert!(fs::read(&path).unwrap() == payload);
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
}

/// A name and a size prove nothing: what no row vouches for is hashed before it counts.
#[test]
fn a_stray_file_under_the_name_of_a_payload_does_not_count() {
    let mirror = Mirror::new(MIRROR);
    let payload = bytes(1, 5000);
    mirror.add(1, 1, std::slice::from_ref(&payload));
    let volume = mirror.export("plant-7").volumes.remove(0);
    let site = Site::new("plant-7", &mirror.root);
    let path = ContentStore::open(&site.data.content()).unwrap().path(&Sha256::of(&payload));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes(2, 5000)).unwrap();
    // The segments alone.
    let whole = fs::read(&volume).unwrap();
    let (mut reader, mut note, head) = VolumeReader::open(&whole[..], &Limits::default()).unwrap();
    note.objects.truncate(2);
    let mut writer = VolumeWriter::new(Vec::new(), &note, &head).unwrap();
    for _ in 0..2 {
        reader.next_object().unwrap();
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        writer.object(&mut body.as_slice()).unwrap();
    }
    let segments = site.folder.path().join("segments.tar");
    fs::write(&segments, writer.finish().unwrap()).unwrap();
    let report = site.import(&[segments]).unwrap();
    assert_eq!(report.in_force, None);
    assert_eq!(report.pending[0].missing.payloads, [(Sha256::of(&payload), 5000)]);
}

#[test]
fn check_compares_what_is_served_with_what_was_signed() {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    for (sql, says) in [
        ("UPDATE snapshot SET index_sha256 = zeroblob(32)", "another than the one served"),
        ("DELETE FROM snapshot_segment", "other segments"),
    ] {
        let site = site.copy();
        rusqlite::Connection::open(site.data.catalog()).unwrap().execute(sql, []).unwrap();
        let report = check(&site.data, now(), false, &()).unwrap();
        assert!(report.problems.iter().any(|problem| problem.contains(says)), "{report:?}");
    }
}
