//! Every way in which a bundle may be wrong: exit class 3, a message that names the cause, and a
//! data folder that is byte for byte what it was.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeWriter},
    digest::{PayloadDigests, PayloadHasher, Sha256},
    index::{FORMAT_VERSION, Index, SegmentKind, SegmentRef},
    keys::SigningKey,
    policy::Policy,
    segment::{PayloadRecord, Record, RevisionRecord, SegmentWriter},
    trust::{self, Head, Seal},
};
use tidegate::transfer::{
    Fault, ImportOptions, KeysOptions, Rotate, SealOptions, TransferError, VerifyAgainst,
    VerifyOptions, check, import, inspect_root, keys_rotate, seal, trust_add, verify,
};
use uuid::Uuid;

use super::sides::{Mirror, Site, bytes, copy_folder, days, document, now, update};

const MIRROR: u128 = 7;

/// What all tests here start from: a site that has taken snapshot 1, and a delta to snapshot 2.
struct Start {
    mirror: Mirror,
    site: Site,
    first: PathBuf,
    delta: Vec<u8>,
}

fn start() -> &'static Start {
    static START: OnceLock<Start> = OnceLock::new();
    START.get_or_init(|| {
        let mirror = Mirror::new(MIRROR);
        mirror.add(1, 1, &[bytes(1, 3000)]);
        let first = mirror.export("plant-7").volumes.remove(0);
        let site = Site::new("plant-7", &mirror.root);
        site.import(std::slice::from_ref(&first)).unwrap();
        mirror.add(2, 1, &[bytes(2, 5000), bytes(3, 700), bytes(4, 1)]);
        let volume = mirror.export("plant-7").volumes.remove(0);
        let delta = fs::read(volume).unwrap();
        Start { mirror, site, first, delta }
    })
}

/// All causes of an error in one text.
fn story(error: &TransferError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Imports into a copy of the site and expects a refusal that leaves no trace; returns its story.
fn refused(name: &str, volume: &[u8]) -> String {
    refused_by(&start().site.copy(), name, volume)
}

fn refused_by(site: &Site, name: &str, volume: &[u8]) -> String {
    let path = site.folder.path().join("volume.tar");
    fs::write(&path, volume).unwrap();
    refused_path(site, name, &path, &ImportOptions::new(now()))
}

fn refused_path(site: &Site, name: &str, path: &Path, options: &ImportOptions) -> String {
    let before = site.tree();
    let result = import(&site.data, &[path.to_owned()], options, &());
    let error = match result {
        Ok(report) => panic!("{name}: accepted: {report:?}"),
        Err(error) => error,
    };
    assert_eq!(error.fault(), Fault::Refused, "{name}: {}", story(&error));
    let after = site.tree();
    assert_eq!(before, after, "{name}: the data folder changed");
    story(&error)
}

/// A volume taken apart, so that it can be put together wrongly.
#[derive(Clone)]
struct Volume {
    members: Vec<Member>,
    tail: Vec<u8>,
}

#[derive(Clone)]
struct Member {
    header: Vec<u8>,
    body: Vec<u8>,
    padding: Vec<u8>,
}

impl Member {
    fn name(&self) -> String {
        let end = self.header[..100].iter().position(|b| *b == 0).unwrap_or(100);
        String::from_utf8(self.header[..end].to_vec()).unwrap()
    }

    fn new(name: &str, kind: u8, body: &[u8]) -> Self {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000444");
        header[108..115].copy_from_slice(b"0000000");
        header[116..123].copy_from_slice(b"0000000");
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[263..265].copy_from_slice(b"00");
        header[329..336].copy_from_slice(b"0000000");
        header[337..344].copy_from_slice(b"0000000");
        let mut member = Self { header, body: body.to_vec(), padding: Vec::new() };
        member.set_size(body.len() as u64);
        member.pad();
        member
    }

    fn pad(&mut self) {
        self.padding = vec![0; self.body.len().next_multiple_of(512) - self.body.len()];
    }

    fn set_size(&mut self, size: u64) {
        let octal = format!("{size:011o}");
        self.header[124..135].copy_from_slice(octal.as_bytes());
        self.sum();
    }

    fn sum(&mut self) {
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|b| u32::from(*b)).sum();
        let text = format!("{sum:07o}\0");
        self.header[148..156].copy_from_slice(text.as_bytes());
    }

    fn bytes(&self) -> Vec<u8> {
        [self.header.as_slice(), &self.body, &self.padding].concat()
    }
}

