//! Makes the vectors with our own writer; what no writer makes, by forging and by edits.

use std::{collections::BTreeMap, fs};

use bundle_format::{
    container::VolumeReader,
    index::{Index, SegmentKind},
    limits::Limits,
    trust::Head,
};
use serde_json::json;
use tar::EntryType;
use uuid::Uuid;

use crate::{
    support::{Mirror, time},
    vector::{Edit, Expected, Vector, folder},
};

/// Makes the folder anew. Released vectors are never made anew: only new ones are added.
#[test]
#[ignore = "writes tests/vectors; run by hand when a vector is added"]
fn make_the_vectors() {
    let mut made = Made::default();
    volumes(&mut made);
    accepted(&mut made);
    broken_containers(&mut made);
    broken_members(&mut made);
    untrusted(&mut made);
}

#[derive(Default)]
struct Made {
    /// Unpacked, by name.
    volumes: BTreeMap<String, Vec<u8>>,
}

impl Made {
    fn volume(&mut self, name: &str, bytes: Vec<u8>) {
        let packed = zstd::encode_all(&bytes[..], 19).unwrap();
        let file = format!("{name}.tar.zst");
        fs::write(folder().join(&file), packed).unwrap();
        self.volumes.insert(file, bytes);
    }

    fn vector(&self, name: &str, vector: &Vector) {
        let json = serde_json::to_string_pretty(vector).unwrap();
        fs::write(folder().join(format!("{name}.json")), json + "\n").unwrap();
    }

    /// A vector on the volume `good`.
    fn refused(&self, name: &str, about: &str, edits: Vec<Edit>, by: &str, says: &str) {
        let vector = Vector { edits, ..good(about, by, says) };
        self.vector(name, &vector);
    }

    /// Where a member of `good` begins (its header), where its body begins, and where it ends.
    fn member(&self, name: &str) -> (usize, usize, usize) {
        let bytes = &self.volumes["good.tar.zst"];
        let mut at = 0;
        loop {
            let header = tar::Header::from_byte_slice(&bytes[at..at + 512]);
            let size = usize::try_from(header.entry_size().unwrap()).unwrap();
            let end = at + 512 + size.next_multiple_of(512);
            if header.path_bytes().ends_with(name.as_bytes()) {
                return (at, at + 512, end);
            }
            at = end;
        }
    }

    fn end(&self) -> usize {
        self.volumes["good.tar.zst"].len()
    }

    /// The digest that names the nth object.
    fn object(&self, nth: usize) -> String {
        let bytes = &self.volumes["good.tar.zst"];
        let (_, note, _) = VolumeReader::open(&bytes[..], &Limits::default()).unwrap();
        note.objects[nth].name()
    }
}

fn good(about: &str, by: &str, says: &str) -> Vector {
    Vector {
        about: about.to_owned(),
        volume: "good.tar.zst".to_owned(),
        edits: Vec::new(),
        root: "root.json".to_owned(),
        after: Vec::new(),
        site: "plant-7".to_owned(),
        clock: time("2026-02-01T00:00:00Z"),
        refuse_expired: false,
        expect: Expected::Refused { by: by.to_owned(), says: says.to_owned() },
    }
}

fn flip(bytes: &[u8], at: usize) -> Edit {
    Edit::Replace { at, hex: hex::encode([bytes[at] ^ 1]) }
}

fn countersigned() -> Mirror {
    let mut mirror = Mirror::new();
    mirror.timestamp = vec![3, 13];
    mirror.roots.clear();
    mirror.add_root(2);
    mirror
}

