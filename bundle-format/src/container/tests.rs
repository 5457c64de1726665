use std::io::{Cursor, Read};

use bytes::Bytes;
use proptest::prelude::*;
use tar::{EntryType, Header};
use uuid::Uuid;

use super::*;
use crate::{
    digest::{CHUNK_SIZE, Sha256},
    limits::BundleLimits,
    trust::Head,
};

/// A head with the right names; the container does not look into it.
fn head() -> Head {
    let index = Bytes::from_static(b"an index");
    let policy = Bytes::from_static(b"a policy");
    let mut head = Head::default();
    for (name, bytes) in [
        ("metadata/1.root.json".to_owned(), Bytes::from_static(b"{}")),
        ("metadata/2.root.json".to_owned(), Bytes::from(vec![b' '; 600])),
        ("metadata/timestamp.json".to_owned(), Bytes::from(vec![b' '; 2048])),
        ("metadata/3.snapshot.json".to_owned(), Bytes::from_static(b"snapshot")),
        ("metadata/3.targets.json".to_owned(), Bytes::from_static(b"targets")),
        ("metadata/12.policy.json".to_owned(), Bytes::from_static(b"policy")),
        (format!("targets/{}.index.json.zst", Sha256::hash(&index)), index),
        (format!("targets/{}.policy.json.zst", Sha256::hash(&policy)), policy),
    ] {
        head.files.insert(name, bytes);
    }
    head
}

fn note(bodies: &[(Option<u64>, Vec<u8>)]) -> VolumeNote {
    let objects: Vec<ObjectEntry> = bodies
        .iter()
        .map(|(offset, body)| ObjectEntry {
            // Parts belong to an object of which only the name is known here.
            sha256: offset.map_or_else(|| Sha256::hash(body), |_| Sha256::hash(b"large")),
            offset: *offset,
            size: body.len() as u64,
        })
        .collect();
    VolumeNote {
        format_version: 1,
        set: Uuid::from_u128(5),
        volume: 1,
        of: 2,
        site: "plant-7".to_owned(),
        snapshot: 3,
        objects,
    }
}

fn write(bodies: &[(Option<u64>, Vec<u8>)]) -> Vec<u8> {
    let mut writer = VolumeWriter::new(Vec::new(), &note(bodies), &head()).unwrap();
    for (_, body) in bodies {
        writer.object(&mut &body[..]).unwrap();
    }
    writer.finish().unwrap()
}

type Volume = (VolumeNote, Head, Vec<(ObjectEntry, Vec<u8>)>);

fn read(bytes: &[u8]) -> Result<Volume, VolumeError> {
    let (mut reader, note, head) = VolumeReader::open(bytes, &BundleLimits::default())?;
    let mut objects = Vec::new();
    while let Some(entry) = reader.next_object()? {
        let mut body = Vec::new();
        reader.read_to_end(&mut body)?;
        assert_eq!(reader.digest(), Some(Sha256::hash(&body)));
        objects.push((entry, body));
    }
    assert_eq!(reader.position(), bytes.len() as u64);
    assert!(reader.next_object()?.is_none(), "the end stays the end");
    Ok((note, head, objects))
}