impl Volume {
    fn parse(bytes: &[u8]) -> Self {
        let (mut members, mut at) = (Vec::new(), 0);
        while bytes[at] != 0 {
            let header = bytes[at..at + 512].to_vec();
            let octal = std::str::from_utf8(&header[124..135]).unwrap();
            let size = usize::from_str_radix(octal, 8).unwrap();
            let (start, end) = (at + 512, at + 512 + size);
            let next = end.next_multiple_of(512);
            members.push(Member {
                header,
                body: bytes[start..end].to_vec(),
                padding: bytes[end..next].to_vec(),
            });
            at = next;
        }
        Self { members, tail: bytes[at..].to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.members.iter().flat_map(Member::bytes).collect();
        bytes.extend_from_slice(&self.tail);
        bytes
    }

    fn position(&self, test: impl Fn(&str) -> bool) -> usize {
        self.members.iter().position(|m| test(&m.name())).unwrap()
    }

    fn objects(&self) -> std::ops::Range<usize> {
        let first = self.position(|name| name.starts_with("objects/"));
        first..self.position(|name| name == "SHA256SUMS")
    }

    /// Makes `SHA256SUMS` fit the members again: who changes a volume can do that too.
    fn sum_again(&mut self) {
        let sums: String = self
            .members
            .iter()
            .filter(|m| m.name() != "SHA256SUMS")
            .map(|m| format!("{}  {}\n", Sha256::of(&m.body), m.name()))
            .collect();
        let at = self.position(|name| name == "SHA256SUMS");
        self.members[at] = Member::new("SHA256SUMS", b'0', sums.as_bytes());
    }

    /// Changes the note, as JSON text.
    fn edit_note(&mut self, edit: impl FnOnce(&mut VolumeNote)) {
        let mut note: VolumeNote = serde_json::from_slice(&self.members[0].body).unwrap();
        edit(&mut note);
        let mut json = serde_json::to_vec_pretty(&note).unwrap();
        json.push(b'\n');
        self.members[0] = Member::new("VOLUME.json", b'0', &json);
    }
}

#[test]
fn the_editor_puts_together_what_it_took_apart() {
    let delta = &start().delta;
    let volume = Volume::parse(delta);
    assert!(volume.bytes() == *delta);
    for member in &volume.members {
        let made = Member::new(&member.name(), b'0', &member.body);
        assert!(made.bytes() == member.bytes(), "{}", member.name());
    }
    let mut summed = volume.clone();
    summed.sum_again();
    assert!(summed.bytes() == *delta, "the editor sums as the writer does");
    let site = start().site.copy();
    let path = site.folder.path().join("volume.tar");
    fs::write(&path, volume.bytes()).unwrap();
    assert!(site.import(&[path]).unwrap().is_complete());
}

#[test]
fn one_byte_changed_anywhere_in_any_member() {
    let good = Volume::parse(&start().delta);
    for at in 0..good.members.len() {
        let name = good.members[at].name();
        let places = |len: usize| [0, len / 3, len / 2, len.saturating_sub(1)];
        for place in [0, 50, 101, 109, 117, 126, 140, 150, 156, 160, 258, 265, 300, 330, 350, 511] {
            let mut bad = good.clone();
            bad.members[at].header[place] ^= 1;
            refused(&format!("{name} header byte {place}"), &bad.bytes());
        }
        for place in places(good.members[at].body.len()) {
            let mut bad = good.clone();
            bad.members[at].body[place] ^= 1;
            refused(&format!("{name} byte {place}"), &bad.bytes());
        }
        if let Some(len) = Some(good.members[at].padding.len()).filter(|len| *len > 0) {
            for place in places(len) {
                let mut bad = good.clone();
                bad.members[at].padding[place] = 1;
                let story = refused(&format!("{name} padding {place}"), &bad.bytes());
                assert!(story.contains("padding") || story.contains("zero"), "{story}");
            }
        }
    }
}

#[test]
fn one_byte_of_an_object_changed_and_summed_again() {
    let good = Volume::parse(&start().delta);
    for at in good.objects() {
        let mut bad = good.clone();
        let middle = bad.members[at].body.len() / 2;
        bad.members[at].body[middle] ^= 0x80;
        bad.sum_again();
        let story = refused("object", &bad.bytes());
        assert!(story.contains("another digest"), "{story}");
    }
}

#[test]
fn truncated_at_any_point() {
    let delta = &start().delta;
    let mut points: Vec<usize> = (0..delta.len()).step_by(512).collect();
    points.extend((0..delta.len()).step_by(1777));
    points.extend([1, 511, 513, delta.len() - 1, delta.len() - 512, delta.len() - 1023]);
    for at in points {
        let story = refused(&format!("cut at {at}"), &delta[..at]);
        assert!(
            ["cut", "end", "short", "truncat", "complete"].iter().any(|w| story.contains(w)),
            "cut at {at}: {story}"
        );
    }
}

#[test]
fn a_missing_object() {
    let good = Volume::parse(&start().delta);
    for at in good.objects() {
        let mut bad = good.clone();
        let name = bad.members.remove(at).name();
        refused(&format!("without {name}"), &bad.bytes());
        bad.sum_again();
        let story = refused(&format!("without {name}, summed again"), &bad.bytes());
        assert!(story.contains("objects/") || story.contains("SHA256SUMS"), "{story}");
    }
    for at in 0..good.objects().start {
        let mut bad = good.clone();
        let name = bad.members.remove(at).name();
        bad.sum_again();
        refused(&format!("without {name}"), &bad.bytes());
    }
}

#[test]
fn an_extra_member() {
    let good = Volume::parse(&start().delta);
    let body = bytes(99, 600);
    let name = format!("objects/{}", Sha256::of(&body));
    for (name, body) in [(name.as_str(), body.as_slice()), ("README", b"hello"), ("objects/x", b"")]
    {
        for at in 0..=good.members.len() {
            let mut bad = good.clone();
            bad.members.insert(at, Member::new(name, b'0', body));
            refused(&format!("{name} at {at}"), &bad.bytes());
        }
        let mut bad = good.clone();
        bad.members.insert(good.objects().end, Member::new(name, b'0', body));
        bad.sum_again();
        refused(&format!("{name}, summed again"), &bad.bytes());
    }
}

/// Not even when the note speaks of it: only the signature decides what belongs.
#[test]
fn an_extra_object_that_the_note_names() {
    let good = Volume::parse(&start().delta);
    for seed in [98, 99, 100, 101] {
        let body = bytes(seed, 600);
        let sha256 = Sha256::of(&body);
        let mut bad = good.clone();
        let name = format!("objects/{sha256}");
        let first_payload = good.objects().start + 2;
        let at = (first_payload..good.objects().end)
            .find(|at| good.members[*at].name() > name)
            .unwrap_or(good.objects().end);
        bad.members.insert(at, Member::new(&name, b'0', &body));
        let place = at - good.objects().start;
        bad.edit_note(|note| {
            note.objects.insert(place, ObjectEntry { sha256, offset: None, size: 600 });
        });
        bad.sum_again();
        let story = refused("an extra object", &bad.bytes());
        assert!(story.contains("not named by the signed snapshot"), "{story}");
    }
}

#[test]
fn duplicated_and_reordered_members() {
    let good = Volume::parse(&start().delta);
    for at in 0..good.members.len() {
        let mut twice = good.clone();
        twice.members.insert(at, good.members[at].clone());
        refused(&format!("{} twice", good.members[at].name()), &twice.bytes());
        if at > 0 {
            let mut swapped = good.clone();
            swapped.members.swap(at - 1, at);
            refused(&format!("{} swapped", good.members[at].name()), &swapped.bytes());
        }
    }
    for (i, j) in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)] {
        let first = good.objects().start;
        let mut swapped = good.clone();
        swapped.members.swap(first + i, first + j);
        swapped.edit_note(|note| note.objects.swap(i, j));
        swapped.sum_again();
        let story = refused(&format!("objects {i} and {j} swapped"), &swapped.bytes());
        assert!(story.contains("order"), "{story}");
    }
    let mut twice = good.clone();
    let last = good.objects().end - 1;
    twice.members.insert(last, good.members[last].clone());
    twice.edit_note(|note| note.objects.push(note.objects.last().unwrap().clone()));
    twice.sum_again();
    refused("the last object twice", &twice.bytes());
}