fn volumes(made: &mut Made) {
    let mirror = Mirror::new();
    fs::write(folder().join("root.json"), &mirror.roots[0]).unwrap();
    made.volume("good", mirror.full(3));
    made.volume("older", mirror.full(2));
    made.volume("newer", mirror.full(4));

    let two = countersigned();
    fs::write(folder().join("other-root.json"), &two.roots[0]).unwrap();
    let (index, _) = two.snapshot(3);
    made.volume("one-of-two-signatures", two.volume(&two.seal(&index, 3, 1), 3));
    made.volume("two-signatures", two.volume(&two.seal(&index, 3, 2), 3));

    // New content and timestamp keys under a second root.
    let mut rotated = Mirror::new();
    (rotated.content, rotated.timestamp) = (22, vec![23]);
    rotated.add_root(1);
    made.volume("rotated", rotated.full(4));
    made.volume("rotated-and-counted-anew", rotated.full(1));
    let mut revoked = mirror.seal(&mirror.snapshot(5).0, 5, 1);
    revoked.files.insert("metadata/2.root.json".to_owned(), rotated.roots[1].clone().into());
    made.volume("revoked-signer", mirror.volume(&revoked, 5));

    let mut other = Mirror::new();
    other.id = Uuid::from_u128(99);
    made.volume("other-mirror", other.full(4));
    let mut changed = Mirror::new();
    changed.payloads.push(b"one more".to_vec());
    made.volume("same-number", changed.full(3));
    let (index, _) = mirror.snapshot(4);
    made.volume("policy-back", mirror.volume(&mirror.seal(&index, 2, 1), 4));

    let odd = |change: &dyn Fn(&mut Index)| {
        let (mut index, _) = mirror.snapshot(3);
        change(&mut index);
        let number = index.snapshot;
        mirror.volume(&mirror.seal(&index, 3, 1), number)
    };
    made.volume("format-version-2", odd(&|index| index.format_version = 2));
    made.volume("critical-feature", odd(&|index| index.critical = vec!["teleport".to_owned()]));
    made.volume(
        "segment-kind-lies",
        odd(&|index| {
            index.segments[0].kind = SegmentKind::Payloads;
        }),
    );
    made.volume("segment-records-lie", odd(&|index| index.segments[0].records += 1));
    made.volume("segment-unpacked-size-lies", odd(&|index| index.segments[0].unpacked_size -= 1));
    made.volume(
        "segment-missing",
        odd(&|index| {
            let extra = mirror_with_one_more().snapshot(3).0.segments.remove(1);
            index.segments.push(extra);
        }),
    );
    let head = mirror.seal(&mirror.snapshot(3).0, 3, 1);
    let (_, segments) = mirror.snapshot(3);
    made.volume("payload-missing", mirror.volume_of(&head, 3, &segments, &mirror.payloads[1..]));
    let more: Vec<Vec<u8>> = mirror.payloads.iter().cloned().chain([b"stray".to_vec()]).collect();
    made.volume("stray-object", mirror.volume_of(&head, 3, &segments, &more));
    made.volume("note-of-another-snapshot", mirror.volume(&head, 9));

    let forged = |change: &dyn Fn(&str, &mut serde_json::Value)| -> Head {
        mirror.forge(&head, |document, signed| change(document, signed))
    };
    made.volume(
        "future-metadata",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["targets"]["index.json.zst"]["custom"] =
                        json!({ "format-version": 2, "everything": "else" });
                }
            }),
            3,
        ),
    );
    made.volume(
        "custom-contradicts-index",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["targets"]["index.json.zst"]["custom"]["sites"] =
                        json!(["plant-7", "plant-8"]);
                }
            }),
            3,
        ),
    );
    made.volume(
        "policy-not-listed",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "snapshot" {
                    signed["meta"].as_object_mut().unwrap().remove("policy.json");
                }
            }),
            3,
        ),
    );
    made.volume(
        "policy-may-sign-the-index",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["delegations"]["roles"][0]["paths"] = json!(["*"]);
                }
            }),
            3,
        ),
    );
    made.volume(
        "versions-differ",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "timestamp" {
                    signed["version"] = json!(4);
                }
            }),
            3,
        ),
    );
    made.volume(
        "optional-field",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["targets"]["index.json.zst"]["custom"]["note"] = json!("may be ignored");
                }
            }),
            3,
        ),
    );
    let mut mixed = head.clone();
    let four = mirror.seal(&mirror.snapshot(4).0, 4, 1);
    mixed.files.insert(
        "metadata/timestamp.json".to_owned(),
        four.files["metadata/timestamp.json"].clone(),
    );
    made.volume("mixed", mirror.volume(&mixed, 3));
}

fn mirror_with_one_more() -> Mirror {
    let mut mirror = Mirror::new();
    mirror.payloads.push(b"one more".to_vec());
    mirror
}

