//! A connected side in memory with keys that never change, volumes made by it, and a whole check
//! of one volume: container, trust, index, segments, payloads.

#![allow(unreachable_pub, reason = "the example uses this module too")]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    num::NonZeroU64,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::{
    container::{ObjectEntry, VolumeError, VolumeNote, VolumeReader, VolumeWriter},
    digest::{CHUNK_SIZE, PayloadHasher, Sha256},
    index::{Index, SegmentKind, SegmentRef},
    keys::{KeyRole, SigningKey},
    limits::BundleLimits,
    policy::{Policy, PolicyApproval},
    segment::{PayloadRecord, Record, RevisionRecord, SegmentReader, SegmentWriter},
    trust::{
        Expectation, Head, RootSpec, Seal, TrustError, TrustState, VerifiedHead, check_head,
        make_root, seal,
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// A key from a seed: for tests only, everybody knows it.
pub fn key(seed: u8) -> SigningKey {
    let mut der = hex::decode("302e020100300506032b657004220420").unwrap();
    der.extend([seed; 32]);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der)
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    SigningKey::load(file.path(), None).unwrap()
}

pub fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Offset of a part, name of the object, bytes.
pub type Member = (Option<u64>, Sha256, Vec<u8>);

/// A connected side: seeds of its keys, its roots, and what it has.
pub struct Mirror {
    pub root: u8,
    pub content: u8,
    pub timestamp: Vec<u8>,
    pub policy: u8,
    pub roots: Vec<Vec<u8>>,
    pub id: Uuid,
    pub sites: Vec<String>,
    pub payloads: Vec<Vec<u8>>,
}

impl Mirror {
    pub fn new() -> Self {
        let mut mirror = Self {
            root: 1,
            content: 2,
            timestamp: vec![3],
            policy: 4,
            roots: Vec::new(),
            id: Uuid::from_u128(0x7469_6465_6761_7465),
            sites: vec!["plant-7".to_owned()],
            payloads: vec![b"a payload".to_vec(), vec![b'x'; 700], Vec::new()],
        };
        mirror.add_root(1);
        mirror
    }

    /// Adds a root with the present keys, signed by the root key.
    pub fn add_root(&mut self, threshold: u64) {
        let public = |seed: &u8, role| key(*seed).public_part(role, None).unwrap();
        let signers = self.timestamp.iter();
        let spec = RootSpec {
            root: vec![public(&self.root, KeyRole::Root)],
            root_threshold: 1,
            content: public(&self.content, KeyRole::Content),
            timestamp: signers.map(|seed| public(seed, KeyRole::Countersigner)).collect(),
            timestamp_threshold: threshold,
            policy: None,
            expires: time("2036-01-01T00:00:00Z"),
        };
        let version = NonZeroU64::new(self.roots.len() as u64 + 1).unwrap();
        self.roots.push(make_root(&spec, version, &[&key(self.root)]).unwrap());
    }

    pub fn pin(&self) -> TrustState {
        TrustState::pin(&self.roots[0]).unwrap()
    }

    /// The two segments of this mirror, and the index over them.
    pub fn snapshot(&self, number: u64) -> (Index, Vec<Vec<u8>>) {
        let revisions = (1..=3).map(|i| {
            Record::Revision(RevisionRecord {
                update_id: Uuid::from_u128(u128::from(i)),
                revision_number: 100 + i,
                revision_id: i32::try_from(i).unwrap(),
                xml: format!("<Update number=\"{i}\"/>").into_bytes(),
            })
        });
        let withdrawal = Record::Withdrawal { update_id: Uuid::from_u128(1), revision_number: 101 };
        let carried = self.payloads.iter().map(|bytes| {
            let mut hasher = PayloadHasher::new();
            hasher.update(bytes);
            let digests = hasher.finish();
            Record::Payload(PayloadRecord {
                sha256: digests.sha256,
                sha1: digests.sha1,
                size: digests.size,
                chunks: digests.chunks,
                not_carried: None,
            })
        });
        let segments = [
            segment(SegmentKind::Catalogue, revisions.chain([withdrawal])),
            segment(SegmentKind::Payloads, carried),
        ];
        let index = Index {
            format_version: 1,
            critical: Vec::new(),
            mirror_id: self.id,
            snapshot: number,
            created: time("2026-01-20T00:00:00Z"),
            sites: self.sites.clone(),
            segments: segments.iter().map(|(_, segment)| segment.clone()).collect(),
        };
        (index, segments.into_iter().map(|(bytes, _)| bytes).collect())
    }