#[test]
fn entries_that_are_no_plain_files() {
    let good = Volume::parse(&start().delta);
    let long = format!("path={}\n", "x".repeat(200));
    let pax = format!("{} {long}", long.len() + 4);
    let kinds: [(&str, &str, u8, &[u8]); 12] = [
        ("hard link", "objects/link", b'1', b""),
        ("symbolic link", "objects/link", b'2', b""),
        ("character device", "objects/tty", b'3', b""),
        ("block device", "objects/disk", b'4', b""),
        ("folder", "objects/", b'5', b""),
        ("FIFO", "objects/fifo", b'6', b""),
        ("contiguous file", "objects/old", b'7', b""),
        ("old plain file", "objects/old", 0, b""),
        ("PAX header", "PaxHeaders/x", b'x', pax.as_bytes()),
        ("global PAX header", "pax_global_header", b'g', pax.as_bytes()),
        ("long name", "././@LongLink", b'L', &[b'x'; 300]),
        ("long link", "././@LongLink", b'K', &[b'x'; 300]),
    ];
    for (what, name, kind, body) in kinds {
        for at in 0..=good.members.len() {
            let mut bad = good.clone();
            bad.members.insert(at, Member::new(name, kind, body));
            refused(&format!("{what} at {at}"), &bad.bytes());
        }
    }
    for name in ["../escape", "objects/../../escape", "/etc/passwd", "./VOLUME.json", "metadata/.."]
    {
        for at in 0..=good.members.len() {
            let mut bad = good.clone();
            bad.members.insert(at, Member::new(name, b'0', b"x"));
            refused(&format!("{name} at {at}"), &bad.bytes());
        }
    }
    // An object under its own name, but as a link.
    let at = good.objects().start;
    for kind in [b'1', b'2', b'3', b'5', 0] {
        let mut bad = good.clone();
        bad.members[at].header[156] = kind;
        bad.members[at].sum();
        refused(&format!("an object of type {kind}"), &bad.bytes());
    }
}

#[test]
fn trailing_bytes() {
    let delta = &start().delta;
    for tail in [&b"x"[..], &[0], &[0; 512], &[0; 9216], delta] {
        let story = refused("trailing bytes", &[delta, tail].concat());
        assert!(["end", "trailing", "follow"].iter().any(|w| story.contains(w)), "{story}");
    }
    let mut bad = Volume::parse(delta);
    for place in [0, 511, 512, 1023] {
        bad.tail = vec![0; 1024];
        bad.tail[place] = 1;
        refused(&format!("byte {place} of the end"), &bad.bytes());
    }
    bad.tail = vec![0; 512];
    refused("a lone zero block", &bad.bytes());
}

#[test]
fn sizes_that_lie() {
    let good = Volume::parse(&start().delta);
    for at in 0..good.members.len() {
        let len = good.members[at].body.len() as u64;
        for size in [len + 1, len + 512, len.saturating_sub(1), 0, 0o77777777777] {
            if size == len {
                continue;
            }
            let mut bad = good.clone();
            bad.members[at].set_size(size);
            refused(&format!("{} says {size}", good.members[at].name()), &bad.bytes());
        }
    }
    for (i, at) in good.objects().enumerate() {
        for longer in [true, false] {
            // Member, note and sums agree with each other; the signed index or its table does not.
            let mut bad = good.clone();
            let member = &mut bad.members[at];
            if longer {
                member.body.push(0);
            } else {
                member.body.pop();
            }
            *member = Member::new(&member.name(), b'0', &member.body);
            let size = member.body.len() as u64;
            bad.edit_note(|note| note.objects[i].size = size);
            bad.sum_again();
            refused(&format!("object {i} longer: {longer}"), &bad.bytes());
            // The note alone.
            let mut bad = good.clone();
            bad.edit_note(|note| note.objects[i].size = size);
            bad.sum_again();
            refused(&format!("the note says {size} of object {i}"), &bad.bytes());
        }
    }
}

#[test]
fn an_older_snapshot() {
    let Start { mirror, first, .. } = start();
    let site = start().site.copy();
    let path = site.folder.path().join("delta.tar");
    fs::write(&path, &start().delta).unwrap();
    site.import(&[path]).unwrap();
    let story = refused_path(&site, "older", first, &ImportOptions::new(now()));
    assert!(story.contains("older"), "{story}");
    let _ = mirror;
}

#[test]
fn another_sites_bundle() {
    let Start { mirror, delta, .. } = start();
    let site = Site::new("plant-9", &mirror.root);
    let story = refused_by(&site, "another site", delta);
    assert!(story.contains("plant-7") && story.contains("plant-9"), "{story}");
}

