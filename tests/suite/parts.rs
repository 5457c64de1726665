//! Payloads in parts that somebody has changed, and bytes that lie where payloads belong but do not
//! count.

use std::{
    fs,
    io::Read as _,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeReader, VolumeWriter},
    digest::{CHUNK_SIZE, PayloadHasher, Sha256},
    index::{FORMAT_VERSION, Index, SegmentKind},
    keys::SigningKey,
    limits::BundleLimits,
    policy::Policy,
    segment::{PayloadRecord, Record, SegmentWriter},
    trust,
};
use tidegate::{
    catalog::Catalog,
    content::ContentStore,
    transfer::{
        Blame, ExportOptions, ExportSelection, TransferError, VerifyAgainst, VerifyOptions, check,
        verify,
    },
};
use uuid::Uuid;

use crate::support::{
    clock::{days, now},
    program,
    sides::{Mirror, Site, bytes},
};

const MIRROR: u128 = 7;

/// [`CHUNK_SIZE`], as a length of bytes in memory.
const CHUNK: usize = 16 * 1024 * 1024;

/// As [`rewrite`], of a volume with a part; others have no such.
fn rewritten(
    volume: &[u8],
    change: impl FnOnce(&mut VolumeNote, &mut Vec<Vec<u8>>),
) -> Option<Vec<u8>> {
    let (_, note, _) = VolumeReader::open(volume, &BundleLimits::default()).unwrap();
    note.objects.iter().find(|object| object.offset.is_some())?;
    Some(rewrite(volume, change))
}

/// Takes a volume apart, lets `change` have its note and objects, and writes it anew: sums and
/// headers fit, as somebody who changes a volume would see to.
pub(crate) fn rewrite(
    volume: &[u8],
    change: impl FnOnce(&mut VolumeNote, &mut Vec<Vec<u8>>),
) -> Vec<u8> {
    let (mut reader, mut note, head) =
        VolumeReader::open(volume, &BundleLimits::default()).unwrap();
    let mut objects = Vec::new();
    while reader.next_object().unwrap().is_some() {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).unwrap();
        objects.push(body);
    }
    change(&mut note, &mut objects);
    let mut writer = VolumeWriter::new(Vec::new(), &note, &head).unwrap();
    for object in &objects {
        writer.object(&mut object.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

/// A mirror whose one payload is cut over several volumes.
fn cut() -> (Mirror, Vec<PathBuf>) {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 2 * CHUNK + 999)]);
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
    let options = VerifyOptions::new(now());
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
            assert_eq!(error.blame(), Blame::Refused, "{error}");
            assert!(error.to_string().contains(says), "{error}");
            assert_eq!(site.tree(), before);
            let report =
                verify(&volumes, VerifyAgainst::Root(&mirror.root), &options, &()).unwrap();
            assert_eq!((report.refused.len(), report.volumes.len()), (1, volumes.len() - 1));
            assert_eq!(report.refusal().unwrap().blame(), Blame::Refused);
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
    let payload = bytes(1, CHUNK + 999);
    let mut hasher = PayloadHasher::new();
    hasher.update(&payload);
    let digests = hasher.finish();
    let record = PayloadRecord {
        sha256: Sha256::hash(b"another payload"),
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
    let (first, second) = payload.split_at(CHUNK);
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
    assert_eq!(error.blame(), Blame::Refused);
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
    let name = Sha256::hash(&payload);
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
    let path = ContentStore::open(&site.data.content()).unwrap().path(&Sha256::hash(&payload));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes(2, 5000)).unwrap();
    // The segments alone.
    let whole = fs::read(&volume).unwrap();
    let (mut reader, mut note, head) =
        VolumeReader::open(&whole[..], &BundleLimits::default()).unwrap();
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
    assert_eq!(report.pending[0].missing.payloads, [(Sha256::hash(&payload), 5000)]);
}

#[test]
fn check_compares_what_is_served_with_what_was_signed() {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    for (sql, says) in [
        ("UPDATE snapshot SET index_sha256 = zeroblob(32)", "of another snapshot 1"),
        ("DELETE FROM snapshot_segment", "other segments"),
    ] {
        let site = site.copy();
        rusqlite::Connection::open(site.data.catalog()).unwrap().execute(sql, []).unwrap();
        let report = check(&site.data, now(), false, &()).unwrap();
        assert!(report.problems.iter().any(|problem| problem.contains(says)), "{report:?}");
    }
}