fn accepted(made: &mut Made) {
    let accepted = |freshness: &str, warnings| Expected::Accepted {
        freshness: freshness.to_owned(),
        warnings,
    };
    let base = |about: &str, volume: &str, freshness: &str| Vector {
        volume: format!("{volume}.tar.zst"),
        expect: accepted(freshness, 0),
        ..good(about, "", "")
    };
    let after = |name: &str| vec![format!("{name}.tar.zst")];
    made.vector("good", &base("A whole volume, all of its snapshot.", "good", "newer"));
    for (name, about, volume, before, freshness) in [
        ("good-again", "The same volume once more.", "good", "good", "same"),
        ("newer", "A newer snapshot.", "newer", "good", "newer"),
        (
            "older",
            "An older one: it may fill gaps and never take effect.",
            "older",
            "good",
            "older",
        ),
        (
            "rotated",
            "Content and timestamp keys replaced by a second root.",
            "rotated",
            "good",
            "newer",
        ),
        (
            "rotated-and-counted-anew",
            "All counting keys replaced: a lower number is newer, the way out of a count far ahead.",
            "rotated-and-counted-anew",
            "good",
            "newer",
        ),
    ] {
        made.vector(name, &Vector { after: after(before), ..base(about, volume, freshness) });
    }
    made.vector(
        "optional-field",
        &base("An unknown optional field is ignored.", "optional-field", "newer"),
    );
    made.vector(
        "two-signatures",
        &Vector {
            root: "other-root.json".to_owned(),
            ..base("Countersigned: two of two signatures.", "two-signatures", "newer")
        },
    );
    made.vector(
        "expired-warns",
        &Vector {
            clock: time("2027-06-01T00:00:00Z"),
            expect: accepted("newer", 4),
            ..base("Four roles expired: accepted with warnings.", "good", "newer")
        },
    );
    made.vector(
        "clock-behind-warns",
        &Vector {
            clock: time("2020-01-01T00:00:00Z"),
            expect: accepted("newer", 1),
            ..base("Sealed in this clock's future: accepted with a warning.", "good", "newer")
        },
    );
}