#[test]
fn another_mirror_and_unknown_signers() {
    let other = Mirror::new(8);
    other.add(1, 1, &[bytes(1, 3000)]);
    let volume = other.export("plant-7").volumes.remove(0);
    let site = start().site.copy();
    let story = refused_path(&site, "another mirror", &volume, &ImportOptions::new(now()));
    assert!(
        story.contains("sign") || story.contains("mirror") || story.contains("root"),
        "{story}"
    );
}

/// Signs whatever it is told to with the keys of the mirror: what a thief, or a newer version of
/// the program, could make.
struct Forge {
    index: Index,
    policy: Policy,
    segments: Vec<Vec<u8>>,
    payloads: Vec<Vec<u8>>,
}

impl Forge {
    fn new(snapshot: u64) -> Self {
        Self {
            index: Index {
                format_version: FORMAT_VERSION,
                critical: Vec::new(),
                mirror_id: Uuid::from_u128(MIRROR),
                snapshot,
                created: now(),
                sites: vec!["plant-7".to_owned()],
                segments: Vec::new(),
            },
            policy: Policy::default(),
            segments: Vec::new(),
            payloads: Vec::new(),
        }
    }

    fn segment(mut self, kind: SegmentKind, records: &[Record]) -> Self {
        let mut writer = SegmentWriter::new(Vec::new(), kind).unwrap();
        for record in records {
            writer.push(record).unwrap();
        }
        let (bytes, segment) = writer.finish().unwrap();
        self.index.segments.push(segment);
        self.segments.push(bytes);
        self
    }

    fn payload(mut self, bytes: &[u8]) -> Self {
        self.payloads.push(bytes.to_vec());
        self.payloads.sort_by_key(|payload| Sha256::of(payload));
        self
    }

    fn head(&self, keys: &Path) -> Head {
        let load = |name: &str| SigningKey::load(&keys.join(name), None).unwrap();
        let roots: Vec<Vec<u8>> =
            (1..).map_while(|n| fs::read(keys.join(format!("{n}.root.json"))).ok()).collect();
        let (content, policy_key) = (load("content-1.pem"), load("policy-1.pem"));
        trust::seal(&Seal {
            roots: &roots,
            index: &self.index,
            policy: (&self.policy, std::num::NonZeroU64::new(1000).unwrap()),
            content: &content,
            timestamp: &[&content],
            policy_key: &policy_key,
            expires: days(100),
        })
        .unwrap()
    }

    fn volume(&self, keys: &Path) -> Vec<u8> {
        volume(&self.head(keys), self.index.snapshot, &self.segments, &self.payloads)
    }
}

fn volume(head: &Head, snapshot: u64, segments: &[Vec<u8>], payloads: &[Vec<u8>]) -> Vec<u8> {
    let objects = || segments.iter().chain(payloads);
    let note = VolumeNote {
        format_version: FORMAT_VERSION,
        set: Uuid::from_u128(1),
        volume: 1,
        of: 1,
        site: "plant-7".to_owned(),
        snapshot,
        objects: objects()
            .map(|object| ObjectEntry {
                sha256: Sha256::of(object),
                offset: None,
                size: object.len() as u64,
            })
            .collect(),
    };
    let mut writer = VolumeWriter::new(Vec::new(), &note, head).unwrap();
    for object in objects() {
        writer.object(&mut object.as_slice()).unwrap();
    }
    writer.finish().unwrap()
}

fn digests(payload: &[u8]) -> PayloadDigests {
    let mut hasher = PayloadHasher::new();
    hasher.update(payload);
    hasher.finish()
}

fn payload_record(payload: &[u8]) -> PayloadRecord {
    let digests = digests(payload);
    PayloadRecord {
        sha256: digests.sha256,
        sha1: digests.sha1,
        size: digests.size,
        chunks: digests.chunks,
        not_carried: None,
    }
}

fn revision_record(n: u128, revision_id: i32, xml: &str) -> Record {
    Record::Revision(RevisionRecord {
        update_id: update(n).0,
        revision_number: 1,
        revision_id,
        xml: xml.as_bytes().to_vec(),
    })
}

/// A forged snapshot that is in order, so that the others fail for their own reason alone.
#[test]
fn what_the_forge_makes_is_accepted_when_it_is_in_order() {
    let payload = bytes(60, 2000);
    let xml = document(60, 1, &[digests(&payload)]);
    let forge = Forge::new(50)
        .segment(SegmentKind::Catalogue, &[revision_record(60, 60, &xml)])
        .segment(SegmentKind::Payloads, &[Record::Payload(payload_record(&payload))])
        .payload(&payload);
    let site = start().site.copy();
    let path = site.folder.path().join("volume.tar");
    fs::write(&path, forge.volume(&start().mirror.data.keys())).unwrap();
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.is_complete()), (Some(50), true));
    // Its list is no extension of the one before: what it does not name has gone.
    let switched = report.switched.unwrap();
    assert_eq!((switched.revisions_removed, switched.payloads_removed), (1, 1));
}

#[test]
fn unknown_format_version_and_critical_features() {
    let keys = start().mirror.data.keys();
    let mut newer = Forge::new(50);
    newer.index.format_version = FORMAT_VERSION + 1;
    let story = refused("format version", &newer.volume(&keys));
    assert!(story.contains("version 2") && story.contains("update Tidegate"), "{story}");
    let mut critical = Forge::new(50);
    critical.index.critical = vec!["parity".to_owned()];
    let story = refused("critical", &critical.volume(&keys));
    assert!(story.contains("parity"), "{story}");
    let mut policy = Forge::new(50);
    policy.policy.critical = vec!["rings".to_owned()];
    let story = refused("critical policy", &policy.volume(&keys));
    assert!(story.contains("rings"), "{story}");
    let mut note = Volume::parse(&start().delta);
    note.edit_note(|note| note.format_version = FORMAT_VERSION + 1);
    note.sum_again();
    refused("version of the note", &note.bytes());
}