fn sample() -> Vec<(Option<u64>, Vec<u8>)> {
    vec![
        (None, b"a segment".to_vec()),
        (None, Vec::new()),
        (None, vec![7; 1024]),
        (Some(0), b"the first part".to_vec()),
        (Some(2 * CHUNK_SIZE), b"a later part".to_vec()),
    ]
}

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    match read(bytes) {
        Err(error @ VolumeError::Refused { .. }) => {
            assert!(error.to_string().contains(part), "{error}\ndoes not say {part:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

/// The members of a volume as header, body with padding; without the tail.
fn members(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut members = Vec::new();
    let mut at = 0;
    while bytes[at] != 0 {
        let size = Header::from_byte_slice(&bytes[at..at + 512]).entry_size().unwrap();
        let end = at + usize::try_from(layout::member_size(size)).unwrap();
        members.push(bytes[at..end].to_vec());
        at = end;
    }
    members
}

fn volume(members: &[Vec<u8>]) -> Vec<u8> {
    [members.concat(), vec![0; 1024]].concat()
}

#[test]
fn written_and_read() {
    let bodies = sample();
    let bytes = write(&bodies);
    assert_eq!(bytes, write(&bodies), "the same input gives the same bytes");
    assert_eq!(bytes.len() as u64, volume_size(&note(&bodies), &head()));
    let (read_note, read_head, objects) = read(&bytes).unwrap();
    assert_eq!((read_note, read_head), (note(&bodies), head()));
    let read_bodies: Vec<_> = objects.into_iter().map(|(e, body)| (e.offset, body)).collect();
    assert_eq!(read_bodies, bodies);
}

#[test]
fn an_ordinary_tar_reader_sees_the_same() {
    let bytes = write(&sample());
    let mut archive = tar::Archive::new(&bytes[..]);
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    let part = format!("objects/{}.{}", Sha256::hash(b"large"), 2 * CHUNK_SIZE);
    assert_eq!(names.first().map(String::as_str), Some("VOLUME.json"));
    assert_eq!(
        names[1..4].join(" "),
        "metadata/1.root.json metadata/2.root.json metadata/timestamp.json"
    );
    assert_eq!(names[names.len() - 2..], [part, "SHA256SUMS".to_owned()]);
}

#[test]
fn what_is_not_read_of_a_body_is_read_over() {
    let bytes = write(&sample());
    let (mut reader, _, _) = VolumeReader::open(&bytes[..], &BundleLimits::default()).unwrap();
    let mut count = 0;
    while reader.next_object().unwrap().is_some() {
        count += 1;
        let _ = reader.read(&mut [0; 3]).unwrap();
    }
    assert_eq!(count, sample().len());
}

#[test]
fn every_flipped_bit_is_refused() {
    let bytes = write(&sample());
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(matches!(read(&altered), Err(VolumeError::Refused { .. })), "byte {at}");
    }
}

#[test]
fn every_cut_is_refused() {
    let bytes = write(&sample());
    for end in 0..bytes.len() {
        match read(&bytes[..end]) {
            Err(VolumeError::Refused { at, what }) => {
                assert!(at <= end as u64 && what.contains("cut off"), "cut at {end}: {at} {what}");
            }
            other => panic!("cut at {end}: {other:?}"),
        }
    }
    let (mut reader, _, _) =
        VolumeReader::open(&bytes[..bytes.len() - 4000], &BundleLimits::default()).unwrap();
    let error = loop {
        match reader.next_object().and_then(|_| Ok(reader.read_to_end(&mut Vec::new())?)) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, VolumeError::Refused { .. }), "{error:?}");
}

#[test]
fn members_missing_added_doubled_or_moved_are_refused() {
    let members = members(&write(&sample()));
    let last = members.len() - 1;
    for at in 0..members.len() {
        let mut fewer = members.clone();
        fewer.remove(at);
        refused(&volume(&fewer), "");
        let mut twice = members.clone();
        twice.insert(at, members[at].clone());
        refused(&volume(&twice), "");
        let mut moved = members.clone();
        moved.swap(at, if at == last { 0 } else { at + 1 });
        refused(&volume(&moved), "");
    }
    let mut twice = members.clone();
    twice.insert(10, members[9].clone());
    refused(&volume(&twice), "a member is missing, added, doubled");
    refused(&[volume(&members), vec![0; 512]].concat(), "bytes follow");
    refused(&[volume(&members), volume(&members)].concat(), "bytes follow");
    refused(&[members.concat(), vec![0; 512]].concat(), "cut off");
}

#[test]
fn other_kinds_of_member_are_refused_wherever_they_stand() {
    let plain = |change: &dyn Fn(&mut Header)| {
        let mut header = layout::header("objects/x", 0).unwrap();
        change(&mut header);
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let mut gnu = Header::new_gnu();
    gnu.set_path("objects/x").unwrap();
    gnu.set_size(0);
    gnu.set_cksum();
    let mut old = Header::new_old();
    old.set_path("objects/x").unwrap();
    old.set_size(0);
    old.set_cksum();
    let name = |name: &'static [u8]| {
        plain(&move |h: &mut Header| {
            h.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name)
        })
    };
    let intruders = [
        ("plain", plain(&|_| ())),
        ("symbolic link", plain(&|h| h.set_entry_type(EntryType::Symlink))),
        ("hard link", plain(&|h| h.set_entry_type(EntryType::Link))),
        ("directory", plain(&|h| h.set_entry_type(EntryType::Directory))),
        ("device", plain(&|h| h.set_entry_type(EntryType::Block))),
        ("fifo", plain(&|h| h.set_entry_type(EntryType::Fifo))),
        ("PAX", plain(&|h| h.set_entry_type(EntryType::XHeader))),
        ("global PAX", plain(&|h| h.set_entry_type(EntryType::XGlobalHeader))),
        ("long name", plain(&|h| h.set_entry_type(EntryType::GNULongName))),
        ("sparse", plain(&|h| h.set_entry_type(EntryType::GNUSparse))),
        ("old regular", plain(&|h| h.as_mut_bytes()[156] = 0)),
        ("an owner", plain(&|h| h.set_uid(1000))),
        ("a date", plain(&|h| h.set_mtime(1))),
        ("a mode", plain(&|h| h.set_mode(0o777))),
        ("a negative size", plain(&|h| h.as_mut_bytes()[124] = 0xff)),
        ("dot dot", name(b"../x\0")),
        ("absolute", name(b"/etc/x\0")),
        ("dotted head", name(b"metadata/../1.root.json\0")),
        ("GNU", gnu.as_bytes().to_vec()),
        ("old", old.as_bytes().to_vec()),
        ("zeros", vec![0; 512]),
        ("noise", vec![0xa5; 512]),
    ];
    let members = members(&write(&sample()));
    for (what, intruder) in intruders {
        for at in 0..=members.len() {
            let mut more = members.clone();
            more.insert(at, intruder.clone());
            let result = read(&volume(&more));
            assert!(
                matches!(result, Err(VolumeError::Refused { .. })),
                "{what} at {at}: {result:?}"
            );
        }
    }
}