fn broken_containers(made: &mut Made) {
    let bytes = made.volumes["good.tar.zst"].clone();
    let (_, note_body, _) = made.member("VOLUME.json");
    let (timestamp, timestamp_body, timestamp_end) = made.member("timestamp.json");
    let first = made.member(&made.object(0));
    let second = made.member(&made.object(1));
    let third = made.member(&made.object(3));
    let (sums, sums_body, sums_end) = made.member("SHA256SUMS");
    let end = made.end();
    let refused = |name: &str, about: &str, edits: Vec<Edit>, says: &str| {
        made.refused(name, about, edits, "volume", says);
    };
    let remove = |from, to| vec![Edit::Remove { from, to }];
    let insert = |at: usize, header: &tar::Header| {
        vec![Edit::Insert { at, hex: hex::encode(header.as_bytes()) }]
    };
    let header = |change: &dyn Fn(&mut tar::Header)| {
        let mut header = tar::Header::new_ustar();
        header.set_path("objects/x").unwrap();
        header.set_mode(0o444);
        header.set_entry_type(EntryType::Regular);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        change(&mut header);
        header.set_cksum();
        header
    };

    refused("empty", "Nothing at all.", vec![Edit::Cut { at: 0 }], "cut off");
    refused(
        "cut-in-header",
        "Cut off within a header.",
        vec![Edit::Cut { at: first.0 + 100 }],
        "cut off",
    );
    refused(
        "cut-in-body",
        "Cut off within an object.",
        vec![Edit::Cut { at: first.1 + 10 }],
        "cut off",
    );
    refused(
        "cut-between-members",
        "Cut off between two members.",
        vec![Edit::Cut { at: second.0 }],
        "cut off",
    );
    refused(
        "cut-before-sums",
        "Cut off before SHA256SUMS.",
        vec![Edit::Cut { at: sums }],
        "cut off",
    );
    refused(
        "cut-in-tail",
        "Only one zero block at the end.",
        vec![Edit::Cut { at: end - 512 }],
        "cut off",
    );
    refused("no-tail", "No zero block at the end.", vec![Edit::Cut { at: sums_end }], "cut off");
    refused(
        "trailing-zeros",
        "A third zero block at the end.",
        vec![Edit::Insert { at: end, hex: "00".repeat(512) }],
        "bytes follow",
    );
    refused(
        "trailing-byte",
        "One byte behind the end.",
        vec![Edit::Insert { at: end, hex: "0a".into() }],
        "bytes follow",
    );
    refused("tail-not-zero", "A bit in the tail.", vec![flip(&bytes, end - 700)], "not zero");
    refused(
        "padding-not-zero",
        "A bit in the padding of an object.",
        vec![flip(&bytes, first.2 - 1)],
        "not zero",
    );
    refused(
        "head-padding-not-zero",
        "A bit in the padding of VOLUME.json.",
        vec![flip(&bytes, made.member("VOLUME.json").2 - 1)],
        "not zero",
    );
    refused(
        "object-flipped",
        "A bit of a segment.",
        vec![flip(&bytes, first.1 + 3)],
        "another digest",
    );
    made.refused(
        "part-flipped",
        "A bit of a part of a payload.",
        vec![flip(&bytes, made.member(".0").1)],
        "index",
        "another digest",
    );
    refused(
        "sums-flipped",
        "A bit of SHA256SUMS.",
        vec![flip(&bytes, sums_body)],
        "SHA256SUMS does not agree",
    );
    refused(
        "note-flipped",
        "A bit of a digest in VOLUME.json.",
        vec![flip(&bytes, {
            let text = String::from_utf8_lossy(&bytes[note_body..]).into_owned();
            note_body + text.find("\"sha256\": \"").unwrap() + 15
        })],
        "must come here",
    );
    refused(
        "note-set-flipped",
        "Another set id in VOLUME.json.",
        vec![flip(&bytes, {
            let text = String::from_utf8_lossy(&bytes[note_body..]).into_owned();
            note_body + text.find("\"set\": \"").unwrap() + 10
        })],
        "SHA256SUMS does not agree",
    );
    refused(
        "size-lies",
        "The size in a header, with its checksum, is one more.",
        {
            let mut changed = tar::Header::from_byte_slice(&bytes[first.0..first.1]).clone();
            changed.set_size(changed.entry_size().unwrap() + 1);
            changed.set_cksum();
            vec![Edit::Replace { at: first.0, hex: hex::encode(changed.as_bytes()) }]
        },
        "must come here",
    );
    refused(
        "checksum-wrong",
        "The checksum of a header.",
        vec![flip(&bytes, first.0 + 149)],
        "must come here",
    );
    refused(
        "object-missing",
        "A listed object is left out.",
        remove(first.0, first.2),
        "must come here",
    );
    refused(
        "head-member-missing",
        "The timestamp is left out.",
        remove(timestamp, timestamp_end),
        "does not belong",
    );
    refused(
        "note-missing",
        "VOLUME.json is left out.",
        remove(0, made.member("VOLUME.json").2),
        "VOLUME.json does not come first",
    );
    refused("sums-missing", "SHA256SUMS is left out.", remove(sums, sums_end), "must come here");
    refused(
        "object-doubled",
        "An object comes twice.",
        vec![Edit::Copy { from: first.0, to: first.2, at: first.2 }],
        "must come here",
    );
    refused(
        "head-member-doubled",
        "The timestamp comes twice.",
        vec![Edit::Copy { from: timestamp, to: timestamp_end, at: timestamp_end }],
        "does not belong",
    );
    refused(
        "objects-reordered",
        "Two objects have changed places.",
        vec![
            Edit::Copy { from: first.0, to: first.2, at: second.2 },
            Edit::Remove { from: first.0, to: first.2 },
        ],
        "must come here",
    );
    refused(
        "object-added",
        "An object that VOLUME.json does not list.",
        vec![Edit::Copy { from: third.0, to: third.2, at: sums }],
        "must come here",
    );
    refused(
        "metadata-among-objects",
        "The timestamp once more among the objects.",
        vec![Edit::Copy { from: timestamp, to: timestamp_end, at: second.0 }],
        "must come here",
    );
    refused(
        "second-archive",
        "A whole second volume behind the first.",
        vec![Edit::Copy { from: 0, to: end, at: end }],
        "bytes follow",
    );
    refused(
        "zero-block-inside",
        "A zero block between two objects.",
        vec![Edit::Insert { at: second.0, hex: "00".repeat(512) }],
        "must come here",
    );
    assert_eq!(bytes[timestamp_body], b'{');

    type Kind<'a> = (&'a str, &'a str, &'a dyn Fn(&mut tar::Header));
    let kinds: [Kind<'_>; 14] = [
        ("symlink", "A symbolic link to /etc/passwd.", &|h| {
            h.set_entry_type(EntryType::Symlink);
            h.set_link_name("/etc/passwd").unwrap();
        }),
        ("hard-link", "A hard link.", &|h| {
            h.set_entry_type(EntryType::Link);
            h.set_link_name("VOLUME.json").unwrap();
        }),
        ("directory", "A directory.", &|h| h.set_entry_type(EntryType::Directory)),
        ("device", "A block device.", &|h| h.set_entry_type(EntryType::Block)),
        ("fifo", "A named pipe.", &|h| h.set_entry_type(EntryType::Fifo)),
        ("pax", "A PAX header.", &|h| h.set_entry_type(EntryType::XHeader)),
        ("pax-global", "A global PAX header.", &|h| h.set_entry_type(EntryType::XGlobalHeader)),
        ("long-name", "A GNU long-name entry.", &|h| h.set_entry_type(EntryType::GNULongName)),
        ("sparse", "A GNU sparse file.", &|h| h.set_entry_type(EntryType::GNUSparse)),
        ("old-regular", "A regular file of type NUL.", &|h| h.as_mut_bytes()[156] = 0),
        ("dot-dot", "A member named ../x.", &|h| {
            h.as_ustar_mut().unwrap().name[..5].copy_from_slice(b"../x\0");
        }),
        ("absolute", "A member named /x.", &|h| {
            h.as_ustar_mut().unwrap().name[..3].copy_from_slice(b"/x\0");
        }),
        ("owned", "A member with an owner.", &|h| h.set_uid(1000)),
        ("dated", "A member with a date.", &|h| h.set_mtime(1)),
    ];
    for (name, about, change) in kinds {
        let edits = insert(second.0, &header(change));
        refused(&format!("{name}-among-objects"), about, edits, "must come here");
        let edits = insert(timestamp, &header(change));
        refused(&format!("{name}-in-head"), about, edits, "");
    }
    let mut gnu = tar::Header::new_gnu();
    gnu.set_path("objects/x").unwrap();
    gnu.set_size(0);
    gnu.set_cksum();
    refused("gnu-header", "A header of the GNU form.", insert(second.0, &gnu), "must come here");
    let mut base256 = tar::Header::from_byte_slice(&bytes[first.0..first.1]).clone();
    let size = base256.entry_size().unwrap();
    base256.as_mut_bytes()[124..136].fill(0);
    base256.as_mut_bytes()[124] = 0x80;
    base256.as_mut_bytes()[128..136].copy_from_slice(&size.to_be_bytes());
    base256.set_cksum();
    refused(
        "size-in-base-256",
        "The right size, written as GNU tar writes large ones.",
        vec![Edit::Replace { at: first.0, hex: hex::encode(base256.as_bytes()) }],
        "must come here",
    );
}