#[test]
fn another_mirror_under_the_same_keys() {
    let mut forge = Forge::new(50);
    forge.index.mirror_id = Uuid::from_u128(MIRROR + 1);
    let story = refused("mirror id", &forge.volume(&start().mirror.data.keys()));
    assert!(story.contains("mirror"), "{story}");
}

#[test]
fn two_snapshots_of_one_number() {
    let keys = start().mirror.data.keys();
    let story = refused("the number of what is served", &Forge::new(1).volume(&keys));
    assert!(story.contains("number") || story.contains("snapshot 1"), "{story}");
    // While it is still pending, too.
    let site = start().site.copy();
    let mut pending = Volume::parse(&start().delta);
    let last = pending.objects().end - 1;
    pending.members.remove(last);
    pending.edit_note(|note| {
        note.objects.pop();
    });
    pending.sum_again();
    let path = site.folder.path().join("pending.tar");
    fs::write(&path, pending.bytes()).unwrap();
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(1), 1));
    assert_eq!(report.pending[0].missing.payloads.len(), 1);
    let story = refused_by(&site, "the number of what is pending", &Forge::new(2).volume(&keys));
    assert!(story.contains("number 2"), "{story}");
    // The rest completes it.
    let path = site.folder.path().join("rest.tar");
    fs::write(&path, &start().delta).unwrap();
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.new_objects), (Some(2), 1));
}

#[test]
fn indexes_and_tables_that_lie_although_they_are_signed() {
    let keys = start().mirror.data.keys();
    let payload = bytes(60, 2000);
    let xml = document(60, 1, &[digests(&payload)]);
    let record = payload_record(&payload);
    let make = |index: &dyn Fn(&mut SegmentRef), table: PayloadRecord, revision: Record| {
        let mut forge = Forge::new(50)
            .segment(SegmentKind::Catalogue, &[revision])
            .segment(SegmentKind::Payloads, &[Record::Payload(table)])
            .payload(&payload);
        index(&mut forge.index.segments[0]);
        forge.volume(&keys)
    };
    let good = || revision_record(60, 60, &xml);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("segment size", make(&|s| s.size += 1, record.clone(), good()), "segment"),
        ("unpacked size", make(&|s| s.unpacked_size -= 1, record.clone(), good()), "segment"),
        ("record count", make(&|s| s.records += 1, record.clone(), good()), "segment"),
        (
            "segment kind",
            make(&|s| s.kind = SegmentKind::Payloads, record.clone(), good()),
            "segment",
        ),
        (
            "payload size",
            make(&|_| {}, PayloadRecord { size: 2001, ..record.clone() }, good()),
            "2001 bytes",
        ),
        (
            "payload SHA-1",
            make(
                &|_| {},
                PayloadRecord { sha1: bundle_format::digest::Sha1::of(b"x"), ..record.clone() },
                good(),
            ),
            "other bytes than the signed snapshot says",
        ),
        (
            "chunk digest",
            make(
                &|_| {},
                PayloadRecord { chunks: vec![Sha256::of(b"x")], ..record.clone() },
                good(),
            ),
            "other bytes than the signed snapshot says",
        ),
        (
            "carried after all",
            make(
                &|_| {},
                PayloadRecord {
                    not_carried: Some("by choice".to_owned()),
                    chunks: Vec::new(),
                    ..record.clone()
                },
                good(),
            ),
            "not carried",
        ),
        (
            "another update's document",
            make(&|_| {}, record.clone(), revision_record(61, 60, &xml)),
            "says that it is",
        ),
        (
            "no document",
            make(&|_| {}, record.clone(), revision_record(60, 60, "<Update")),
            "cannot be read",
        ),
        (
            "a number of the reserved range",
            make(&|_| {}, record.clone(), revision_record(60, 0x4000_0000, &xml)),
            "revision id",
        ),
        (
            "another revision's number",
            make(&|_| {}, record.clone(), revision_record(60, 1, &xml)),
            "1",
        ),
        (
            "a document that names other bytes",
            make(
                &|_| {},
                record.clone(),
                revision_record(
                    60,
                    60,
                    &document(
                        60,
                        1,
                        &[PayloadDigests { sha256: Sha256::of(b"x"), ..digests(&payload) }],
                    ),
                ),
            ),
            "contradicts itself",
        ),
        (
            "a document that names another size",
            make(
                &|_| {},
                record.clone(),
                revision_record(
                    60,
                    60,
                    &document(60, 1, &[PayloadDigests { size: 2001, ..digests(&payload) }]),
                ),
            ),
            "contradicts itself",
        ),
    ];
    for (name, volume, cause) in cases {
        let story = refused(name, &volume);
        assert!(story.contains(cause), "{name}: {story}");
    }
}

#[test]
fn revoked_signers() {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 3000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let stolen = mirror.folder.path().join("stolen");
    copy_folder(&mirror.data.keys(), &stolen);
    keys_rotate(&mirror.data, Rotate { content: true, ..Rotate::default() }, None, now()).unwrap();
    site.import(&mirror.export("plant-7").volumes).unwrap();
    // The thief has the old keys and the old root, and knows the new root, which is no secret.
    let story = refused_by(&site, "revoked, old root", &Forge::new(50).volume(&stolen));
    assert!(story.contains("sign") || story.contains("root"), "{story}");
    let mut head = Forge::new(50).head(&stolen);
    let root = fs::read(mirror.data.keys().join("2.root.json")).unwrap();
    head.files.insert("metadata/2.root.json".to_owned(), root.into());
    let story = refused_by(&site, "revoked, new root", &volume(&head, 50, &[], &[]));
    assert!(story.contains("sign"), "{story}");
}