#[test]
fn limits_hold_before_anything_is_kept() {
    let bytes = write(&sample());
    let open = |limits: BundleLimits| VolumeReader::open(&bytes[..], &limits).map(|_| ());
    for limits in [
        BundleLimits { note_bytes: 100, ..BundleLimits::default() },
        BundleLimits { metadata_bytes: 1000, ..BundleLimits::default() },
        BundleLimits { index_bytes: 5, ..BundleLimits::default() },
        BundleLimits { head_bytes: 2000, ..BundleLimits::default() },
        BundleLimits { roots: 1, ..BundleLimits::default() },
        BundleLimits { payload_bytes: CHUNK_SIZE, ..BundleLimits::default() },
    ] {
        let result = open(limits.clone());
        assert!(matches!(result, Err(VolumeError::Refused { .. })), "{limits:?}: {result:?}");
    }
    open(BundleLimits::default()).unwrap();
    // A size that lies costs no memory: the header says 60 MiB, and nothing follows.
    let lie = layout::header("VOLUME.json", 60 * 1024 * 1024).unwrap();
    refused(lie.as_bytes(), "cut off");
}

#[test]
fn notes_keep_their_rules() {
    let good = note(&sample());
    let open = |note: &VolumeNote| {
        let bytes = serde_json::to_vec_pretty(note).unwrap();
        VolumeNote::from_bytes(&[bytes, b"\n".to_vec()].concat(), &BundleLimits::default())
    };
    open(&good).unwrap();
    let objects = |change: &dyn Fn(&mut Vec<ObjectEntry>)| {
        let mut note = good.clone();
        change(&mut note.objects);
        note
    };
    for (name, bad) in [
        ("number 0", VolumeNote { volume: 0, ..good.clone() }),
        ("number 3 of 2", VolumeNote { volume: 3, ..good.clone() }),
        ("a site", VolumeNote { site: "a b".to_owned(), ..good.clone() }),
        ("a version", VolumeNote { format_version: 2, ..good.clone() }),
        ("an object twice", objects(&|o| o.push(o[0].clone()))),
        ("a part twice", objects(&|o| o.push(o[4].clone()))),
        ("parts moved", objects(&|o| o.swap(3, 4))),
        ("whole and part", objects(&|o| o[3].sha256 = o[0].sha256)),
        (
            "part and whole",
            objects(&|o| {
                let whole = ObjectEntry { offset: None, ..o[3].clone() };
                o.push(whole);
            }),
        ),
        ("between chunks", objects(&|o| o[3].offset = Some(1))),
        ("an empty part", objects(&|o| o[3].size = 0)),
        ("overlap", objects(&|o| o[3].size = 3 * CHUNK_SIZE)),
        ("too large", objects(&|o| o[0].size = layout::MEMBER_MAX + 1)),
        ("far away", objects(&|o| o[4].offset = Some(u64::MAX / CHUNK_SIZE * CHUNK_SIZE))),
    ] {
        assert!(open(&bad).is_err(), "{name}");
        assert!(
            VolumeWriter::new(Vec::new(), &bad, &head()).is_err() || name == "a version",
            "{name}"
        );
    }
    let compact = serde_json::to_vec(&good).unwrap();
    let error = VolumeNote::from_bytes(&compact, &BundleLimits::default()).unwrap_err();
    assert!(error.contains("one form"), "{error}");
    let newer = br#"{"format-version": 2, "all": "different"}"#;
    let error = VolumeNote::from_bytes(newer, &BundleLimits::default()).unwrap_err();
    assert!(error.contains("update Tidegate"), "{error}");
}