    pub fn seal(&self, index: &Index, policy_version: u64, signatures: usize) -> Head {
        let timestamp: Vec<SigningKey> =
            self.timestamp.iter().take(signatures).map(|seed| key(*seed)).collect();
        let policy = Policy {
            groups: vec!["Servers".to_owned()],
            approvals: vec![PolicyApproval {
                update: Uuid::from_u128(1),
                group: "Servers".to_owned(),
                action: "install".to_owned(),
                deadline: None,
                rule: None,
            }],
            ..Policy::default()
        };
        seal(&Seal {
            roots: &self.roots,
            index,
            policy: (&policy, NonZeroU64::new(policy_version).unwrap()),
            content: &key(self.content),
            timestamp: &timestamp.iter().collect::<Vec<_>>(),
            policy_key: &key(self.policy),
            expires: time("2027-01-01T00:00:00Z"),
        })
        .unwrap()
    }

    /// A volume with everything: segments, then payloads; the first payload as a part.
    pub fn volume(&self, head: &Head, number: u64) -> Vec<u8> {
        let (_, segments) = self.snapshot(number);
        self.volume_of(head, number, &segments, &self.payloads)
    }

    pub fn volume_of(
        &self,
        head: &Head,
        number: u64,
        segments: &[Vec<u8>],
        payloads: &[Vec<u8>],
    ) -> Vec<u8> {
        self.volume_changed(head, number, segments, payloads, |_| ())
    }

    /// A volume whose members were changed before it was written.
    pub fn volume_changed(
        &self,
        head: &Head,
        number: u64,
        segments: &[Vec<u8>],
        payloads: &[Vec<u8>],
        change: impl Fn(&mut Vec<Member>),
    ) -> Vec<u8> {
        let whole = |bytes: &Vec<u8>| (None, Sha256::hash(bytes), bytes.clone());
        let mut members: Vec<Member> = segments.iter().map(whole).collect();
        for (at, payload) in payloads.iter().enumerate() {
            let chunk = usize::try_from(CHUNK_SIZE).unwrap();
            if at == 0 || payload.len() > chunk {
                for (part, offset) in payload.chunks(chunk).zip((0..).step_by(chunk)) {
                    members.push((Some(offset), Sha256::hash(payload), part.to_vec()));
                }
            } else {
                members.push(whole(payload));
            }
        }
        // Segments as the index has them, payloads ascending.
        members[segments.len()..].sort_by_key(|(offset, sha256, _)| (*sha256, *offset));
        change(&mut members);
        let objects: Vec<ObjectEntry> = members
            .iter()
            .map(|(offset, sha256, body)| ObjectEntry {
                sha256: *sha256,
                offset: *offset,
                size: body.len() as u64,
            })
            .collect();
        let note = VolumeNote {
            format_version: 1,
            set: Uuid::from_u128(u128::from(number)),
            volume: 1,
            of: 1,
            site: self.sites[0].clone(),
            snapshot: number,
            objects,
        };
        let mut writer = VolumeWriter::new(Vec::new(), &note, head).unwrap();
        for (_, _, body) in &members {
            writer.object(&mut &body[..]).unwrap();
        }
        writer.finish().unwrap()
    }

    /// A whole volume of snapshot `number`, fully signed.
    pub fn full(&self, number: u64) -> Vec<u8> {
        let (index, _) = self.snapshot(number);
        let head = self.seal(&index, number, self.timestamp.len());
        self.volume(&head, number)
    }

    /// Alters signed documents and signs everything anew, as a thief of the content and timestamp
    /// keys could. Signs by itself: canonical JSON of what we write is compact JSON with sorted
    /// keys.
    pub fn forge(&self, head: &Head, change: impl Fn(&str, &mut Value)) -> Head {
        let mut forged = head.clone();
        let name_of =
            |end: &str| head.files.keys().find(|name| name.ends_with(end)).unwrap().clone();
        let load = |name: &str| -> Value { serde_json::from_slice(&head.files[name]).unwrap() };
        let pin = |meta: &mut Value, bytes: &[u8]| {
            meta["length"] = json!(bytes.len());
            meta["hashes"]["sha256"] = json!(Sha256::hash(bytes));
        };
        let targets_name = name_of(".targets.json");
        let mut targets = load(&targets_name);
        change("targets", &mut targets["signed"]);
        let targets = signed_anew(targets, &[self.content]);
        let snapshot_name = name_of(".snapshot.json");
        let mut snapshot = load(&snapshot_name);
        pin(&mut snapshot["signed"]["meta"]["targets.json"], &targets);
        change("snapshot", &mut snapshot["signed"]);
        let snapshot = signed_anew(snapshot, &[self.content]);
        let mut timestamp = load("metadata/timestamp.json");
        pin(&mut timestamp["signed"]["meta"]["snapshot.json"], &snapshot);
        change("timestamp", &mut timestamp["signed"]);
        let mut timestamp = signed_anew(timestamp, &self.timestamp);
        timestamp.resize(timestamp.len().next_multiple_of(2048), b' ');
        forged.files.insert(targets_name, targets.into());
        forged.files.insert(snapshot_name, snapshot.into());
        forged.files.insert("metadata/timestamp.json".to_owned(), timestamp.into());
        forged
    }
}