#[test]
fn too_few_signatures() {
    let keys = KeysOptions { countersigners: 1, threshold: 2, ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(MIRROR, &keys);
    mirror.add(1, 1, &[]);
    let options = SealOptions { add_site: Some("plant-7".to_owned()), ..SealOptions::default() };
    seal(&mirror.data, now(), &options, &()).unwrap();
    let site = Site::new("plant-7", &mirror.root);
    let story = refused_by(&site, "one of two", &Forge::new(1).volume(&mirror.data.keys()));
    assert!(story.contains("signature"), "{story}");
}

#[test]
fn a_damaged_trust_state() {
    let good = fs::read(start().site.data.trust_state()).unwrap();
    let mut cases: Vec<Vec<u8>> = vec![Vec::new(), b"{}".to_vec(), good[..good.len() / 2].to_vec()];
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        cases.push(bad);
    }
    for (n, state) in cases.iter().enumerate() {
        let site = start().site.copy();
        fs::write(site.data.trust_state(), state).unwrap();
        let story = refused_by(&site, &format!("damaged state {n}"), &start().delta);
        assert!(story.contains("trust state"), "{story}");
    }
    // A person who compares the fingerprint can mend it; older snapshots stay out.
    let Start { mirror, first, .. } = start();
    let site = start().site.copy();
    let path = site.folder.path().join("delta.tar");
    fs::write(&path, &start().delta).unwrap();
    site.import(std::slice::from_ref(&path)).unwrap();
    fs::write(site.data.trust_state(), b"rubbish").unwrap();
    assert_eq!(trust_add(&site.data, &mirror.root, None).unwrap_err().fault(), Fault::Refused);
    let fingerprint = inspect_root(&mirror.root).unwrap().fingerprint;
    trust_add(&site.data, &mirror.root, Some(&fingerprint)).unwrap();
    let report = site.import(std::slice::from_ref(first)).unwrap();
    assert_eq!((report.in_force, report.switched.is_some()), (Some(2), false));
    site.import(&[path]).unwrap();
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());

    let site = start().site.copy();
    fs::remove_file(site.data.trust_state()).unwrap();
    let story = refused_by(&site, "no trust", &start().delta);
    assert!(story.contains("trust add"), "{story}");
}

#[test]
fn things_that_are_no_volume() {
    for (name, bytes) in [
        ("empty", Vec::new()),
        ("text", b"hello".to_vec()),
        ("zeros", vec![0; 4096]),
        ("noise", bytes(5, 5000)),
    ] {
        refused(name, &bytes);
    }
}

#[test]
fn one_bad_volume_among_good_ones_keeps_all_out() {
    let Start { mirror, delta, .. } = start();
    let site = Site::new("plant-7", &mirror.root);
    let folder = site.folder.path().join("stick");
    fs::create_dir(&folder).unwrap();
    fs::copy(&start().first, folder.join("1.tar")).unwrap();
    let mut bad = delta.clone();
    let middle = bad.len() * 2 / 3;
    bad[middle] ^= 1;
    fs::write(folder.join("2.tar"), bad).unwrap();
    let error = site.import(std::slice::from_ref(&folder)).unwrap_err();
    assert_eq!(error.fault(), Fault::Refused);
    assert!(!site.data.catalog().exists() && !site.data.segments().exists());
    fs::write(folder.join("2.tar"), delta).unwrap();
    assert_eq!(site.import(&[folder]).unwrap().in_force, Some(2));
}

/// `verify` finds what `import` finds, with the root alone.
#[test]
fn verify_refuses_too() {
    let Start { mirror, site, delta, .. } = start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.tar");
    let options = VerifyOptions {
        now: now(),
        refuse_expired: false,
        limits: bundle_format::limits::Limits::default(),
    };
    let good = Volume::parse(delta);
    let check = |volume: &[u8]| {
        fs::write(&path, volume).unwrap();
        let paths = [path.clone()];
        let root = verify(&paths, VerifyAgainst::Root(&mirror.root), &options, &());
        let data = verify(&paths, VerifyAgainst::Data(&site.data), &options, &());
        assert_eq!(root.is_ok(), data.is_ok());
        root.map_err(|e| assert_eq!(e.fault(), Fault::Refused, "{}", story(&e))).is_ok()
    };
    assert!(check(delta));
    for at in 0..good.members.len() {
        let mut bad = good.clone();
        let middle = bad.members[at].body.len() / 2;
        bad.members[at].body[middle] ^= 1;
        assert!(!check(&bad.bytes()), "{}", good.members[at].name());
        assert!(!check(&delta[..delta.len() * (at + 1) / (good.members.len() + 2)]));
    }
    let body = bytes(99, 600);
    let mut bad = good.clone();
    let name = format!("objects/{}", Sha256::of(&body));
    bad.members.insert(good.objects().end, Member::new(&name, b'0', &body));
    bad.sum_again();
    assert!(!check(&bad.bytes()));
}