#[test]
fn a_writer_writes_no_lies() {
    let bodies = vec![(None, b"abc".to_vec())];
    let writer = || VolumeWriter::new(Vec::new(), &note(&bodies), &head()).unwrap();
    for wrong in [&b"ab"[..], b"abcd", b"abd", b""] {
        assert!(writer().object(&mut &*wrong).is_err(), "{wrong:?}");
    }
    assert!(writer().finish().is_err(), "an object is missing");
    let mut full = writer();
    full.object(&mut &b"abc"[..]).unwrap();
    assert!(full.object(&mut &b"abc"[..]).is_err(), "one too many");
    let mut strange = head();
    strange.files.insert("metadata/strange".to_owned(), Bytes::new());
    assert!(VolumeWriter::new(Vec::new(), &note(&bodies), &strange).is_err());
}

#[test]
fn a_failing_medium_is_no_refusal() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let bytes = write(&sample());
    for at in [0, 600, 5000, bytes.len() - 3000, bytes.len() - 100] {
        let medium = (&bytes[..at]).chain(Failing);
        let result = VolumeReader::open(medium, &BundleLimits::default())
            .and_then(|(mut reader, _, _)| while_some(|| reader.next_object()));
        assert!(matches!(result, Err(VolumeError::Io(_))), "at {at}: {result:?}");
    }
}

fn while_some(
    mut next: impl FnMut() -> Result<Option<ObjectEntry>, VolumeError>,
) -> Result<(), VolumeError> {
    while next()?.is_some() {}
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn there_and_back(bodies in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..1500), 0..8)) {
        let bodies: Vec<_> = bodies.into_iter().map(|body| (None, body)).collect();
        let bytes = write(&bodies);
        prop_assert_eq!(bytes.len() as u64, volume_size(&note(&bodies), &head()));
        let (_, _, objects) = read(&bytes).unwrap();
        let read_bodies: Vec<_> = objects.into_iter().map(|(e, body)| (e.offset, body)).collect();
        prop_assert_eq!(read_bodies, bodies);
    }

    #[test]
    fn altered_volumes_are_refused(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let bytes = write(&sample());
        let mut altered = bytes.clone();
        for (at, byte) in edits {
            altered[at.index(bytes.len())] = byte;
        }
        if let Some(cut) = cut {
            altered.truncate(cut.index(bytes.len()));
        }
        prop_assert_eq!(read(&altered).is_ok(), altered == bytes);
    }

    #[test]
    fn noise_does_not_panic(noise in prop::collection::vec(any::<u8>(), 0..3000)) {
        prop_assert!(read(&noise).is_err());
    }
}

#[test]
fn read_in_any_piece_size() {
    let bytes = write(&sample());
    struct Slow<'a>(Cursor<&'a [u8]>);
    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let end = buf.len().min(7);
            self.0.read(&mut buf[..end])
        }
    }
    let (mut reader, _, _) =
        VolumeReader::open(Slow(Cursor::new(&bytes)), &BundleLimits::default()).unwrap();
    while_some(|| reader.next_object()).unwrap();
}