fn signed_anew(mut document: Value, seeds: &[u8]) -> Vec<u8> {
    let message = serde_json::to_vec(&document["signed"]).unwrap();
    let mut signatures: Vec<(String, Value)> = Vec::new();
    for seed in seeds {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[*seed; 32]).unwrap();
        let key = json!({
            "keytype": "ed25519",
            "keyval": { "public": hex::encode(pair.public_key().as_ref()) },
            "scheme": "ed25519",
        });
        let keyid = Sha256::hash(&serde_json::to_vec(&key).unwrap()).to_string();
        let signature = json!({ "keyid": keyid, "sig": hex::encode(pair.sign(&message).as_ref()) });
        signatures.push((keyid, signature));
    }
    signatures.sort_by(|a, b| a.0.cmp(&b.0));
    document["signatures"] = signatures.into_iter().map(|(_, signature)| signature).collect();
    serde_json::to_vec_pretty(&document).unwrap()
}

fn segment(kind: SegmentKind, records: impl Iterator<Item = Record>) -> (Vec<u8>, SegmentRef) {
    let mut writer = SegmentWriter::new(Vec::new(), kind).unwrap();
    records.for_each(|record| writer.push(&record).unwrap());
    writer.finish().unwrap()
}

/// Who refused, and why.
#[derive(Debug)]
pub struct Refusal {
    pub by: &'static str,
    pub what: String,
}

/// The whole check of one volume that carries all of its snapshot.
pub fn whole_check(
    volume: &[u8],
    state: &TrustState,
    expect: &Expectation<'_>,
) -> Result<VerifiedHead, Refusal> {
    let limits = BundleLimits::default();
    let by_volume = |error: VolumeError| {
        assert!(matches!(error, VolumeError::Refused { .. }), "no refusal: {error:?}");
        Refusal { by: "volume", what: error.to_string() }
    };
    let refuse = |by: &'static str, what: String| Err(Refusal { by, what });
    let (mut reader, note, head) = VolumeReader::open(volume, &limits).map_err(by_volume)?;
    let verified = check_head(state, &head, expect, &limits).map_err(|error| {
        assert!(matches!(error, TrustError::Refused { .. }), "no refusal: {error:?}");
        assert!(std::error::Error::source(&error).is_none(), "a library speaks: {error:?}");
        for foreign in ["tough", "PhantomData", "bundle:///", "Transport"] {
            assert!(!error.to_string().contains(foreign), "{error}");
        }
        Refusal { by: "trust", what: error.to_string() }
    })?;
    note.check_against(&verified.index).map_err(by_volume)?;

    let segments: BTreeMap<Sha256, (usize, &SegmentRef)> =
        (0..).zip(&verified.index.segments).map(|(at, s)| (s.sha256, (at, s))).collect();
    let mut payloads: BTreeMap<Sha256, PayloadRecord> = BTreeMap::new();
    let (mut seen, mut last) = (BTreeSet::new(), None);
    while let Some(entry) = reader.next_object().map_err(by_volume)? {
        let mut body = Vec::new();
        reader.read_to_end(&mut body).map_err(|e| by_volume(e.into()))?;
        seen.insert(entry.sha256);
        let known = segments.get(&entry.sha256);
        let place = (
            known.map_or(usize::MAX, |(at, _)| *at),
            known.map_or(Some((entry.sha256, entry.offset)), |_| None),
        );
        if last.replace(place).is_some_and(|last| place <= last) {
            return refuse("index", format!("{} is out of order", entry.name()));
        }
        if let Some((_, segment)) = known {
            if entry.offset.is_some() || entry.size != segment.size {
                return refuse("index", format!("{} is not the segment named", entry.name()));
            }
            let records = SegmentReader::new(&body[..], segment, &limits)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let records = records.map_err(|e| Refusal { by: "segment", what: e.to_string() })?;
            for record in records {
                if let Record::Payload(payload) = record {
                    payloads.insert(payload.sha256, payload);
                }
            }
            continue;
        }
        let Some(payload) = payloads.get(&entry.sha256) else {
            return refuse("index", format!("{} is not named by the snapshot", entry.name()));
        };
        if entry.offset.is_none() && entry.size != payload.size {
            return refuse("index", format!("{} has another size", entry.name()));
        }
        let first = usize::try_from(entry.offset.unwrap_or(0) / CHUNK_SIZE).unwrap();
        for (chunk, at) in body.chunks(usize::try_from(CHUNK_SIZE).unwrap()).zip(first..) {
            if payload.chunks.get(at) != Some(&Sha256::hash(chunk)) {
                return refuse("index", format!("{} chunk {at} has another digest", entry.name()));
            }
        }
    }
    let missing = segments.keys().chain(payloads.keys()).find(|object| !seen.contains(object));
    match missing {
        Some(object) => refuse("index", format!("the object {object} is missing")),
        None => Ok(verified),
    }
}