/// Bytes of the head altered; the container would be whole but for SHA256SUMS.
fn broken_members(made: &mut Made) {
    let bytes = made.volumes["good.tar.zst"].clone();
    let find = |member: &str, text: &str| {
        let (_, body, end) = made.member(member);
        let place = bytes[body..end].windows(text.len()).position(|w| w == text.as_bytes());
        body + place.unwrap() + text.len()
    };
    for (name, about, at, by, says) in [
        (
            "root-signature-flipped",
            "A digit of the root's signature.",
            find("1.root.json", "\"sig\": \"") + 1,
            "trust",
            "1.root.json",
        ),
        (
            "root-content-flipped",
            "A digit of a key in the root.",
            find("1.root.json", "\"public\": \"") + 1,
            "trust",
            "",
        ),
        (
            "timestamp-signature-flipped",
            "A digit of the timestamp's signature.",
            find("timestamp.json", "\"sig\": \"") + 1,
            "trust",
            "unknown here or was revoked",
        ),
        (
            "timestamp-version-flipped",
            "The timestamp's version.",
            find("timestamp.json", "\"version\": "),
            "trust",
            "unknown here or was revoked",
        ),
        (
            "timestamp-padding-flipped",
            "A space in the timestamp's padding.",
            made.member("timestamp.json").2 - 600,
            "trust",
            "timestamp",
        ),
        (
            "snapshot-flipped",
            "A digit in the snapshot metadata.",
            find("snapshot.json", "\"sha256\": \"") + 1,
            "trust",
            "does not have the digest",
        ),
        (
            "targets-flipped",
            "A digit in the targets metadata.",
            find("targets.json", "\"sha256\": \"") + 1,
            "trust",
            "does not have the digest",
        ),
        (
            "policy-metadata-flipped",
            "A digit in the policy metadata.",
            find("policy.json", "\"sha256\": \"") + 1,
            "trust",
            "does not have the digest",
        ),
        (
            "index-flipped",
            "A bit of the compressed index.",
            made.member(".index.json.zst").1 + 9,
            "volume",
            "another digest",
        ),
        (
            "policy-flipped",
            "A bit of the compressed policy.",
            made.member(".policy.json.zst").1 + 9,
            "volume",
            "another digest",
        ),
    ] {
        made.refused(name, about, vec![flip(&bytes, at)], by, says);
    }
}