/// Three payloads, one of them over several volumes.
fn discs() -> (Mirror, Vec<PathBuf>) {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 3 * CHUNK + 300_000), bytes(2, 100_000)]);
    mirror.add(2, 1, &[bytes(3, 10)]);
    let options =
        ExportOptions { volume_size: Some(CHUNK_SIZE + 200_000), ..ExportOptions::default() };
    let volumes = mirror.export_with("plant-7", &options).unwrap().volumes;
    assert_eq!(volumes.len(), 4);
    (mirror, volumes)
}

fn kept(site: &Site) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(site.data.parts()) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn discs_are_taken_one_at_a_time_in_any_order() {
    let (mirror, volumes) = discs();
    let twin = Site::new("plant-7", &mirror.root);
    twin.import(&volumes).unwrap();
    let options = VerifyOptions::new(now());
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let site = Site::new("plant-7", &mirror.root);
        for (n, disc) in order.into_iter().enumerate() {
            let disc = std::slice::from_ref(&volumes[disc]);
            let alone = verify(disc, VerifyAgainst::Root(&mirror.root), &options, &()).unwrap();
            assert_eq!(alone.volumes[0].uncheckable, 0, "each disc can be checked by itself");
            assert!(!alone.is_complete(), "three discs are missing");
            let dry = site.dry_run(disc).unwrap();
            let report = site.import(disc).unwrap();
            assert_eq!(dry.in_force, report.in_force);
            assert_eq!((dry.new_objects, &dry.parts), (report.new_objects, &report.parts));
            assert!(!report.is_unchanged(), "{order:?} {n}");
            assert!(!site.data.incoming().exists());
            if n < 3 {
                assert_eq!((report.in_force, report.pending.len()), (None, 1), "{order:?} {n}");
                for parts in &report.parts {
                    assert!(0 < parts.here && parts.here < parts.size);
                }
                let again = site.import(disc).unwrap();
                assert!(again.is_unchanged(), "{again:?}");
                assert_eq!(again.parts, report.parts);
            } else {
                assert_eq!((report.in_force, report.is_complete()), (Some(1), true));
            }
        }
        assert_eq!(kept(&site), Vec::<PathBuf>::new());
        assert!(!site.data.parts().exists());
        assert_eq!(site.served(), twin.served());
        assert!(check(&site.data, now(), false, &()).unwrap().is_good());
    }
}

/// The same snapshot exported with other sizes: parts that overlap make the whole, too.
#[test]
fn parts_of_two_exports_fit_together() {
    let (mirror, volumes) = discs();
    let options = ExportOptions {
        selection: ExportSelection::Full,
        volume_size: Some(2 * CHUNK_SIZE + 300_000),
        ..ExportOptions::default()
    };
    let others = mirror.export_with("plant-7", &options).unwrap().volumes;
    assert_eq!(others.len(), 2);
    let site = Site::new("plant-7", &mirror.root);
    for disc in [&volumes[3], &volumes[1], &others[0], &volumes[0]] {
        site.import(std::slice::from_ref(disc)).unwrap();
    }
    let report = site.import(&others[1..]).unwrap();
    assert_eq!((report.in_force, report.is_complete()), (Some(1), true), "{:?}", report.pending);
    assert_eq!(kept(&site), Vec::<PathBuf>::new());
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
}

#[test]
fn a_kept_part_that_rots_is_asked_for_again() {
    let (mirror, volumes) = discs();
    let site = Site::new("plant-7", &mirror.root);
    let (last, others) = volumes.split_last().unwrap();
    for disc in others {
        site.import(std::slice::from_ref(disc)).unwrap();
    }
    // A file that is no part, and one that has lost its name, are nobody's.
    fs::write(site.data.parts().join("note.txt"), "x").unwrap();
    let mut parts = kept(&site);
    parts.sort();
    let rotten = parts.iter().find(|path| path.to_string_lossy().ends_with(".16777216"));
    let rotten = rotten.unwrap();
    let mut broken = fs::read(rotten).unwrap();
    broken[77] ^= 1;
    fs::remove_file(rotten).unwrap();
    fs::write(rotten, broken).unwrap();
    let report = site.import(std::slice::from_ref(last)).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (None, 1));
    assert!(report.warnings.iter().any(|w| w.contains("damaged since")), "{:?}", report.warnings);
    assert!(!rotten.exists());
    let parts = &report.parts[0];
    assert_eq!(parts.size - parts.here, CHUNK_SIZE);
    for disc in others {
        site.import(std::slice::from_ref(disc)).unwrap();
    }
    let catalog = Catalog::open(&site.data.catalog()).unwrap();
    assert_eq!(catalog.counts().unwrap().present, 3);
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
}