fn write_to(site: &Site, name: &str, bytes: &[u8]) -> PathBuf {
    let path = site.folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// A site that a thief has led far ahead, and a mirror that has replaced its keys since.
fn led_astray(numbers: &[u64]) -> (Mirror, Site, PathBuf) {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 3000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let stolen = mirror.folder.path().join("stolen");
    copy_folder(&mirror.data.keys(), &stolen);
    for number in numbers {
        let path =
            write_to(&site, &format!("thief{number}.tar"), &Forge::new(*number).volume(&stolen));
        assert_eq!(site.import(&[path]).unwrap().in_force, Some(*number));
    }
    keys_rotate(&mirror.data, Rotate { content: true, ..Rotate::default() }, None, now()).unwrap();
    (mirror, site, stolen)
}

#[test]
fn review_trust_follows_after_a_kill_and_another_bundle() {
    let (mirror, site, stolen) = led_astray(&[100]);
    let before = fs::read(site.data.trust_state()).unwrap();
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    // Killed between the commit and the trust state; then the next bundle comes first.
    fs::write(site.data.trust_state(), before).unwrap();
    mirror.add(2, 1, &[bytes(2, 3000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(3));
    let good = check(&site.data, now(), false, &()).unwrap();
    assert_eq!(good.problems, Vec::<String>::new());
    refused_by(&site, "the thief comes back", &Forge::new(101).volume(&stolen));
}

#[test]
fn review_numbers_of_the_thief_do_not_block_honest_ones() {
    let (mirror, site, _) = led_astray(&[2, 3]);
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    mirror.add(2, 1, &[bytes(2, 3000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(3));
}

#[test]
fn review_policy_of_the_thief_does_not_stay() {
    use tidegate::fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin};
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 3000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let stolen = mirror.folder.path().join("stolen");
    copy_folder(&mirror.data.keys(), &stolen);
    let mut forge = Forge::new(2);
    forge.policy.approvals.push(bundle_format::policy::PolicyApproval {
        update: update(1).0,
        group: "All Computers".to_owned(),
        action: "uninstall".to_owned(),
        deadline: None,
    });
    let path = write_to(&site, "thief.tar", &forge.volume(&stolen));
    site.import(&[path]).unwrap();
    assert_eq!(Fleet::open(&site.data.fleet()).unwrap().approvals().unwrap().len(), 1);
    keys_rotate(&mirror.data, Rotate { content: true, ..Rotate::default() }, None, now()).unwrap();
    let report = site.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    assert_eq!(Fleet::open(&site.data.fleet()).unwrap().approvals().unwrap().len(), 0);
    let _ = (ALL_COMPUTERS, ApprovalAction::Install, Origin::Local);
}

#[test]
fn review_an_older_bundle_does_not_undo_not_carried() {
    let keys = start().mirror.data.keys();
    let payload = bytes(60, 2000);
    let table = |not_carried: Option<&str>| {
        let mut record = payload_record(&payload);
        if let Some(why) = not_carried {
            record.not_carried = Some(why.to_owned());
            record.chunks.clear();
        }
        Record::Payload(record)
    };
    let older = Forge::new(50).segment(SegmentKind::Payloads, &[table(None)]).payload(&payload);
    let newer = Forge::new(51)
        .segment(SegmentKind::Payloads, &[table(None)])
        .segment(SegmentKind::Payloads, &[table(Some("it was bad"))]);
    let site = start().site.copy();
    let path = write_to(&site, "newer.tar", &newer.volume(&keys));
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(51));
    let before = site.served();
    let path = write_to(&site, "older.tar", &older.volume(&keys));
    let result = site.import(&[path]);
    assert!(result.is_err(), "{result:?}");
    assert_eq!(site.served(), before);
}

#[test]
fn review_the_second_volume_may_come_first() {
    let keys = start().mirror.data.keys();
    let payload = bytes(60, 2000);
    let mut without = payload_record(&payload);
    without.not_carried = Some("later".to_owned());
    without.chunks.clear();
    let one = Forge::new(50).segment(SegmentKind::Payloads, &[Record::Payload(without)]);
    let site = start().site.copy();
    let path = write_to(&site, "one.tar", &one.volume(&keys));
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(50));
    let mut two =
        Forge::new(51).segment(SegmentKind::Payloads, &[Record::Payload(payload_record(&payload))]);
    let head = two.head(&keys);
    let segment = std::mem::take(&mut two.segments);
    let disc2 =
        write_to(&site, "disc2.tar", &volume(&head, 51, &[], std::slice::from_ref(&payload)));
    let report = site.import(std::slice::from_ref(&disc2)).unwrap();
    assert_eq!(report.in_force, Some(50));
    let disc1 = write_to(&site, "disc1.tar", &volume(&head, 51, &segment, &[]));
    site.import(&[disc1]).unwrap();
    assert_eq!(site.import(&[disc2]).unwrap().in_force, Some(51));
}

#[test]
fn review_what_is_lost_of_ours_does_not_hold_up_the_mirror() {
    use tidegate::{
        catalog::{Catalog, Numbering},
        content::ContentStore,
        update::{Limits, UpdateDocument},
    };
    let site = start().site.copy();
    let payload = bytes(700, 900);
    let path = write_to(&site, "ours", &payload);
    let content = ContentStore::open(&site.data.content()).unwrap();
    let digests = content.add_file(&path, &mut |_| {}).unwrap();
    let xml = document(900, 1, std::slice::from_ref(&digests));
    let parsed = UpdateDocument::parse(xml.as_bytes(), &Limits::default()).unwrap();
    let mut catalog = Catalog::open(&site.data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.add_revision(&parsed, xml.as_bytes(), Numbering::Local, now()).unwrap();
    writer.put_payload(&super::sides::row(digests.clone())).unwrap();
    writer.commit().unwrap();
    fs::remove_file(content.path(&digests.sha256)).unwrap();
    check(&site.data, now(), true, &()).unwrap();
    let path = write_to(&site, "delta.tar", &start().delta);
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.is_complete()), (Some(2), true), "{:?}", report.pending);
}

#[test]
fn review_a_refusal_in_the_transaction_leaves_a_fresh_site_fresh() {
    let keys = start().mirror.data.keys();
    let site = Site::new("plant-7", &start().mirror.root);
    let forge =
        Forge::new(50).segment(SegmentKind::Catalogue, &[revision_record(60, 60, "<Update")]);
    refused_by(&site, "a document that does not parse", &forge.volume(&keys));
}

#[test]
fn review_the_site_of_the_note() {
    let mut bad = Volume::parse(&start().delta);
    bad.edit_note(|note| note.site = "plant-9".to_owned());
    bad.sum_again();
    refused("a note for another site", &bad.bytes());
}

#[test]
fn review_verify_knows_strangers_in_a_delta() {
    let Start { mirror, site, delta, .. } = start();
    let options = VerifyOptions {
        now: now(),
        refuse_expired: false,
        limits: bundle_format::limits::Limits::default(),
    };
    let good = Volume::parse(delta);
    let body = bytes(99, 600);
    let sha256 = Sha256::of(&body);
    let name = format!("objects/{sha256}");
    let mut bad = good.clone();
    let first_payload = good.objects().start + 2;
    let at = (first_payload..good.objects().end)
        .find(|at| good.members[*at].name() > name)
        .unwrap_or(good.objects().end);
    bad.members.insert(at, Member::new(&name, b'0', &body));
    let place = at - good.objects().start;
    bad.edit_note(|note| {
        note.objects.insert(place, ObjectEntry { sha256, offset: None, size: 600 })
    });
    bad.sum_again();
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("v.tar");
    fs::write(&path, bad.bytes()).unwrap();
    let root =
        verify(std::slice::from_ref(&path), VerifyAgainst::Root(&mirror.root), &options, &());
    assert_eq!(root.unwrap().volumes[0].uncheckable, 1);
    let data = verify(&[path], VerifyAgainst::Data(&site.data), &options, &());
    assert!(data.is_err(), "{data:?}");
}

#[test]
fn review_check_looks_at_pending_segments() {
    let site = start().site.copy();
    let mut pending = Volume::parse(&start().delta);
    let last = pending.objects().end - 1;
    pending.members.remove(last);
    pending.edit_note(|note| {
        note.objects.pop();
    });
    pending.sum_again();
    let path = write_to(&site, "pending.tar", &pending.bytes());
    let report = site.import(&[path]).unwrap();
    assert_eq!(report.pending.len(), 1);
    let served = tidegate::catalog::Catalog::open(&site.data.catalog()).unwrap();
    let segment = served.segments_of(2).unwrap().pop().unwrap();
    let file = site.data.segments().join(segment.sha256.to_string());
    let mut broken = fs::read(&file).unwrap();
    broken[20] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, broken).unwrap();
    let report = check(&site.data, now(), true, &()).unwrap();
    assert!(!report.is_good());
    let path = write_to(&site, "delta.tar", &start().delta);
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(2));
}