fn untrusted(made: &mut Made) {
    let of = |about: &str, volume: &str, by: &str, says: &str| Vector {
        volume: format!("{volume}.tar.zst"),
        ..good(about, by, says)
    };
    for (name, about, by, says) in [
        ("format-version-2", "A newer format version.", "trust", "update Tidegate"),
        (
            "future-metadata",
            "A newer format version, all else unknown.",
            "trust",
            "update Tidegate",
        ),
        ("critical-feature", "An unknown critical feature.", "trust", "\"teleport\""),
        (
            "custom-contradicts-index",
            "The signed metadata name other sites than the index.",
            "trust",
            "contradict",
        ),
        ("policy-not-listed", "The policy role is delegated but not listed.", "trust", "policy"),
        (
            "policy-may-sign-the-index",
            "The policy role has a say over every target.",
            "trust",
            "nothing else",
        ),
        (
            "versions-differ",
            "Timestamp and snapshot have different versions.",
            "trust",
            "the same version",
        ),
        ("mixed", "The timestamp of another snapshot.", "trust", "mixed"),
        (
            "revoked-signer",
            "Signed by keys that the newest root no longer names.",
            "trust",
            "revoked",
        ),
        (
            "segment-kind-lies",
            "A catalogue segment named as payloads.",
            "segment",
            "does not belong",
        ),
        ("segment-records-lie", "The index counts one record more.", "segment", "fewer records"),
        ("segment-unpacked-size-lies", "The index says one byte less.", "segment", "more bytes"),
        ("segment-missing", "The index names a segment that is not there.", "index", "is missing"),
        ("payload-missing", "A payload is not there.", "index", "is missing"),
        (
            "stray-object",
            "An object that the snapshot does not name.",
            "index",
            "not named by the snapshot",
        ),
        (
            "note-of-another-snapshot",
            "VOLUME.json speaks of another snapshot.",
            "volume",
            "speaks of snapshot 9",
        ),
    ] {
        made.vector(name, &of(about, name, by, says));
    }
    made.vector(
        "unknown-signer",
        &Vector {
            root: "other-root.json".to_owned(),
            ..of("Another root is pinned.", "good", "trust", "unknown signer")
        },
    );
    made.vector(
        "one-of-two-signatures",
        &Vector {
            root: "other-root.json".to_owned(),
            ..of(
                "A countersignature is missing.",
                "one-of-two-signatures",
                "trust",
                "countersignature",
            )
        },
    );
    made.vector(
        "other-site",
        &Vector {
            site: "plant-8".to_owned(),
            ..of("For another site.", "good", "trust", "this is \"plant-8\"")
        },
    );
    for (name, about, says) in [
        ("other-mirror", "From another mirror than the one followed.", "follows one mirror"),
        ("same-number", "Another snapshot under an accepted number.", "the same number 3"),
        ("policy-back", "The policy's version falls.", "policy"),
    ] {
        made.vector(
            name,
            &Vector { after: vec!["good.tar.zst".to_owned()], ..of(about, name, "trust", says) },
        );
    }
    made.vector(
        "revoked-signer-known",
        &Vector {
            after: vec!["rotated.tar.zst".to_owned()],
            ..of("Signed by keys that a root known here revoked.", "newer", "trust", "revoked")
        },
    );
    made.vector(
        "expired-refused",
        &Vector {
            clock: time("2027-06-01T00:00:00Z"),
            refuse_expired: true,
            ..of("Expired, and this site refuses that.", "good", "trust", "refuses expired")
        },
    );
}
