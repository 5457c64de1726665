//! What a thief of the keys could sign.

use std::{fs, path::Path};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeWriter},
    digest::{PayloadDigests, PayloadHasher, Sha256},
    index::{FORMAT_VERSION, Index, SegmentKind},
    keys::SigningKey,
    policy::Policy,
    segment::{PayloadRecord, Record, RevisionRecord, SegmentWriter},
    trust::{self, Head, Seal},
};
use uuid::Uuid;

use super::{
    super::support::{
        clock::{days, now},
        sides::{bytes, document, update},
    },
    MIRROR, start,
};

/// Signs whatever it is told to with the keys of the mirror: what a thief, or a newer version of
/// the program, could make.
pub(super) struct Forge {
    pub(super) index: Index,
    pub(super) policy: Policy,
    pub(super) segments: Vec<Vec<u8>>,
    pub(super) payloads: Vec<Vec<u8>>,
}

impl Forge {
    pub(super) fn new(snapshot: u64) -> Self {
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

    pub(super) fn segment(mut self, kind: SegmentKind, records: &[Record]) -> Self {
        let mut writer = SegmentWriter::new(Vec::new(), kind).unwrap();
        for record in records {
            writer.push(record).unwrap();
        }
        let (bytes, segment) = writer.finish().unwrap();
        self.index.segments.push(segment);
        self.segments.push(bytes);
        self
    }

    pub(super) fn payload(mut self, bytes: &[u8]) -> Self {
        self.payloads.push(bytes.to_vec());
        self.payloads.sort_by_key(|payload| Sha256::hash(payload));
        self
    }

    pub(super) fn head(&self, keys: &Path) -> Head {
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

    pub(super) fn volume(&self, keys: &Path) -> Vec<u8> {
        volume(&self.head(keys), self.index.snapshot, &self.segments, &self.payloads)
    }
}

pub(super) fn volume(
    head: &Head,
    snapshot: u64,
    segments: &[Vec<u8>],
    payloads: &[Vec<u8>],
) -> Vec<u8> {
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
                sha256: Sha256::hash(object),
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

pub(super) fn digests(payload: &[u8]) -> PayloadDigests {
    let mut hasher = PayloadHasher::new();
    hasher.update(payload);
    hasher.finish()
}

pub(super) fn payload_record(payload: &[u8]) -> PayloadRecord {
    let digests = digests(payload);
    PayloadRecord {
        sha256: digests.sha256,
        sha1: digests.sha1,
        size: digests.size,
        chunks: digests.chunks,
        not_carried: None,
    }
}

pub(super) fn revision_record(n: u128, revision_id: i32, xml: &str) -> Record {
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