#[test]
fn review_a_group_that_cannot_be_made() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let mut forge = Forge::new(50);
    forge.policy.groups = vec!["a;b".to_owned()];
    let path = write_to(&site, "volume.tar", &forge.volume(&keys));
    let report = site.import(&[path]).unwrap();
    assert_eq!(report.in_force, Some(50));
    let kinds: Vec<_> = report.policy.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [tidegate::transfer::PolicyChangeKind::NotUnderstood]);
}

#[test]
fn review_an_approval_for_a_group_that_is_not_there_is_not_reported_as_made() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let mut forge = Forge::new(50);
    forge.policy.approvals.push(bundle_format::policy::PolicyApproval {
        update: update(1).0,
        group: "Nowhere".to_owned(),
        action: "install".to_owned(),
        deadline: None,
    });
    let path = write_to(&site, "volume.tar", &forge.volume(&keys));
    let report = site.import(&[path]).unwrap();
    let fleet = tidegate::fleet::Fleet::open(&site.data.fleet()).unwrap();
    let made = report
        .policy
        .iter()
        .filter(|c| c.kind == tidegate::transfer::PolicyChangeKind::Approve)
        .count();
    assert_eq!(made, fleet.approvals().unwrap().len(), "{:?}", report.policy);
}

#[test]
fn review_a_sealed_head_survives_a_kill_while_it_is_replaced() {
    let keys = KeysOptions { countersigners: 1, threshold: 2, ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(MIRROR, &keys);
    mirror.add(1, 1, &[]);
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    // A leftover of a killed replacement is no part of it.
    let left = mirror.data.snapshot(1).join("metadata").join(".tmpabc");
    fs::write(&left, "half").unwrap();
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    let key = mirror.data.keys().join("countersigner-1.pem");
    let summary = tidegate::transfer::countersign(&mirror.data, &key, None).unwrap();
    assert_eq!(summary.signatures, (2, 2));
    assert!(!left.exists());
}

#[test]
fn review_two_mirrors_in_one_import() {
    let keys = start().mirror.data.keys();
    let site = Site::new("plant-7", &start().mirror.root);
    let one = Forge::new(50);
    let mut two = Forge::new(51);
    two.index.mirror_id = Uuid::from_u128(MIRROR + 1);
    let paths = [
        write_to(&site, "1.tar", &one.volume(&keys)),
        write_to(&site, "2.tar", &two.volume(&keys)),
    ];
    let result = site.import(&paths);
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn review_the_new_root_in_the_same_folder_counts_at_once() {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[bytes(1, 3000)]);
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let stolen = mirror.folder.path().join("stolen");
    copy_folder(&mirror.data.keys(), &stolen);
    keys_rotate(&mirror.data, Rotate { content: true, ..Rotate::default() }, None, now()).unwrap();
    let mut paths = mirror.export("plant-7").volumes;
    paths.push(write_to(&site, "thief.tar", &Forge::new(100).volume(&stolen)));
    let report = site.import(&paths).unwrap();
    assert_eq!(report.in_force, Some(2));
    assert!(report.warnings.iter().any(|w| w.contains("does not take effect")), "{report:?}");
    refused_path(&site, "the thief alone", paths.last().unwrap(), &ImportOptions::new(now()));
}