#[test]
fn parts_go_when_no_snapshot_asks_for_them() {
    let (mirror, volumes) = discs();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&volumes[1..2]).unwrap();
    site.import(&volumes[2..3]).unwrap();
    assert!(!kept(&site).is_empty());
    // The mirror loses the payload: the next snapshot goes without it.
    let name = Sha256::hash(&bytes(1, 3 * CHUNK + 300_000));
    let content = ContentStore::open(&mirror.data.content()).unwrap();
    fs::remove_file(content.path(&name)).unwrap();
    check(&mirror.data, now(), true, &()).unwrap();
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!((report.in_force, report.is_complete()), (Some(2), true));
    assert_eq!(kept(&site), Vec::<PathBuf>::new());
}

/// Whoever changes a volume after a good one came finds what was kept as it was.
#[test]
fn a_refused_disc_leaves_kept_parts_alone() {
    let (mirror, volumes) = discs();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&volumes[1..2]).unwrap();
    let before = site.tree();
    let good = fs::read(&volumes[2]).unwrap();
    let part = |note: &VolumeNote| note.objects.iter().position(|o| o.offset.is_some()).unwrap();
    let bad = rewritten(&good, |note, objects| objects[part(note)][500] ^= 1).unwrap();
    let path = site.folder.path().join("bad.tar");
    fs::write(&path, bad).unwrap();
    assert_eq!(site.import(&[path]).unwrap_err().blame(), Blame::Refused);
    assert_eq!(site.tree(), before);
}

/// The records of a pending snapshot become rows when it takes effect: that needs room, though its
/// segments are here already.
#[test]
fn the_room_for_a_pending_snapshot_is_proven() {
    let (mirror, volumes) = discs();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&volumes[..3]).unwrap();
    let connection = rusqlite::Connection::open(site.data.catalog()).unwrap();
    let sql = "UPDATE segment SET unpacked_size = 1 << 60 WHERE kind = 'catalogue'";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    drop(connection);
    let error = site.import(&volumes[3..]).unwrap_err();
    assert!(matches!(error, TransferError::NoSpace { .. }), "{error}");
}

/// With the real program: small discs, one call each, the last first.
#[test]
fn the_program_exports_discs_and_takes_them_one_by_one() {
    let run = |data: &Path, args: &[&str]| {
        let output = program::run(data, args);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 2 * CHUNK + 500_000)]);
    let out = mirror.out();
    let out_text = out.to_str().unwrap();
    let export = |size: &str| {
        let args = ["export", "--site", "plant-7", "--out", out_text, "--volume-size", size];
        run(mirror.data.root(), &args)
    };
    let (code, text) = export("seventeen");
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("is no size"), "{text}");
    let (code, text) = export("17MB");
    assert_eq!(code, Some(0), "{text}");
    let mut discs: Vec<PathBuf> =
        fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    discs.sort();
    assert_eq!(discs.len(), 3);
    assert!(discs.iter().all(|disc| fs::metadata(disc).unwrap().len() <= 17_000_000));
    let site = Site::new("plant-7", &mirror.root);
    for (left, disc) in [(2, &discs[2]), (1, &discs[0]), (0, &discs[1])] {
        let (code, text) = run(site.data.root(), &["import", disc.to_str().unwrap()]);
        assert_eq!(code, Some(if left == 0 { 0 } else { 4 }), "{text}");
        let says = if left == 0 { "Snapshot 1 is in force" } else { "are here in parts" };
        assert!(left == 2 || text.contains(says), "{text}");
    }
    // The program has sealed by the clock of this machine.
    assert!(check(&site.data, jiff::Timestamp::now(), false, &()).unwrap().is_good());
}
